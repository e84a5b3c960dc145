// Output as it comes: a work context against the devnet's REST face, over connections that lose things.
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/http/client.hpp>
#include <golem/http/server.hpp>
#include <golem/provider/process_runtime.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>
#include <golem/work/work_context.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <map>
#include <set>

using namespace golem;
using namespace std::chrono_literals;
using provider::RunOutput;
using provider::RunRequest;

namespace {

// Streams begin late, and break after some pieces.
class PoorTransport final : public http::Transport {
public:
    PoorTransport(http::Transport& inner, TimeSource& time) : inner_(inner), time_(time) {}

    Task<http::Response> send(const http::Request& request) override
    {
        auto response = co_await inner_.send(request);
        // Only a follower reads so much.
        if (is_too_long && response.is_success() && request.response_limit() == 64u << 20)
            throw http::TransportError(
                Errc::protocol, "send", "larger than allowed", http::TransportError::Sent::unknown);
        co_return response;
    }

    Task<std::unique_ptr<http::ResponseStream>> open(const http::Request& request) override
    {
        ++opened;
        if (delay > Duration(0))
            co_await time_.sleep_for(delay, "a stream begins");
        if (refuses && request.headers().get("Accept"))
            throw http::TransportError(
                Errc::unreachable, "open", "no streams here", http::TransportError::Sent::unknown);
        auto stream = co_await inner_.open(request);
        stream = std::make_unique<PoorStream>(std::move(stream), pieces);
        co_return stream;
    }

    void close() noexcept override { inner_.close(); }
    const std::string& origin() const noexcept override { return inner_.origin(); }

    Duration delay{0};
    int pieces = 1'000'000;
    bool refuses = false;
    bool is_too_long = false;
    int opened = 0;

private:
    class PoorStream final : public http::ResponseStream {
    public:
        PoorStream(std::unique_ptr<http::ResponseStream> inner, int pieces) : inner_(std::move(inner)), pieces_(pieces)
        {
        }

        const http::Response& head() const noexcept override { return inner_->head(); }

        Task<std::optional<std::string>> read() override
        {
            if (pieces_-- <= 0)
                throw http::TransportError(Errc::protocol, "read", "cut off", http::TransportError::Sent::unknown);
            auto piece = co_await inner_->read();
            co_return piece;
        }

    private:
        std::unique_ptr<http::ResponseStream> inner_;
        int pieces_;
    };

    http::Transport& inner_;
    TimeSource& time_;
};

// An activity that is ready, and a work context on it.
struct Scene {
    Scene(const Executor& executor, VirtualTime& the_time)
        : time(the_time), rig(executor, the_time), factory(executor, the_time),
          transport(std::make_shared<PoorTransport>(*rig.transport, the_time)),
          client(transport, "devnet", the_time, Random(1), Logger())
    {
        auto& activities = rig.host.world().activities();
        const auto node = rig.host.world().node_of_key("devnet").value();
        agreement.provider = "0xprovider";
        agreement.offer.properties.set(
            "golem.com.usage.vector",
            properties::Value(properties::Value::List{"golem.usage.cpu_sec", "golem.usage.duration_sec"}));
        agreement.offer.properties.set("golem.com.pricing.model", properties::Value("linear"));
        agreement.offer.properties.set(
            "golem.com.pricing.model.linear.coeffs", properties::Value(properties::Value::List{0.0002, 0.0001, 0.001}));
        activity = activities.create("agreement", node, "0xprovider", rig.host.now());
        unit = std::make_shared<provider::ScriptUnit>(executor, the_time, factory.make("a"), provider::UnitOptions());
        activities.attach("0xprovider", activity, unit);
        factory.behaviour().slow_reply = [this](const RunRequest& request) -> Task<RunOutput> {
            RunOutput output;
            co_await time.sleep_for(step, "a command");
            for (int i = 0; i < lines; ++i) {
                const auto line = request.entry_point + " " + std::to_string(i) + "\n";
                output.out += line;
                if (request.on_out)
                    request.on_out(line);
                co_await time.sleep_for(step, "a command");
            }
            output.err = "done\n";
            if (request.on_err)
                request.on_err(output.err);
            output.exit_code = request.entry_point == "/bin/fails" ? 3 : 0;
            co_return output;
        };
    }

    VirtualTime& time;
    golem::test::Rig rig;
    provider::ScriptedRuntimeFactory factory;
    std::shared_ptr<PoorTransport> transport;
    yagna::Client client;
    yagna::Agreement agreement;
    std::string activity;
    std::shared_ptr<provider::ScriptUnit> unit;
    Duration step = 10ms;
    int lines = 20;
};

void run(const WorkOptions& options, const std::function<Task<>(Scene&, WorkContext&)>& body)
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Scene scene(executor, time);
        WorkContext work(scene.client, time, scene.agreement, scene.activity, {}, options, WorkHooks());
        std::exception_ptr failure;
        try {
            Script ready;
            ready.deploy().start();
            co_await work.execute(ready);
            co_await body(scene, work);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await scene.unit->stop();
        if (failure)
            std::rethrow_exception(failure);
    });
}

Script streamed(const std::vector<std::string>& programs)
{
    RunOptions options;
    options.out = Capture::stream();
    options.err = Capture::stream();
    Script script;
    for (const auto& program : programs)
        script.run({program}, options);
    return script;
}

// What a sink was told.
struct Told {
    std::string text;
    std::map<int, std::string> out;
    std::map<int, std::string> err;
    std::map<int, std::multiset<std::string>> pieces;
    int late = 0;
    std::vector<CommandEvent> ends;

    void add(const CommandEvent& event)
    {
        if (event.kind == CommandEvent::Kind::out) {
            out[event.index] += event.text;
            pieces[event.index].insert(event.text);
        } else if (event.kind == CommandEvent::Kind::err) {
            err[event.index] += event.text;
        } else if (event.kind == CommandEvent::Kind::finished) {
            ends.push_back(event);
        }
        late += event.is_late ? 1 : 0;
    }
};

std::string lines_of(const std::string& program, int count)
{
    std::string text;
    for (int i = 0; i < count; ++i)
        text += program + " " + std::to_string(i) + "\n";
    return text;
}

} // namespace

TEST_CASE("output is told while the command runs, piece by piece and in order")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        Told told;
        std::vector<Duration> times;
        const auto start = scene.time.elapsed();
        const auto listen = [&](const CommandEvent& event) {
            told.add(event);
            times.push_back(scene.time.elapsed() - start);
        };
        const auto script = streamed({"/bin/a", "/bin/b"});
        const EventSink sink(listen);
        const auto results = co_await work.execute(script, sink);
        REQUIRE(results.size() == 2);
        CHECK(results[0].out == lines_of("/bin/a", 20));
        CHECK(told.out[0] == lines_of("/bin/a", 20));
        CHECK(told.out[1] == lines_of("/bin/b", 20));
        CHECK(told.err[0] == "done\n");
        CHECK(told.pieces[0].size() == 20);
        CHECK(told.late == 0);
        REQUIRE(told.ends.size() == 2);
        CHECK(told.ends[1].is_complete);
        REQUIRE(times.size() > 2);
        CHECK(times[0] == 10ms);
        CHECK(times[1] == 20ms);
        CHECK(scene.transport->opened == 1);
        const auto one = co_await work.run_streamed(sink, "/bin/c", "x");
        CHECK(one.out == lines_of("/bin/c", 20));
    });
}

TEST_CASE("nothing is lost, and nothing told twice, by streams that begin late and break")
{
    for (const int delay : {0, 15, 40, 95, 400}) {
        for (const int pieces : {1, 2, 3, 7, 15, 1'000'000}) {
            INFO("delay " << delay << " ms, broken after " << pieces << " pieces");
            run(WorkOptions(), [&](Scene& scene, WorkContext& work) -> Task<> {
                scene.transport->delay = std::chrono::milliseconds(delay);
                scene.transport->pieces = pieces;
                scene.step = 37ms;
                Told told;
                const EventSink sink([&](const CommandEvent& event) { told.add(event); });
                const auto script = streamed({"/bin/a", "/bin/b", "/bin/c"});
                const auto results = co_await work.execute(script, sink);
                CHECK(results.size() == 3);
                CHECK(told.ends.size() == 3);
                for (int index = 0; index < 3; ++index) {
                    const auto program = std::string("/bin/") + static_cast<char>('a' + index);
                    CHECK(told.out[index].size() == lines_of(program, 20).size());
                    // Whatever was cut where, all letters are there once.
                    auto expected = lines_of(program, 20);
                    auto got = told.out[index];
                    if (told.late == 0)
                        CHECK(got == expected);
                    std::sort(expected.begin(), expected.end());
                    std::sort(got.begin(), got.end());
                    CHECK(got == expected);
                    CHECK(told.err[index] == "done\n");
                }
            });
        }
    }
}

TEST_CASE("without streams the output is told at the end of each command")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        scene.transport->refuses = true;
        Told told;
        const EventSink sink([&](const CommandEvent& event) { told.add(event); });
        const auto script = streamed({"/bin/a", "/bin/b"});
        co_await work.execute(script, sink);
        CHECK(told.out[0] == lines_of("/bin/a", 20));
        CHECK(told.out[1] == lines_of("/bin/b", 20));
        CHECK(told.late == 0);
    });
}

TEST_CASE("a command that fails is told, with its output, and ends the execution")
{
    run(WorkOptions(), [](Scene&, WorkContext& work) -> Task<> {
        Told told;
        const EventSink sink([&](const CommandEvent& event) { told.add(event); });
        const auto script = streamed({"/bin/a", "/bin/fails", "/bin/c"});
        int index = -1;
        std::string text;
        try {
            co_await work.execute(script, sink);
        } catch (const CommandError& error) {
            index = error.index();
            text = error.out();
            CHECK(error.exit_code() == 3);
        }
        CHECK(index == 1);
        CHECK(text == lines_of("/bin/fails", 20));
        CHECK(told.out[1] == lines_of("/bin/fails", 20));
        REQUIRE(told.ends.size() == 2);
        CHECK(!told.ends[1].ok);
        CHECK(told.ends[1].exit_code == 3);
        CHECK(told.ends[1].text == "ExeScript command exited with code 3");
    });
}

TEST_CASE("a slow sink is waited for, and one that throws ends the execution")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        Told told;
        int under_way = 0;
        const auto listen = [&](const CommandEvent& event) -> Task<> {
            CHECK(++under_way == 1);
            co_await scene.time.sleep_for(3s, "a slow sink");
            --under_way;
            told.add(event);
        };
        const EventSink slow(listen);
        const auto script = streamed({"/bin/a", "/bin/b"});
        co_await work.execute(script, slow);
        CHECK(told.out[0] == lines_of("/bin/a", 20));
        CHECK(told.out[1] == lines_of("/bin/b", 20));
        const EventSink broken([](const CommandEvent&) { throw std::runtime_error("no more"); });
        std::string text;
        try {
            co_await work.execute(script, broken);
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        CHECK(text == "no more");
        CHECK(work.provider().prices->start == 0.001);
    });
}

TEST_CASE("the end of a command that prints much is told by the stream alone")
{
    WorkOptions options;
    options.remembered_output = 50;
    run(options, [](Scene& scene, WorkContext& work) -> Task<> {
        Told told;
        const EventSink sink([&](const CommandEvent& event) { told.add(event); });
        const auto script = streamed({"/bin/a", "/bin/b", "/bin/fails"});
        int index = -1;
        try {
            co_await work.execute(script, sink);
        } catch (const CommandError& error) {
            index = error.index();
            CHECK(error.exit_code() == 3);
            CHECK(error.out().empty());
        }
        CHECK(index == 2);
        CHECK(told.out[0] == lines_of("/bin/a", 20));
        CHECK(told.out[1] == lines_of("/bin/b", 20));
        REQUIRE(told.ends.size() == 3);
        CHECK(!told.ends[0].is_complete); // Its beginning may have been before that of the stream.
        CHECK(told.ends[1].is_complete);
        CHECK(scene.transport->opened == 1);
    });
}

TEST_CASE("a result too long to be read says how its command ended, and the end that output is missing")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        scene.transport->refuses = true;
        scene.transport->is_too_long = true;
        Told told;
        const EventSink sink([&](const CommandEvent& event) { told.add(event); });
        const auto script = streamed({"/bin/a", "/bin/fails"});
        std::string text;
        try {
            co_await work.execute(script, sink);
        } catch (const CommandError& error) {
            text = error.what();
            CHECK(error.index() == 1);
            CHECK(error.exit_code() == -1);
        }
        CHECK(text.find("too long") != std::string::npos);
        CHECK(told.out.empty());
        REQUIRE(told.ends.size() == 2);
        CHECK(told.ends[0].ok);
        CHECK(!told.ends[0].is_complete);
        CHECK(!told.ends[1].ok);
    });
}

TEST_CASE("half a line of an execution that was cut short is not part of the next one")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        scene.factory.behaviour().slow_reply = [&](const RunRequest& request) -> Task<RunOutput> {
            RunOutput output;
            output.out = request.entry_point == "/bin/a" ? "first\nhalf" : "second\n";
            co_await scene.time.sleep_for(100ms, "a command");
            request.on_out(output.out);
            const Duration rest = request.entry_point == "/bin/a" ? 10s : 100ms;
            co_await scene.time.sleep_for(rest, "a command");
            co_return output;
        };
        std::vector<std::string> lines;
        const EventSink listen([&](const CommandEvent& event) {
            if (event.kind == CommandEvent::Kind::out)
                lines.push_back(event.text);
        });
        const auto sink = by_lines(listen);
        auto first = work.run_streamed(sink, "/bin/a");
        const auto ended = co_await with_timeout(scene.time, 1s, std::move(first), "a command");
        CHECK(!ended);
        co_await scene.time.sleep_for(20s, "the end of the command");
        co_await work.run_streamed(sink, "/bin/b");
        CHECK(lines == std::vector<std::string>{"first\n", "second\n"});
    });
}

TEST_CASE("output comes in lines for who wants lines")
{
    run(WorkOptions(), [](Scene& scene, WorkContext& work) -> Task<> {
        scene.factory.behaviour().slow_reply = [&](const RunRequest& request) -> Task<RunOutput> {
            RunOutput output;
            output.out = "ab\ncd\n\nef";
            for (const char letter : output.out) {
                co_await scene.time.sleep_for(100ms, "a command");
                request.on_out(std::string_view(&letter, 1));
            }
            co_return output;
        };
        std::vector<std::string> lines;
        const EventSink listen([&](const CommandEvent& event) {
            if (event.kind == CommandEvent::Kind::out)
                lines.push_back(event.text);
        });
        const auto sink = by_lines(listen);
        co_await work.run_streamed(sink, "/bin/a");
        CHECK(lines == std::vector<std::string>{"ab\n", "cd\n", "\n", "ef"});
    });
}

TEST_CASE("a limit tells which command may still be running; usage and cost are those of the agreement")
{
    WorkOptions options;
    options.batch_limit = 2s;
    run(options, [](Scene& scene, WorkContext& work) -> Task<> {
        scene.step = 70ms; // 1.47 s a command
        const EventSink sink([](const CommandEvent&) {});
        const auto script = streamed({"/bin/a", "/bin/b"});
        Errc code = Errc::internal;
        std::string text;
        try {
            co_await work.execute(script, sink);
        } catch (const Error& error) {
            code = error.errc();
            text = error.what();
        }
        CHECK(code == Errc::timed_out);
        CHECK(text.find("run /bin/b") != std::string::npos);
        CHECK(text.find("command 2 of 2 may still be running") != std::string::npos);
        const auto state = co_await work.state();
        CHECK(state.status == yagna::ActivityStatus::ready);
        const auto usage = co_await work.usage();
        CHECK(usage.counters.at("golem.usage.duration_sec") == 2.0);
        const auto cost = co_await work.cost();
        CHECK(cost >= Amount::parse("0.0012"));
        CHECK(cost < Amount::parse("0.00123"));
    });
}

TEST_CASE("a real command that prints much is held up by a reader who stalls, and loses nothing")
{
    golem::test::run_real(
        []() -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            RealTime time;
            golem::test::Rig rig(executor, time);
            http::Server server(executor, time, rig.face, http::ServerOptions(), Logger());
            TaskGroup group(executor);
            group.spawn("server", [&] { return server.run(); });
            auto& activities = rig.host.world().activities();
            const auto node = rig.host.world().node_of_key("devnet").value();
            const auto activity = activities.create("agreement", node, "0xprovider", rig.host.now());
            const auto runtimes = provider::make_process_runtime(executor, time, provider::ProcessRuntimeOptions());
            provider::UnitOptions unit_options;
            unit_options.image =
                "hash:sha3:22e08b990b6c6685c7e80ecd9a1adb52561a7d9fe9e69b915269da22:http://127.0.0.1/i";
            const auto unit = std::make_shared<provider::ScriptUnit>(executor, time, runtimes->make("a"), unit_options);
            activities.attach("0xprovider", activity, unit);
            const auto url = http::Url::parse("http://127.0.0.1:" + std::to_string(server.port()));
            const auto transport = http::make_transport(executor, time, url);
            std::exception_ptr failure;
            try {
                yagna::Client client(transport, "devnet", time, Random(1), Logger());
                WorkContext work(client, time, yagna::Agreement(), activity, {}, WorkOptions(), WorkHooks());
                constexpr std::size_t size = 24'000'000;
                RunOptions options;
                options.out = Capture::stream().as_text();
                Script script;
                script.deploy().start().shell("sleep 0.3").shell("yes 0123456789abcde | head -c 24000000", options);
                std::size_t told = 0;
                bool in_order = true;
                bool has_stalled = false;
                bool is_complete = false;
                const auto listen = [&](const CommandEvent& event) -> Task<> {
                    if (event.kind == CommandEvent::Kind::finished)
                        is_complete = event.is_complete;
                    if (event.index != 3 || event.kind != CommandEvent::Kind::out)
                        co_return;
                    constexpr std::string_view line = "0123456789abcde\n";
                    for (const char letter : event.text)
                        in_order = in_order && letter == line[told++ % line.size()];
                    if (!has_stalled && told > size / 2) {
                        has_stalled = true;
                        co_await time.sleep_for(500ms, "a reader who stalls");
                    }
                };
                const EventSink sink(listen);
                const auto results = co_await work.execute(script, sink);
                CHECK(results.size() == 4);
                CHECK(told == size);
                CHECK(in_order);
                CHECK(is_complete);
            } catch (...) {
                failure = std::current_exception();
            }
            transport->close();
            co_await unit->stop();
            server.close();
            co_await group.join();
            if (failure)
                std::rethrow_exception(failure);
        },
        std::chrono::seconds(100));
}
