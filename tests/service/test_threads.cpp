// Managers with a thread of their own, used from others, in real time.
#include "scene.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <thread>

using namespace golem;
using namespace golem::test;
using S = ServiceStatus;

namespace {

ServiceManagerOptions on_embedded_devnet()
{
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    ServiceManagerOptions options;
    options.daemon = devnet::daemon_or_devnet(embedded);
    return options;
}

Task<int> answer(ServiceManager& manager)
{
    co_await manager.sleep(1ms);
    co_return 42;
}

Task<> fail(ServiceManager& manager)
{
    co_await manager.sleep(1ms);
    throw std::runtime_error("as planned");
}

Task<Errc> wait_from_inside(ServiceManager& manager)
{
    co_await manager.sleep(1ms);
    auto code = Errc::internal;
    try {
        golem::wait(manager, answer(manager));
    } catch (const Error& error) {
        code = error.errc();
    }
    co_return code;
}

} // namespace

TEST_CASE("wait brings values and exceptions to a program without coroutines")
{
    ServiceManager manager(on_embedded_devnet());
    CHECK(golem::wait(manager, answer(manager)) == 42);
    CHECK_THROWS_WITH(golem::wait(manager, fail(manager)), "as planned");
    CHECK(golem::wait(manager, wait_from_inside(manager)) == Errc::invalid_input);
    CHECK(golem::wait(manager, manager.close()).empty());
    CHECK(golem::wait(manager, manager.close()).empty());
}

TEST_CASE("services are led from several threads")
{
    ServiceManager manager(on_embedded_devnet());
    // Catch's checks are for one thread.
    std::atomic<int> good = 0;
    const auto work = [&manager, &good] {
        for (int i = 0; i < 3; ++i) {
            auto service = manager.create_service<Idle>();
            golem::wait(manager, service->wait_for(S::running));
            const bool started = service->started();
            service->stop();
            golem::wait(manager, service->wait_for(S::stopped));
            if (started && service->status() == S::stopped)
                ++good;
        }
    };
    std::thread first(work);
    std::thread second(work);
    for (int i = 0; i < 100; ++i) {
        for (const auto& service : manager.services())
            CHECK(!to_string(service->status().status).empty());
        golem::wait(manager, manager.sleep(1ms));
    }
    first.join();
    second.join();
    CHECK(good == 6);
}

TEST_CASE("who waits is freed when the manager is closed")
{
    ServiceManager manager(on_embedded_devnet());
    auto code = Errc::internal;
    std::thread waiting([&] {
        try {
            golem::wait(manager, manager.sleep(1h));
        } catch (const Error& error) {
            code = error.errc();
        }
    });
    golem::wait(manager, manager.sleep(20ms));
    golem::wait(manager, manager.close());
    waiting.join();
    CHECK(code == Errc::closed);
}

TEST_CASE("a manager is closed by its destructor")
{
    std::shared_ptr<ServiceWrapper> service;
    {
        ServiceManager manager(on_embedded_devnet());
        service = manager.create_service<Idle>();
        golem::wait(manager, service->wait_for(S::running));
    }
    CHECK(service->status() == S::stopped);
    service->stop();
}

TEST_CASE("a manager may be destroyed on its own thread")
{
    auto options = on_embedded_devnet();
    auto manager = std::make_shared<ServiceManager>(options);
    auto service = manager->create_service<Idle>();
    golem::wait(*manager, service->wait_for(S::running));
    golem::wait(*manager, manager->close());
    auto ended = std::make_shared<std::promise<void>>();
    auto future = ended->get_future();
    const auto executor = manager->executor();
    boost::asio::post(executor, [last = std::move(manager), ended]() mutable {
        last.reset();
        ended->set_value();
    });
    ended.reset();
    future.get();
    CHECK(service->status() == S::stopped);
}

TEST_CASE("virtual time needs an executor that is given")
{
    VirtualTime time;
    auto options = on_embedded_devnet();
    options.time = &time;
    CHECK_THROWS_AS(ServiceManager(options), Error);
}
