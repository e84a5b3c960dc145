// The agreements of the ledger.
#include "ledger.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace golem::detail {

namespace {

/// Accepts at the same time, and those of them for agreements whose last accept has failed.
constexpr std::size_t most_under_way = 16;
constexpr std::size_t most_failing = 4;
/// In the year 2100; later ones would not fit.
constexpr std::int64_t latest_expiration = 4'102'444'800'000;

} // namespace

Ledger::Ledger(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
    std::string platform, AllocationKeeper& allocation, std::function<void(const std::string&)> on_problem)
    : executor_(executor), time_(time), client_(client), log_(std::move(log)), options_(options),
      platform_(std::move(platform)), on_problem_(std::move(on_problem)), allocation_(allocation), closing_(executor),
      places_(std::make_shared<Places>(executor, most_under_way, most_failing)),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
          log_.error("the task \"", name, "\" failed: ", describe(failure));
      })
{
}

// --- agreements ------------------------------------------------------------------------------------------------------

void Ledger::agreement_approved(const yagna::Agreement& agreement)
{
    fold();
    if (entries_.contains(agreement.id) || folded(agreement.id))
        return;
    auto entry = std::make_shared<Entry>(executor_, agreement.id);
    const auto name = agreement.offer.properties.get_string("golem.node.id.name");
    entry->provider_name = name.value_or(std::string());
    auto reading = read_terms(agreement);
    if (reading.terms) {
        entry->account.terms = std::move(*reading.terms);
    } else {
        // With no prices at all, only zero amounts are acceptable.
        entry->account.terms.provider = agreement.provider;
        entry->account.terms.approved = time_.utc();
        complain(*entry, "agreement", agreement.id, reading.problem);
    }
    entry->account.platform = platform_;
    const auto expiration = agreement.demand.properties.get_int("golem.srv.comp.expiration");
    if (expiration) {
        const auto last = std::chrono::milliseconds(std::clamp<std::int64_t>(*expiration, 0, latest_expiration));
        entry->expires = time_.deadline(std::max<Duration>(Timestamp(last) - time_.utc(), Duration(0)));
        look_at_end(*entry, *end_of(*entry));
    }
    entries_.emplace(agreement.id, std::move(entry));
}

void Ledger::activity_created(const yagna::AgreementId& agreement, const yagna::ActivityId& activity)
{
    const auto entry = find(agreement);
    if (!entry)
        return;
    entry->account.activities.try_emplace(activity);
    for (auto& note : std::exchange(entry->parked, {}))
        note_came(note);
}

void Ledger::agreement_ended(const yagna::AgreementId& agreement)
{
    const auto entry = find(agreement);
    if (!entry || entry->deadline)
        return;
    entry->account.ended = time_.utc();
    entry->deadline = time_.deadline(options_.last_invoice);
    look_at_end(*entry, *entry->deadline);
    for (const auto& note : std::exchange(entry->parked, {}))
        note_came(note);
}

Task<Bill> Ledger::settle(const yagna::AgreementId& agreement)
{
    const auto entry = find(agreement);
    if (const auto* old = folded(agreement))
        co_return *old;
    if (!entry) {
        Bill bill;
        bill.agreement = agreement;
        bill.problem = "the agreement is not known";
        co_return bill;
    }
    const auto deadline = entry->deadline.value_or(time_.deadline(options_.last_invoice));
    if (!entry->settled.is_set() && time_.now() < deadline) {
        auto end = entry->settled.wait();
        co_await with_timeout(time_, deadline - time_.now(), std::move(end), "waiting for the last invoice");
    }
    co_return bill_of(*entry);
}

Task<> Ledger::await_invoices(Instant deadline)
{
    const auto entries = entries_;
    for (const auto& [id, entry] : entries) {
        if (!entry->deadline)
            continue;
        const auto limit = std::min(deadline, *entry->deadline);
        if (entry->settled.is_set() || time_.now() >= limit)
            continue;
        auto end = entry->settled.wait();
        co_await with_timeout(time_, limit - time_.now(), std::move(end), "waiting for the last invoices");
    }
}

Task<> Ledger::finish(Instant deadline)
{
    closing_.set();
    for (const auto& [id, entry] : entries_)
        entry->arrival.set(); // What waits has its last chance.
    const auto now = time_.now();
    auto end = tasks_.join();
    const auto limit = std::max(Duration(deadline - now), Duration(0));
    co_await with_timeout(time_, limit, std::move(end), "accepting the last documents");
    tasks_.cancel(); // In any case: nothing is to be started any more.
    co_await tasks_.join();
    fold();
}

Ledger::EntryPointer Ledger::find(const yagna::AgreementId& agreement) const
{
    const auto found = entries_.find(agreement);
    return found == entries_.end() ? nullptr : found->second;
}

std::optional<Instant> Ledger::end_of(const Entry& entry) const
{
    if (entry.deadline || !entry.expires)
        return entry.deadline;
    return *entry.expires + std::min<Duration>(options_.last_invoice, Instant::max() - *entry.expires);
}

bool Ledger::is_overdue(const Entry& entry) const
{
    const auto end = end_of(entry);
    return end && time_.now() >= *end;
}

} // namespace golem::detail
