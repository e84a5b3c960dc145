#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/devnet/bus_services.hpp>
#include <golem/devnet/options.hpp>
#include <golem/devnet/transcript.hpp>
#include <golem/devnet/world.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem::devnet {

/// Puts a World on an executor: tells it the time and wakes those who wait for its changes. The REST face and the
/// providers' ports share one. All members belong to the executor.
class Host {
public:
    /// `time` must outlive the host. Throws Error (invalid_input) for bad options.
    Host(const Executor& executor, TimeSource& time, const DevnetOptions& options);

    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    World& world() noexcept { return world_; }

    BusServices& bus() noexcept { return bus_; }

    const DevnetOptions& options() const noexcept { return options_; }

    TimeSource& time() noexcept { return time_; }

    const Executor& executor() const noexcept { return executor_; }

    Timestamp now() const { return time_.utc(); }

    /// To be called after each change to the world: wakes who waits for it.
    void settle();

    /// Wakes who waits for `topic`.
    void wake(const std::string& topic);

    /// Waits until `topic` (a name as World::take_touched() gives) changes; false if that took until `until`. `topic`
    /// must outlive the await. Cancelled (terminal) it throws operation_aborted, also if the change came first.
    Task<bool> wait(const std::string& topic, Instant until);

    /// Sleeps as the time source does, but no longer than until close().
    Task<> sleep_until(Instant when);

    /// Ends all waits, present and future, with operation_aborted: the daemon goes down.
    void close();

    bool is_closed() const noexcept { return closed_; }

    /// Meets the world's deadlines. Completes only by cancellation.
    Task<> run();

    /// Adds a line to the transcript, if there is one.
    void note(const std::string& who, std::string what);

    const Transcript& transcript() const noexcept { return transcript_; }

private:
    class Waiter;

    Executor executor_;
    TimeSource& time_;
    DevnetOptions options_;
    World world_;
    BusServices bus_;
    Transcript transcript_;
    std::map<std::string, std::vector<Event*>> waiters_;
    Event deadline_changed_;
    // What run() waits for.
    std::optional<Timestamp> deadline_;
    bool closed_ = false;
};

} // namespace golem::devnet
