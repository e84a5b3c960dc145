#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace golem {

enum class LogLevel { trace, debug, info, warning, error, off };

std::string_view to_string(LogLevel level) noexcept;

/// Where make_logger() writes.
struct LogOptions {
    LogLevel level = LogLevel::info;   ///< Lines below it are dropped.
    bool to_stderr = false;            ///< Also on the standard error stream.
    std::filesystem::path path;        ///< File to append to; empty: no file.
    std::size_t max_size = 10'000'000; ///< Bytes; a fuller golem.log becomes golem.1.log. At least 1024.
    std::size_t max_files = 5;         ///< Rotated files that are kept besides the current one, 1 to 1000.
};

namespace detail {

class LogCore;

inline void append_to(std::string& line, std::string_view text) { line += text; }

// A template, since a plain overload for bool would take string literals.
template <typename Value>
    requires std::is_arithmetic_v<Value>
void append_to(std::string& line, Value value)
{
    if constexpr (std::same_as<Value, bool>) {
        line += value ? "true" : "false";
    } else if constexpr (std::same_as<Value, char>) {
        line += value;
    } else {
        char digits[64];
        const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
        line.append(digits, end);
    }
}

template <typename T>
concept Loggable = requires(std::string& line, const T& part) { append_to(line, part); };

} // namespace detail

/// A cheap, copyable door to a log; copies share sink, level and secrets. Any thread.
///
/// Registered secrets, `authToken=…` of URLs and `Bearer …` never reach a sink: `***` stands in their place. Line
/// breaks and control characters become spaces, so that text of strangers cannot forge lines. Other types can be logged
/// once their namespace has a function `append_to(std::string& line, const T&)`.
class Logger {
public:
    using Sink = std::function<void(LogLevel, std::string_view line)>;

    /// Says nothing.
    Logger() = default;

    /// Hands each line of at least `level` to `sink`, one at a time. The sink must not log and must not throw.
    explicit Logger(Sink sink, LogLevel level = LogLevel::trace);

    bool enabled(LogLevel level) const noexcept;
    void set_level(LogLevel level) const noexcept;

    /// The same log; its lines begin with "[tag] ", after the tags of this one.
    Logger with_tag(std::string tag) const;

    /// Keeps `secret` out of every line written later through any copy. Empty text is ignored.
    void add_secret(std::string secret) const;

    /// Writes one line put together from strings and numbers. Nothing is put together unless the level is enabled.
    template <detail::Loggable... Parts>
    void log(LogLevel level, const Parts&... parts) const
    {
        if (!enabled(level))
            return;
        std::string line = prefix_;
        (append_part(line, parts), ...);
        write(level, std::move(line));
    }

    template <detail::Loggable... Parts>
    void trace(const Parts&... parts) const
    {
        log(LogLevel::trace, parts...);
    }

    template <detail::Loggable... Parts>
    void debug(const Parts&... parts) const
    {
        log(LogLevel::debug, parts...);
    }

    template <detail::Loggable... Parts>
    void info(const Parts&... parts) const
    {
        log(LogLevel::info, parts...);
    }

    template <detail::Loggable... Parts>
    void warning(const Parts&... parts) const
    {
        log(LogLevel::warning, parts...);
    }

    template <detail::Loggable... Parts>
    void error(const Parts&... parts) const
    {
        log(LogLevel::error, parts...);
    }

private:
    template <typename Part>
    static void append_part(std::string& line, const Part& part)
    {
        using detail::append_to;
        append_to(line, part);
    }

    void write(LogLevel level, std::string line) const;

    std::shared_ptr<detail::LogCore> core_;
    std::string prefix_;
};

/// A logger on files and the standard error stream. Throws Error (invalid_input) for a file that cannot be opened,
/// naming it, and for options out of range.
Logger make_logger(const LogOptions& options);

} // namespace golem
