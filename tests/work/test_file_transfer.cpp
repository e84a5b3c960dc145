// Files to a machine and back: a work context against the devnet, in virtual time and over loopback.
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/devnet/in_process_port.hpp>
#include <golem/http/client.hpp>
#include <golem/http/counting.hpp>
#include <golem/http/server.hpp>
#include <golem/provider/process_runtime.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>
#include <golem/work/work_context.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/folder.hpp>
#include <tests/support/run_task.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

using namespace golem;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using golem::test::content_of;
using golem::test::Folder;

std::string numbered(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t n = 0; n < size; ++n)
        text[n] = static_cast<char>(n * 31 + n / 251);
    return text;
}

std::string hash_of(const std::string& text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha3_256(), nullptr);
    std::string hex;
    for (unsigned n = 0; n < size; ++n) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", digest[n]);
        hex += digits;
    }
    return hex;
}

// An activity on a runtime of the devnet's.
struct Scene {
    Scene(
        const Executor& executor, TimeSource& the_time, devnet::Host& the_host,
        const std::shared_ptr<http::Transport>& transport, provider::RuntimeFactory& factory)
        : time(the_time), host(the_host), counting(std::make_shared<http::CountingTransport>(transport, the_time)),
          client(counting, "devnet", the_time, Random(1), Logger()), port(the_host, "provider")
    {
        const auto node = host.world().node_of_key("devnet").value();
        agreement.provider = port.node_id();
        activity = host.world().activities().create("agreement", node, port.node_id(), host.now());
        auto runtime = factory.make("a");
        runtime->use_files(port.files());
        unit = std::make_shared<provider::ScriptUnit>(executor, the_time, std::move(runtime), unit_options());
        host.world().activities().attach(port.node_id(), activity, unit);
    }

    static provider::UnitOptions unit_options()
    {
        provider::UnitOptions options;
        options.image = "hash:sha3:00000000000000000000000000000000000000000000000000000000:http://localhost/none";
        return options;
    }

    Task<> play(const WorkOptions& options, const std::function<Task<>(Scene&, WorkContext&)>& body)
    {
        WorkContext work(client, time, agreement, activity, {}, options, WorkHooks());
        std::exception_ptr failure;
        try {
            Script ready;
            ready.deploy().start();
            co_await work.execute(ready);
            co_await body(*this, work);
        } catch (...) {
            failure = std::current_exception();
        }
        // Nothing is left open on the daemon, whatever happened.
        CHECK(host.bus().count() == 0);
        CHECK(counting->under_way() == 0);
        co_await unit->stop();
        if (failure)
            std::rethrow_exception(failure);
    }

    TimeSource& time;
    devnet::Host& host;
    std::shared_ptr<http::CountingTransport> counting;
    yagna::Client client;
    devnet::InProcessPort port;
    yagna::Agreement agreement;
    std::string activity;
    std::shared_ptr<provider::ScriptUnit> unit;
    provider::ScriptedBehaviour* behaviour = nullptr;
};

using Body = std::function<Task<>(Scene&, WorkContext&)>;

void run_virtual(const Body& body, const WorkOptions& options = WorkOptions())
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        golem::test::Rig rig(executor, time);
        provider::ScriptedRuntimeFactory factory(executor, time);
        std::shared_ptr<http::Transport> transport(rig.transport.get(), [](http::Transport*) {});
        Scene scene(executor, time, rig.host, transport, factory);
        scene.behaviour = &factory.behaviour();
        co_await scene.play(options, body);
    });
}

// Over a port, and with a machine that writes files.
void run_real(const Body& body)
{
    golem::test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        devnet::DevnetOptions devnet_options;
        devnet_options.app_keys = {"devnet"};
        devnet::Host host(executor, time, devnet_options);
        const auto face = std::make_shared<devnet::RestFace>(host);
        http::Server server(executor, time, face, http::ServerOptions(), Logger());
        TaskGroup tasks(executor);
        tasks.spawn("server", [&] { return server.run(); });
        const auto url = http::Url::parse("http://127.0.0.1:" + std::to_string(server.port()));
        const auto factory = provider::make_process_runtime(executor, time, provider::ProcessRuntimeOptions());
        const auto transport = http::make_transport(executor, time, url);
        std::exception_ptr failure;
        {
            Scene scene(executor, time, host, transport, *factory);
            try {
                const WorkOptions options;
                co_await scene.play(options, body);
            } catch (...) {
                failure = std::current_exception();
            }
        }
        transport->close();
        host.close();
        server.close();
        co_await tasks.join();
        if (failure)
            std::rethrow_exception(failure);
    });
}

// How a task failed: "TransferError too_large", or an Errc.
template <typename T>
Task<std::string> failure_of(Task<T> task)
{
    std::string story = "none";
    try {
        co_await std::move(task);
    } catch (const TransferError& error) {
        constexpr std::array names = {"local_file", "no_space", "too_large", "corrupted", "incomplete"};
        story = std::string("TransferError ") + names[static_cast<std::size_t>(error.kind())];
    } catch (const CommandError& error) {
        story = "CommandError " + error.their_words();
    } catch (const Error& error) {
        story = make_error_code(error.errc()).message();
    }
    co_return story;
}

} // namespace

TEST_CASE("files of all sizes go to the machine and come back")
{
    const Body body = [](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        for (const std::size_t size : {0u, 1u, 40'959u, 40'960u, 40'961u, 1'000'000u}) {
            const auto text = numbered(size);
            const auto from = folder.path / "from";
            const auto to = folder.path / "to";
            std::ofstream(from, std::ios::binary) << text;
            co_await work.send_file(from, "/golem/work/deep/er/file");
            co_await work.download_file("/golem/work/deep/er/file", to);
            CHECK(content_of(to) == text);
            const auto bytes = co_await work.download_bytes("/golem/work/deep/er/file");
            CHECK(bytes == text);
            CHECK(folder.count() == 2);
        }
        co_await work.send_bytes("some bytes", "/golem/work/b");
        const auto bytes = co_await work.download_bytes("/golem/work/b");
        CHECK(bytes == "some bytes");
        co_await work.send_json(R"({"a": [1, 2.5]})", "/golem/work/j");
        const auto json = co_await work.download_json("/golem/work/j");
        CHECK(json == R"({"a": [1, 2.5]})");
        // Who we are was asked once.
        CHECK(scene.counting->by_route().at("GET /me") == 1);
    };
    SECTION("in virtual time") { run_virtual(body); }
    SECTION("over loopback") { run_real(body); }
}

TEST_CASE("a command of the machine reads what was sent, and we what it wrote")
{
    run_real([](Scene&, WorkContext& work) -> Task<> {
        co_await work.send_bytes("hello", "/golem/work/in");
        co_await work.run("/bin/sh", "-c", "tr a-z A-Z < /golem/work/in > /golem/output/out");
        const auto out = co_await work.download_bytes("/golem/output/out");
        CHECK(out == "HELLO");
    });
}

TEST_CASE("what cannot be transferred says why, and leaves nothing")
{
    const Body body = [](Scene&, WorkContext& work) -> Task<> {
        Folder folder;
        const auto to = folder.path / "to";
        const auto from = folder.path / "from";
        std::ofstream(from) << "x";
        FileTransferOptions small;
        small.largest = 10;
        co_await work.send_bytes(std::string(100'000, 'x'), "/golem/work/large");
        struct Row {
            Task<> task;
            const char* failure;
        };
        std::vector<Row> rows;
        rows.push_back({work.send_file(folder.path / "missing", "/golem/work/a"), "TransferError local_file"});
        rows.push_back({work.send_file(folder.path, "/golem/work/a"), "TransferError local_file"});
        rows.push_back({work.send_file(from, "golem/work/a"), "invalid input"});
        rows.push_back({work.send_file(from, "/golem/work/../../etc/passwd"), "invalid input"});
        rows.push_back({work.send_json("{", "/golem/work/a"), "invalid input"});
        rows.push_back({work.download_file("../a", to), "invalid input"});
        rows.push_back({work.download_file("/golem/work/large", folder.path), "TransferError local_file"});
        rows.push_back(
            {work.download_file("/golem/work/large", folder.path / "no" / "to"), "TransferError local_file"});
        rows.push_back({work.download_file("/golem/work/large", to, small), "TransferError too_large"});
        rows.push_back(
            {work.download_file("/golem/work/missing", to),
             "CommandError Local service error: Transfer error: IO error: No such file or directory (os error 2)"});
        for (auto& row : rows) {
            INFO(row.failure);
            const auto story = co_await failure_of(std::move(row.task));
            CHECK(story == row.failure);
            CHECK(folder.count() == 1);
        }
        auto json = work.download_json("/golem/work/large");
        const auto no_json = co_await failure_of(std::move(json));
        CHECK(no_json == "protocol error");
        // The machine is still of use.
        const auto bytes = co_await work.download_bytes("/golem/work/large");
        CHECK(bytes.size() == 100'000);
    };
    SECTION("in virtual time") { run_virtual(body); }
    SECTION("over loopback") { run_real(body); }
}

TEST_CASE("chunks may come in any order, and lies are found out")
{
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        const auto to = folder.path / "to";
        const auto text = numbered(300'000);
        struct Row {
            bool shuffled;
            bool drops_one;
            std::string hash;
            std::string failure;
        };
        const Row rows[] = {
            {true, false, hash_of(text), "none"},
            {false, false, hash_of(text + "x"), "TransferError corrupted"},
            {true, true, hash_of(text), "TransferError incomplete"},
            {false, false, "", "TransferError incomplete"},
        };
        for (const auto& row : rows) {
            scene.behaviour->carry = [&](provider::RequestorFiles& files, const std::string&,
                                         const std::string& url) -> Task<> {
                std::vector<std::size_t> offsets;
                for (std::size_t at = 0; at < text.size(); at += 10'000)
                    offsets.push_back(at);
                if (row.shuffled)
                    std::reverse(offsets.begin(), offsets.end());
                if (row.drops_one)
                    offsets.erase(offsets.begin() + 5);
                for (const auto at : offsets) {
                    const auto piece = text.substr(at, 10'000);
                    co_await files.write(url, at, piece);
                }
                // Without the farewell the command claims to be done all the same.
                if (!row.hash.empty())
                    co_await files.finish(url, row.hash);
            };
            auto download = work.download_file("/golem/work/x", to);
            const auto story = co_await failure_of(std::move(download));
            CHECK(story == row.failure);
            CHECK(folder.count() == (row.failure == "none" ? 1u : 0u));
            if (row.failure == "none") {
                CHECK(content_of(to) == text);
                fs::remove(to);
            }
        }
    });
}

TEST_CASE("a machine that got something else than we sent says so")
{
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        std::string asked;
        scene.behaviour->carry = [&](provider::RequestorFiles&, const std::string& from, const std::string&) -> Task<> {
            asked = from;
            co_return;
        };
        co_await work.send_bytes("text", "/golem/work/x");
        CHECK(asked.starts_with("hash:sha3:" + hash_of("text") + ":gftp://"));
        FileTransferOptions options;
        options.verify = false;
        co_await work.send_bytes("text", "/golem/work/x", options);
        CHECK(asked.starts_with("gftp://"));
    });
}

TEST_CASE("a transfer that is killed in the middle leaves no half file")
{
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        const auto to = folder.path / "to";
        const auto executor = co_await boost::asio::this_coro::executor;
        Event half(executor);
        scene.behaviour->carry = [&](provider::RequestorFiles& files, const std::string&,
                                     const std::string& url) -> Task<> {
            const std::string piece(1000, 'x');
            co_await files.write(url, 0, piece);
            half.set();
            Event never(executor);
            co_await never.wait();
        };
        // By a limit of its own.
        FileTransferOptions options;
        options.limit = 10s;
        auto slow = work.download_file("/golem/work/x", to, options);
        const auto late = co_await failure_of(std::move(slow));
        CHECK(late == "timed out");
        CHECK(folder.count() == 0);
        CHECK(scene.host.bus().count() == 0);
    });
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        const auto to = folder.path / "to";
        const auto executor = co_await boost::asio::this_coro::executor;
        Event half(executor);
        scene.behaviour->carry = [&](provider::RequestorFiles& files, const std::string&,
                                     const std::string& url) -> Task<> {
            const std::string piece(1000, 'x');
            co_await files.write(url, 0, piece);
            half.set();
            Event never(executor);
            co_await never.wait();
        };
        // By cancellation: what comes after it finds nothing.
        TaskGroup group(executor);
        group.spawn("download", [&] { return work.download_file("/golem/work/x", to); });
        co_await half.wait();
        CHECK(folder.count() == 1);
        CHECK(scene.host.bus().count() == 1);
        group.cancel();
        co_await group.join();
        CHECK(folder.count() == 0);
        CHECK(scene.host.bus().count() == 0);
    });
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        const auto executor = co_await boost::asio::this_coro::executor;
        Event half(executor);
        scene.behaviour->carry = [&](provider::RequestorFiles& files, const std::string&,
                                     const std::string& url) -> Task<> {
            const std::string piece(1000, 'x');
            co_await files.write(url, 0, piece);
            half.set();
            Event never(executor);
            co_await never.wait();
        };
        // With the machine.
        TaskGroup group(executor);
        group.spawn("killer", [&]() -> Task<> {
            co_await half.wait();
            co_await scene.unit->stop();
        });
        auto download = work.download_file("/golem/work/x", folder.path / "to");
        const auto story = co_await failure_of(std::move(download));
        INFO(story);
        CHECK((story.starts_with("CommandError") || story == "activity lost"));
        CHECK(folder.count() == 0);
        co_await group.join();
    });
}

TEST_CASE("no more transfers at once than the options allow")
{
    WorkOptions options;
    options.transfers_at_once = 2;
    run_virtual(
        [](Scene& scene, WorkContext& work) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            std::size_t most = 0;
            scene.behaviour->carry = [&](provider::RequestorFiles&, const std::string&, const std::string&) -> Task<> {
                most = std::max(most, scene.host.bus().count());
                co_await scene.time.sleep_for(1s, "a transfer");
            };
            TaskGroup group(executor);
            int failed = 0;
            for (int n = 0; n < 5; ++n) {
                group.spawn("transfer", [&]() -> Task<> {
                    auto sending = work.send_bytes("x", "/golem/work/x");
                    const auto story = co_await failure_of(std::move(sending));
                    failed += story == "none" ? 0 : 1; // The machine is busy with another one.
                });
            }
            co_await group.join();
            CHECK(most == 2);
            CHECK(failed < 5);
        },
        options);
}

TEST_CASE("directories go and come as a whole")
{
    run_real([](Scene&, WorkContext& work) -> Task<> {
        Folder folder;
        const auto from = folder.path / "from";
        const auto to = folder.path / "to";
        fs::create_directories(from / "a" / "b");
        fs::create_directories(from / "empty");
        std::ofstream(from / "one") << "1";
        std::ofstream(from / "a" / "b" / "two words") << "2";
        fs::create_symlink("one", from / "link");
        co_await work.send_directory(from, "/golem/work/tree");
        co_await work.download_directory("/golem/work/tree", to);
        CHECK(content_of(to / "one") == "1");
        CHECK(content_of(to / "link") == "1");
        CHECK(content_of(to / "a" / "b" / "two words") == "2");
        CHECK(!fs::exists(to / "empty"));
        CHECK(folder.count() == 2);
        // What is there is not touched.
        auto again = work.download_directory("/golem/work/tree", to);
        const auto refused = co_await failure_of(std::move(again));
        CHECK(refused == "TransferError local_file");
        auto missing = work.download_directory("/golem/work/missing", folder.path / "other");
        const auto story = co_await failure_of(std::move(missing));
        CHECK(story.starts_with("CommandError"));
        FileTransferOptions small;
        small.largest = 2;
        auto large = work.download_directory("/golem/work/tree", folder.path / "other", small);
        const auto too_large = co_await failure_of(std::move(large));
        CHECK(too_large == "TransferError too_large");
        fs::create_symlink("nowhere", from / "dangling");
        auto odd = work.send_directory(from, "/golem/work/tree");
        const auto odd_story = co_await failure_of(std::move(odd));
        CHECK(odd_story == "TransferError local_file");
        CHECK(folder.count() == 2);
    });
}

TEST_CASE("a machine cannot name files outside of the directory")
{
    using namespace std::string_literals;
    run_virtual([](Scene& scene, WorkContext& work) -> Task<> {
        Folder folder;
        for (const auto& listing :
             {"./a\0./../evil\0"s, "/etc/passwd\0"s, "./a/../../evil\0"s, "./\0"s, "a//b\0"s, "..\0"s}) {
            scene.behaviour->reply = [&listing](const provider::RunRequest&) {
                provider::RunOutput output;
                output.out = listing;
                return output;
            };
            auto download = work.download_directory("/golem/work/tree", folder.path / "to");
            const auto story = co_await failure_of(std::move(download));
            CHECK(story == "protocol error");
            CHECK(folder.count() == 0);
        }
    });
}
