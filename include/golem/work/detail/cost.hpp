// What usage costs: decisions without I/O.
#pragma once

#include <golem/core/amount.hpp>
#include <golem/properties/prices.hpp>

#include <array>
#include <charconv>
#include <map>
#include <string>
#include <string_view>

namespace golem::detail {

/// The number as it was written: 0.030904 rather than what lies nearest to it in binary.
inline Amount decimal_of(double value)
{
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const auto exact =
        Amount::try_parse(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
    return exact ? *exact : Amount::rounded(value);
}

/// The product, cut to 18 decimals. In range for any price below a hundred and any usage below a trillion.
inline Amount product(const Amount& price, const Amount& usage)
{
    const Amount::Units whole = Amount(1).units();
    const auto units = price.units() * (usage.units() / whole) + price.units() * (usage.units() % whole) / whole;
    return Amount::from_units(units);
}

/// Start price, and each counter's usage at its price. Counters without a report cost nothing yet.
inline Amount cost_of(const properties::Prices& prices, const std::map<std::string, double>& usage)
{
    auto sum = decimal_of(prices.start);
    for (const auto& counter : prices.counters) {
        const auto found = usage.find(counter.name);
        if (found != usage.end() && found->second > 0)
            sum += product(decimal_of(counter.per_second), decimal_of(found->second));
    }
    return sum;
}

} // namespace golem::detail
