// How long what we say in a negotiation stays good: it carries the hour at which an agreement on it would end.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/yagna/market.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace golem::detail {

/// When the provider ends the agreement by its own terms. A passed `validTo` changes nothing once it is approved.
inline std::optional<Timestamp> expiration_of(const yagna::Agreement& agreement)
{
    const auto expiration = agreement.demand.properties.get_double("golem.srv.comp.expiration");
    if (!expiration)
        return std::nullopt;
    return Timestamp(std::chrono::milliseconds(static_cast<std::int64_t>(*expiration)));
}

/// Providers refuse for good what ends in less than 5 minutes, and our clock may be behind theirs.
inline constexpr Duration shortest_expiration = std::chrono::minutes(5) + std::chrono::seconds(30);
/// The daemon forgets a demand after this time.
inline constexpr Duration demand_lifetime = std::chrono::hours(1);

/// What a counter-proposal says; our counters are told apart by what was asked for.
inline Duration countered_expiration(Duration expiration) { return std::max(expiration, shortest_expiration); }

/// What a demand says. An offer published later matches only what ends later still, so the demand must not end while
/// it lives; what is really wanted is said by the counter.
inline Duration demanded_expiration(Duration expiration)
{
    return std::max<Duration>(expiration, demand_lifetime + shortest_expiration);
}

/// How long a draft may be kept: its agreement ends at an hour that was fixed when we countered.
inline Duration draft_freshness(Duration expiration)
{
    const Duration share = expiration / 50;
    return std::clamp<Duration>(share, std::chrono::seconds(5), std::chrono::minutes(2));
}

/// How long a counter that was refused for now may still be answered by a draft; later it would be refused for good.
/// The shortest ones leave a part of the margin, else they would be renewed without end.
inline Duration counter_freshness(Duration expiration)
{
    return std::max<Duration>(countered_expiration(expiration) - shortest_expiration, std::chrono::seconds(20));
}

} // namespace golem::detail
