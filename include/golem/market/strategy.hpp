#pragma once

#include <golem/properties/prices.hpp>
#include <golem/properties/property_set.hpp>
#include <golem/yagna/types.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace golem {

using Prices = properties::Prices;

/// An offer as strategies see it.
struct OfferFacts {
    yagna::NodeId provider;
    std::string provider_name;
    Prices prices;
    int threads = 1;
    properties::PropertySet properties;
};

/// The most we pay; an offer above any of them is not answered. GLM, zero or more; absent: no cap.
struct PriceCaps {
    std::optional<double> start;
    std::optional<double> per_cpu_second;
    std::optional<double> per_second;
    /// For the first hour with every thread busy, all counters and the start together.
    std::optional<double> per_hour;
};

/// Which offers are answered first. Lower scores are better; nothing refuses the offer.
using Strategy = std::function<std::optional<double>(const OfferFacts&)>;

/// The cost of the first hour with half of the threads busy (the default).
Strategy cheapest();
/// `strategy`, without the providers of these node ids.
Strategy excluding(std::vector<yagna::NodeId> providers, Strategy strategy);

} // namespace golem
