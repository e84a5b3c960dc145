// What an offer says, whether we want it, and what a provider changed between its offer and its draft.
#pragma once

#include <golem/market/strategy.hpp>
#include <golem/properties/constraint.hpp>
#include <golem/yagna/market.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace golem::detail {

inline constexpr std::string_view accept_timeout_property = "golem.com.payment.debit-notes.accept-timeout?";
inline constexpr std::string_view note_interval_property = "golem.com.scheme.payu.debit-note.interval-sec?";
inline constexpr std::string_view payment_timeout_property = "golem.com.scheme.payu.payment-timeout-sec?";

/// An offer, or why it is not understood.
struct OfferReading {
    std::optional<OfferFacts> facts;
    std::string problem;
};

inline OfferReading read_offer(const yagna::Proposal& proposal)
{
    const auto& properties = proposal.content.properties;
    auto reading = properties::read_prices(properties);
    if (!reading.prices)
        return OfferReading{std::nullopt, std::move(reading.problem)};
    OfferFacts facts;
    facts.provider = proposal.issuer;
    facts.provider_name = properties.get_string("golem.node.id.name").value_or(std::string());
    facts.prices = std::move(*reading.prices);
    const auto threads = properties.get_int("golem.inf.cpu.threads").value_or(1);
    facts.threads = static_cast<int>(std::clamp<std::int64_t>(threads, 1, 100'000));
    facts.properties = properties;
    return OfferReading{std::move(facts), {}};
}

/// What the first hour costs in GLM if `busy` (0 to 1) of the threads are at work.
inline double first_hour(const OfferFacts& offer, double busy)
{
    double per_second = 0;
    for (const auto& counter : offer.prices.counters) {
        const bool is_cpu = counter.name == properties::cpu_counter;
        per_second += counter.per_second * (is_cpu ? busy * offer.threads : 1.0);
    }
    return offer.prices.start + 3600 * per_second;
}

/// Why the offer is too expensive, if it is.
inline std::optional<std::string> above_caps(const OfferFacts& offer, const PriceCaps& caps)
{
    const auto exceeds = [](double price, const std::optional<double>& cap) { return cap && price > *cap; };
    if (exceeds(offer.prices.start, caps.start))
        return "its start price is above the cap";
    if (exceeds(offer.prices.of(properties::cpu_counter), caps.per_cpu_second))
        return "its price of processor time is above the cap";
    if (exceeds(offer.prices.of(properties::duration_counter), caps.per_second))
        return "its price of time is above the cap";
    if (exceeds(first_hour(offer, 1.0), caps.per_hour))
        return "an hour of it costs more than the cap";
    return std::nullopt;
}

/// What the user's strategy makes of an offer.
struct Appraisal {
    std::optional<double> score;
    std::string problem;     ///< Why there is no score.
    bool is_failure = false; ///< The strategy is at fault.
};

/// The strategy is the user's code: what it throws costs this offer only, and what cannot be compared is no score.
inline Appraisal appraise(const Strategy& strategy, const OfferFacts& offer)
{
    Appraisal appraisal;
    try {
        const auto score = strategy(offer);
        if (!score) {
            appraisal.problem = "the strategy does not want it";
            return appraisal;
        }
        if (std::isfinite(*score)) {
            appraisal.score = score;
            return appraisal;
        }
        appraisal.problem = "the strategy's score is not a finite number";
    } catch (const std::exception& error) {
        appraisal.problem = std::string("the strategy failed: ") + error.what();
    } catch (...) {
        appraisal.problem = "the strategy failed with something that is no std::exception";
    }
    appraisal.is_failure = true;
    return appraisal;
}

/// What stands in the way of signing: the draft against the provider's own offer and our counter-proposal.
/// A provider may lower prices and give us more time; nothing else that costs us.
inline std::optional<std::string> objection_to_draft(
    const properties::PropertySet& offer, const yagna::DemandOfferBase& ours, const properties::PropertySet& draft)
{
    const auto before = properties::read_prices(offer);
    const auto after = properties::read_prices(draft);
    if (!after.prices)
        return "the draft's prices are not understood: " + after.problem;
    if (!before.prices)
        return "the offer's prices are not understood: " + before.problem;
    const auto& old_counters = before.prices->counters;
    const auto& new_counters = after.prices->counters;
    if (old_counters.size() != new_counters.size())
        return "the draft prices other counters than the offer";
    for (std::size_t index = 0; index < new_counters.size(); ++index) {
        if (old_counters[index].name != new_counters[index].name)
            return "the draft prices other counters than the offer";
        if (new_counters[index].per_second > old_counters[index].per_second)
            return "the draft raises the price of " + new_counters[index].name;
    }
    if (after.prices->start > before.prices->start)
        return "the draft raises the start price";

    // What is absent from a draft is not enforced; what is there must leave us at least the time we asked for.
    for (const auto name : {accept_timeout_property, note_interval_property, payment_timeout_property}) {
        const auto* theirs = draft.get(name);
        if (!theirs)
            continue;
        const auto granted = theirs->as_number();
        const auto* asked = ours.properties.get(name);
        if (!granted)
            return std::string(name) + " is not a number";
        if (!asked)
            return "the draft adds " + std::string(name);
        if (*granted < asked->as_number().value_or(0))
            return "the draft shortens " + std::string(name);
    }
    const auto wanted = properties::Constraint::try_parse(ours.constraints);
    if (wanted && wanted->evaluate(draft) != properties::Truth::yes)
        return "the draft no longer meets our conditions";
    return std::nullopt;
}

} // namespace golem::detail
