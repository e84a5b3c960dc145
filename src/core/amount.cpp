#include <golem/core/amount.hpp>

#include <golem/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>

namespace golem {

namespace {

using Units = Amount::Units;
__extension__ typedef unsigned __int128 Magnitude;

constexpr Magnitude largest = ~Magnitude(0) >> 1;

enum class Problem { none, malformed, too_precise, too_large };

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// An exponent, kept small enough to be added to without overflow. False if it is not one.
bool read_exponent(std::string_view text, int& exponent) noexcept
{
    bool negative = false;
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
        negative = text[0] == '-';
        text.remove_prefix(1);
    }
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit))
        return false;
    int value = 0;
    for (const char c : text)
        value = std::min(value * 10 + (c - '0'), 1'000'000);
    exponent = negative ? -value : value;
    return true;
}

Problem read_units(std::string_view text, Units& units) noexcept
{
    bool negative = false;
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
        negative = text[0] == '-';
        text.remove_prefix(1);
    }
    int exponent = 0;
    if (const auto mark = text.find_first_of("eE"); mark != std::string_view::npos) {
        if (!read_exponent(text.substr(mark + 1), exponent))
            return Problem::malformed;
        text = text.substr(0, mark);
    }
    const auto point = text.find('.');
    const auto whole = text.substr(0, point);
    const auto fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    if (whole.empty() && fraction.empty())
        return Problem::malformed;
    if (!std::all_of(whole.begin(), whole.end(), is_digit) || !std::all_of(fraction.begin(), fraction.end(), is_digit))
        return Problem::malformed;

    // The digit at `weight` w counts 10^w units.
    Magnitude magnitude = 0;
    long long weight = Amount::decimals + static_cast<long long>(exponent) + static_cast<long long>(whole.size()) - 1;
    const auto take = [&](char digit) {
        if (weight >= 0) {
            if (magnitude > (largest - static_cast<unsigned>(digit - '0')) / 10)
                return Problem::too_large;
            magnitude = magnitude * 10 + static_cast<unsigned>(digit - '0');
        } else if (digit != '0') {
            return Problem::too_precise;
        }
        --weight;
        return Problem::none;
    };
    for (const auto part : {whole, fraction}) {
        for (const char digit : part) {
            if (const auto problem = take(digit); problem != Problem::none)
                return problem;
        }
    }
    for (; weight >= 0 && magnitude != 0; --weight) {
        if (magnitude > largest / 10)
            return Problem::too_large;
        magnitude *= 10;
    }
    units = negative ? -static_cast<Units>(magnitude) : static_cast<Units>(magnitude);
    return Problem::none;
}

Error overflow(const char* operation)
{
    return Error(Errc::invalid_input, operation, "the result is beyond the range of an amount, about 1.7e20 GLM");
}

} // namespace

std::optional<Amount> Amount::try_parse(std::string_view text) noexcept
{
    Units units = 0;
    if (read_units(text, units) != Problem::none)
        return std::nullopt;
    return from_units(units);
}

Amount Amount::parse(std::string_view text)
{
    Units units = 0;
    const auto problem = read_units(text, units);
    if (problem == Problem::none)
        return from_units(units);
    const std::string shown = "\"" + std::string(text.substr(0, 60)) + (text.size() > 60 ? "…" : "") + "\"";
    switch (problem) {
    case Problem::too_precise: throw Error(Errc::invalid_input, "read an amount", shown + " has more than 18 decimals");
    case Problem::too_large:
        throw Error(
            Errc::invalid_input, "read an amount", shown + " is beyond the range of an amount, about 1.7e20 GLM");
    default: throw Error(Errc::invalid_input, "read an amount", shown + " is not a decimal number such as \"0.25\"");
    }
}

Amount Amount::rounded(double value)
{
    // long double has 64 bits of mantissa on x86 only; split into whole and rest so that every machine agrees.
    if (!(std::fabs(value) < 1.7e20))
        throw overflow("round to an amount");
    double whole = 0;
    const double rest = std::modf(value, &whole);
    return from_units(static_cast<Units>(whole) * units_per_whole + static_cast<Units>(std::round(rest * 1e18)));
}

std::string Amount::to_string() const
{
    auto text = to_string(decimals);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
        text.pop_back();
    return text;
}

std::string Amount::to_string(int count) const
{
    if (count < 0 || count > decimals)
        throw Error(
            Errc::invalid_input, "print an amount", "decimals is " + std::to_string(count) + ", but must be 0 to 18");
    auto magnitude = is_negative() ? -static_cast<Magnitude>(units_) : static_cast<Magnitude>(units_);
    Magnitude step = 1;
    for (int place = count; place < decimals; ++place)
        step *= 10;
    magnitude = magnitude / step + (magnitude % step >= step - step / 2 && step > 1 ? 1 : 0);

    const bool negative = is_negative() && magnitude != 0;
    std::string reversed;
    for (int place = 0; magnitude != 0 || place <= count; ++place) {
        if (place == count && count > 0)
            reversed += '.';
        reversed += static_cast<char>('0' + static_cast<int>(magnitude % 10));
        magnitude /= 10;
    }
    if (negative)
        reversed += '-';
    std::reverse(reversed.begin(), reversed.end());
    return reversed;
}

Amount& Amount::operator+=(const Amount& other)
{
    Units result = 0;
    if (__builtin_add_overflow(units_, other.units_, &result))
        throw overflow("add amounts");
    units_ = result;
    return *this;
}

Amount& Amount::operator-=(const Amount& other)
{
    Units result = 0;
    if (__builtin_sub_overflow(units_, other.units_, &result))
        throw overflow("subtract amounts");
    units_ = result;
    return *this;
}

std::ostream& operator<<(std::ostream& out, const Amount& amount) { return out << amount.to_string(); }

} // namespace golem
