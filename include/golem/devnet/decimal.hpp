#pragma once

#include <golem/core/amount.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace golem::devnet {

/// An amount that remembers how many decimals it is written with, as the daemon's own decimals do: "2" and "0.010" make
/// "2.010".
class Decimal {
public:
    Decimal() = default;
    explicit Decimal(const Amount& value, int scale = 0) : value_(value), scale_(scale) {}

    /// Reads "12", "0.010", "-1". Nothing for other texts and for more than 18 decimals.
    static std::optional<Decimal> parse(std::string_view text);
    /// As the daemon turns a JSON number into a decimal: 16 significant digits.
    static std::optional<Decimal> from_number(double number);

    const Amount& value() const noexcept { return value_; }
    int scale() const noexcept { return scale_; }

    std::string to_string() const { return value_.to_string(scale_); }

    friend Decimal operator+(const Decimal& left, const Decimal& right)
    {
        return Decimal(left.value_ + right.value_, std::max(left.scale_, right.scale_));
    }

    friend Decimal operator-(const Decimal& left, const Decimal& right)
    {
        return Decimal(left.value_ - right.value_, std::max(left.scale_, right.scale_));
    }

    /// Compares the values: "0.10" is "0.1".
    auto operator<=>(const Decimal& other) const noexcept { return value_ <=> other.value_; }
    bool operator==(const Decimal& other) const noexcept { return value_ == other.value_; }

private:
    Amount value_;
    int scale_ = 0;
};

} // namespace golem::devnet
