#pragma once

#include <golem/core/error.hpp>
#include <golem/yagna/activity.hpp>

#include <string>
#include <vector>

namespace golem {

/// Commands for a provider's exe-unit, executed in order up to the first failure. A value, built by chaining:
/// `Script().deploy().start().run({"/bin/sh", "-c", "date"})`. Members that take text throw Error invalid_input if it
/// is not UTF-8.
class Script {
public:
    Script& deploy();
    Script& start(std::vector<std::string> args = std::vector<std::string>());
    /// A program by its path inside the machine, and its arguments. Throws Error invalid_input if the list is empty.
    Script& run(const std::vector<std::string>& command);
    /// "container:/golem/work/a", "http://…", "gftp://…".
    Script& transfer(std::string from, std::string to);
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
