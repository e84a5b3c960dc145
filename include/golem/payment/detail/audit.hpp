// What a provider may demand under an agreement. Pure: the same answer for the same facts.
#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>
#include <golem/properties/prices.hpp>
#include <golem/yagna/market.hpp>
#include <golem/yagna/payment.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::detail {

/// Clocks differ, and usage is reported late.
inline constexpr Duration usage_grace = std::chrono::seconds(60);
/// Notes may be early by this before we remark on it.
inline constexpr Duration note_grace = std::chrono::seconds(30);

/// What an agreement says about money.
struct AgreedTerms {
    yagna::NodeId provider;
    properties::Prices prices;
    int threads = 1;
    Duration note_interval = std::chrono::seconds(120);
    Timestamp approved{};
};

struct TermsReading {
    std::optional<AgreedTerms> terms;
    std::string problem;
};

inline TermsReading read_terms(const yagna::Agreement& agreement)
{
    auto reading = properties::read_prices(agreement.offer.properties);
    if (!reading.prices)
        return TermsReading{std::nullopt, std::move(reading.problem)};
    const auto& offer = agreement.offer.properties;
    AgreedTerms terms;
    terms.provider = agreement.provider;
    terms.prices = std::move(*reading.prices);
    auto threads = offer.get_int("golem.inf.cpu.threads");
    if (!threads)
        threads = offer.get_int("golem.inf.cpu.cores");
    terms.threads = static_cast<int>(std::clamp<std::int64_t>(threads.value_or(1), 1, 100'000));
    constexpr std::string_view interval = "golem.com.scheme.payu.debit-note.interval-sec?";
    auto seconds = offer.get_int(interval);
    if (!seconds)
        seconds = agreement.demand.properties.get_int(interval);
    if (seconds)
        terms.note_interval = std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 1, 86'400));
    terms.approved = agreement.approved.value_or(agreement.timestamp);
    return TermsReading{std::move(terms), {}};
}

/// What is known of one activity's debts.
struct ActivityAccount {
    /// The last accepted running total, and until when it covers the usage.
    Amount accepted;
    std::optional<Timestamp> accepted_at;
    int notes = 0;
};

struct AgreementAccount {
    AgreedTerms terms;
    /// What we pay with.
    std::string platform;
    std::map<yagna::ActivityId, ActivityAccount> activities;
    /// Usage grows no more from here on.
    std::optional<Timestamp> ended;

    Amount accepted() const
    {
        Amount sum;
        for (const auto& [id, activity] : activities)
            sum += activity.accepted;
        return sum;
    }

    int notes() const
    {
        int count = 0;
        for (const auto& [id, activity] : activities)
            count += activity.notes;
        return count;
    }
};

enum class Decision {
    accept,
    refuse,  ///< The provider demands what was not agreed.
    unknown, ///< Of an activity that we do not know (yet).
    beyond,  ///< It may be right, but the budget does not allow it.
};

struct Verdict {
    Decision decision = Decision::refuse;
    /// Why not.
    std::string problem;
    /// Something odd about a document that is acceptable.
    std::string remark;
    /// What accepting it adds to what was accepted before; may be zero.
    Amount increase;
};

inline Verdict refusal(std::string problem) { return Verdict{Decision::refuse, std::move(problem), {}, Amount()}; }

/// The most seconds a counter can have advanced in `time`; nothing if the counter does not count time.
inline std::optional<double> most_usage(std::string_view counter, double seconds, int threads)
{
    if (counter == properties::duration_counter)
        return seconds;
    if (counter == properties::cpu_counter)
        return seconds * threads;
    return std::nullopt;
}

inline double seconds_of(Duration duration)
{
    return std::chrono::duration<double>(std::max(duration, Duration(0))).count();
}

/// A sum of prices times usage as the highest amount that rounding explains.
inline std::optional<Amount> ceiling(double sum)
{
    const double tolerant = sum * (1 + 1e-9) + 1e-15;
    if (!std::isfinite(tolerant))
        return std::nullopt;
    try {
        return Amount::rounded(tolerant);
    } catch (const Error&) {
        return std::nullopt; // Out of range.
    }
}

inline Verdict within_budget(const Amount& increase, const Amount& budget_left)
{
    Verdict verdict;
    verdict.increase = increase;
    verdict.decision = Decision::accept;
    if (increase > budget_left) {
        verdict.decision = Decision::beyond;
        verdict.problem = "it asks for " + increase.to_string() + " GLM more, but only " + budget_left.to_string() +
                          " GLM of the budget are left";
    }
    return verdict;
}

inline Verdict
audit_note(const AgreementAccount& account, const yagna::DebitNote& note, Timestamp now, const Amount& budget_left)
{
    const auto& terms = account.terms;
    const auto found = account.activities.find(note.activity);
    const bool is_known = found != account.activities.end();
    // The answer to our request for an activity may have been lost: what then ran under an agreement without any other
    // activity is owed. More than one is not.
    if (!is_known && (!account.ended || !account.activities.empty()))
        return Verdict{Decision::unknown, "its activity " + note.activity + " is not ours", {}, Amount()};
    const auto activity = is_known ? found->second : ActivityAccount();
    if (note.issuer != terms.provider)
        return refusal("its issuer " + note.issuer + " is not the provider of the agreement");
    if (note.platform != account.platform)
        return refusal("it is to be paid on " + note.platform + " instead of " + account.platform);
    if (note.total_due.is_negative() || note.total_due < activity.accepted)
        return refusal(
            "its total of " + note.total_due.to_string() + " GLM is less than the " + activity.accepted.to_string() +
            " GLM accepted before");

    const auto until = account.ended ? std::min(now, *account.ended) : now;
    const double longest = seconds_of(until - terms.approved + usage_grace);
    double sum = terms.prices.start;
    const auto& counters = terms.prices.counters;
    if (note.usage && note.usage->size() != counters.size())
        return refusal(
            "it reports " + std::to_string(note.usage->size()) + " counters where " + std::to_string(counters.size()) +
            " were agreed");
    for (std::size_t index = 0; index < counters.size(); ++index) {
        const auto most = most_usage(counters[index].name, longest, terms.threads);
        if (!note.usage) {
            if (!most && counters[index].per_second > 0)
                return refusal("it does not report the usage of " + counters[index].name);
            sum += counters[index].per_second * most.value_or(0);
            continue;
        }
        const double usage = (*note.usage)[index];
        if (!std::isfinite(usage) || usage < 0)
            return refusal("the usage of " + counters[index].name + " is not a number of seconds");
        if (most && usage > *most)
            return refusal(
                std::to_string(usage) + " of " + counters[index].name + " cannot have been used in the " +
                std::to_string(longest) + " s since the agreement");
        sum += counters[index].per_second * usage;
    }
    const auto most = ceiling(sum);
    if (!most)
        return refusal("its usage at the agreed prices is out of range");
    if (note.total_due > *most)
        return refusal(
            "it demands " + note.total_due.to_string() + " GLM where the agreed prices give " + most->to_string());

    auto verdict = within_budget(note.total_due - activity.accepted, budget_left);
    // One at each interval, and the last one of each activity.
    if (!is_known)
        verdict.remark = "its activity " + note.activity + " was created without our knowing";
    const double due = seconds_of(now - terms.approved + note_grace) / seconds_of(terms.note_interval);
    if (account.notes() + 1 > std::floor(due) + static_cast<double>(account.activities.size()))
        verdict.remark = "notes come more often than agreed";
    return verdict;
}

/// From when on an activity's usage is open after an accepted note: the note's own time, not that of our accepting it,
/// which an outage delays.
inline Timestamp settled_until(const AgreedTerms& terms, const yagna::DebitNote& note, Timestamp now)
{
    return std::max(terms.approved, std::min(note.timestamp, now));
}

/// The most that one activity can cost by `until`, as far as its counters count time.
inline std::optional<Amount> most_of(const AgreedTerms& terms, const ActivityAccount& activity, Timestamp until)
{
    const auto since = activity.accepted_at.value_or(terms.approved);
    const double longest = seconds_of(until - since + usage_grace);
    const double whole_time = seconds_of(until - terms.approved + usage_grace);
    double growth = activity.accepted_at ? 0 : terms.prices.start;
    double whole = terms.prices.start;
    bool counts_time = true;
    for (const auto& counter : terms.prices.counters) {
        growth += counter.per_second * most_usage(counter.name, longest, terms.threads).value_or(0);
        whole += counter.per_second * most_usage(counter.name, whole_time, terms.threads).value_or(0);
        counts_time = counts_time && (counter.per_second <= 0 || most_usage(counter.name, 0, terms.threads));
    }
    const auto most = ceiling(growth);
    const auto most_in_all = ceiling(whole);
    if (!most || !most_in_all)
        return std::nullopt;
    // A note that is dated back opens no time twice.
    const auto sum = activity.accepted + *most;
    return counts_time ? std::max(activity.accepted, std::min(sum, *most_in_all)) : sum;
}

/// True if the invoice is no more than the sum of the notes: then nothing is to be waited for.
inline bool is_covered_by_notes(const AgreementAccount& account, const yagna::Invoice& invoice)
{
    return invoice.amount <= account.accepted();
}

inline Verdict
audit_invoice(const AgreementAccount& account, const yagna::Invoice& invoice, Timestamp now, const Amount& budget_left)
{
    const auto& terms = account.terms;
    if (invoice.issuer != terms.provider)
        return refusal("its issuer " + invoice.issuer + " is not the provider of the agreement");
    if (invoice.platform != account.platform)
        return refusal("it is to be paid on " + invoice.platform + " instead of " + account.platform);
    const auto accepted = account.accepted();
    if (invoice.amount.is_negative() || invoice.amount < accepted)
        return refusal(
            "its amount of " + invoice.amount.to_string() + " GLM is less than the " + accepted.to_string() +
            " GLM accepted in debit notes");
    const auto until = account.ended ? std::min(now, *account.ended) : now;
    Amount most;
    for (const auto& [id, activity] : account.activities) {
        const auto part = most_of(terms, activity, until);
        if (!part)
            return refusal("what the agreement allows is out of range");
        most += *part;
    }
    if (invoice.amount > most)
        return refusal(
            "it demands " + invoice.amount.to_string() + " GLM; by the debit notes and the agreed prices it can be " +
            most.to_string() + " GLM at most");
    return within_budget(invoice.amount - accepted, budget_left);
}

} // namespace golem::detail
