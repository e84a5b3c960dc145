#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/work/script.hpp>
#include <golem/yagna/client.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem {

/// Who a service runs on.
struct ProviderFacts {
    yagna::NodeId id;
    std::string name;
};

/// How commands are waited for. All more than zero.
struct WorkOptions {
    /// One poll of a batch of one command; its end is noticed at once.
    Duration poll_one = std::chrono::seconds(60);
    /// One poll of a batch of several: its end is noticed at once, the failure of an early command only when the poll is
    /// over (the exe-unit waits for the last one).
    Duration poll_several = std::chrono::seconds(5);
    /// From submission to the last result of `run` and `execute`; then Error timed_out, and the command may go on.
    Duration batch_limit = std::chrono::hours(24);
};

/// What a work context tells its owner. May be empty.
struct WorkHooks {
    /// After each successful exchange with the exe-unit: proof that it lives.
    std::function<void()> on_alive;
    /// When an exchange showed that the activity is gone, before the error reaches the service (which may ignore it).
    std::function<void(const Error&)> on_lost;
};

/// What a service may do on its machine. One executor; valid while the service's coroutines run.
class WorkContext {
public:
    WorkContext(
        yagna::Client& client, TimeSource& time, yagna::Agreement agreement, yagna::ActivityId activity,
        std::vector<std::string> start_args, const WorkOptions& options, WorkHooks hooks);

    WorkContext(const WorkContext&) = delete;
    WorkContext& operator=(const WorkContext&) = delete;

    /// Runs one program and completes with its output: `co_await work.run("/bin/sh", "-c", "date")`.
    /// Errors: CommandError if it fails (exit code, output), activity_lost, timed_out, invalid_input (text that is not
    /// UTF-8), and those of the daemon. Cancellation (terminal): stops waiting; the command goes on until the activity
    /// is destroyed.
    template <std::convertible_to<std::string>... Args>
    Task<CommandResult> run(std::string program, Args... args)
    {
        return run_command(make_command(std::move(program), std::move(args)...));
    }
    Task<CommandResult> run_command(std::vector<std::string> command);

    /// Runs a script as one batch and completes with one result a command; at once if it is empty. Errors as in run(),
    /// at the first command that fails. `script` outlives the await.
    Task<std::vector<CommandResult>> execute(const Script& script);

    /// Sleeps on the manager's clock.
    Task<> sleep(Duration duration);

    const ProviderFacts& provider() const noexcept { return provider_; }
    const yagna::Agreement& agreement() const noexcept { return agreement_; }
    const yagna::ActivityId& activity() const noexcept { return activity_; }
    /// ServiceOptions::start_args, for Service::start().
    const std::vector<std::string>& start_args() const noexcept { return start_args_; }

private:
    template <typename... Args>
    static std::vector<std::string> make_command(std::string program, Args... args)
    {
        std::vector<std::string> command;
        command.reserve(1 + sizeof...(args));
        command.push_back(std::move(program));
        (command.push_back(std::string(std::move(args))), ...);
        return command;
    }

    Task<std::vector<CommandResult>> run_batch(const Script& script);
    Task<std::vector<CommandResult>> poll(const yagna::BatchId& batch, const Script& script);
    void tell_lost(const std::exception_ptr& failure) const;

    yagna::Client& client_;
    TimeSource& time_;
    yagna::Agreement agreement_;
    yagna::ActivityId activity_;
    std::vector<std::string> start_args_;
    WorkOptions options_;
    WorkHooks hooks_;
    ProviderFacts provider_;
};

} // namespace golem
