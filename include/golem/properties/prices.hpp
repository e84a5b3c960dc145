#pragma once

#include <golem/properties/property_set.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::properties {

/// What an offer of the linear pricing model costs: GLM per unit of each priced counter, and once at the start of each
/// activity. Plain data for both the market, which compares offers, and the payments, which check what is demanded.
struct Prices {
    struct Counter {
        std::string name;
        /// The usual counters count seconds: of a processor thread at work, and of the activity's life.
        double per_second = 0;
    };

    /// In the order of `golem.com.usage.vector`, which is the order of usage reports.
    std::vector<Counter> counters;
    double start = 0;

    /// Zero for a counter without a price.
    double of(std::string_view counter) const noexcept
    {
        for (const auto& priced : counters) {
            if (priced.name == counter)
                return priced.per_second;
        }
        return 0;
    }
};

inline constexpr std::string_view cpu_counter = "golem.usage.cpu_sec";
inline constexpr std::string_view duration_counter = "golem.usage.duration_sec";

/// Prices, or why they are not understood.
struct PriceReading {
    std::optional<Prices> prices;
    std::string problem;
};

inline PriceReading read_prices(const PropertySet& offer)
{
    const auto refuse = [](std::string problem) { return PriceReading{std::nullopt, std::move(problem)}; };
    const auto model = offer.get_string("golem.com.pricing.model");
    if (!model || *model != "linear")
        return refuse("the pricing model is not linear");
    const auto names = offer.get_strings("golem.com.usage.vector");
    if (!names)
        return refuse("golem.com.usage.vector is not a list of names");
    const auto coefficients = offer.get_doubles("golem.com.pricing.model.linear.coeffs");
    if (!coefficients)
        return refuse("golem.com.pricing.model.linear.coeffs is not a list of numbers");
    if (coefficients->size() != names->size() + 1)
        return refuse(
            std::to_string(coefficients->size()) + " prices for " + std::to_string(names->size()) +
            " counters; there should be one more");
    for (const auto price : *coefficients) {
        if (!std::isfinite(price) || price < 0)
            return refuse("a price is negative or not finite");
    }
    Prices prices;
    for (std::size_t index = 0; index < names->size(); ++index) {
        for (const auto& earlier : prices.counters) {
            if (earlier.name == (*names)[index])
                return refuse("counter " + earlier.name + " is priced twice");
        }
        prices.counters.push_back(Prices::Counter{(*names)[index], (*coefficients)[index]});
    }
    prices.start = coefficients->back();
    return PriceReading{std::move(prices), {}};
}

} // namespace golem::properties
