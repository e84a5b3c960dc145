// Contexts that end before the tasks on them: nothing is resumed, nothing terminates, nothing is lost.
#include "scene.hpp"

#include <boost/asio/post.hpp>

#include <cstdlib>
#include <vector>

using namespace golem;
using namespace golem::test;
using S = ServiceStatus;

TEST_CASE("a context may be destroyed with tasks that have not ended")
{
    auto kept = std::make_shared<int>(1);
    std::weak_ptr<int> watched = kept;
    bool resumed = false;
    {
        VirtualTime time; // Outlives what sleeps.
        boost::asio::io_context context;
        SECTION("after their group")
        {
            TaskGroup group(context.get_executor());
            group.spawn("endless", [&, kept]() -> Task<> {
                co_await time.sleep_for(1h, "endless");
                resumed = true;
            });
            context.poll();
            CHECK(group.size() == 1);
        }
        SECTION("and their group with them")
        {
            auto group = std::make_shared<TaskGroup>(context.get_executor());
            group->spawn("endless", [&, kept, group]() -> Task<> {
                co_await time.sleep_for(1h, "endless");
                resumed = true;
            });
            context.poll();
        }
        SECTION("before they began")
        {
            TaskGroup group(context.get_executor());
            group.spawn("unborn", [&, kept]() -> Task<> {
                resumed = true;
                co_return;
            });
        }
        kept.reset();
    }
    CHECK(watched.expired());
    CHECK(!resumed);
}

TEST_CASE("an exception that leaves a joined executor is the program's, whatever the manager was doing")
{
    // A service that was cut off is kept by its wrapper, and by itself: leak checkers shall find it.
    static auto& kept = *new std::vector<std::shared_ptr<ServiceWrapper>>(); // Never destroyed.
    ServiceManagerOptions options;
    options.daemon = Daemon("http://127.0.0.1:1", "key"); // Nobody is there: it is tried again and again.
    const auto program = [&] {
        boost::asio::io_context context(1);
        ServiceManager manager(context.get_executor(), options);
        TaskGroup app(context.get_executor());
        kept.push_back(manager.create_service<Idle>());
        SECTION("while a service looks for a provider")
        {
            app.spawn("app", [&]() -> Task<> {
                co_await manager.sleep(20ms);
                boost::asio::post(context, [] { throw std::runtime_error("as planned"); });
                co_await manager.sleep(1h);
            });
        }
        SECTION("while the manager is closed")
        {
            app.spawn("app", [&]() -> Task<> {
                co_await manager.sleep(20ms);
                boost::asio::post(context, [] { throw std::runtime_error("as planned"); });
                co_await manager.close();
            });
        }
        SECTION("at once")
        {
            boost::asio::post(context, [] { throw std::runtime_error("as planned"); });
        }
        context.run();
    };
    CHECK_THROWS_WITH(program(), "as planned");
    REQUIRE(!kept.empty());
    CHECK(!is_final(kept.back()->status().status));
}

TEST_CASE("a joined executor may be destroyed under requests to an embedded devnet")
{
    static auto& kept = *new std::vector<std::shared_ptr<ServiceWrapper>>(); // As above.
    ::unsetenv("YAGNA_APPKEY");
    devnet::EmbeddedOptions embedded;
    embedded.announce = false;
    const auto delay = GENERATE(0ms, 1ms, 3ms, 10ms, 30ms, 100ms);
    const auto program = [&] {
        boost::asio::io_context context(1);
        ServiceManagerOptions options;
        options.daemon = devnet::daemon_or_devnet(embedded);
        ServiceManager manager(context.get_executor(), options);
        TaskGroup app(context.get_executor());
        for (int i = 0; i < 5; ++i)
            kept.push_back(manager.create_service<Busy>());
        app.spawn("app", [&]() -> Task<> {
            co_await manager.sleep(delay);
            boost::asio::post(context, [] { throw std::runtime_error("as planned"); });
        });
        context.run();
    };
    CHECK_THROWS_WITH(program(), "as planned");
}

TEST_CASE("a manager that is destroyed while it is closed goes on closing once")
{
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Idle>();
        co_await service->wait_for(S::running);
        TaskGroup others(scene.manager().executor());
        others.spawn("close", [&]() -> Task<> {
            // What close() returned with lives on without the manager.
            const auto left = co_await scene.manager().close();
            CHECK(left.empty());
        });
        co_await scene.time.sleep_for(1ms, "let it begin");
        scene.abandon_manager();
        co_await others.join();
        CHECK(service->status() == S::stopped);
        co_await scene.time.sleep_for(2min, "what a second closing would do");
    });
}
