// Programs that are one coroutine: exit codes, signals and what they tell.
#include "scene.hpp"

#include <boost/asio/post.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include <sys/wait.h>
#include <unistd.h>

using namespace golem;
using namespace golem::test;
using S = ServiceStatus;

namespace {

struct Ended {
    int code = -1;
    std::string told;
};

Ended run_program(const std::function<Task<>(ServiceManager&)>& app)
{
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    std::ostringstream told;
    auto* before = std::cerr.rdbuf(told.rdbuf());
    Ended ended;
    ended.code = golem::run(app, devnet::daemon_or_devnet(embedded));
    std::cerr.rdbuf(before);
    ended.told = told.str();
    return ended;
}

} // namespace

TEST_CASE("a program that ends well says nothing")
{
    std::shared_ptr<ServiceWrapper> service;
    const auto ended = run_program([&](ServiceManager& manager) -> Task<> {
        service = manager.create_service<Idle>();
        co_await service->wait_for(S::running);
    });
    CHECK(ended.code == 0);
    CHECK(ended.told.empty());
    CHECK(service->status() == S::stopped);
}

TEST_CASE("a program that throws ends with 1 and tells why")
{
    const auto ended = run_program([](ServiceManager& manager) -> Task<> {
        co_await manager.sleep(1ms);
        throw std::runtime_error("as planned");
    });
    CHECK(ended.code == 1);
    CHECK(ended.told == "error: as planned\n");
}

TEST_CASE("a program whose options are wrong ends with 1")
{
    ::unsetenv("YAGNA_APPKEY");
    std::ostringstream told;
    auto* before = std::cerr.rdbuf(told.rdbuf());
    const auto code = golem::run([](ServiceManager&) -> Task<> { co_return; });
    std::cerr.rdbuf(before);
    CHECK(code == 1);
    CHECK(contains(told.str(), "YAGNA_APPKEY"));
}

TEST_CASE("a program whose daemon has a wrong address ends with 1 and names the variable")
{
    ::setenv("YAGNA_APPKEY", "key", 1);
    ::setenv("YAGNA_API_URL", "127.0.0.1:7465", 1);
    std::ostringstream told;
    auto* before = std::cerr.rdbuf(told.rdbuf());
    const auto code = golem::run([](ServiceManager&) -> Task<> { co_return; }, devnet::daemon_or_devnet());
    std::cerr.rdbuf(before);
    ::unsetenv("YAGNA_API_URL");
    ::unsetenv("YAGNA_APPKEY");
    CHECK(code == 1);
    CHECK(
        contains(told.str(), "error: read the environment: YAGNA_API_URL is \"127.0.0.1:7465\": the scheme (http://)"));
}

TEST_CASE("a program on a devnet that was prepared to fail")
{
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    embedded.prepare = [](devnet::Devnet& net) {
        const auto no = devnet::Fault::answer(500, R"({"message":"as planned"})");
        net.faults().add(http::Method::post, "/activity-api/v1/activity", no, 100);
    };
    StatusReport end;
    const auto app = [&](ServiceManager& manager) -> Task<> {
        const auto service = manager.create_service<Idle>();
        end = co_await service->ended();
    };
    CHECK(golem::run(app, devnet::daemon_or_devnet(embedded)) == 0);
    CHECK(end == S::failed);
    CHECK(contains(end.cause, "as planned"));
}

TEST_CASE("a program without a log tells why no provider is found")
{
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    ServiceManagerOptions options;
    options.daemon = devnet::daemon_or_devnet(embedded);
    options.market.report_after = 50ms;
    std::ostringstream told;
    auto* before = std::cerr.rdbuf(told.rdbuf());
    const auto app = [&told](ServiceManager& manager) -> Task<> {
        ServiceOptions wish;
        wish.payload = vm_image("9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae", "http://images.test/i");
        wish.payload->min_memory(1e6);
        auto service = manager.create_service<Idle>(wish);
        for (int i = 0; i < 500 && told.str().empty(); ++i)
            co_await manager.sleep(20ms);
    };
    const auto code = golem::run(app, options);
    std::cerr.rdbuf(before);
    CHECK(code == 0);
    CHECK(contains(told.str(), "golem.inf.mem.gib"));
}

TEST_CASE("a signal ends a program in an orderly way")
{
    const auto signal = GENERATE(SIGINT, SIGTERM);
    std::shared_ptr<ServiceWrapper> service;
    const auto ended = run_program([&](ServiceManager& manager) -> Task<> {
        service = manager.create_service<Idle>();
        co_await service->wait_for(S::running);
        std::raise(signal);
        co_await manager.sleep(1h);
    });
    CHECK(ended.code == 128 + signal);
    CHECK(!contains(ended.told, "error"));
    CHECK(!contains(ended.told, "left over"));
    CHECK(service->status() == S::stopped);
}

TEST_CASE("a program may take Ctrl-C for itself, until it does not")
{
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    ServiceManagerOptions options;
    options.daemon = devnet::daemon_or_devnet(embedded);
    std::ostringstream told;
    auto* before = std::cerr.rdbuf(told.rdbuf());
    int asked = 0;
    const auto app = [&](ServiceManager& manager) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            CHECK(asked == i);
            std::raise(SIGINT);
            co_await manager.sleep(10ms);
        }
        co_await manager.sleep(1h);
    };
    const auto code = golem::run(app, options, [&] { return ++asked < 3; });
    std::cerr.rdbuf(before);
    CHECK(code == 130);
    CHECK(asked == 3);
    CHECK(contains(told.str(), "in an orderly way"));
}

TEST_CASE("the second signal insists")
{
    const auto ended = run_program([&](ServiceManager& manager) -> Task<> {
        std::raise(SIGINT);
        try {
            co_await manager.sleep(1h);
        } catch (const boost::system::system_error&) {
            std::raise(SIGINT);
        }
        co_await ignore_cancellation();
        co_await manager.sleep(50ms); // Ends in the time that closing takes, or soon after.
    });
    CHECK(ended.code == 130);
}

namespace {

// Deaf to its cancellation for much longer than any program waits.
class Deaf : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        co_await ignore_cancellation();
        co_await work.sleep(1h);
    }
};

/// Runs a program in a process of its own, which may end without returning here.
Ended run_in_child(const std::function<Task<>(ServiceManager&)>& app)
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(60); // It must not outlive a test that fails.
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        ::unsetenv("YAGNA_APPKEY");
        devnet::EmbeddedOptions embedded;
        embedded.announce = false;
        ServiceManagerOptions options;
        options.daemon = devnet::daemon_or_devnet(embedded);
        options.limits.cancel = 100ms;
        std::_Exit(golem::run(app, options));
    }
    ::close(ends[1]);
    Ended ended;
    std::array<char, 512> buffer{};
    for (;;) {
        const auto count = ::read(ends[0], buffer.data(), buffer.size());
        if (count <= 0)
            break;
        ended.told.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return ended;
}

} // namespace

TEST_CASE("a service that ignores its cancellation does not keep a program from ending")
{
    const auto ended = run_in_child([](ServiceManager& manager) -> Task<> {
        auto service = manager.create_service<Deaf>();
        co_await service->wait_for(S::running);
        throw std::runtime_error("as planned");
    });
    INFO(ended.told);
    CHECK(ended.code == 1);
    CHECK(contains(ended.told, "error: as planned"));
    CHECK(contains(ended.told, "run did not end in time"));
}

TEST_CASE("an app that ignores its cancellation does not keep a program from ending")
{
    const auto ended = run_in_child([](ServiceManager& manager) -> Task<> {
        std::raise(SIGINT);
        co_await ignore_cancellation();
        TaskGroup impatience(manager.executor());
        impatience.spawn("again", [&]() -> Task<> {
            co_await manager.sleep(20ms);
            std::raise(SIGINT);
        });
        co_await impatience.join();
        co_await manager.sleep(1h);
    });
    INFO(ended.told);
    CHECK(ended.code == 130);
    CHECK(contains(ended.told, "the app did not end"));
}

TEST_CASE("a handler that throws on the executor of a program ends it with 1, not without closing")
{
    std::shared_ptr<ServiceWrapper> service;
    const auto ended = run_program([&](ServiceManager& manager) -> Task<> {
        service = manager.create_service<Idle>();
        co_await service->wait_for(S::running);
        const auto executor = manager.executor();
        boost::asio::post(executor, [] { throw std::runtime_error("thrown by a handler"); });
        co_await manager.sleep(1h);
    });
    CHECK(ended.code == 1);
    CHECK(contains(ended.told, "error: thrown by a handler"));
    CHECK(service->status() == S::stopped);
}
