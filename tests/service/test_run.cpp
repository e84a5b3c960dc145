// Programs that are one coroutine: exit codes, signals and what they tell.
#include "scene.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>

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
