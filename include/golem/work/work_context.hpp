#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/work/script.hpp>
#include <golem/yagna/client.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace golem {

/// Who a service runs on.
struct ProviderFacts {
    yagna::NodeId id;
    std::string name;
};

/// How commands are waited for. All more than zero.
struct WorkOptions {
    /// A poll of a batch of several commands; and of a batch of one.
    Duration poll_several = std::chrono::seconds(5);
    Duration poll_one = std::chrono::seconds(60);
    /// From submission to the result of `run` and `execute`; then the activity is given up (Error timed_out).
    Duration batch_limit = std::chrono::hours(24);
};

/// What a service may do on its machine. One executor; valid while the service's coroutines run.
class WorkContext {
public:
    /// Called after each successful exchange with the exe-unit: proof that it lives.
    using ProofOfLife = std::function<void()>;

    WorkContext(yagna::Client& client, TimeSource& time, yagna::Agreement agreement, yagna::ActivityId activity,
                std::vector<std::string> start_args, const WorkOptions& options, ProofOfLife on_alive);

    /// Runs one program and completes with its output: `co_await work.run("/bin/sh", "-c", "date")`.
    /// Errors: CommandError if it fails (exit code, output), activity_lost, agreement_ended, timed_out. Cancellation
    /// (terminal): stops waiting; the command goes on until the activity is destroyed.
    template <std::convertible_to<std::string>... Args>
    Task<CommandResult> run(std::string program, Args... args)
    {
        return run_command(make_command(std::move(program), std::move(args)...));
    }
    Task<CommandResult> run_command(std::vector<std::string> command);

    /// Runs a script as one batch and completes with one result a command. Errors as in run(), at the first failure.
    /// `script` outlives the await.
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

    yagna::Client& client_;
    TimeSource& time_;
    yagna::Agreement agreement_;
    yagna::ActivityId activity_;
    std::vector<std::string> start_args_;
    WorkOptions options_;
    ProofOfLife on_alive_;
    ProviderFacts provider_;
};

} // namespace golem
