// Results as server-sent events, beside what a real daemon with a real exe-unit sent.
#include <golem/core/race.hpp>
#include <golem/core/task_group.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;

namespace {

using provider::RunOutput;
using provider::RunRequest;

// One activity with its exe-unit on a devnet, in virtual time.
struct Scene {
    Scene(const Executor& executor, VirtualTime& the_time)
        : time(the_time), rig(executor, the_time), factory(executor, the_time)
    {
        auto& activities = rig.host.world().activities();
        const auto node = rig.host.world().node_of_key(rig.host.options().app_keys.front()).value();
        activity = activities.create("agreement", node, "0xprovider", rig.host.now());
        unit = std::make_shared<provider::ScriptUnit>(executor, the_time, factory.make("a"), provider::UnitOptions());
        activities.attach("0xprovider", activity, unit);
    }

    void end(const std::string& reason)
    {
        rig.host.world().activities().detach("0xprovider", activity, reason, "", rig.host.now());
        rig.host.settle();
    }

    Task<std::unique_ptr<http::ResponseStream>> stream(std::string batch)
    {
        http::Request request(http::Method::get, "/activity-api/v1/activity/" + activity + "/exec/" + batch);
        request.headers().set("Authorization", "Bearer devnet");
        request.headers().set("Accept", "text/event-stream");
        request.set_limit(24h);
        request.set_idle_limit(24h);
        auto stream = co_await rig.transport->open(request);
        co_return stream;
    }

    VirtualTime& time;
    golem::test::Rig rig;
    provider::ScriptedRuntimeFactory factory;
    std::string activity;
    std::shared_ptr<provider::ScriptUnit> unit;
};

void run(const std::function<Task<>(Scene&)>& body)
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Scene scene(executor, time);
        std::exception_ptr failure;
        try {
            co_await body(scene);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await scene.unit->stop();
        if (failure)
            std::rethrow_exception(failure);
    });
}

const std::string deploy_start = R"([{"deploy":{"progress":{"updateInterval":"50ms"}}},{"start":{}}])";

// Times differ.
std::string without_times(std::string text)
{
    constexpr std::string_view key = "\"timestamp\":\"";
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
        const auto begin = at + key.size();
        const auto end = text.find('"', begin);
        CHECK(text[end - 1] != 'Z');
        text.erase(begin, end - begin);
    }
    return text;
}

} // namespace

TEST_CASE("a batch is told in the frames of the daemon, without the start of its first command")
{
    run([](Scene& scene) -> Task<> {
        scene.factory.behaviour().slow_reply = [&](const RunRequest& request) -> Task<RunOutput> {
            RunOutput output;
            co_await scene.time.sleep_for(300ms, "a command");
            request.on_out("out1\n");
            request.on_err(std::string_view("\xff\x00", 2));
            co_await scene.time.sleep_for(200ms, "a command");
            output.exit_code = request.entry_point == "/bin/fails" ? 9 : 0;
            co_return output;
        };
        scene.unit->exec("b1", deploy_start);
        co_await scene.unit->results("b1", 10s, 1);
        const std::string script =
            R"([{"run":{"capture":{"stdout":{"stream":{}},"stderr":{"stream":{"format":"binary"}}},"entry_point":"/bin/x"}},)"
            R"({"run":{"args":["a"],"entry_point":"/bin/fails","capture":{"stdout":{"stream":{"format":"string","limit":4}},"stderr":{"stream":{}}}}},)"
            R"({"terminate":{}}])";
        scene.unit->exec("b2", script);
        const auto stream = co_await scene.stream("b2");
        CHECK(stream->head().status() == 200);
        CHECK(stream->head().content_type() == "text/event-stream");
        CHECK(scene.time.elapsed() == 0ms); // The head comes at once, the first event later.
        std::string text;
        while (text.find("\"return_code\":9") == std::string::npos) {
            const auto piece = co_await stream->read();
            text += piece.value();
        }
        CHECK(
            without_times(text) ==
            R"(event: runtime
data: {"batch_id":"b2","index":0,"timestamp":"","kind":{"stdout":"out1\n"}}
id: 0

event: runtime
data: {"batch_id":"b2","index":0,"timestamp":"","kind":{"stderr":[255,0]}}
id: 1

event: runtime
data: {"batch_id":"b2","index":0,"timestamp":"","kind":{"finished":{"return_code":0,"message":null}}}
id: 2

event: runtime
data: {"batch_id":"b2","index":1,"timestamp":"","kind":{"started":{"command":{"run":{"entry_point":"/bin/fails","args":["a"],"capture":{"stdout":{"stream":{"format":"str","limit":4}},"stderr":{"stream":{}}}}}}}}
id: 3

event: runtime
data: {"batch_id":"b2","index":1,"timestamp":"","kind":{"stdout":"out1"}}
id: 4

event: runtime
data: {"batch_id":"b2","index":1,"timestamp":"","kind":{"stderr":")" +
                std::string("\u00ff\\u0000") + R"("}}
id: 5

event: runtime
data: {"batch_id":"b2","index":1,"timestamp":"","kind":{"finished":{"return_code":9,"message":"ExeScript command exited with code 9"}}}
id: 6

)");
        // Not a word more while the exe-unit lives; then one for each period that has begun, at once.
        auto reading = stream->read();
        const auto silent = co_await with_timeout(scene.time, 53s, std::move(reading), "silence");
        CHECK(!silent);
    });
}

TEST_CASE("the end of an exe-unit is told by a ping for each 15 s that have begun, and then for ever")
{
    run([](Scene& scene) -> Task<> {
        scene.factory.behaviour().hangs = true;
        scene.unit->exec("b1", deploy_start);
        co_await scene.unit->results("b1", 10s, 1);
        scene.unit->exec("b2", R"([{"run":{"entry_point":"/bin/x"}}])");
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        auto ending = [&]() -> Task<> {
            co_await scene.time.sleep_for(54s, "a life");
            co_await scene.unit->stop();
            scene.end("Finished");
        };
        group.spawn("end", ending);
        const auto stream = co_await scene.stream("b2");
        std::string text;
        while (text.find("ping") == std::string::npos) {
            const auto piece = co_await stream->read();
            text += piece.value();
        }
        CHECK(text.find("StatePair(Terminated, None), expected StatePair(Ready, Some(Ready))") != std::string::npos);
        CHECK(text.substr(text.find(":ping")) == ":ping\n:ping\n:ping\n:ping\n");
        CHECK(scene.time.elapsed() == 54s);
        const auto next = co_await stream->read();
        CHECK(next == ":ping\n");
        CHECK(scene.time.elapsed() == 60s);
        co_await group.join();
        // Of one that is gone already, from the beginning.
        const auto late = co_await scene.stream("b2");
        const auto ping = co_await late->read();
        CHECK(ping == ":ping\n");
        const auto second = co_await late->read();
        CHECK(second == ":ping\n");
        CHECK(scene.time.elapsed() == 75s);
    });
}

TEST_CASE("a killed exe-unit is silence, an unknown batch an answer that breaks off")
{
    run([](Scene& scene) -> Task<> {
        scene.factory.behaviour().hangs = true;
        scene.unit->exec("b1", deploy_start);
        co_await scene.unit->results("b1", 10s, 1);
        const auto unknown = co_await scene.stream("nope");
        CHECK(unknown->head().status() == 200);
        Errc code = Errc::internal;
        try {
            co_await unknown->read();
        } catch (const Error& error) {
            code = error.errc();
        }
        CHECK(code == Errc::protocol);
        scene.unit->exec("b2", R"([{"run":{"entry_point":"/bin/x"}}])");
        const auto stream = co_await scene.stream("b2");
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        auto killing = [&]() -> Task<> {
            co_await scene.time.sleep_for(5s, "a life");
            scene.unit->abandon();
            scene.end("execution aborted");
        };
        group.spawn("kill", killing);
        auto reading = stream->read();
        const auto told = co_await with_timeout(scene.time, 60s, std::move(reading), "silence");
        CHECK(!told);
        co_await group.join();
    });
}
