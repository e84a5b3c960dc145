#pragma once

#include <golem/provider/machine_connection.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace golem::provider {

/// How the output of a `run` command is kept: `atEnd` with head, tail or headTail, or `stream` with limit.
struct Capture {
    enum class Part { all, head, tail, head_tail };

    /// `stream`: told while it comes, and in the result as well.
    bool streamed = false;
    Part part = Part::all;
    /// Bytes kept of `part`; a stream's limit is a head.
    std::size_t limit = 0;
    /// Format `bin`: told as an array of byte values.
    bool binary = false;

    bool operator==(const Capture&) const = default;
};

/// Which bytes of an output are kept: those of its beginning and those of its end.
struct OutputPart {
    std::size_t head = 4u << 20;
    std::size_t tail = 0;

    bool operator==(const OutputPart&) const = default;
};

struct DeployCommand {
    /// Paths of the volumes asked for beside the image's own.
    std::vector<std::string> volumes;
    /// Private networks that the machine joins, and where.
    std::vector<MachineAddress> networks;
    /// Events tell how far it is.
    bool tells_progress = false;
};

struct StartCommand {
    std::vector<std::string> args;
};

struct RunCommand {
    std::string entry_point;
    std::vector<std::string> args;
    /// Nothing: that output is thrown away.
    std::optional<Capture> out;
    std::optional<Capture> err;
};

struct TransferCommand {
    std::string from;
    std::string to;
    /// Events tell how far it is.
    bool tells_progress = false;
};

struct SignCommand {};

struct TerminateCommand {};

using Command = std::variant<DeployCommand, StartCommand, RunCommand, TransferCommand, SignCommand, TerminateCommand>;

/// Reads the JSON text of a command array. Throws Error (invalid_input) whose their_words() is the real daemon's text
/// for the same defect: `Error("missing field `entry_point`", line: 1, column: 10)`.
std::vector<Command> parse_script(std::string_view json_text);

/// The commands of a script as the real exe-unit tells of them when they start: members in its order, defaults filled
/// in, other names of formats replaced. The text must be a script that parse_script() takes.
std::vector<std::string> command_texts(std::string_view json_text);

/// What has to be kept of an output for `capture`, at most 4 MiB; nothing if nothing is captured.
OutputPart part_for(const std::optional<Capture>& capture);

/// What `capture` keeps of an output.
std::string captured(const Capture& capture, std::string output);

/// Output as text: as it is if it is UTF-8, else every byte becomes the character of that number (Latin-1).
std::string as_text(std::string output);

} // namespace golem::provider
