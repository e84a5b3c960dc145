#pragma once

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace golem {

/// An amount of GLM, exact to its 18 decimals: what is paid, reserved and limited. Range about ±1.7e20 GLM.
///
/// Text is the only way in and out of other programs: a double has 16 digits and would round.
class Amount {
public:
    /// The count of 1e-18 GLM.
    __extension__ typedef __int128 Units;

    static constexpr int decimals = 18;

    constexpr explicit Amount(std::int64_t whole = 0) noexcept : units_(static_cast<Units>(whole) * units_per_whole) {}

    static constexpr Amount from_units(Units units) noexcept
    {
        Amount amount;
        amount.units_ = units;
        return amount;
    }

    /// Reads "12", "-0.5", "+1.", ".5" or "1e-3". Decimals beyond the 18th must be zeros.
    /// Throws Error (invalid_input) for anything else and for what is out of range.
    static Amount parse(std::string_view text);
    static std::optional<Amount> try_parse(std::string_view text) noexcept;

    /// The amount nearest to `value`, halves away from zero. Only for a provider that multiplies its prices by usage:
    /// what somebody else demands arrives as text and is never rounded. Throws Error (invalid_input) if out of range.
    static Amount rounded(double value);

    /// The shortest exact text: "0", "0.5", "-12".
    std::string to_string() const;
    /// With exactly `count` decimals (0 to 18), halves away from zero.
    std::string to_string(int count) const;

    /// For display and for scoring offers only.
    double to_double() const noexcept { return static_cast<double>(units_) / 1e18; }

    constexpr Units units() const noexcept { return units_; }

    constexpr bool is_zero() const noexcept { return units_ == 0; }

    constexpr bool is_negative() const noexcept { return units_ < 0; }

    constexpr std::strong_ordering operator<=>(const Amount& other) const noexcept
    {
        return units_ < other.units_   ? std::strong_ordering::less
               : units_ > other.units_ ? std::strong_ordering::greater
                                       : std::strong_ordering::equal;
    }

    constexpr bool operator==(const Amount& other) const noexcept { return units_ == other.units_; }

    /// Sums and differences throw Error (invalid_input) rather than overflow.
    Amount& operator+=(const Amount& other);
    Amount& operator-=(const Amount& other);

    friend Amount operator+(Amount left, const Amount& right) { return left += right; }

    friend Amount operator-(Amount left, const Amount& right) { return left -= right; }

    Amount operator-() const { return Amount() -= *this; }

private:
    static constexpr Units units_per_whole = 1'000'000'000'000'000'000;

    Units units_;
};

/// As to_string().
std::ostream& operator<<(std::ostream& out, const Amount& amount);

} // namespace golem
