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
    explicit Bench(const Executor& executor)
        : net(executor), hub(make_hub(executor, 0)), daemon(std::make_shared<ScriptedDaemon>()),
          runtimes(executor, time), port(executor, time, daemon, options(), Random(2), Logger())
    {
        daemon->on("GET /me", {says(200, R"({"identity":"0xp","name":"n","role":"manager"})")});
        daemon->on("PUT /activity-api/v1/activity/a1/state", {says(200)});
        daemon->on("POST /_gsb/local/activity/SetActivityUsage", {says(200, R"({"Ok":null})")});
        unit = std::make_shared<ScriptUnit>(executor, time, runtimes.make(activity), UnitOptions());
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

    RealTime time;
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

TEST_CASE("a stream tells a batch from its beginning, and ends with it")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor);
        co_await bench.begin();
        auto connection = co_await bench.connect();
        const auto message = exec_message("b");
        co_await call(*connection, "Exec", message);
        std::vector<std::string> kinds;
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
        CHECK(
            kinds ==
            std::vector<std::string>{"started", "finished", "started", "finished", "started", "stdout", "finished"});
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
