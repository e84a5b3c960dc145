// Offers, negotiation, agreements and their bills.
#include "agent_bench.hpp"

#include <golem/core/error.hpp>

#include <algorithm>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
using provider::test::Bench;
using provider::test::FakePort;
using provider::test::Log;
using provider::test::priced;
using provider::test::with_activity;
using provider::test::with_agent;
using provider::test::work;

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
