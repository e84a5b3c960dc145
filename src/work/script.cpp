#include <golem/work/script.hpp>

#include <golem/work/detail/command_outcome.hpp>

#include <nlohmann/json.hpp>

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

Json capture()
{
    Json at_end;
    at_end["atEnd"]["format"] = "str";
    return at_end;
}

std::string explain(const std::string& command, const CommandResult& result, const std::optional<int>& exit_code)
{
    auto text = "\"" + command + "\" failed";
    if (exit_code)
        text += " with exit code " + std::to_string(*exit_code);
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

Script& Script::deploy()
{
    add(R"({"deploy":{}})", "deploy");
    return *this;
}

Script& Script::start(std::vector<std::string> args)
{
    Json command;
    command["start"]["args"] = std::move(args);
    add(to_text(command), "start");
    return *this;
}

Script& Script::run(const std::vector<std::string>& command)
{
    if (command.empty() || command.front().empty())
        throw Error(Errc::invalid_input, "script", "run needs the path of a program");
    Json run;
    run["entry_point"] = command.front();
    run["args"] = std::vector<std::string>(command.begin() + 1, command.end());
    run["capture"]["stdout"] = capture();
    run["capture"]["stderr"] = capture();
    Json json;
    json["run"] = std::move(run);
    add(to_text(json), "run " + command.front());
    return *this;
}

Script& Script::transfer(std::string from, std::string to)
{
    Json command;
    command["transfer"]["from"] = from;
    command["transfer"]["to"] = to;
    add(to_text(command), "transfer to " + to);
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
    : Error(Errc::command_failed, "run command", explain(command, result, detail::exit_code_in(result.message))),
      command_(std::move(command)), result_(std::move(result)),
      exit_code_(detail::exit_code_in(result_.message).value_or(-1))
{
    set_their_words(result_.message);
}

} // namespace golem
