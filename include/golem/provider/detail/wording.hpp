#pragma once

#include <golem/core/time_source.hpp>
#include <golem/core/timestamp.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Times and numbers as the real agent writes them in its messages.
namespace golem::provider::detail {

/// "1day 3h 46m 40s", "100years", "0s".
inline std::string human(Duration duration)
{
    struct Unit {
        std::int64_t nanoseconds;
        std::string_view name;
        bool has_plural;
    };
    static constexpr std::int64_t second = 1'000'000'000;
    static constexpr std::array<Unit, 9> units = {{
        {31'557'600 * second, "year", true},
        {2'630'016 * second, "month", true},
        {86'400 * second, "day", true},
        {3'600 * second, "h", false},
        {60 * second, "m", false},
        {second, "s", false},
        {1'000'000, "ms", false},
        {1'000, "us", false},
        {1, "ns", false},
    }};
    std::string text;
    auto left = duration.count();
    for (const auto& unit : units) {
        const auto count = left / unit.nanoseconds;
        left %= unit.nanoseconds;
        if (count <= 0)
            continue;
        if (!text.empty())
            text += ' ';
        text += std::to_string(count) + std::string(unit.name);
        if (unit.has_plural && count > 1)
            text += 's';
    }
    return text.empty() ? "0s" : text;
}

/// "90s", "1.5s", "500ms": never minutes.
inline std::string plain(Duration duration)
{
    static constexpr std::array<std::pair<std::int64_t, std::string_view>, 3> units = {
        {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "µs"}}};
    const auto count = duration.count();
    for (const auto& [size, name] : units) {
        if (count < size)
            continue;
        auto text = std::to_string(count / size);
        if (auto fraction = std::to_string(size + count % size).substr(1); count % size != 0) {
            while (fraction.back() == '0')
                fraction.pop_back();
            text += "." + fraction;
        }
        return text + std::string(name);
    }
    return std::to_string(count) + "ns";
}

/// "2026-11-24 06:58:21.681 UTC".
inline std::string displayed(Timestamp when)
{
    auto text = format_timestamp(when);
    text[text.find('T')] = ' ';
    text.pop_back();
    return text + " UTC";
}

/// "2026-11-24T18:57:32.031+00:00".
inline std::string with_offset(Timestamp when)
{
    auto text = format_timestamp(when);
    text.pop_back();
    return text + "+00:00";
}

/// "0.0", "0.0002", "5.5e-6".
inline std::string number(double value)
{
    std::array<char, 400> digits{};
    const double size = std::fabs(value);
    const bool scientific = size != 0.0 && (size < 1e-5 || size >= 1e16);
    const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, format).ptr;
    std::string text(digits.data(), end);
    if (!scientific)
        return text.find('.') == std::string::npos ? text + ".0" : text;
    // "5.5e-06" is written "5.5e-6".
    const auto sign = text.find('e') + 1;
    if (text[sign] == '+')
        text.erase(sign, 1);
    const auto first = text[sign] == '-' ? sign + 1 : sign;
    while (first + 1 < text.size() && text[first] == '0')
        text.erase(first, 1);
    return text;
}

/// "[0.0, 0.0, 0.0]".
inline std::string numbers(const std::vector<double>& values)
{
    std::string text = "[";
    for (const double value : values)
        text += (text.size() > 1 ? ", " : "") + number(value);
    return text + "]";
}

} // namespace golem::provider::detail
