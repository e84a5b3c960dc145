#include <golem/market/strategy.hpp>

#include <golem/market/detail/offer_facts.hpp>

#include <algorithm>
#include <cctype>
#include <utility>

namespace golem {

Strategy cheapest()
{
    return [](const OfferFacts& offer) -> std::optional<double> { return detail::first_hour(offer, 0.5); };
}

Strategy excluding(std::vector<yagna::NodeId> providers, Strategy strategy)
{
    // Node ids are hexadecimal numbers, written in either case.
    const auto lower = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
        return text;
    };
    std::transform(providers.begin(), providers.end(), providers.begin(), lower);
    return [providers = std::move(providers), strategy = std::move(strategy),
            lower](const OfferFacts& offer) -> std::optional<double> {
        if (std::find(providers.begin(), providers.end(), lower(offer.provider)) != providers.end())
            return std::nullopt;
        return strategy(offer);
    };
}

} // namespace golem
