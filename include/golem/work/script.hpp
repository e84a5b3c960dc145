#pragma once

#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>
#include <golem/work/capture.hpp>
#include <golem/yagna/activity.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem {

/// How one program is run.
struct RunOptions {
    Capture out = Capture::all();
    Capture err = Capture::all();
    /// Set beside the machine's own variables; names are letters, digits and `_`. The exe-unit knows neither this nor
    /// `directory`, so with either the program is started by the machine's `/bin/sh`.
    std::map<std::string, std::string> environment;
    /// Where the program starts; empty: where the machine starts its programs.
    std::string directory;
};

/// A directory of the machine that deploy provides.
struct DeployVolume {
    enum class Kind {
        plain,   ///< As the provider likes.
        host,    ///< On the provider's disk.
        ram,     ///< In memory, of `size`.
        storage, ///< A disk image of `size`.
    };
    /// Absolute, in the machine.
    std::string path;
    Kind kind = Kind::plain;
    /// "256MiB", "10GiB"; for ram and storage.
    std::string size = std::string();
};

/// A private network that the machine joins, as `POST /net` made it.
struct DeployNetwork {
    std::string id;
    /// "192.168.0.0/24", or without the mask.
    std::string address;
    std::string mask;
    std::string gateway;
    /// The machine's own address.
    std::string node_address;
    /// Addresses and node ids of the others.
    std::map<std::string, std::string> nodes;
};

/// What deploy gets besides the image.
struct DeployOptions {
    std::vector<DeployNetwork> networks;
    /// Names and addresses for the machine's hosts file.
    std::map<std::string, std::string> hosts;
    std::string hostname;
    std::vector<DeployVolume> volumes;
    std::map<std::string, std::string> environment;
    /// Events tell how far it is, so often; nothing: they do not. More than zero.
    std::optional<Duration> progress;
};

/// How files are transferred.
struct TransferOptions {
    /// "tar", "tar.gz", "zip" … for directories; empty: a file.
    std::string format;
    std::optional<unsigned> depth;
    /// Patterns of the files that go along, and of those that do not; empty: all, none.
    std::vector<std::string> include;
    std::vector<std::string> exclude;
    /// As in DeployOptions.
    std::optional<Duration> progress;
};

/// Commands for a provider's exe-unit, executed in order up to the first failure. A value, built by chaining:
/// `Script().deploy().start().run({"/bin/sh", "-c", "date"})`. Members that take text throw Error invalid_input if it
/// is not UTF-8, and all of them for options that cannot be.
class Script {
public:
    Script& deploy();
    Script& deploy(const DeployOptions& options);
    Script& start(std::vector<std::string> args = std::vector<std::string>());
    /// A program by its path inside the machine, and its arguments. Throws Error invalid_input if the list is empty.
    Script& run(const std::vector<std::string>& command);
    Script& run(const std::vector<std::string>& command, const RunOptions& options);
    /// A line for the machine's `/bin/sh`.
    Script& shell(const std::string& line);
    Script& shell(const std::string& line, const RunOptions& options);
    /// "container:/golem/work/a", "http://…", "gftp://…"; a source may be "hash:sha3:<hex>:<url>".
    Script& transfer(std::string from, std::string to);
    Script& transfer(std::string from, std::string to, const TransferOptions& options);
    /// Signs what was done so far; only SGX machines can.
    Script& sign();
    Script& terminate();

    bool is_empty() const noexcept { return commands_.empty(); }
    int size() const noexcept { return static_cast<int>(commands_.size()); }
    /// What command `index` is, for messages: "run /bin/date".
    std::string describe(int index) const;
    /// The JSON text the daemon wants.
    std::string to_json() const;

private:
    void add(std::string json, std::string description);

    struct Command {
        std::string json;
        std::string description;
    };
    std::vector<Command> commands_;
};

using CommandResult = yagna::CommandResult;

/// A command failed on the provider.
class CommandError : public Error {
public:
    CommandError(std::string command, CommandResult result);
    /// 0-based position in its script.
    int index() const noexcept { return result_.index; }
    const std::string& command() const noexcept { return command_; }
    /// -1 if the command did not get as far as having one.
    int exit_code() const noexcept { return exit_code_; }
    const std::string& out() const noexcept { return result_.out; }
    const std::string& err() const noexcept { return result_.err; }

private:
    std::string command_;
    CommandResult result_;
    int exit_code_ = -1;
};

} // namespace golem
