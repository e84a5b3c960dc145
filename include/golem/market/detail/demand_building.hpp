// Our side of a negotiation, as text for the daemon.
#pragma once

#include <golem/market/detail/expirations.hpp>
#include <golem/market/detail/offer_facts.hpp>
#include <golem/market/payload.hpp>
#include <golem/yagna/payment.hpp>
#include <golem/yagna/types.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace golem::detail {

/// What stays the same for every demand and counter-proposal of a manager.
struct Proposing {
    std::string subnet;
    Duration debit_note_interval{};
    Duration accept_timeout{};
    Duration payment_timeout{};
    std::string platform;
    yagna::DemandDecoration decoration;
};

/// Above this length providers insist on payments while the agreement runs.
inline constexpr Duration payments_while_running = std::chrono::hours(10);
/// An offered accept timeout below this is too short to adopt.
inline constexpr std::int64_t shortest_accept_timeout = 10;

inline std::int64_t whole_seconds(Duration duration)
{
    return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(duration).count());
}

/// Every condition on an offer; it has to meet all of them.
inline std::vector<std::string> conditions_of(const Payload& payload, const Proposing& proposing)
{
    std::vector<std::string> conditions{
        "(golem.com.pricing.model=linear)", "(golem.node.debug.subnet=" + proposing.subnet + ")"};
    for (const auto* more : {&payload.constraints(), &proposing.decoration.constraints})
        conditions.insert(conditions.end(), more->begin(), more->end());
    return conditions;
}

inline std::string constraints_of(const Payload& payload, const Proposing& proposing)
{
    std::string text;
    for (const auto& condition : conditions_of(payload, proposing))
        text += (text.empty() ? "(&" : "\n\t") + condition;
    return text + ")";
}

/// Our whole side, for an agreement that ends `expiration` after `now`.
inline yagna::DemandOfferBase
our_side(const Payload& payload, const Proposing& proposing, Timestamp now, Duration expiration)
{
    const auto end = now + expiration;
    yagna::DemandOfferBase content;
    content.constraints = constraints_of(payload, proposing);
    auto& properties = content.properties;
    properties.merge(payload.properties());
    properties.merge(proposing.decoration.properties);
    properties.set("golem.node.debug.subnet", proposing.subnet);
    properties.set("golem.srv.caps.multi-activity", true);
    // A number of milliseconds: as text the provider's agent fails silently and never answers.
    properties.set(
        "golem.srv.comp.expiration",
        std::int64_t(std::chrono::duration_cast<std::chrono::milliseconds>(end.time_since_epoch()).count()));
    properties.set(std::string(accept_timeout_property), whole_seconds(proposing.accept_timeout));
    properties.set(std::string(note_interval_property), whole_seconds(proposing.debit_note_interval));
    if (expiration > payments_while_running)
        properties.set(std::string(payment_timeout_property), whole_seconds(proposing.payment_timeout));
    return content;
}

/// The demand as it is published at `now`, for orders of `expiration`.
inline yagna::DemandOfferBase
published_demand(const Payload& payload, const Proposing& proposing, Timestamp now, Duration expiration)
{
    return our_side(payload, proposing, now, demanded_expiration(expiration));
}

/// The answer to an offer: our whole side anew, since a counter-proposal replaces what was said before.
inline yagna::DemandOfferBase counter_proposal(
    const Payload& payload, const Proposing& proposing, Timestamp now, Duration expiration,
    const properties::PropertySet& offer)
{
    auto content = our_side(payload, proposing, now, countered_expiration(expiration));
    content.properties.set("golem.com.payment.chosen-platform", proposing.platform);
    // Providers refuse for good a longer accept timeout than they offered; ours is a wish only.
    const auto* offered = offer.get(accept_timeout_property);
    const auto seconds = offered ? offered->as_int() : std::nullopt;
    if (seconds && *seconds >= shortest_accept_timeout && *seconds < whole_seconds(proposing.accept_timeout))
        content.properties.set(std::string(accept_timeout_property), *seconds);
    return content;
}

} // namespace golem::detail
