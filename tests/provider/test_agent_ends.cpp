// What an agent does when calls fail or hang, and how it ends.
#include "agent_bench.hpp"

#include <golem/core/error.hpp>

#include <algorithm>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
using provider::test::Bench;
using provider::test::Log;
using provider::test::priced;
using provider::test::with_activity;
using provider::test::with_agent;
using provider::test::work;

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
