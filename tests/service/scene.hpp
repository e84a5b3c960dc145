// A manager, a devnet with scripted providers, and virtual time.
#pragma once

#include <golem/core/shield.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::test {

using namespace std::chrono_literals;

inline Payload test_payload()
{
    return vm_image("9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae", "http://127.0.0.1:8000/image.gvmi");
}

struct SceneOptions {
    int providers = 1;
    provider::ProviderOptions provider{};
    devnet::DevnetOptions devnet{};
    ServiceManagerOptions manager{};
    /// Empty: the right one.
    std::string key{};
};

class Scene {
public:
    Scene(const Executor& executor, VirtualTime& virtual_time, SceneOptions options)
        : time(virtual_time), devnet(executor, time, options.devnet),
          runtimes(std::make_shared<provider::ScriptedRuntimeFactory>(executor, time)), running_(executor)
    {
        for (int i = 0; i < options.providers; ++i)
            agents.push_back(&devnet.add_provider(options.provider, runtimes));
        const auto right = devnet.daemon();
        options.manager.daemon = options.key.empty()
                                     ? right
                                     : Daemon(right.url(), options.key, [right](const Executor& on, TimeSource& clock) {
                                           return right.make_transport(on, clock);
                                       });
        options.manager.time = &time;
        options.manager.seed = 7;
        if (!options.manager.exception_handler) {
            options.manager.exception_handler = [this](std::exception_ptr failure) {
                handled.push_back(describe(failure));
            };
        }
        manager_ = std::make_unique<ServiceManager>(executor, options.manager);
        running_.spawn("devnet", [this] { return devnet.run(); });
    }

    ServiceManager& manager() { return *manager_; }

    /// Destroys the manager, whatever it is doing.
    void abandon_manager() { manager_.reset(); }

    /// Closes and destroys the manager.
    Task<> close()
    {
        const auto left = co_await manager_->close();
        leftovers.insert(leftovers.end(), left.begin(), left.end());
        manager_.reset();
    }

    Task<> end()
    {
        if (manager_)
            co_await close();
        devnet.stop();
        co_await running_.join();
    }

    provider::ScriptedBehaviour& behaviour() { return runtimes->behaviour(); }

    provider::Agent& agent(std::size_t index = 0) { return *agents.at(index); }

    VirtualTime& time;
    devnet::Devnet devnet;
    std::shared_ptr<provider::ScriptedRuntimeFactory> runtimes;
    std::vector<provider::Agent*> agents;
    std::vector<std::string> leftovers;
    std::vector<std::string> handled;

private:
    std::unique_ptr<ServiceManager> manager_;
    TaskGroup running_;
};

/// Plays `body`, closes everything, and checks that nothing is left over unless `leaves_something`.
inline void play(const SceneOptions& options, const std::function<Task<>(Scene&)>& body, bool leaves_something = false)
{
    run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Scene scene(executor, time, options);
        std::exception_ptr failure;
        try {
            co_await body(scene);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await scene.end();
        if (failure)
            std::rethrow_exception(failure);
        const auto report = scene.devnet.report();
        INFO(report.to_string());
        if (!leaves_something) {
            CHECK(scene.leftovers == std::vector<std::string>());
            CHECK(report.approved_agreements == 0);
            CHECK(report.pending_agreements == 0);
            CHECK(report.live_activities == 0);
            CHECK(report.open_demands == 0);
            CHECK(report.active_allocations == 0);
        }
    });
}

inline void play(const std::function<Task<>(Scene&)>& body) { play(SceneOptions(), body); }

/// Waits for the status, and what the wait ended in.
inline Task<std::string> ending_of(ServiceWrapper& service, ServiceStatus status)
{
    std::string text = "reached";
    try {
        co_await service.wait_for(status);
    } catch (const Error& error) {
        text = error.what();
    }
    co_return text;
}

/// Does nothing but be there.
class Idle : public Service {
public:
    Payload payload() const override { return test_payload(); }
};

/// Has a command under way for as long as it lives.
class Busy : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        for (;;)
            co_await work.run("/bin/sleep", "1000000");
    }
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace golem::test
