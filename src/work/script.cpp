#include <golem/work/script.hpp>

#include <golem/work/detail/command_outcome.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem {

namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const Json& command)
{
    try {
        return command.dump();
    } catch (const Json::type_error&) {
        throw Error(Errc::invalid_input, "script", "a command has text that is not UTF-8");
    }
}

[[noreturn]] void refuse(const std::string& explanation) { throw Error(Errc::invalid_input, "script", explanation); }

Json capture_to_json(const Capture& capture)
{
    Json mode = Json::object();
    switch (capture.part()) {
    case Capture::Part::none:
    case Capture::Part::all: break;
    case Capture::Part::head: mode["head"] = capture.limit(); break;
    case Capture::Part::tail: mode["tail"] = capture.limit(); break;
    case Capture::Part::ends: mode["headTail"] = capture.limit(); break;
    case Capture::Part::stream:
        if (capture.limit() > 0)
            mode["limit"] = capture.limit();
        break;
    }
    mode["format"] = capture.is_bytes() ? "bin" : "str";
    Json json;
    json[capture.part() == Capture::Part::stream ? "stream" : "atEnd"] = std::move(mode);
    return json;
}

std::string quoted(const std::string& text)
{
    std::string result = "'";
    for (const char letter : text) {
        if (letter == '\'')
            result += "'\\''";
        else
            result += letter;
    }
    return result += '\'';
}

bool is_variable_name(const std::string& name)
{
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// The exe-unit has no environment and no directory for a command: the machine's shell sets them.
std::vector<std::string> prepared(const std::vector<std::string>& command, const RunOptions& options)
{
    if (options.environment.empty() && options.directory.empty())
        return command;
    std::string line;
    if (!options.directory.empty())
        line += "cd -- " + quoted(options.directory) + " || exit 126; ";
    for (const auto& [name, value] : options.environment) {
        if (!is_variable_name(name))
            refuse("RunOptions::environment: \"" + name + "\" is no name of a variable");
        line += "export " + name + "=" + quoted(value) + "; ";
    }
    std::vector<std::string> result{"/bin/sh", "-c", line + "exec \"$0\" \"$@\""};
    result.insert(result.end(), command.begin(), command.end());
    return result;
}

void add_progress(Json& command, const std::optional<Duration>& interval)
{
    if (!interval)
        return;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*interval).count();
    if (milliseconds <= 0)
        refuse("progress must be more than zero");
    command["progress"]["updateInterval"] = std::to_string(milliseconds) + "ms";
}

Json volumes_to_json(const std::vector<DeployVolume>& volumes)
{
    Json json = Json::object();
    bool all_plain = true;
    for (const auto& volume : volumes) {
        if (!volume.path.starts_with('/'))
            refuse("DeployVolume::path must begin with /: \"" + volume.path + "\"");
        const bool sized = volume.kind == DeployVolume::Kind::ram || volume.kind == DeployVolume::Kind::storage;
        if (sized == volume.size.empty())
            refuse(
                "DeployVolume::size belongs to volumes of kind ram and storage, and to them only (" + volume.path +
                ")");
        Json kind = Json::object();
        if (sized)
            kind["size"] = volume.size;
        json[volume.path]
            [volume.kind == DeployVolume::Kind::ram       ? "ram"
             : volume.kind == DeployVolume::Kind::storage ? "storage"
                                                          : "host"] = std::move(kind);
        all_plain = all_plain && volume.kind == DeployVolume::Kind::plain;
    }
    if (!all_plain)
        return json;
    json = Json::array();
    for (const auto& volume : volumes)
        json.push_back(volume.path);
    return json;
}

Json network_to_json(const DeployNetwork& network)
{
    if (network.id.empty() || network.address.empty() || network.node_address.empty())
        refuse("a DeployNetwork needs id, address and node_address");
    Json json;
    json["id"] = network.id;
    json["ip"] = network.address;
    if (!network.mask.empty())
        json["mask"] = network.mask;
    if (!network.gateway.empty())
        json["gateway"] = network.gateway;
    json["nodeIp"] = network.node_address;
    json["nodes"] = network.nodes;
    return json;
}

std::string explain(const CommandResult& result, const std::optional<int>& exit_code)
{
    auto text = exit_code ? "exit code " + std::to_string(*exit_code) : "the command failed";
    // The last line of the error output usually says why.
    auto end = result.err.find_last_not_of("\r\n \t");
    if (end == std::string::npos)
        return text;
    const auto start = result.err.find_last_of('\n', end);
    constexpr std::size_t longest = 200;
    auto line = result.err.substr(
        start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1) + 1);
    if (line.size() > longest)
        line.resize(longest);
    return text + ": " + line;
}

} // namespace

void Script::add(std::string json, std::string description)
{
    Command command;
    command.json = std::move(json);
    command.description = std::move(description);
    commands_.push_back(std::move(command));
}

Script& Script::deploy() { return deploy(DeployOptions()); }

Script& Script::deploy(const DeployOptions& options)
{
    Json deploy = Json::object();
    for (const auto& network : options.networks)
        deploy["net"].push_back(network_to_json(network));
    if (!options.hosts.empty())
        deploy["hosts"] = options.hosts;
    if (!options.hostname.empty())
        deploy["hostname"] = options.hostname;
    if (!options.volumes.empty())
        deploy["volumes"] = volumes_to_json(options.volumes);
    if (!options.environment.empty())
        deploy["env"] = options.environment;
    add_progress(deploy, options.progress);
    Json command;
    command["deploy"] = std::move(deploy);
    add(to_text(command), "deploy");
    return *this;
}

Script& Script::start(std::vector<std::string> args)
{
    Json command;
    command["start"]["args"] = std::move(args);
    add(to_text(command), "start");
    return *this;
}

Script& Script::run(const std::vector<std::string>& command) { return run(command, RunOptions()); }

Script& Script::run(const std::vector<std::string>& command, const RunOptions& options)
{
    if (command.empty() || command.front().empty())
        refuse("run needs the path of a program");
    const auto whole = prepared(command, options);
    Json run;
    run["entry_point"] = whole.front();
    run["args"] = std::vector<std::string>(whole.begin() + 1, whole.end());
    if (options.out.part() != Capture::Part::none)
        run["capture"]["stdout"] = capture_to_json(options.out);
    if (options.err.part() != Capture::Part::none)
        run["capture"]["stderr"] = capture_to_json(options.err);
    Json json;
    json["run"] = std::move(run);
    add(to_text(json), "run " + command.front());
    return *this;
}

Script& Script::shell(const std::string& line) { return shell(line, RunOptions()); }

Script& Script::shell(const std::string& line, const RunOptions& options)
{
    return run({"/bin/sh", "-c", line}, options);
}

Script& Script::transfer(std::string from, std::string to)
{
    return transfer(std::move(from), std::move(to), TransferOptions());
}

Script& Script::transfer(std::string from, std::string to, const TransferOptions& options)
{
    Json transfer;
    transfer["from"] = from;
    transfer["to"] = to;
    if (!options.format.empty())
        transfer["format"] = options.format;
    if (options.depth)
        transfer["depth"] = *options.depth;
    if (!options.include.empty() || !options.exclude.empty()) {
        Json set = Json::object();
        if (!options.include.empty())
            set["includes"] = options.include;
        if (!options.exclude.empty())
            set["excludes"] = options.exclude;
        transfer["fileset"] = Json::array({set});
    }
    add_progress(transfer, options.progress);
    Json command;
    command["transfer"] = std::move(transfer);
    add(to_text(command), "transfer to " + to);
    return *this;
}

Script& Script::sign()
{
    add(R"({"sign":{}})", "sign");
    return *this;
}

Script& Script::terminate()
{
    add(R"({"terminate":{}})", "terminate");
    return *this;
}

std::string Script::describe(int index) const
{
    if (index < 0 || index >= size())
        return "command " + std::to_string(index);
    return commands_[static_cast<std::size_t>(index)].description;
}

std::string Script::to_json() const
{
    std::string text = "[";
    for (const auto& command : commands_) {
        if (text.size() > 1)
            text += ',';
        text += command.json;
    }
    return text += ']';
}

CommandError::CommandError(std::string command, CommandResult result)
    : Error(Errc::command_failed, command, explain(result, detail::exit_code_in(result.message))),
      command_(std::move(command)), result_(std::move(result)),
      exit_code_(detail::exit_code_in(result_.message).value_or(-1))
{
    if (detail::exit_code_in(result_.message))
        keep_their_words(result_.message);
    else
        set_their_words(result_.message);
}

} // namespace golem
