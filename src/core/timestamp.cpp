#include <golem/core/timestamp.hpp>

#include <golem/core/error.hpp>

#include <cstdint>
#include <cstdio>

namespace golem {

namespace {

namespace chrono = std::chrono;

// Reads a text from its front; every member returns false, or an empty value, at the first mismatch.
class Reader {
public:
    explicit Reader(std::string_view text) noexcept : rest_(text) {}

    bool at_end() const noexcept { return rest_.empty(); }

    bool skip(std::string_view any_of) noexcept
    {
        if (rest_.empty() || any_of.find(rest_[0]) == std::string_view::npos)
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool number(int digits, int low, int high, int& value) noexcept
    {
        int read = 0;
        for (; digits > 0; --digits) {
            if (!digit(read))
                return false;
        }
        value = read;
        return read >= low && read <= high;
    }

    // 1 to 9 digits of a fraction, as nanoseconds.
    bool fraction(int& nanoseconds) noexcept
    {
        int count = 0;
        nanoseconds = 0;
        while (count < 9 && digit(nanoseconds))
            ++count;
        if (count == 0)
            return false;
        for (; count < 9; ++count)
            nanoseconds *= 10;
        return true;
    }

private:
    bool digit(int& value) noexcept
    {
        if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9')
            return false;
        value = value * 10 + (rest_[0] - '0');
        rest_.remove_prefix(1);
        return true;
    }

    std::string_view rest_;
};

struct Split {
    chrono::sys_seconds seconds;
    int nanoseconds;
};

// Not chrono::floor, which overflows for the earliest times.
Split split(Timestamp when) noexcept
{
    constexpr std::int64_t per_second = 1'000'000'000;
    const std::int64_t count = when.time_since_epoch().count();
    std::int64_t seconds = count / per_second;
    std::int64_t rest = count % per_second;
    if (rest < 0) {
        rest += per_second;
        --seconds;
    }
    return {chrono::sys_seconds(chrono::seconds(seconds)), static_cast<int>(rest)};
}

} // namespace

std::optional<Timestamp> try_parse_timestamp(std::string_view text) noexcept
{
    Reader reader(text);
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int nanoseconds = 0;
    // The years that fit 64 bits of nanoseconds whatever the offset.
    if (!reader.number(4, 1678, 2261, year) || !reader.skip("-") || !reader.number(2, 1, 12, month) ||
        !reader.skip("-") || !reader.number(2, 1, 31, day) || !reader.skip("Tt ") || !reader.number(2, 0, 23, hour) ||
        !reader.skip(":") || !reader.number(2, 0, 59, minute) || !reader.skip(":") || !reader.number(2, 0, 59, second))
        return std::nullopt;
    if (reader.skip(".") && !reader.fraction(nanoseconds))
        return std::nullopt;

    int offset = 0;
    if (!reader.at_end() && !reader.skip("Zz")) {
        const bool east = reader.skip("+");
        int offset_hours = 0;
        int offset_minutes = 0;
        if ((!east && !reader.skip("-")) || !reader.number(2, 0, 23, offset_hours) || !reader.skip(":") ||
            !reader.number(2, 0, 59, offset_minutes))
            return std::nullopt;
        offset = (offset_hours * 60 + offset_minutes) * (east ? 1 : -1);
    }
    if (!reader.at_end())
        return std::nullopt;

    const chrono::year_month_day date(
        chrono::year{year}, chrono::month{static_cast<unsigned>(month)}, chrono::day{static_cast<unsigned>(day)});
    if (!date.ok())
        return std::nullopt;
    return Timestamp(chrono::sys_days(date)) + chrono::hours(hour) + chrono::minutes(minute - offset) +
           chrono::seconds(second) + chrono::nanoseconds(nanoseconds);
}

Timestamp parse_timestamp(std::string_view text)
{
    if (const auto when = try_parse_timestamp(text))
        return *when;
    throw Error(
        Errc::invalid_input, "read a time",
        "\"" + std::string(text.substr(0, 60)) + "\" is not a time such as \"2026-01-31T12:00:00.5Z\"");
}

std::string format_timestamp(Timestamp when)
{
    const auto nanoseconds = split(when).nanoseconds;
    const int digits = nanoseconds == 0 ? 0 : nanoseconds % 1'000'000 == 0 ? 3 : nanoseconds % 1'000 == 0 ? 6 : 9;
    return format_timestamp(when, digits);
}

std::string format_timestamp(Timestamp when, int fraction_digits)
{
    if (fraction_digits < 0 || fraction_digits > 9)
        throw Error(
            Errc::invalid_input, "print a time",
            "fraction_digits is " + std::to_string(fraction_digits) + ", but must be 0 to 9");
    const auto [seconds, nanoseconds] = split(when);
    const auto days = chrono::floor<chrono::days>(seconds);
    const chrono::year_month_day date(days);
    const chrono::hh_mm_ss time(seconds - days);
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09d", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()), nanoseconds);
    constexpr std::size_t without_fraction = 19;
    const auto kept = static_cast<std::size_t>(fraction_digits);
    return std::string(text, without_fraction + (kept == 0 ? 0 : kept + 1)) + "Z";
}

} // namespace golem
