#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <cmath>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;

namespace {

constexpr auto deploy_start = R"([{"deploy":{}},{"start":{"args":[]}}])";

std::string run_script(const std::string& entry_point)
{
    return R"([{"run":{"entry_point":")" + entry_point +
           R"(","args":[],"capture":{"stdout":{"atEnd":{}},"stderr":{"stream":{}}}}}])";
}

Command only(const std::string& script) { return parse_script(script).at(0); }

// A unit with its runtime in virtual time; the body ends with the unit stopped.
void with_unit(
    const std::function<Task<>(ScriptUnit&, ScriptedRuntimeFactory&, VirtualTime&)>& body,
    const UnitOptions& options = UnitOptions())
{
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        ScriptedRuntimeFactory factory(executor, time);
        auto unit = std::make_shared<ScriptUnit>(executor, time, factory.make("a"), options);
        std::exception_ptr failure;
        try {
            co_await body(*unit, factory, time);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await unit->stop();
        if (failure)
            std::rethrow_exception(failure);
    });
}

Task<std::vector<CommandOutcome>> execute(ScriptUnit& unit, std::string script)
{
    static int count = 0;
    const auto batch = "batch-" + std::to_string(++count);
    unit.exec(batch, script);
    auto outcomes = co_await unit.results(batch, 60s, std::nullopt);
    co_return outcomes.value();
}

} // namespace

TEST_CASE("which command an exe-unit takes in which state")
{
    struct Row {
        UnitStatePair state;
        std::string script;
        std::string refusal;
        UnitState after;
    };
    const auto start = std::string(R"([{"start":{}}])");
    const auto deploy = std::string(R"([{"deploy":{}}])");
    const auto run = run_script("/bin/date");
    const auto transfer = std::string(R"([{"transfer":{"from":"a","to":"b"}}])");
    const auto sign = std::string(R"([{"sign":{}}])");
    const auto terminate = std::string(R"([{"terminate":{}}])");
    const UnitStatePair initialized{UnitState::initialized, {}};
    const UnitStatePair deployed{UnitState::deployed, {}};
    const UnitStatePair ready{UnitState::ready, {}};
    const UnitStatePair busy{UnitState::ready, UnitState::ready};
    const UnitStatePair deploying{UnitState::initialized, UnitState::deployed};
    const std::string needs_deploy =
        "Local service error: State error: Activity is initialized - deploy() command is expected now";
    const std::string needs_start =
        "Local service error: State error: Activity is deployed - start() command is expected now";
    const std::string has_started = "Local service error: State error: Cannot send command after a successful start()";
    const std::string is_busy = "Local service error: State error: Busy: StatePair(Ready, Some(Ready))";
    const auto rows = std::vector<Row>{
        {initialized, deploy, "", UnitState::deployed},
        {initialized, start, needs_deploy, UnitState::initialized},
        {initialized, run, needs_deploy, UnitState::initialized},
        {initialized, transfer, needs_deploy, UnitState::initialized},
        {initialized, sign, "", UnitState::initialized},
        {initialized, terminate, "", UnitState::initialized},
        {deployed, deploy, needs_start, UnitState::deployed},
        {deployed, start, "", UnitState::ready},
        {deployed, run, needs_start, UnitState::deployed},
        {deployed, transfer, needs_start, UnitState::deployed},
        {deployed, terminate, "", UnitState::initialized},
        {ready, deploy, has_started, UnitState::ready},
        {ready, start, has_started, UnitState::ready},
        {ready, run, "", UnitState::ready},
        {ready, transfer, "", UnitState::ready},
        {ready, sign, "", UnitState::ready},
        {ready, terminate, "", UnitState::initialized},
        {busy, run, is_busy, UnitState::ready},
        {busy, deploy, is_busy, UnitState::ready},
        {busy, terminate, "", UnitState::initialized},
        {deploying, start, "Local service error: State error: Busy: StatePair(Initialized, Some(Deployed))",
         UnitState::initialized},
    };
    for (const auto& row : rows) {
        INFO(provider::detail::describe(row.state) << " " << row.script);
        const auto admission = provider::detail::admit(row.state, only(row.script));
        CHECK(admission.refusal.value_or("") == row.refusal);
        CHECK(admission.after == row.after);
    }
    CHECK(
        provider::detail::changed_under_command({UnitState::terminated, {}}, busy) ==
        "Local service error: State error: Unexpected state: StatePair(Terminated, None), expected "
        "StatePair(Ready, Some(Ready))");
}

TEST_CASE("what a poll of results sees")
{
    provider::detail::BatchLog log(3);
    CHECK(!log.answers(std::nullopt));
    CHECK(!log.view(0));
    CHECK(log.view(std::nullopt)->empty());
    CommandOutcome first;
    first.ok = true;
    first.out = "1\n";
    log.add(first);
    CHECK(log.answers(0));
    CHECK(log.view(0)->at(0).is_batch_finished);
    CHECK(log.view(0)->at(0).out == "1\n");
    CHECK(!log.view(std::nullopt)->at(0).is_batch_finished);
    CommandOutcome second;
    second.message = "ExeScript command exited with code 7";
    second.err = "no\n";
    log.add(second);
    CHECK(log.is_finished());
    CHECK(!log.answers(std::nullopt));
    CHECK(log.view(std::nullopt)->at(1).is_batch_finished);
    CHECK(!log.view(1)->at(0).out);
    CHECK(log.view(1)->at(1).err == "no\n");
    CHECK(!log.view(2));
    CHECK(!log.view(9));
    CHECK(!log.view(-1));
    CHECK(provider::detail::BatchLog(0).answers(std::nullopt));
    CHECK(provider::detail::BatchLog(0).is_finished());
}

TEST_CASE("a unit deploys, starts, runs and refuses")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory&, VirtualTime&) -> Task<> {
        CHECK(unit.state() == UnitStatePair{UnitState::initialized, {}});
        const auto empty = co_await execute(unit, "[]");
        CHECK(empty.empty());
        const auto early = co_await execute(unit, run_script("/bin/date"));
        CHECK(
            early.at(0).message ==
            "Local service error: State error: Activity is initialized - deploy() command is expected now");
        const auto up = co_await execute(unit, deploy_start);
        REQUIRE(up.size() == 2);
        CHECK(
            up[0].out ==
            R"({"startMode":"blocking","valid":{"Ok":""},"vols":[{"name":"vol-work","path":"/golem/work"},)"
            R"({"name":"vol-input","path":"/golem/input"},{"name":"vol-output","path":"/golem/output"},)"
            R"({"name":"vol-resource","path":"/golem/resource"}]})"
            "\n");
        CHECK(!up[0].is_batch_finished);
        CHECK(up[1].is_batch_finished);
        CHECK(!up[1].out);
        CHECK(unit.state() == UnitStatePair{UnitState::ready, {}});
        const auto date = co_await execute(unit, run_script("/bin/date"));
        CHECK(date.at(0).out == date_output(date.at(0).date));
        CHECK(!date.at(0).err);
        const auto sign = co_await execute(unit, R"([{"sign":{}}])");
        CHECK(sign.at(0).message == "signing not supported: binary built without the 'sgx' feature");
        const auto end = co_await execute(
            unit, R"([{"terminate":{}},{"deploy":{}},{"start":{}},{"run":{"entry_point":"/bin/date"}}])");
        REQUIRE(end.size() == 4);
        CHECK(end[3].ok);
        CHECK(!end[3].out);
    });
}

TEST_CASE("the end of an output of six megabytes is told")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime&) -> Task<> {
        factory.behaviour().reply = [](const RunRequest&) {
            RunOutput output;
            output.out = "begin" + std::string(6'000'000, 'x') + "end";
            output.err = output.out;
            return output;
        };
        co_await execute(unit, deploy_start);
        const auto outcomes = co_await execute(
            unit,
            R"([{"run":{"entry_point":"/x","capture":{"stdout":{"atEnd":{"tail":4}},"stderr":{"atEnd":{"headTail":6}}}}}])");
        CHECK(outcomes.at(0).out == "xend");
        CHECK(outcomes.at(0).err == "begend");
    });
}

TEST_CASE("exit codes stop a batch, and its last command never finishes")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
        factory.behaviour().reply = [](const RunRequest& request) {
            RunOutput output;
            output.exit_code = request.entry_point == "/fails" ? 7 : 0;
            output.err = "e";
            return output;
        };
        co_await execute(unit, deploy_start);
        unit.exec(
            "b",
            R"([{"run":{"entry_point":"/ok"}},{"run":{"entry_point":"/fails","capture":{"stderr":{"atEnd":{"format":"bin"}}}}},{"run":{"entry_point":"/ok"}}])");
        const auto before = time.elapsed();
        const auto all = co_await unit.results("b", 5s, std::nullopt);
        CHECK(time.elapsed() - before == 5s);
        REQUIRE(all->size() == 2);
        CHECK(all->at(1).message == "ExeScript command exited with code 7");
        CHECK(all->at(1).err == "e");
        CHECK(all->at(1).err_is_binary);
        CHECK(all->at(1).is_batch_finished);
        const auto second = co_await unit.results("b", 5s, 1);
        CHECK(second->size() == 2);
        const auto third = co_await unit.results("b", 2s, 2);
        CHECK(!third);
        bool thrown = false;
        try {
            co_await unit.results("zzz", 5s, std::nullopt);
        } catch (const Error& error) {
            thrown = error.errc() == Errc::not_found && error.their_words() == "batch_id = zzz";
        }
        CHECK(thrown);
    });
}

TEST_CASE("a failed deploy still leads to Deployed, a start after it to Ready")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime&) -> Task<> {
        factory.behaviour().deploy_failure = "Local service error: Transfer error: Invalid url: Missing hash";
        const auto failed = co_await execute(unit, R"([{"deploy":{}}])");
        CHECK(failed.at(0).message == "Local service error: Transfer error: Invalid url: Missing hash");
        CHECK(unit.state() == UnitStatePair{UnitState::deployed, {}});
        const auto again = co_await execute(unit, R"([{"deploy":{}}])");
        CHECK(
            again.at(0).message ==
            "Local service error: State error: Activity is deployed - start() command is expected now");
        const auto start = co_await execute(unit, R"([{"start":{}}])");
        CHECK(start.at(0).message == "task package (image) path was not provided");
        CHECK(unit.state() == UnitStatePair{UnitState::ready, {}});
    });
}

TEST_CASE("two batches at once: the second is busy, terminate breaks the first")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
        co_await execute(unit, deploy_start);
        factory.behaviour().hangs = true;
        unit.exec("a", run_script("/hangs"));
        co_await time.sleep_for(1s, "test");
        CHECK(unit.state() == UnitStatePair{UnitState::ready, UnitState::ready});
        const auto busy = co_await execute(unit, run_script("/other"));
        CHECK(busy.at(0).message == "Local service error: State error: Busy: StatePair(Ready, Some(Ready))");
        const auto terminated = co_await execute(unit, R"([{"terminate":{}}])");
        CHECK(terminated.at(0).ok);
        CHECK(unit.state() == UnitStatePair{UnitState::initialized, {}});
        const auto broken = co_await unit.results("a", 5s, std::nullopt);
        CHECK(
            broken->at(0).message == "Local service error: State error: Unexpected state: StatePair(Initialized, "
                                     "None), expected StatePair(Ready, Some(Ready))");
    });
}

TEST_CASE("a stop answers the polls that wait with the running command's end")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        co_await execute(unit, deploy_start);
        factory.behaviour().hangs = true;
        unit.exec("a", R"([{"run":{"entry_point":"/a"}},{"run":{"entry_point":"/b"}}])");
        std::optional<std::vector<CommandOutcome>> seen;
        TaskGroup group(executor);
        group.spawn("poll", [&]() -> Task<> { seen = co_await unit.results("a", 100s, std::nullopt); });
        co_await time.sleep_for(1s, "test");
        CHECK(unit.report() == R"({"batches_done":1,"batches_pending":1,"cmds_done":2,"cmds_pending":2})");
        co_await unit.stop();
        co_await group.join();
        CHECK(time.elapsed() == 1s);
        REQUIRE(seen);
        REQUIRE(seen->size() == 1);
        CHECK(
            seen->at(0).message == "Local service error: State error: Unexpected state: StatePair(Terminated, None), "
                                   "expected StatePair(Ready, Some(Ready))");
        CHECK(seen->at(0).is_batch_finished);
        CHECK(unit.state() == UnitStatePair{UnitState::terminated, {}});
        CHECK(unit.report() == R"({"batches_done":1,"batches_pending":1,"cmds_done":2,"cmds_pending":2})");
        CHECK_THROWS_AS(unit.exec("b", "[]"), Error);
    });
}

TEST_CASE("a unit that dies fails the polls that wait")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        co_await execute(unit, deploy_start);
        factory.behaviour().hangs = true;
        unit.exec("a", run_script("/a"));
        bool lost = false;
        TaskGroup group(executor);
        group.spawn("poll", [&]() -> Task<> {
            try {
                co_await unit.results("a", 100s, std::nullopt);
            } catch (const Error& error) {
                lost = error.errc() == Errc::activity_lost;
            }
        });
        co_await time.sleep_for(1s, "test");
        unit.abandon();
        co_await group.join();
        CHECK(lost);
        CHECK(time.elapsed() < 10s);
    });
}

TEST_CASE("usage steps once a second, in the agreement's order, and stands still after the end")
{
    UnitOptions options;
    options.counters = {"golem.usage.cpu_sec", "golem.usage.duration_sec", "golem.usage.gib"};
    with_unit(
        [](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
            factory.behaviour().cpu_share = 0.5;
            CHECK(!unit.usage());
            co_await time.sleep_for(900ms, "test");
            CHECK(!unit.usage());
            co_await time.sleep_for(1300ms, "test");
            const auto usage = unit.usage();
            REQUIRE(usage);
            CHECK(usage->size() == 3);
            CHECK(std::abs(usage->at(0) - 1.1) < 1e-9);
            CHECK(usage->at(1) == 2.0);
            CHECK(usage->at(2) == 0.0);
            co_await time.sleep_for(700ms, "test");
            CHECK(unit.usage() == usage);
            co_await time.sleep_for(200ms, "test");
            CHECK(unit.usage()->at(1) == 3.0);
            co_await time.sleep_for(1s, "test");
            co_await unit.stop();
            co_await time.sleep_for(100s, "test");
            CHECK(unit.usage()->at(1) == 4.0);
        },
        options);
}

TEST_CASE("commands take their latency, and a stop interrupts it")
{
    UnitOptions options;
    options.command_latency = 10s;
    with_unit(
        [](ScriptUnit& unit, ScriptedRuntimeFactory&, VirtualTime& time) -> Task<> {
            co_await execute(unit, deploy_start);
            CHECK(time.elapsed() == 20s);
            unit.exec("a", run_script("/bin/date"));
            co_await time.sleep_for(1s, "test");
            co_await unit.stop();
            CHECK(time.elapsed() == 21s);
        },
        options);
}

TEST_CASE("the events of a batch: commands begin and end, and streamed output comes in between")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime& time) -> Task<> {
        factory.behaviour().reply = [](const RunRequest&) {
            RunOutput output;
            output.exit_code = 3;
            output.out = "not streamed";
            output.err = "some\xff";
            return output;
        };
        unit.exec("a", R"([{"deploy":{}},{"start":{}},)" + run_script("/bin/x").substr(1));
        std::vector<BatchEvent> events;
        bool is_over = false;
        for (std::size_t next = 0; !is_over;) {
            const auto news = co_await unit.events("a", next, 60s);
            CHECK(news.next > next);
            events.insert(events.end(), news.events.begin(), news.events.end());
            next = news.next;
            is_over = news.is_over;
        }
        REQUIRE(events.size() == 8);
        CHECK(events[0].kind == BatchEvent::Kind::started);
        CHECK(events[0].text == R"({"deploy":{}})");
        CHECK(events[1].kind == BatchEvent::Kind::out);
        CHECK(events[2].kind == BatchEvent::Kind::finished);
        CHECK(events[2].return_code == 0);
        CHECK(events[6].kind == BatchEvent::Kind::err);
        CHECK(events[6].text == "some\u00ff");
        CHECK(events[7].kind == BatchEvent::Kind::finished);
        CHECK(events[7].index == 2);
        CHECK(events[7].return_code == 3);
        CHECK(events[7].text == "ExeScript command exited with code 3");
        // Whoever comes late reads all of it; nobody waits for more.
        const auto again = co_await unit.events("a", 7, 60s);
        CHECK(again.events.size() == 1);
        CHECK(again.is_over);
        CHECK(time.elapsed() < 60s);
        bool unknown = false;
        try {
            co_await unit.events("b", 0, 60s);
        } catch (const Error& error) {
            unknown = error.errc() == Errc::not_found;
        }
        CHECK(unknown);
    });
}

TEST_CASE("an empty batch has no events, and no end to wait for")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory&, VirtualTime& time) -> Task<> {
        unit.exec("a", "[]");
        const auto news = co_await unit.events("a", 0, 60s);
        CHECK(news.events.empty());
        CHECK(news.is_over);
        CHECK(time.elapsed() == 0s);
    });
}

TEST_CASE("output that nobody reads is dropped, the oldest first; beginnings and ends of commands are kept")
{
    provider::detail::BatchStream stream;
    BatchEvent event;
    stream.add(event);
    event.kind = BatchEvent::Kind::out;
    event.text.assign(1u << 20, 'x');
    for (int i = 0; i < 20; ++i) {
        event.index = i;
        stream.add(event);
    }
    std::size_t next = 0;
    const auto kept = stream.from(0, 16u << 20, next);
    CHECK(next == 21);
    REQUIRE(kept.size() == 9);
    CHECK(kept[0].kind == BatchEvent::Kind::started);
    CHECK(kept[1].index == 12);
    CHECK(kept[8].index == 19);
    CHECK(stream.count() == 21);
    CHECK(stream.from(20, 1, next).size() == 1);
    CHECK(stream.from(19, 3u << 19, next).size() == 1);
    CHECK(next == 20);
    CHECK(stream.bytes_from(19) == 2u << 20);
    CHECK(stream.bytes_from(21) == 0);
}

TEST_CASE("a unit remembers the latest of its batches, and counts all")
{
    UnitOptions options;
    options.most_batches = 3;
    options.most_output = 5000;
    const auto body = [](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime&) -> Task<> {
        factory.behaviour().reply = [](const RunRequest& request) {
            RunOutput output;
            output.out = std::string(request.entry_point == "/bin/long" ? 3000 : 10, 'x');
            return output;
        };
        co_await execute(unit, deploy_start);
        const auto run = [&](std::string name, std::string program) -> Task<> {
            unit.exec(name, run_script(program));
            co_await unit.results(name, 60s, std::nullopt);
        };
        const auto is_known = [&](const std::string& name) {
            try {
                unit.follow(name);
                return true;
            } catch (const Error& error) {
                CHECK(error.errc() == Errc::not_found);
                return false;
            }
        };
        for (const auto* name : {"a", "b", "c", "d"}) {
            auto running = run(name, "/bin/short");
            co_await std::move(running);
        }
        CHECK(!is_known("a"));
        CHECK(is_known("b"));
        CHECK(is_known("d"));
        auto first = run("e", "/bin/long");
        co_await std::move(first);
        CHECK(is_known("d"));
        auto second = run("f", "/bin/long");
        co_await std::move(second);
        CHECK(!is_known("d"));
        CHECK(!is_known("e"));
        CHECK(is_known("f"));
        CHECK(unit.report() == R"({"batches_done":7,"batches_pending":0,"cmds_done":8,"cmds_pending":0})");
    };
    with_unit(body, options);
}

TEST_CASE("who waits for a change of state hears of each")
{
    with_unit([](ScriptUnit& unit, ScriptedRuntimeFactory& factory, VirtualTime&) -> Task<> {
        factory.behaviour().deploy_time = 1s;
        unit.exec("a", deploy_start);
        const UnitStatePair initialized;
        co_await unit.state_leaves(initialized);
        CHECK(unit.state() == UnitStatePair{UnitState::initialized, UnitState::deployed});
        const auto deploying = unit.state();
        co_await unit.state_leaves(deploying);
        CHECK(unit.state() != deploying);
        co_await unit.stop();
        co_await unit.state_leaves(initialized);
        CHECK(unit.state().now == UnitState::terminated);
    });
}

TEST_CASE("the date of a simulated machine")
{
    CHECK(
        date_output(Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)) + 6h + 58min) ==
        "Tue Nov 24 06:58:00 UTC 2026\n");
    CHECK(date_output(Timestamp()) == "Thu Jan  1 00:00:00 UTC 1970\n");
}
