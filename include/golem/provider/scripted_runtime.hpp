#pragma once

#include <golem/provider/runtime.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::provider {

/// How the machines of a scripted provider behave.
struct ScriptedBehaviour {
    /// Answers a command at once. Nothing: `/bin/date` tells the time of the TimeSource, all others print nothing.
    std::function<RunOutput(const RunRequest&)> reply;
    /// Answers a command in its own time; comes before `reply`. What it awaits must obey cancellation. It may tell the
    /// beginning of its output as it comes, by the request's on_out and on_err, which are never empty here.
    std::function<Task<RunOutput>(const RunRequest&)> slow_reply;
    /// Answers connections to a port, from private networks. Nothing: nobody listens anywhere. What it throws is the
    /// caller's: Error refused for a port that is closed.
    std::function<std::unique_ptr<MachineConnection>(std::uint16_t port)> listener;
    /// What the volumes of all the machines hold, by path: files come from and go to it by `gftp:`. Transfers from and
    /// to other URLs only pretend.
    std::shared_ptr<std::map<std::string, std::string>> files = std::make_shared<std::map<std::string, std::string>>();
    /// Carries out transfers instead, if the provider has a way to the requestor's files. What it awaits must obey
    /// cancellation.
    std::function<Task<>(RequestorFiles& files, const std::string& from, const std::string& to)> carry{};
    /// Commands run until they are killed.
    bool hangs = false;

    /// The message of a deploy, start or transfer that fails.
    std::optional<std::string> deploy_failure;
    std::optional<std::string> start_failure;
    std::optional<std::string> transfer_failure;

    /// Time that deploy and start take.
    Duration deploy_time{0};
    Duration start_time{0};
    /// Seconds of processor time a second of life, at least 0.
    double cpu_share = 0.05;

    /// Beside the ones that a deploy asks for.
    std::vector<Volume> volumes = {
        {"vol-work", "/golem/work"},
        {"vol-input", "/golem/input"},
        {"vol-output", "/golem/output"},
        {"vol-resource", "/golem/resource"}};
};

/// Makes runtimes that only pretend, for simulations: they work in virtual time and touch nothing. One executor.
class ScriptedRuntimeFactory final : public RuntimeFactory {
public:
    ScriptedRuntimeFactory(
        const Executor& executor, TimeSource& time, ScriptedBehaviour behaviour = ScriptedBehaviour());

    std::unique_ptr<Runtime> make(const std::string& activity) override;

    /// Of all its runtimes, those at work included; a change holds from the next command on.
    ScriptedBehaviour& behaviour() noexcept { return *behaviour_; }

private:
    Executor executor_;
    TimeSource& time_;
    std::shared_ptr<ScriptedBehaviour> behaviour_;
};

/// "Tue Nov 24 06:58:00 UTC 2026\n", as `date -u` prints it.
std::string date_output(Timestamp when);

} // namespace golem::provider
