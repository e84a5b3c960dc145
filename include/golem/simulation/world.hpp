#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/virtual_time.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/http/counting.hpp>
#include <golem/provider/options.hpp>
#include <golem/provider/scripted_runtime.hpp>
#include <golem/service/service_manager.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// A virtual world with a manager in it: hours of a service's life in milliseconds, the same every time.
namespace golem::simulation {

struct WorldOptions {
    /// Everything that chance decides follows from it: equal seeds give byte-identical transcripts.
    std::uint64_t seed = 1;
    /// The seed is the world's own; a transcript is always kept.
    devnet::DevnetOptions devnet;
    /// Daemon, clock and seed are the world's own.
    ServiceManagerOptions manager;
    /// A run that passes one of these ends with Stuck: virtual time, and turns of the executor.
    Duration time_limit = std::chrono::hours(24 * 31);
    std::size_t step_limit = 100'000'000;
};

/// The run passed a limit or came to a standstill; what() lists who waits for what.
class Stuck : public Error {
public:
    using Error::Error;
};

/// Owns the executor, the clock, the devnet with its providers, and the manager of one run. One thread.
class World {
public:
    explicit World(WorldOptions options = WorldOptions());
    ~World();

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// A provider whose machines answer from functions. Its prices, capacity and latencies are in `options`.
    provider::Agent& add_provider(
        const provider::ProviderOptions& options,
        provider::ScriptedBehaviour behaviour = provider::ScriptedBehaviour());

    /// Makes the manager, awaits `app` and then close(), and destroys the manager. Rethrows what `app` threw, after
    /// closing. Throws Stuck at a limit, and when everybody waits for what never comes; `app` is cancelled and the
    /// manager closed by then, in a bounded number of turns. Once.
    void run(const std::function<Task<>(ServiceManager&)>& app);

    /// The same, but after `steps` turns of the executor `app` is cancelled as by Ctrl-C (if it still runs) and the
    /// manager closed: for tests that interrupt a program at every point of its life.
    void run_interrupted(std::size_t steps, const std::function<Task<>(ServiceManager&)>& app);

    /// Lets time pass without a manager, so that what is under way between daemon and providers arrives.
    void pass(Duration duration);

    VirtualTime& time() noexcept { return time_; }
    devnet::Devnet& devnet() noexcept { return *devnet_; }
    devnet::WorldReport report() const { return devnet_->report(); }

    /// What close() could not close.
    const std::vector<std::string>& leftovers() const noexcept { return leftovers_; }
    /// What the manager's requests were; empty counts before run().
    std::size_t total_requests() const noexcept { return counting_ ? counting_->total() : 0; }
    std::map<std::string, std::size_t> requests_by_route() const;
    /// What happened so far, a line each.
    std::string transcript() const { return devnet_->transcript().to_string(); }
    /// Turns of the executor so far.
    std::size_t steps() const noexcept { return steps_; }

private:
    Task<> live(const std::function<Task<>(ServiceManager&)>& app);
    void run_until(const std::function<bool()>& done);
    void end_life();
    bool drive(const std::function<bool()>& done);
    [[noreturn]] void stuck(const std::string& why) const;

    WorldOptions options_;
    VirtualTime time_;
    boost::asio::io_context context_{1};
    std::unique_ptr<devnet::Devnet> devnet_;
    std::shared_ptr<http::CountingTransport> counting_;
    std::unique_ptr<ServiceManager> manager_;
    std::vector<std::string> leftovers_;
    std::exception_ptr failure_;
    std::size_t steps_ = 0;
    bool over_ = false;
    std::unique_ptr<TaskGroup> app_;
    TaskGroup life_{context_.get_executor()};
    TaskGroup tasks_{context_.get_executor()};
};

} // namespace golem::simulation
