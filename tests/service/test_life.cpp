// Services on the devnet, in virtual time: how they begin, and how they end as asked.
#include "scene.hpp"

#include <sstream>
#include <thread>

using namespace golem;
using namespace golem::test;
using S = ServiceStatus;

namespace {

class Recorder : public ServiceWrapper {
public:
    Recorder(WrapperInit init, std::string name) : ServiceWrapper(std::move(init)), name_(std::move(name)) {}

    const std::string& name() const { return name_; }

    std::vector<S> seen;

protected:
    void on_status_changed(const StatusReport& before, const StatusReport& after) noexcept override
    {
        if (seen.empty())
            seen.push_back(before.status);
        seen.push_back(after.status);
    }

private:
    std::string name_;
};

// Runs as many commands as it was told, and keeps what they said.
class Counter : public Idle {
public:
    Counter(int times, std::string greeting) : times_(times), greeting_(std::move(greeting)) {}

    Task<> run(WorkContext& work) override
    {
        for (int i = 0; i < times_; ++i) {
            const auto result = co_await work.run("/bin/echo", greeting_);
            outputs.push_back(result.out);
            co_await work.sleep(1s);
        }
    }

    Task<> shutdown(WorkContext& work) override
    {
        co_await work.run("/bin/bye");
        shut_down = true;
    }

    std::vector<std::string> outputs;
    bool shut_down = false;

private:
    int times_;
    std::string greeting_;
};

class Failing : public Idle {
public:
    Task<> run(WorkContext&) override
    {
        throw std::runtime_error("it broke");
        co_return;
    }
};

// Takes messages, each with a command.
class Listener : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        for (;;) {
            auto message = co_await work.receive();
            co_await work.run("/bin/echo", message);
            heard.push_back(std::move(message));
        }
    }

    std::vector<std::string> heard;
};

} // namespace

TEST_CASE("a service runs until it is stopped")
{
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Counter>(1000, "hi");
        CHECK(service->id().size() == 32);
        CHECK(service->status() == S::pending);
        CHECK(!service->started());
        CHECK(!service->service());
        co_await service->wait_for(S::running);
        CHECK(service->started());
        CHECK(!service->stopped());
        const auto object = service->service<Counter>();
        REQUIRE(object);
        CHECK(!service->service<Busy>());
        co_await scene.manager().sleep(3500ms);
        CHECK(object->outputs.size() == 4);
        service->stop();
        service->stop();
        CHECK(service->stopped());
        co_await service->wait_for(S::stopped);
        CHECK(object->shut_down);
        CHECK(!service->service());
        CHECK(service->status().cause.empty());
        CHECK(scene.devnet.report().approved_agreements == 0);
        CHECK(scene.devnet.report().live_activities == 0);
        co_await service->wait_for(S::running); // It was.
        const auto text = co_await ending_of(*service, S::failed);
        CHECK(contains(text, "the service is stopped"));
        const auto end = co_await service->ended();
        CHECK(end == service->status());
        std::ostringstream out;
        out << end;
        CHECK(out.str() == "stopped");
        CHECK(scene.handled.empty());
    });
}

TEST_CASE("a service whose run returned is stopped")
{
    play([](Scene& scene) -> Task<> {
        ServiceOptions options;
        options.start_args = {"--quick"};
        const std::string greeting = "hello";
        auto service = scene.manager().create_service_as<Counter, Recorder>(std::tuple("first"), options, 2, greeting);
        CHECK(service->name() == "first");
        co_await service->wait_for(S::stopped);
        CHECK(service->seen == std::vector<S>{S::pending, S::starting, S::running, S::stopping, S::stopped});
        CHECK(!service->stopped()); // Nobody asked.
        CHECK(service->started());
    });
}

TEST_CASE("the end of a service is awaited whatever it is")
{
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Failing>();
        const auto end = co_await service->ended();
        std::ostringstream out;
        out << end;
        CHECK(out.str() == "failed: run failed: it broke");
        co_await service->wait_for(S::running); // It was.
        const auto text = co_await ending_of(*service, S::stopped);
        CHECK(contains(text, "the service has failed: run failed: it broke"));
    });
}

TEST_CASE("services can be made by factories")
{
    play([](Scene& scene) -> Task<> {
        const std::function<std::shared_ptr<Recorder>(WrapperInit)> make = [](WrapperInit init) {
            return std::make_shared<Recorder>(std::move(init), "made");
        };
        ServiceOptions options;
        options.payload = test_payload();
        auto service =
            scene.manager().create_service_with<Recorder>(options, [] { return std::make_shared<Idle>(); }, make);
        co_await service->wait_for(S::running);
        CHECK(scene.manager().services().size() == 1);
    });
}

TEST_CASE("stop is obeyed in every state")
{
    SceneOptions options;
    options.provider.activity_latency = 3s;
    SECTION("pending")
    {
        options.providers = 0;
        play(options, [](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<Idle>();
            co_await scene.manager().sleep(7s);
            CHECK(service->status() == S::pending);
            CHECK(!service->status().cause.empty());
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 1s);
            CHECK(!service->started());
        });
    }
    SECTION("at once")
    {
        play(options, [](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<Idle>();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.devnet.report().agreements == 0);
        });
    }
    SECTION("while the activity is created")
    {
        play(options, [](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<Idle>();
            co_await service->wait_for(S::starting);
            co_await scene.manager().sleep(1s);
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(!service->started());
        });
    }
    SECTION("while starting")
    {
        play(options, [](Scene& scene) -> Task<> {
            scene.behaviour().deploy_time = 60s;
            auto service = scene.manager().create_service<Idle>();
            co_await service->wait_for(S::starting);
            co_await scene.manager().sleep(20s);
            CHECK(service->status() == S::starting);
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 31s);
            CHECK(!service->started());
        });
    }
    SECTION("while a command runs")
    {
        play(options, [](Scene& scene) -> Task<> {
            scene.behaviour().hangs = true;
            auto service = scene.manager().create_service<Busy>();
            co_await service->wait_for(S::running);
            co_await scene.manager().sleep(5s);
            service->stop();
            co_await service->wait_for(S::stopped);
        });
    }
    SECTION("while stopping, and afterwards")
    {
        play(options, [](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<Counter>(1, "x");
            co_await service->wait_for(S::stopping);
            service->stop();
            co_await service->wait_for(S::stopped);
            service->stop();
            CHECK(service->status() == S::stopped);
        });
    }
}

TEST_CASE("a service that no provider has room for starts when one frees up")
{
    play([](Scene& scene) -> Task<> {
        auto first = scene.manager().create_service<Idle>();
        co_await first->wait_for(S::running);
        auto second = scene.manager().create_service<Idle>();
        co_await scene.manager().sleep(5min);
        CHECK(second->status() == S::pending);
        CHECK(!second->status().cause.empty());
        first->stop();
        co_await second->wait_for(S::running);
        CHECK(first->status() == S::stopped);
    });
}

TEST_CASE("ten services share the work of one manager")
{
    SceneOptions options;
    options.provider.capacity = 10;
    play(options, [](Scene& scene) -> Task<> {
        std::vector<std::shared_ptr<ServiceWrapper>> services;
        for (int i = 0; i < 10; ++i)
            services.push_back(scene.manager().create_service<Counter>(1000, "x"));
        for (const auto& service : services)
            co_await service->wait_for(S::running);
        co_await scene.manager().sleep(10s);
        CHECK(scene.manager().services().size() == 10);
        services.clear();
        // They run on without their wrappers, and end with the manager.
        CHECK(scene.manager().services().size() == 10);
        CHECK(scene.devnet.report().live_activities == 10);
    });
}

TEST_CASE("a wrapper outlives its manager")
{
    std::shared_ptr<ServiceWrapper> service;
    std::shared_ptr<ServiceWrapper> never;
    play([&](Scene& scene) -> Task<> {
        service = scene.manager().create_service<Idle>();
        never = scene.manager().create_service<Idle>();
        co_await service->wait_for(S::running);
        co_await scene.close();
        CHECK(service->status() == S::stopped);
        co_await service->wait_for(S::running);
        const auto text = co_await ending_of(*never, S::running);
        CHECK(contains(text, "stopped"));
        service->stop();
    });
    CHECK(service->status() == S::stopped);
    CHECK(service->started());
    CHECK(never->status() == S::stopped);
    CHECK(!never->started());
    service->stop();
}

TEST_CASE("close can be repeated, and nothing begins after it")
{
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Idle>();
        co_await service->wait_for(S::running);
        auto& manager = scene.manager();
        TaskGroup both(manager.executor());
        int closed = 0;
        for (int i = 0; i < 2; ++i) {
            both.spawn("close", [&]() -> Task<> {
                co_await manager.close();
                ++closed;
            });
        }
        co_await both.join();
        CHECK(closed == 2);
        CHECK_THROWS_AS(manager.create_service<Idle>(), Error);
        const auto again = co_await manager.close();
        CHECK(again.empty());
        const auto bills = manager.bills();
        REQUIRE(bills.size() == 1);
        CHECK(bills[0].invoice_accepted);
    });
}

TEST_CASE("messages reach a service in their order, also those that were sent before it ran")
{
    play([](Scene& scene) -> Task<> {
        const auto code_of = [](ServiceWrapper& wrapper) {
            try {
                wrapper.send("x");
            } catch (const Error& error) {
                return error.errc();
            }
            return Errc::internal;
        };
        auto service = scene.manager().create_service<Listener>();
        service->send("one");
        service->send("two");
        co_await service->wait_for(S::running);
        const auto object = service->service<Listener>();
        co_await scene.manager().sleep(1s);
        CHECK(object->heard == std::vector<std::string>{"one", "two"});
        std::thread other([&] { service->send("three"); });
        other.join();
        co_await scene.manager().sleep(1s);
        CHECK(object->heard.size() == 3);
        // A service that does not listen.
        auto deaf = scene.manager().create_service<Idle>();
        for (int i = 0; i < 1024; ++i)
            deaf->send("x");
        CHECK(code_of(*deaf) == Errc::refused);
        deaf->stop();
        service->stop();
        co_await service->wait_for(S::stopped);
        CHECK(code_of(*service) == Errc::closed);
        co_await scene.close();
        CHECK(code_of(*service) == Errc::closed);
    });
}
