#include <golem/provider/script.hpp>

#include "properties/serde_reader.hpp"

#include <golem/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace golem::provider {

namespace {

using properties::SerdeReader;

// "one of `a`, `b`" as serde lists the names it knows.
[[noreturn]] void unknown_variant(SerdeReader& reader, const std::string& name, std::string_view known)
{
    reader.complain_here("unknown variant `" + name + "`, expected " + std::string(known));
}

// A command's name without a value: only the empty ones would do, and none of the daemon's is.
[[noreturn]] void unit_variant() { SerdeReader::complain("invalid type: unit variant, expected struct variant"); }

std::vector<std::string> read_strings(SerdeReader& reader)
{
    std::vector<std::string> strings;
    reader.sequence("a sequence", [&] { strings.push_back(reader.string()); });
    return strings;
}

bool read_is_binary(SerdeReader& reader)
{
    const auto format = reader.string();
    if (format != "bin" && format != "binary" && format != "str" && format != "string")
        unknown_variant(reader, format, "`str` or `bin`");
    return format[0] == 'b';
}

std::optional<Capture> read_capture(SerdeReader& reader)
{
    if (reader.null())
        return std::nullopt;
    Capture capture;
    const bool bare = reader.peek() == '"';
    const auto check = [&](const std::string& mode) {
        if (mode != "atEnd" && mode != "stream")
            unknown_variant(reader, mode, "`atEnd` or `stream`");
    };
    reader.tagged(check, [&](const std::string& mode) {
        if (bare)
            unit_variant();
        capture.streamed = mode == "stream";
        const auto limit = [&](Capture::Part part) {
            if (reader.null())
                return;
            capture.limit = reader.unsigned_integer();
            capture.part = part;
        };
        reader.object(
            capture.streamed ? "struct variant CaptureMode::Stream" : "struct variant CaptureMode::AtEnd",
            [&](const std::string& key) {
                if (key == "format") {
                    if (!reader.null())
                        capture.binary = read_is_binary(reader);
                } else if (!capture.streamed && key == "head") {
                    limit(Capture::Part::head);
                } else if (!capture.streamed && key == "tail") {
                    limit(Capture::Part::tail);
                } else if (!capture.streamed && key == "headTail") {
                    limit(Capture::Part::head_tail);
                } else if (capture.streamed && key == "limit") {
                    limit(Capture::Part::head);
                } else {
                    reader.ignore();
                }
            });
    });
    return capture;
}

// Volumes are a list of paths or an object whose keys are the paths.
std::vector<std::string> read_volumes(SerdeReader& reader)
{
    std::vector<std::string> volumes;
    if (reader.peek() == '[')
        return read_strings(reader);
    reader.object("container volumes", [&](const std::string& path) {
        volumes.push_back(path);
        reader.ignore();
    });
    return volumes;
}

MachineAddress read_network(SerdeReader& reader)
{
    MachineAddress network;
    bool has_id = false;
    bool has_ip = false;
    bool has_node_ip = false;
    reader.object(
        "struct Network",
        [&](const std::string& key) {
            if (key == "id") {
                network.network = reader.string();
                has_id = true;
            } else if (key == "ip") {
                reader.string();
                has_ip = true;
            } else if (key == "nodeIp") {
                network.address = reader.string();
                has_node_ip = true;
            } else if (key == "nodes") {
                reader.object("a map", [&](const std::string&) { reader.string(); });
            } else if (key == "mask" || key == "gateway") {
                if (!reader.null())
                    reader.string();
            } else {
                reader.ignore();
            }
        },
        [&] {
            if (!has_id)
                SerdeReader::complain("missing field `id`");
            if (!has_ip)
                SerdeReader::complain("missing field `ip`");
            if (!has_node_ip)
                SerdeReader::complain("missing field `nodeIp`");
        });
    return network;
}

DeployCommand read_deploy(SerdeReader& reader)
{
    DeployCommand command;
    reader.object("struct variant ExeScriptCommand::Deploy", [&](const std::string& key) {
        if (key == "volumes" && !reader.null()) {
            command.volumes = read_volumes(reader);
        } else if (key == "net") {
            reader.sequence("a sequence", [&] { command.networks.push_back(read_network(reader)); });
        } else if (key == "progress") {
            command.tells_progress = !reader.null();
            if (command.tells_progress)
                reader.ignore();
        } else if (key != "volumes") {
            reader.ignore();
        }
    });
    return command;
}

StartCommand read_start(SerdeReader& reader)
{
    StartCommand command;
    reader.object("struct variant ExeScriptCommand::Start", [&](const std::string& key) {
        if (key == "args")
            command.args = read_strings(reader);
        else
            reader.ignore();
    });
    return command;
}

RunCommand read_run(SerdeReader& reader)
{
    RunCommand command;
    bool has_entry_point = false;
    reader.object(
        "struct variant ExeScriptCommand::Run",
        [&](const std::string& key) {
            if (key == "entry_point") {
                command.entry_point = reader.string();
                has_entry_point = true;
            } else if (key == "args") {
                command.args = read_strings(reader);
            } else if (key == "capture" && !reader.null()) {
                reader.object("struct Capture", [&](const std::string& output) {
                    if (output == "stdout")
                        command.out = read_capture(reader);
                    else if (output == "stderr")
                        command.err = read_capture(reader);
                    else
                        reader.ignore();
                });
            } else if (key != "capture") {
                reader.ignore();
            }
        },
        [&] {
            if (!has_entry_point)
                SerdeReader::complain("missing field `entry_point`");
        });
    return command;
}

TransferCommand read_transfer(SerdeReader& reader)
{
    TransferCommand command;
    bool has_from = false;
    bool has_to = false;
    reader.object(
        "struct variant ExeScriptCommand::Transfer",
        [&](const std::string& key) {
            if (key == "from") {
                command.from = reader.string();
                has_from = true;
            } else if (key == "to") {
                command.to = reader.string();
                has_to = true;
            } else if (key == "progress") {
                command.tells_progress = !reader.null();
                if (command.tells_progress)
                    reader.ignore();
            } else {
                reader.ignore();
            }
        },
        [&] {
            if (!has_from)
                SerdeReader::complain("missing field `from`");
            if (!has_to)
                SerdeReader::complain("missing field `to`");
        });
    return command;
}

Command read_command(SerdeReader& reader)
{
    Command command;
    const bool bare = reader.peek() == '"';
    const auto check = [&](const std::string& name) {
        const bool known = name == "sign" || name == "deploy" || name == "start" || name == "run" ||
                           name == "transfer" || name == "terminate";
        if (!known)
            unknown_variant(reader, name, "one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`");
    };
    reader.tagged(check, [&](const std::string& name) {
        if (bare)
            unit_variant();
        const auto empty = [&](std::string_view expected) {
            reader.object(expected, [&](const std::string&) { reader.ignore(); });
        };
        if (name == "deploy") {
            command = read_deploy(reader);
        } else if (name == "start") {
            command = read_start(reader);
        } else if (name == "run") {
            command = read_run(reader);
        } else if (name == "transfer") {
            command = read_transfer(reader);
        } else if (name == "sign") {
            empty("struct variant ExeScriptCommand::Sign");
            command = SignCommand();
        } else {
            empty("struct variant ExeScriptCommand::Terminate");
            command = TerminateCommand();
        }
    });
    return command;
}

bool is_utf8(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        const unsigned lead = byte(i);
        const std::size_t length = lead < 0x80   ? 1
                                   : lead < 0xc2 ? 0
                                   : lead < 0xe0 ? 2
                                   : lead < 0xf0 ? 3
                                   : lead < 0xf5 ? 4
                                                 : 0;
        if (length == 0 || text.size() - i < length)
            return false;
        for (std::size_t k = 1; k < length; ++k)
            if ((byte(i + k) & 0xc0) != 0x80)
                return false;
        const unsigned second = length > 1 ? byte(i + 1) : 0;
        // Overlong forms, surrogates, and what lies beyond U+10FFFF.
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
            (lead == 0xf4 && second > 0x8f))
            return false;
        i += length;
    }
    return true;
}

} // namespace

std::vector<Command> parse_script(std::string_view json_text)
{
    std::vector<Command> commands;
    SerdeReader reader(json_text);
    try {
        reader.sequence("a sequence", [&] { commands.push_back(read_command(reader)); });
        reader.end();
    } catch (const SerdeReader::Complaint& complaint) {
        Error error(Errc::invalid_input, "execute script", "the script is not a command array; correct it");
        error.set_their_words(complaint.to_string());
        throw error;
    }
    return commands;
}

std::vector<std::string> command_texts(std::string_view json_text)
{
    using Json = nlohmann::ordered_json;
    const auto in_order = [](const Json& members, std::initializer_list<const char*> first) {
        Json ordered = Json::object();
        for (const char* name : first)
            if (members.contains(name))
                ordered[name] = members[name];
        for (const auto& [name, value] : members.items())
            ordered[name] = value;
        return ordered;
    };
    const auto correct_format = [](Json& capture) {
        if (!capture.is_object())
            return;
        for (auto& mode : capture) {
            if (!mode.is_object() || !mode.contains("format") || !mode["format"].is_string())
                continue;
            const auto format = mode["format"].get<std::string>();
            mode["format"] = format[0] == 'b' ? "bin" : "str";
        }
    };
    std::vector<std::string> texts;
    for (const auto& command : Json::parse(json_text)) {
        Json told = Json::object();
        for (const auto& [name, value] : command.items()) {
            auto members = value;
            if ((name == "run" || name == "start") && members.is_object() && !members.contains("args"))
                members["args"] = Json::array();
            if (name == "run")
                members = in_order(members, {"entry_point", "args", "capture"});
            if (name == "run" && members.contains("capture") && members["capture"].is_object())
                for (auto& output : members["capture"])
                    correct_format(output);
            told[name] = std::move(members);
        }
        texts.push_back(told.dump());
    }
    return texts;
}

OutputPart part_for(const std::optional<Capture>& capture)
{
    constexpr std::size_t most = 4u << 20;
    if (!capture)
        return OutputPart{0, 0};
    const auto limit = capture->limit;
    switch (capture->part) {
    case Capture::Part::all: break;
    case Capture::Part::head: return OutputPart{std::min(limit, most), 0};
    case Capture::Part::tail: return OutputPart{0, std::min(limit, most)};
    case Capture::Part::head_tail:
        return OutputPart{std::min(limit / 2, most / 2), std::min(limit - limit / 2, most / 2)};
    }
    return OutputPart{most, 0};
}

std::string captured(const Capture& capture, std::string output)
{
    switch (capture.part) {
    case Capture::Part::all: break;
    case Capture::Part::head: output.resize(std::min(output.size(), capture.limit)); break;
    case Capture::Part::tail: output.erase(0, output.size() - std::min(output.size(), capture.limit)); break;
    case Capture::Part::head_tail:
        if (output.size() > capture.limit) {
            const auto head = capture.limit / 2;
            const auto tail = capture.limit - head;
            output.erase(head, output.size() - head - tail);
        }
        break;
    }
    return output;
}

std::string as_text(std::string output)
{
    if (is_utf8(output))
        return output;
    std::string text;
    text.reserve(output.size() + output.size() / 4);
    for (const char c : output) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            text += c;
        } else {
            text += static_cast<char>(0xc0 | byte >> 6);
            text += static_cast<char>(0x80 | (byte & 0x3f));
        }
    }
    return text;
}

} // namespace golem::provider
