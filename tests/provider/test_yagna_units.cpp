// Exe-units on a service bus, reached as a daemon reaches them for its requestors.
#include "scripted_daemon.hpp"

#include <golem/bus/connection.hpp>
#include <golem/bus/hub.hpp>
#include <golem/bus/value.hpp>
#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>
#include <golem/provider/yagna_port.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
using bus::Value;
using golem::provider::test::says;
using golem::provider::test::ScriptedDaemon;

namespace {

constexpr auto activity = "a1";

// A bus, a port on it, and a connection that plays the daemon.
struct Bench {
    explicit Bench(const Executor& executor, Duration command_latency = Duration(0))
        : net(executor), hub(make_hub(executor, 0)), daemon(std::make_shared<ScriptedDaemon>()),
          runtimes(executor, time), port(executor, time, daemon, options(), Random(2), log)
    {
        daemon->on("GET /me", {says(200, R"({"identity":"0xp","name":"n","role":"manager"})")});
        daemon->on("PUT /activity-api/v1/activity/a1/state", {says(200)});
        daemon->on("POST /_gsb/local/activity/SetActivityUsage", {says(200, R"({"Ok":null})")});
        UnitOptions unit_options;
        unit_options.command_latency = command_latency;
        unit = std::make_shared<ScriptUnit>(executor, time, runtimes.make(activity), unit_options);
    }

    std::unique_ptr<bus::Hub> make_hub(const Executor& executor, std::uint16_t number)
    {
        bus::HubOptions hub_options;
        hub_options.port = number;
        auto made = std::make_unique<bus::Hub>(executor, time, hub_options, Random(1), Logger());
        net.spawn("hub", [&hub = *made] { return hub.run(); });
        return made;
    }

    std::string bus_url() const { return "tcp://127.0.0.1:" + std::to_string(hub->port()); }

    YagnaPortOptions options() const
    {
        YagnaPortOptions made;
        made.app_key = "key";
        made.bus_url = bus_url();
        made.usage_interval = 100ms;
        return made;
    }

    Task<> begin()
    {
        co_await port.open();
        co_await port.attach(activity, unit);
    }

    Task<std::unique_ptr<bus::Connection>> connect()
    {
        const auto executor = co_await boost::asio::this_coro::executor;
        bus::ConnectionOptions made;
        made.url = bus_url();
        made.call_limit = 5s;
        auto connection = std::make_unique<bus::Connection>(executor, time, made, Random(3), Logger());
        co_await connection->open();
        co_return connection;
    }

    Task<> end()
    {
        co_await unit->stop();
        co_await port.detach(activity, "reason", "message");
        co_await port.close();
        hub->close();
        co_await net.join();
    }

    // Waits until `condition`, at most some seconds.
    Task<bool> eventually(const std::function<bool()>& condition)
    {
        for (int i = 0; i < 1000 && !condition(); ++i)
            co_await time.sleep_for(5ms, "a test");
        co_return condition();
    }

    bool has_logged(const std::string& words) const { return lines.find(words) != std::string::npos; }

    // The hub goes, and the port has noticed. Returns the number of its port.
    Task<std::uint16_t> lose_bus()
    {
        const auto number = hub->port();
        lines.clear();
        hub->close();
        co_await net.join();
        const bool lost = co_await eventually([&] { return has_logged("lost the service bus"); });
        CHECK(lost);
        co_return number;
    }

    // What calls to an activity are answered; "" for success.
    Task<std::string> try_call(bus::Connection& connection, std::string id)
    {
        const std::string address = "/public/exeunit/" + id + "/GetExecBatchResults";
        const auto body = bus::encode(bus::from_json(R"({"batchId":"b","timeout":0.0})"));
        std::string words;
        try {
            co_await connection.call(address, body);
        } catch (const bus::CallError& error) {
            words = error.their_words();
        }
        co_return words;
    }

    RealTime time;
    std::string lines;
    Logger log{[this](LogLevel level, std::string_view line) {
        if (level >= LogLevel::warning)
            lines += std::string(line) + '\n';
    }};
    TaskGroup net;
    std::unique_ptr<bus::Hub> hub;
    std::shared_ptr<ScriptedDaemon> daemon;
    ScriptedRuntimeFactory runtimes;
    YagnaPort port;
    std::shared_ptr<ScriptUnit> unit;
};

Task<Value> call(bus::Connection& connection, std::string component, std::string json)
{
    const auto address = "/public/exeunit/" + std::string(activity) + "/" + component;
    const auto body = bus::encode(bus::from_json(json));
    const auto reply = co_await connection.call(address, body);
    co_return bus::decode(reply);
}

constexpr auto script = R"([{"deploy":{}},{"start":{"args":[]}},{"run":{"entry_point":"/bin/date","args":[],)"
                        R"("capture":{"stdout":{"stream":{}},"stderr":{"stream":{}}}}}])";

std::string exec_message(const std::string& batch)
{
    return R"({"activityId":"a1","batchId":")" + batch + R"(","exeScript":)" + script + R"(,"timeout":null})";
}

} // namespace

TEST_CASE("a requestor's script runs over the bus, and its results come back after the state was told")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        CHECK(bench.port.node_id() == "0xp");
        CHECK(bench.daemon->count(R"({"state":["Initialized",null]})") == 1);
        auto connection = co_await bench.connect();

        const auto message = exec_message("b");
        const auto accepted = co_await call(*connection, "Exec", message);
        CHECK(accepted == bus::from_json(R"({"Ok":"b"})"));
        const auto results = co_await call(*connection, "GetExecBatchResults", R"({"batchId":"b","timeout":5.0})");
        const auto* outcomes = results.find("Ok");
        REQUIRE(outcomes);
        REQUIRE(outcomes->list());
        CHECK(outcomes->list()->size() == 3);
        CHECK(*outcomes->list()->back().find("result")->text() == "Ok");
        // Whoever has read this may ask the daemon for the state.
        CHECK(bench.daemon->log().back().find(R"({"state":["Ready",null]})") != std::string::npos);

        const auto early =
            co_await call(*connection, "GetExecBatchResults", R"({"batchId":"b","timeout":0.0,"commandIndex":7})");
        CHECK(early == bus::from_json(R"({"Err":"timeout"})"));
        const auto unknown = co_await call(*connection, "GetExecBatchResults", R"({"batchId":"c","timeout":1.0})");
        CHECK(unknown == bus::from_json(R"({"Err":{"notFound":"batch_id = c"}})"));
        const auto strange = co_await call(*connection, "VpnControl", "{}");
        REQUIRE(strange.find("Err"));
        CHECK(strange.find("Err")->find("badRequest"));
        co_await connection->close();
        co_await bench.end();
    });
}

TEST_CASE("a stream tells what happens from now on, and goes on as long as the exe-unit")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, 200ms);
        co_await bench.begin();
        auto connection = co_await bench.connect();
        const auto message = exec_message("b");
        co_await call(*connection, "Exec", message);
        std::vector<std::string> kinds;
        const auto subscribe = [&](bool& has_ended) -> Task<> {
            const bus::PartHandler on_part = [&](std::string body) {
                const auto event = bus::decode(body);
                const auto* ok = event.find("Ok");
                REQUIRE(ok);
                CHECK(*ok->find("batch_id")->text() == "b");
                kinds.push_back(ok->find("kind")->map()->begin()->first);
            };
            const std::string address = "/public/exeunit/a1/StreamExecBatchResults";
            const auto body = bus::encode(bus::from_json(R"({"activity_id":"a1","batch_id":"b"})"));
            const auto end = co_await connection->call(address, body, on_part);
            CHECK(end.empty());
            has_ended = true;
        };
        bool has_ended = false;
        bool late_one_has_ended = false;
        TaskGroup streams(executor);
        streams.spawn("a stream", [&] { return subscribe(has_ended); });
        const std::vector<std::string> all{"stdout",  "finished", "started", "finished",
                                           "started", "stdout",   "finished"};
        const bool is_told = co_await bench.eventually([&] { return kinds.size() == all.size(); });
        CHECK(is_told);
        streams.spawn("a late stream", [&] { return subscribe(late_one_has_ended); });
        co_await bench.time.sleep_for(300ms, "nothing more");
        CHECK(kinds == all);
        CHECK_FALSE(has_ended);
        CHECK_FALSE(late_one_has_ended);
        co_await bench.unit->stop();
        co_await streams.join();
        CHECK(has_ended);
        CHECK(late_one_has_ended);
        co_await connection->close();
        co_await bench.end();
    });
}

TEST_CASE("usage is reported all the time; the end is told last, and then nobody is reached any more")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        const bool reported = co_await bench.eventually([&] { return bench.daemon->count("SetActivityUsage") >= 3; });
        CHECK(reported);
        co_await bench.unit->stop();
        const std::string id = activity;
        const std::string reason = "reason";
        const std::string text = "message";
        co_await bench.port.detach(id, reason, text);
        CHECK(
            bench.daemon->log().back() ==
            "PUT /activity-api/v1/activity/a1/state "
            R"({"errorMessage":"message","reason":"reason","state":["Terminated",null]})");
        auto connection = co_await bench.connect();
        const auto message = exec_message("b");
        std::string failure;
        try {
            co_await call(*connection, "Exec", message);
        } catch (const bus::CallError& error) {
            failure = error.their_words();
        }
        CHECK(failure == "endpoint address not found");
        co_await connection->close();
        co_await bench.end();
    });
}

TEST_CASE("a bus that is not there yet is waited for")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        const auto number = bench.hub->port();
        bench.hub->close();
        co_await bench.net.join();
        TaskGroup opening(executor);
        opening.spawn("open", [&] { return bench.port.open(); });
        const bool asked = co_await bench.eventually([&] { return bench.daemon->count("GET /me") == 1; });
        CHECK(asked);
        bench.hub = bench.make_hub(executor, number);
        co_await opening.join();
        CHECK(bench.port.node_id() == "0xp");
        co_await bench.end();
    });
}

TEST_CASE("an exe-unit that leaves before it could be put on the bus stays off it")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.port.open();
        const auto number = co_await bench.lose_bus();
        std::string outcome;
        TaskGroup attaching(executor);
        attaching.spawn("attach", [&]() -> Task<> {
            const std::string id = activity;
            try {
                co_await bench.port.attach(id, bench.unit);
            } catch (const Error& error) {
                outcome = error.explanation();
            }
        });
        co_await bench.time.sleep_for(1ms, "the attach to wait");
        const std::string id = activity;
        const std::string nothing;
        co_await bench.port.detach(id, nothing, nothing);
        co_await attaching.join();
        CHECK(outcome == "its activity has ended meanwhile");
        bench.hub = bench.make_hub(executor, number);
        const bool back = co_await bench.eventually([&] { return bench.has_logged("is on the service bus again"); });
        CHECK(back);
        auto connection = co_await bench.connect();
        const auto words = co_await bench.try_call(*connection, id);
        CHECK(words == "endpoint address not found");
        CHECK(bench.daemon->count("Initialized") == 0);
        co_await connection->close();
        co_await bench.end();
    });
}

TEST_CASE("after an outage a taken address keeps no other exe-unit off the bus")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        bench.daemon->on("PUT /activity-api/v1/activity/a2/state", {says(200)});
        const std::string second = "a2";
        const auto other_unit =
            std::make_shared<ScriptUnit>(executor, bench.time, bench.runtimes.make(second), UnitOptions());
        co_await bench.port.attach(second, other_unit);
        std::unique_ptr<bus::Connection> thief;
        const std::string address = "/public/exeunit/a1";
        const bus::Handler handler = [](const bus::Call&, bus::Answer& answer) -> Task<> {
            answer.fail("mine now");
            co_return;
        };
        // Until it is quicker than the port.
        for (bool taken = false; !taken;) {
            if (thief)
                co_await thief->close();
            const auto number = co_await bench.lose_bus();
            bench.hub = bench.make_hub(executor, number);
            thief = co_await bench.connect();
            try {
                co_await thief->add_service(address, handler);
                taken = true;
            } catch (const Error& error) {
                CHECK(error.errc() == Errc::refused);
            }
        }
        const bool back = co_await bench.eventually([&] { return bench.has_logged("is on the service bus again"); });
        CHECK(back);
        CHECK(bench.has_logged("activity a1 is off the bus"));
        const auto words = co_await bench.try_call(*thief, second);
        CHECK(words.empty());
        co_await other_unit->stop();
        const std::string nothing;
        co_await bench.port.detach(second, nothing, nothing);
        co_await thief->close();
        co_await bench.end();
    });
}

TEST_CASE("a requestor's call that the end of the bus cuts off hurts nobody")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        bench.runtimes.behaviour().hangs = true;
        auto connection = co_await bench.connect();
        const auto message = exec_message("b");
        co_await call(*connection, "Exec", message);
        bool failed = false;
        TaskGroup polling(executor);
        polling.spawn("poll", [&]() -> Task<> {
            const std::string question = R"({"batchId":"b","timeout":60.0})";
            try {
                co_await call(*connection, "GetExecBatchResults", question);
            } catch (const Error&) {
                failed = true;
            }
        });
        // It has arrived before this one, which is answered.
        const auto words = co_await bench.try_call(*connection, activity);
        CHECK(words.empty());
        const auto number = co_await bench.lose_bus();
        co_await polling.join();
        CHECK(failed);
        co_await connection->close();
        bench.hub = bench.make_hub(executor, number);
        const bool back = co_await bench.eventually([&] { return bench.has_logged("is on the service bus again"); });
        CHECK(back);
        auto again = co_await bench.connect();
        const auto answer = co_await bench.try_call(*again, activity);
        CHECK(answer.empty());
        co_await again->close();
        co_await bench.end();
    });
}

TEST_CASE("reports that the daemon refuses are told of once")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        bench.daemon->on("POST /_gsb/local/activity/SetActivityUsage", {says(404, "{}")});
        co_await bench.begin();
        const bool told = co_await bench.eventually([&] { return bench.has_logged("refuses reports of activity a1"); });
        CHECK(told);
        CHECK(bench.daemon->count("SetActivityUsage") == 1);
        co_await bench.end();
    });
}

TEST_CASE("a bus that went away is waited for, and finds its exe-units again")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        const auto number = bench.hub->port();
        bench.hub->close();
        co_await bench.net.join();
        bench.daemon->take_log();
        bench.hub = bench.make_hub(executor, number);
        // The daemon may have forgotten what it was told.
        const bool back =
            co_await bench.eventually([&] { return bench.daemon->count(R"({"state":["Initialized",null]})") == 1; });
        CHECK(back);
        auto connection = co_await bench.connect();
        const auto message = exec_message("b");
        const auto accepted = co_await call(*connection, "Exec", message);
        CHECK(accepted == bus::from_json(R"({"Ok":"b"})"));
        co_await connection->close();
        co_await bench.end();
    });
}
