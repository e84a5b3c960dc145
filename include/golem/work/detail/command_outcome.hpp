#pragma once

#include <charconv>
#include <optional>
#include <string_view>

/// What the exe-unit's words about a failed command mean: decisions without I/O.
namespace golem::detail {

/// The number in "ExeScript command exited with code 127"; nothing if the command did not get as far as having one.
inline std::optional<int> exit_code_in(std::string_view message) noexcept
{
    constexpr std::string_view words = "command exited with code ";
    const auto found = message.find(words);
    if (found == std::string_view::npos)
        return std::nullopt;
    const auto digits = message.substr(found + words.size());
    int code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (error != std::errc() || end == digits.data())
        return std::nullopt;
    return code;
}

/// True if the command failed because its activity was ended under it.
inline bool tells_end_of_activity(std::string_view message) noexcept
{
    return message.find("Unexpected state: StatePair(Terminated") != std::string_view::npos;
}

} // namespace golem::detail
