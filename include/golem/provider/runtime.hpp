#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/machine_connection.hpp>
#include <golem/provider/requestor_files.hpp>
#include <golem/provider/script.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::provider {

/// What a runtime is asked to run.
struct RunRequest {
    std::string entry_point;
    std::vector<std::string> args;
    /// What is kept of each output; the rest is cut out.
    OutputPart out;
    OutputPart err;
    /// Called with each piece of output as it comes, whatever is kept of it; may be called after run() was cancelled.
    /// Empty: nobody listens.
    std::function<void(std::string_view)> on_out;
    std::function<void(std::string_view)> on_err;
    /// Asked after each piece: true means that a listener is behind. Then no more output is taken from the command
    /// until `resume` is called, once, or never if the command is over. Empty: nobody is ever behind.
    std::function<bool(std::function<void()> resume)> hold;
};

struct RunOutput {
    /// 128 + n if a signal n ended it.
    int exit_code = 0;
    std::string out;
    std::string err;
};

struct DeployRequest {
    /// `golem.srv.comp.task_package` of the demand, if any.
    std::optional<std::string> image;
    /// Directories inside the machine that deploy has to provide, beside the runtime's own.
    std::vector<std::string> volumes;
};

struct Volume {
    std::string name;
    std::string path;
};

/// What executes the commands of one activity. Failures are Error command_failed whose their_words() is the text the
/// requestor reads as the command's message. One executor; cancellation (terminal) kills what runs.
class Runtime {
public:
    virtual ~Runtime() = default;

    virtual Task<std::vector<Volume>> deploy(const DeployRequest& request) = 0;
    /// Returns the start command's output.
    virtual Task<std::string> start(const std::vector<std::string>& args) = 0;
    virtual Task<RunOutput> run(const RunRequest& request) = 0;
    virtual Task<> transfer(const std::string& from, const std::string& to) = 0;
    /// The way to the files of requestors, for transfers from and to `gftp:`. Before the first command, if at all.
    virtual void use_files(std::shared_ptr<RequestorFiles>) {}
    /// How many bytes the last transfer moved; nothing if the runtime does not know.
    virtual std::optional<std::uint64_t> transferred() const { return std::nullopt; }
    /// Connects to a port of the machine, for a private network. Error refused if nobody listens there, not_found if
    /// such machines have no network (the default).
    virtual Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port);
    /// Kills everything at once, keeping what deploy made: another deploy may follow. A run() under way returns with
    /// its output so far. Idempotent.
    virtual void stop() noexcept = 0;
    /// The same, and removes what deploy made. Nothing can be run any more. Idempotent.
    virtual void kill() noexcept = 0;

    /// Seconds of processor time used so far.
    virtual double cpu_seconds() const = 0;
};

inline Task<std::unique_ptr<MachineConnection>> Runtime::connect(std::uint16_t)
{
    throw Error(Errc::not_found, "connect to a machine", "machines of this runtime have no network");
}

/// Makes the runtime of one activity.
class RuntimeFactory {
public:
    virtual ~RuntimeFactory() = default;
    virtual std::unique_ptr<Runtime> make(const std::string& activity) = 0;
};

} // namespace golem::provider
