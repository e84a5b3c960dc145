#include "fake_port.hpp"

#include <golem/provider/agent.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <golem/core/error.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <functional>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
using golem::provider::test::FakePort;
using Log = std::vector<std::string>;

namespace {

ProviderOptions priced()
{
    ProviderOptions options;
    options.cpu_price = 0.0002;
    options.duration_price = 0.0001;
    options.start_price = 0.001;
    return options;
}

// An agent at work on a fake daemon in virtual time.
struct Bench {
    Bench(const Executor& executor, VirtualTime& clock, const ProviderOptions& options)
        : time(clock), port(executor, clock), machines(std::make_shared<ScriptedRuntimeFactory>(executor, clock)),
          agent(executor, clock, port, machines, options, Logger()), tasks(executor)
    {
        machines->behaviour().cpu_share = 0.0;
    }

    Content demand(Duration lifetime = 1h) const
    {
        Content content;
        const auto expiration = std::chrono::floor<std::chrono::milliseconds>(time.utc() + lifetime);
        content.properties.set("golem.srv.comp.expiration", expiration.time_since_epoch().count());
        content.properties.set("golem.com.payment.chosen-platform", "erc20-hoodi-tglm");
        content.properties.set("golem.com.payment.debit-notes.accept-timeout?", 10);
        content.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 5);
        content.properties.set("golem.com.scheme.payu.payment-timeout-sec?", 12);
        content.properties.set("golem.srv.caps.multi-activity", true);
        return content;
    }

    void propose(const std::string& id, const Content& content)
    {
        ProposalArrived proposal;
        proposal.proposal = id;
        proposal.requestor = "0x1";
        proposal.demand = content;
        port.market.push(proposal);
    }

    // Asks for an agreement on these terms, as the daemon tells it after a Draft.
    void sign(const std::string& id, const Content& content)
    {
        AgreementArrived agreement;
        agreement.agreement = id;
        agreement.requestor = "0x1";
        agreement.demand = content;
        const auto offer = provider::detail::make_offer(priced(), port.node_id(), time.utc());
        agreement.offer =
            std::get<provider::detail::Accept>(provider::detail::negotiate(content, offer, time.utc(), 0, priced()))
                .content;
        agreement.timestamp = time.utc();
        agreement.valid_to = time.utc() + 1h;
        port.market.push(agreement);
    }

    void end(const std::string& id, AgreementEvent::Kind kind = AgreementEvent::Kind::terminated)
    {
        AgreementEvent event;
        event.agreement = id;
        event.kind = kind;
        port.agreement.push(event);
    }

    void create(const std::string& id, const std::string& agreement = "a")
    {
        tell(ActivityEvent::Kind::create, id, agreement);
    }
    void destroy(const std::string& id, const std::string& agreement = "a")
    {
        tell(ActivityEvent::Kind::destroy, id, agreement);
    }

    void pay(const std::string& note, PaymentEvent::Kind kind = PaymentEvent::Kind::accepted)
    {
        PaymentEvent event;
        event.id = note;
        event.kind = kind;
        port.payment.push(event);
    }

    Task<> pass(Duration duration) { co_await time.sleep_for(duration, "the test"); }

    VirtualTime& time;
    FakePort port;
    std::shared_ptr<ScriptedRuntimeFactory> machines;
    Agent agent;
    TaskGroup tasks;

private:
    void tell(ActivityEvent::Kind kind, const std::string& id, const std::string& agreement)
    {
        ActivityEvent event;
        event.kind = kind;
        event.activity = id;
        event.agreement = agreement;
        port.activity.push(event);
    }
};

void with_agent(const std::function<Task<>(Bench&)>& body, const ProviderOptions& options = priced())
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time, options);
        bench.tasks.spawn("agent", [&] { return bench.agent.run(); });
        co_await bench.pass(1ms);
        CHECK(bench.port.take_log() == Log{"0 publish offer-1"});
        std::exception_ptr failure;
        try {
            co_await body(bench);
        } catch (...) {
            failure = std::current_exception();
        }
        bench.agent.stop();
        co_await bench.tasks.join();
        if (failure)
            std::rethrow_exception(failure);
    });
}

// With agreement "a" and, 1 s later, its activity "x" at work; 1.001 s have passed and the log is empty.
void with_activity(const std::function<Task<>(Bench&)>& body, const std::function<void(Content&)>& change = {})
{
    with_agent([&](Bench& bench) -> Task<> {
        auto content = bench.demand();
        if (change)
            change(content);
        bench.sign("a", content);
        co_await bench.pass(1s);
        bench.create("x");
        co_await bench.pass(0s);
        co_await bench.pass(999ms);
        CHECK(bench.port.take_log() == Log{"0.001 approve a", "1.001 attach x"});
        CHECK(bench.agent.activities() == Log{"x"});
        co_await body(bench);
    });
}

constexpr auto work = R"([{"deploy":{}},{"start":{}},{"run":{"entry_point":"/work"}}])";

} // namespace

TEST_CASE("options out of range are refused by name")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        FakePort port(executor, time);
        auto options = priced();
        options.capacity = 0;
        std::string told;
        try {
            Agent agent(executor, time, port, nullptr, options, Logger());
        } catch (const Error& error) {
            told = error.what();
        }
        CHECK(told.find("ProviderOptions::capacity is 0, but must be at least 1") != std::string::npos);
    });
}

TEST_CASE("a counter becomes a Draft, a refusal, or nothing")
{
    with_agent([](Bench& bench) -> Task<> {
        bench.propose("good", bench.demand());
        auto bad = bench.demand();
        bad.properties.erase("golem.com.payment.chosen-platform");
        bench.propose("bad", bad);
        auto odd = bench.demand();
        odd.properties.set("golem.srv.comp.expiration", "soon");
        bench.propose("odd", odd);
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"0.001 counter good", "0.001 reject bad: Missing fields: /golem/com/payment/chosen-platform"});
        CHECK(bench.port.drafts["good"].properties.get_int("golem.com.payment.debit-notes.accept-timeout?") == 10);
        bench.agent.set_silent(true);
        bench.propose("good", bench.demand());
        bench.sign("a", bench.demand());
        co_await bench.pass(100s);
        CHECK(bench.port.take_log().empty());
    });
}

TEST_CASE("negotiation takes its time")
{
    auto options = priced();
    options.negotiation_latency = 300ms;
    with_agent(
        [](Bench& bench) -> Task<> {
            bench.propose("p", bench.demand());
            bench.propose("q", bench.demand());
            co_await bench.pass(1s);
            CHECK(bench.port.take_log() == Log{"0.301 counter p", "0.301 counter q"});
        },
        options);
}

TEST_CASE("an offer is published anew when it expires, and when the daemon lost it")
{
    auto options = priced();
    options.offer_lifetime = 1min;
    with_agent(
        [](Bench& bench) -> Task<> {
            co_await bench.pass(61s);
            CHECK(bench.port.take_log() == Log{"60 withdraw offer-1", "60 publish offer-2"});
            // A daemon that is away for a moment still knows the offer when it is back.
            bench.port.let_fail("market", 2);
            bench.port.let_fail("offer", 1);
            bench.port.let_fail("publish", 1);
            co_await bench.pass(40s);
            CHECK(
                bench.port.take_log() == Log{"80 market fails", "85 market fails", "90 offer fails",
                                             "90 withdraw offer-2", "95 publish fails", "100 publish offer-3"});
            CHECK(bench.agent.offer() == "offer-3");
        },
        options);
}

TEST_CASE("one agreement at a time: refused counters get their Draft when the slot frees")
{
    with_agent([](Bench& bench) -> Task<> {
        bench.sign("a", bench.demand());
        co_await bench.pass(1s);
        bench.propose("p", bench.demand());
        bench.sign("b", bench.demand());
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"0.001 approve a", "1.001 reject p: No capacity available. Reached Agreements limit: 1",
                "1.001 reject agreement b: No capacity available. Reached Agreements limit: 1"});
        CHECK(bench.agent.agreements() == Log{"a"});
        bench.end("a");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"2.001 invoice a 0 due in 12", "2.001 counter p"});
        CHECK(bench.agent.agreements().empty());
        // It is answered once only.
        bench.sign("c", bench.demand());
        co_await bench.pass(1s);
        bench.end("c");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"3.001 approve c", "4.001 invoice c 0 due in 12"});
    });
}

TEST_CASE("a slot is given back if the approval fails or the requestor cancels")
{
    with_agent([](Bench& bench) -> Task<> {
        bench.port.let_fail("approve", 1);
        bench.sign("a", bench.demand());
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"0.001 approve a", "0.001 approve fails"});
        CHECK(bench.agent.agreements().empty());
        bench.sign("b", bench.demand());
        co_await bench.pass(1s);
        CHECK(bench.agent.agreements() == Log{"b"});
    });
}

TEST_CASE("an agreement without activity is broken after 90 s")
{
    with_agent([](Bench& bench) -> Task<> {
        bench.sign("a", bench.demand());
        co_await bench.pass(200s);
        CHECK(
            bench.port.take_log() == Log{"0.001 approve a",
                                         "90.001 terminate a: No activity created within 90s/NoActivity",
                                         "90.001 invoice a 0 due in 12"});
        REQUIRE(bench.port.invoices.size() == 1);
        CHECK(bench.port.invoices[0].activities.empty());
    });
}

TEST_CASE("an activity is billed at the agreement's intervals and settled when it is destroyed")
{
    with_activity([](Bench& bench) -> Task<> {
        for (int note = 1; note <= 3; ++note) {
            co_await bench.pass(5s);
            bench.pay("note-" + std::to_string(note));
        }
        co_await bench.pass(1ms);
        CHECK(
            bench.port.take_log() ==
            Log{"5.001 note x 0.0014", "10.001 note x 0.0019", "15.001 note x 0.0024 due in 12"});
        bench.pay("note-3", PaymentEvent::Kind::settled);
        bench.destroy("x");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"17.001 detach x: /", "17.001 note x 0.0026 due in 12"});
        CHECK(bench.agent.activities().empty());
        bench.pay("note-4", PaymentEvent::Kind::settled);
        co_await bench.pass(10s);
        bench.create("y");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"28.001 attach y"});
        bench.end("a");
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"29.001 detach y: Interrupted by signal: 15: "
                "{\"batches_done\":0,\"batches_pending\":0,\"cmds_done\":0,\"cmds_pending\":0}/",
                "29.001 note y 0.0011 due in 12", "29.001 invoice a 0.0037 due in 12"});
        REQUIRE(bench.port.invoices.size() == 1);
        CHECK(bench.port.invoices[0].activities == Log{"x", "y"});
        CHECK(bench.port.notes[0].usage == std::vector<double>{0.0, 4.0});
    });
}

TEST_CASE("a note can come before the exe-unit is up")
{
    auto options = priced();
    options.activity_latency = 7s;
    with_agent(
        [](Bench& bench) -> Task<> {
            bench.sign("a", bench.demand());
            co_await bench.pass(1s);
            bench.create("x");
            co_await bench.pass(8s);
            CHECK(bench.port.take_log() == Log{"0.001 approve a", "5.001 note x 0.001", "8.001 attach x"});
            CHECK(bench.port.notes[0].usage == std::vector<double>{0.0, 0.0});
        },
        options);
}

TEST_CASE("an activity that is destroyed before it is up never comes up")
{
    auto options = priced();
    options.activity_latency = 3s;
    with_agent(
        [](Bench& bench) -> Task<> {
            bench.sign("a", bench.demand());
            co_await bench.pass(1s);
            bench.create("x");
            co_await bench.pass(1s);
            bench.destroy("x");
            co_await bench.pass(5s);
            CHECK(bench.port.take_log() == Log{"0.001 approve a", "2.001 detach x: /", "2.001 note x 0.001 due in 12"});
            bench.destroy("x");
            bench.destroy("unknown");
            bench.create("z", "unknown");
            co_await bench.pass(1s);
            // Who asks again was not told, and waits.
            CHECK(bench.port.take_log() == Log{"7.001 detach x: /", "7.001 detach unknown: /"});
        },
        options);
}

TEST_CASE("a second activity at the same time is refused")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.create("y");
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"2 detach y: Only single Activity allowed/Can't create 2 simultaneous Activities."});
        CHECK(bench.agent.activities() == Log{"x"});
    });
}

TEST_CASE("an agreement for a single activity ends with it")
{
    with_activity(
        [](Bench& bench) -> Task<> {
            bench.destroy("x");
            co_await bench.pass(1s);
            CHECK(
                bench.port.take_log() == Log{"2 detach x: /", "2 note x 0.001 due in 12",
                                             "2 terminate a: Finished with success./Success",
                                             "2 invoice a 0.001 due in 12"});
        },
        [](Content& content) { content.properties.set("golem.srv.caps.multi-activity", false); });
}

TEST_CASE("an agreement is broken when notes are not accepted in time")
{
    with_activity([](Bench& bench) -> Task<> {
        co_await bench.pass(60s);
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 6);
        CHECK(log[0] == "5.001 note x 0.0014");
        CHECK(log[1] == "10.001 note x 0.0019");
        CHECK(log[2].rfind("15.001 detach x: Interrupted by signal: 15: ", 0) == 0);
        CHECK(log[3] == "15.001 terminate a: Requestor isn't accepting DebitNotes in time (10s)/DebitNotesDeadline");
        CHECK(log[4] == "15.001 note x 0.0024 due in 12");
        CHECK(log[5] == "15.001 invoice a 0.0024 due in 12");
    });
}

TEST_CASE("an agreement is broken when a payable note is accepted and not paid")
{
    with_activity([](Bench& bench) -> Task<> {
        for (int note = 1; note <= 5; ++note) {
            co_await bench.pass(4s);
            co_await bench.pass(1s);
            bench.pay("note-" + std::to_string(note));
        }
        co_await bench.pass(10s);
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 9);
        CHECK(log[2] == "15.001 note x 0.0024 due in 12");
        CHECK(log[6] == "27.001 terminate a: Requestor didn't pay for DebitNote in time (12s)/DebitNoteNotPaid");
    });
}

TEST_CASE("an agreement is broken at its expiration, to the millisecond")
{
    with_activity(
        [](Bench& bench) -> Task<> {
            co_await bench.pass(10min);
            const auto log = bench.port.take_log();
            CHECK(log.size() >= 5);
            const auto terminated = std::find_if(
                log.begin(), log.end(), [](const auto& line) { return line.find("terminate") != std::string::npos; });
            REQUIRE(terminated != log.end());
            CHECK(*terminated == "301 terminate a: Agreement expired @ 2024-12-18 00:05:01 UTC/Expired");
        },
        [](Content& content) {
            const auto now = Timestamp(std::chrono::hours(24) * 365 * 55);
            const auto expires = std::chrono::duration_cast<std::chrono::milliseconds>((now + 301s).time_since_epoch());
            content.properties.set("golem.srv.comp.expiration", expires.count());
            content.properties.erase("golem.com.payment.debit-notes.accept-timeout?");
            content.properties.erase("golem.com.scheme.payu.payment-timeout-sec?");
        });
}

TEST_CASE("the requestor's end kills what runs and pays for it")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.machines->behaviour().hangs = true;
        const auto unit = bench.port.units.at("x");
        unit->exec("b", work);
        std::optional<std::vector<CommandOutcome>> seen;
        bench.tasks.spawn("poll", [&]() -> Task<> { seen = co_await unit->results("b", 60s, std::nullopt); });
        co_await bench.pass(2s);
        CHECK(unit->state() == UnitStatePair{UnitState::ready, UnitState::ready});
        bench.end("a");
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"4 detach x: Interrupted by signal: 15: "
                "{\"batches_done\":0,\"batches_pending\":1,\"cmds_done\":2,\"cmds_pending\":1}/",
                "4 note x 0.0012 due in 12", "4 invoice a 0.0012 due in 12"});
        REQUIRE(seen);
        CHECK(seen->size() == 3);
        CHECK(
            seen->back().message == "Local service error: State error: Unexpected state: StatePair(Terminated, None), "
                                    "expected StatePair(Ready, Some(Ready))");
    });
}

TEST_CASE("an exe-unit that dies leaves the agreement alive")
{
    with_activity([](Bench& bench) -> Task<> {
        CHECK(!bench.agent.kill_unit("nobody"));
        CHECK(bench.agent.kill_unit("x"));
        CHECK(!bench.agent.kill_unit("x"));
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"2 detach x: execution aborted/exit code None", "2 note x 0.001 due in 12"});
        bench.create("y");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"3 attach y"});
    });
}

TEST_CASE("a termination that the test asks for takes the usual course")
{
    with_activity([](Bench& bench) -> Task<> {
        Reason reason;
        reason.message = "because";
        CHECK(!bench.agent.terminate_agreement("z", reason));
        CHECK(bench.agent.terminate_agreement("a", reason));
        bench.port.let_fail("terminate", 1);
        co_await bench.pass(1s);
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 5);
        CHECK(log[1] == "2 terminate a: because/-");
        CHECK(log[4] == "2 invoice a 0.001 due in 12");
        CHECK(!bench.agent.terminate_agreement("a", reason));
    });
}

TEST_CASE("last notes and invoices are tried again, and an acceptance may come early")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.pay("note-1");
        bench.port.let_fail("note", 2);
        co_await bench.pass(12s);
        // The first interval's note failed and is left out, so did the second; the third is the first that is sent.
        CHECK(bench.port.take_log() == Log{"5.001 note fails", "10.001 note fails"});
        bench.port.let_fail("note", 1);
        bench.port.let_fail("invoice", 2);
        bench.end("a");
        co_await bench.pass(30s);
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 6);
        CHECK(log[1] == "14 note fails");
        CHECK(log[2] == "19 note x 0.0022 due in 12");
        CHECK(log[5] == "34 invoice a 0.0022 due in 12");
    });
}

TEST_CASE("an interval note that comes late does not lower the invoice")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.port.let_hang("note", {6s});
        co_await bench.pass(5s);
        bench.destroy("x");
        co_await bench.pass(6s);
        bench.end("a");
        co_await bench.pass(1s);
        CHECK(
            bench.port.take_log() ==
            Log{"7 detach x: /", "7 note x 0.0015 due in 12", "11.001 note x 0.0014", "13 invoice a 0.0015 due in 12"});
    });
}

TEST_CASE("nothing waits for a debit note that hangs, and there is one at a time")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.port.let_hang("note", {8s, 8s});
        co_await bench.pass(10s);
        CHECK(bench.port.take_log().empty());
        co_await bench.pass(1001ms);
        CHECK(bench.port.take_log() == Log{"13.001 note x 0.0014"});
        bench.pay("note-1");
        co_await bench.pass(4s);
        bench.end("a");
        co_await bench.pass(1s);
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 3);
        CHECK(log[0].starts_with("17.001 detach x"));
        CHECK(log[2].starts_with("17.001 invoice a"));
    });
}

TEST_CASE("a requestor whom no note reaches is not served for ever")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.port.let_fail("note", 1000);
        co_await bench.pass(10min);
        const auto log = bench.port.take_log();
        CHECK(
            std::find(
                log.begin(), log.end(),
                "15.001 terminate a: Requestor is unreachable more than 10s/RequestorUnreachable") != log.end());
    });
}

TEST_CASE("the end of an activity is told until it is heard")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.port.let_fail("detach", 2);
        bench.destroy("x");
        co_await bench.pass(1s);
        bench.pay("note-1", PaymentEvent::Kind::settled);
        co_await bench.pass(20s);
        CHECK(
            bench.port.take_log() == Log{"2 detach x: /", "2 detach fails", "2 note x 0.001 due in 12", "7 detach x: /",
                                         "7 detach fails", "12 detach x: /"});
    });
}

TEST_CASE("an agreement that was approved though nobody knew it is not left behind")
{
    with_agent([](Bench& bench) -> Task<> {
        bench.port.let_fail("approve", 2);
        bench.sign("late", bench.demand());
        co_await bench.pass(1s);
        bench.end("late", AgreementEvent::Kind::approved);
        co_await bench.pass(10s);
        CHECK(
            bench.port.take_log() == Log{"0.001 approve late", "0.001 approve fails",
                                         "6.001 terminate late: The approval came too late/Cancelled"});
        // Told of before the call fails, it is an agreement like others.
        bench.port.let_hang("approve", {5s});
        bench.sign("a", bench.demand());
        co_await bench.pass(1s);
        bench.end("a", AgreementEvent::Kind::approved);
        co_await bench.pass(10s);
        CHECK(bench.agent.agreements() == Log{"a"});
        bench.create("x");
        co_await bench.pass(1s);
        CHECK(bench.port.take_log() == Log{"16.001 approve a", "16.001 approve fails", "22.001 attach x"});
    });
}

TEST_CASE("finishing waits for what is under way: offers, terminations, agreements that just come")
{
    auto options = priced();
    options.offer_lifetime = 1min;
    options.negotiation_latency = 300ms;
    with_agent(
        [](Bench& bench) -> Task<> {
            bench.sign("a", bench.demand());
            co_await bench.pass(1s);
            bench.port.take_log();
            bench.port.let_hang("publish", {10s});
            co_await bench.pass(60s);
            CHECK(bench.port.take_log() == Log{"60 withdraw offer-1"});
            bench.port.let_fail("terminate", 1);
            bench.agent.finish(60s);
            co_await bench.pass(30s);
            CHECK(
                bench.port.take_log() == Log{"61.001 terminate a: Shutting down Provider/Shutdown",
                                             "61.001 terminate fails", "61.001 invoice a 0 due in 12",
                                             "66.001 terminate a: Shutting down Provider/Shutdown",
                                             "70 publish offer-2", "70 withdraw offer-2"});
            CHECK(bench.tasks.size() == 0);
        },
        options);
    with_agent(
        [](Bench& bench) -> Task<> {
            bench.sign("a", bench.demand());
            co_await bench.pass(100ms);
            bench.agent.finish(60s);
            co_await bench.pass(1s);
            CHECK(
                bench.port.take_log() ==
                Log{"0.101 withdraw offer-1", "0.301 reject agreement a: Shutting down Provider"});
        },
        options);
}

TEST_CASE("finishing ends agreements with a reason, and leaves last notes and invoices behind")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.agent.finish(10s);
        co_await bench.pass(5s);
        const auto log = bench.port.take_log();
        const auto count = [&](const std::string& text) {
            return std::count_if(
                log.begin(), log.end(), [&](const std::string& line) { return line.find(text) != std::string::npos; });
        };
        CHECK(count("withdraw offer-1") == 1);
        CHECK(count("terminate a: Shutting down Provider") == 1);
        CHECK(count("note x") == 1);
        CHECK(count("invoice a") == 1);
        CHECK(bench.agent.agreements().empty());
        CHECK(bench.agent.offer().empty());
    });
}

TEST_CASE("finishing takes no time before the work has begun")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time, priced());
        bench.agent.finish(10s);
        co_await bench.pass(1s);
        bench.tasks.spawn("agent", [&] { return bench.agent.run(); });
        co_await bench.tasks.join();
        CHECK(time.elapsed() == 1s);
        CHECK(bench.port.take_log().empty());
    });
}

TEST_CASE("finishing takes no longer than it may")
{
    with_activity([](Bench& bench) -> Task<> {
        bench.port.let_fail("invoice", 1000);
        bench.agent.finish(10s);
        co_await bench.pass(11s);
        bench.port.take_log();
        co_await bench.pass(1h);
        CHECK(bench.port.take_log().empty());
    });
}

TEST_CASE("a stop is silent: units die, the offer goes, nobody is told")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time, priced());
        bench.tasks.spawn("agent", [&] { return bench.agent.run(); });
        co_await bench.pass(1s);
        bench.sign("a", bench.demand());
        co_await bench.pass(1s);
        bench.create("x");
        co_await bench.pass(1s);
        bench.machines->behaviour().hangs = true;
        bench.port.units.at("x")->exec("b", work);
        co_await bench.pass(500ms);
        bench.port.take_log();
        const auto unit = bench.port.units.at("x");
        bench.agent.stop();
        co_await bench.tasks.join();
        CHECK(unit->state() == UnitStatePair{UnitState::terminated, {}});
        const auto log = bench.port.take_log();
        REQUIRE(log.size() == 2);
        CHECK(
            log[0] == "3.5 detach x: Interrupted by signal: 15: "
                      "{\"batches_done\":0,\"batches_pending\":1,\"cmds_done\":2,\"cmds_pending\":1}/");
        CHECK(log[1] == "3.5 withdraw offer-1");
    });
}

TEST_CASE("a stop does not wait long for a daemon, however many activities there are")
{
    auto options = priced();
    options.capacity = 2;
    for (const Duration delay : {Duration(8s), Duration(1h)})
        with_agent(
            [delay](Bench& bench) -> Task<> {
                bench.sign("a", bench.demand());
                bench.sign("b", bench.demand());
                co_await bench.pass(1s);
                bench.create("x", "a");
                bench.create("y", "b");
                co_await bench.pass(1s);
                CHECK(bench.agent.activities().size() == 2);
                bench.port.let_hang("detach", {delay, delay});
                const auto start = bench.time.now();
                bench.agent.stop();
                co_await bench.tasks.join();
                CHECK(bench.time.now() - start == std::min<Duration>(delay, 10s));
            },
            options);
}

TEST_CASE("the exe-units of an agent that vanished live on, until its owner ends them")
{
    with_activity([](Bench& bench) -> Task<> {
        const auto unit = bench.port.units.at("x");
        bench.agent.vanish();
        co_await bench.pass(1s);
        bench.propose("p", bench.demand());
        bench.destroy("x");
        bench.end("a");
        co_await bench.pass(10min);
        unit->exec("b", work);
        const auto outcomes = co_await unit->results("b", 60s, std::nullopt);
        REQUIRE(outcomes.value().size() == 3);
        CHECK(outcomes->back().ok);
        CHECK(unit->state() == UnitStatePair{UnitState::ready, {}});
        CHECK(unit->usage().has_value());
        CHECK(bench.agent.activities() == Log{"x"});
        bench.agent.stop();
        co_await bench.tasks.join();
        CHECK(unit->state() == UnitStatePair{UnitState::terminated, {}});
        // No confirmation, no note, no invoice, no withdrawal.
        CHECK(bench.port.take_log().empty());
    });
}

TEST_CASE("cancellation ends an agent as a stop does")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time, priced());
        bench.tasks.spawn("agent", [&] { return bench.agent.run(); });
        co_await bench.pass(1s);
        bench.tasks.cancel();
        co_await bench.tasks.join();
        CHECK(bench.port.take_log() == Log{"0 publish offer-1", "1 withdraw offer-1"});
    });
}

TEST_CASE("a hundred idle agents cost next to nothing")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        std::vector<std::unique_ptr<Bench>> benches;
        for (int i = 0; i < 100; ++i) {
            benches.push_back(std::make_unique<Bench>(executor, time, priced()));
            auto& bench = *benches.back();
            bench.tasks.spawn("agent", [&bench] { return bench.agent.run(); });
        }
        co_await time.sleep_for(10min, "the test");
        for (const auto& bench : benches) {
            CHECK(bench->port.payment_polls <= 31);
            bench->agent.stop();
            co_await bench->tasks.join();
        }
    });
}
