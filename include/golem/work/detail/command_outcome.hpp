#pragma once

#include <golem/core/error.hpp>
#include <golem/work/script.hpp>
#include <golem/yagna/activity.hpp>

#include <charconv>
#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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

/// Why a list of results cannot be taken as it is; null if it can. The list of a batch begins with its first command
/// and ends with the last one finished, which alone may have failed.
inline std::exception_ptr problem_of(const std::vector<yagna::CommandResult>& results, const Script& script)
{
    const auto fail = [](Error error) { return std::make_exception_ptr(std::move(error)); };
    if (results.size() > static_cast<std::size_t>(script.size()))
        return fail(Error(Errc::protocol, "read results", "there are more results than commands"));
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].index != static_cast<int>(i))
            return fail(Error(Errc::protocol, "read results", "the results are not in the order of the commands"));
    }
    if (!results.empty() && !results.back().ok && tells_end_of_activity(results.back().message)) {
        Error lost(
            Errc::activity_lost, script.describe(results.back().index), "the activity was ended while the command ran");
        lost.set_their_words(results.back().message);
        return fail(std::move(lost));
    }
    return nullptr;
}

/// Why one result of a batch is a failure of it; null if it is none.
inline std::exception_ptr problem_of(const yagna::CommandResult& result, const Script& script)
{
    if (result.ok)
        return nullptr;
    const auto command = script.describe(result.index);
    if (!tells_end_of_activity(result.message))
        return std::make_exception_ptr(CommandError(command, result));
    Error lost(Errc::activity_lost, command, "the activity was ended while the command ran");
    lost.set_their_words(result.message);
    return std::make_exception_ptr(std::move(lost));
}

} // namespace golem::detail
