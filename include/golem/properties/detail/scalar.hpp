#pragma once

#include <golem/core/timestamp.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::properties::detail {

/// Reads a number as the daemon does in a constraint: sign, digits, fraction, exponent; also inf and nan.
std::optional<double> parse_number(std::string_view text) noexcept;

/// A time with a zone, as RFC 3339 wants it.
std::optional<Timestamp> parse_zoned_timestamp(std::string_view text) noexcept;

/// An exact decimal number of any length, for comparing only.
class Decimal {
public:
    static std::optional<Decimal> parse(std::string_view text);

    std::strong_ordering operator<=>(const Decimal& other) const noexcept;
    bool operator==(const Decimal& other) const noexcept { return (*this <=> other) == 0; }

private:
    // The value is ±0.DIGITS × 10^magnitude; zero has no digits.
    bool negative_ = false;
    std::string digits_;
    long long magnitude_ = 0;
};

/// A semantic version; build metadata is read and does not count.
class Version {
public:
    static std::optional<Version> parse(std::string_view text);

    std::strong_ordering operator<=>(const Version& other) const noexcept;
    bool operator==(const Version& other) const noexcept { return (*this <=> other) == 0; }

private:
    std::uint64_t numbers_[3] = {};
    std::vector<std::string> pre_release_;
};

} // namespace golem::properties::detail
