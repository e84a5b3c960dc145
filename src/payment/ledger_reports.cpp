// What the ledger tells, and what it keeps of agreements that are over.
#include "ledger.hpp"

#include <golem/core/error.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

/// Bills of agreements that are over.
constexpr std::size_t most_bills = 1000;
/// How long after its deadline a missing or wrong invoice may still be followed by a right one.
constexpr Duration late_invoice = std::chrono::hours(24);
/// An entry whose documents are still worked on is looked at again after this.
constexpr Duration busy_pause = std::chrono::minutes(1);

} // namespace

void Ledger::conclude(Entry& entry, InvoiceState state, std::string problem)
{
    entry.invoice = state;
    entry.problem = std::move(problem);
    entry.settled.set();
    if (const auto end = end_of(entry))
        look_at_end(entry, *end);
}

void Ledger::complain(Entry& entry, std::string_view document, const std::string& id, const std::string& problem)
{
    std::string line(document);
    if (!id.empty())
        line += " " + id;
    line += " of agreement " + entry.id + ": " + problem;
    entry.problem = line;
    if (on_problem_)
        on_problem_(line);
    else
        log_.warning(line);
}

void Ledger::exhausted(const std::string& what, const Amount& needed)
{
    if (exhaustion_)
        return;
    const Error error(
        Errc::insufficient_funds, "accept " + what,
        "the budget of " + options_.budget.to_string() + " GLM is exhausted: " + accepted_.to_string() +
            " GLM were accepted and " + needed.to_string() +
            " GLM more are needed; raise the budget or top up the account");
    exhaustion_ = std::make_exception_ptr(error);
    if (on_exhausted_)
        on_exhausted_(exhaustion_);
}

// --- agreements that are over ----------------------------------------------------------------------------------------

void Ledger::look_at_end(const Entry& entry, Instant when) { ends_.emplace(when, entry.id); }

/// Months of agreements leave bills, the last of them, instead of all their documents. Looks only at those that may be
/// over by now.
void Ledger::fold()
{
    const auto now = time_.now();
    while (!ends_.empty() && ends_.begin()->first <= now) {
        const auto id = ends_.extract(ends_.begin()).value().second;
        const auto found = entries_.find(id);
        if (found == entries_.end())
            continue;
        const auto& entry = *found->second;
        const auto end = end_of(entry);
        if (!end)
            continue;
        const auto extra = entry.invoice == InvoiceState::accepted ? Duration(0) : late_invoice;
        auto due = *end + std::min<Duration>(extra, Instant::max() - *end);
        if (entry.working)
            due = std::max(due, now + busy_pause);
        if (now < due) {
            look_at_end(entry, due);
            continue;
        }
        if (entry.invoice != InvoiceState::accepted)
            log_.warning("agreement ", id, " is over: ", bill_of(entry).problem);
        folded_.emplace(id, bill_of(entry));
        order_.push_back(id);
        entries_.erase(found);
    }
    while (order_.size() > most_bills) {
        folded_.erase(order_.front());
        order_.pop_front();
    }
}

const Bill* Ledger::folded(const yagna::AgreementId& agreement) const
{
    const auto found = folded_.find(agreement);
    return found == folded_.end() ? nullptr : &found->second;
}

Bill Ledger::bill_of(const Entry& entry) const
{
    Bill bill;
    bill.agreement = entry.id;
    bill.provider = entry.account.terms.provider;
    bill.provider_name = entry.provider_name;
    bill.accepted = entry.accepted;
    bill.invoice_accepted = entry.invoice == InvoiceState::accepted;
    if (bill.invoice_accepted)
        return bill;
    bill.problem = entry.problem;
    if (bill.problem.empty() && !entry.deadline)
        bill.problem = "the agreement has not ended";
    else if (bill.problem.empty())
        bill.problem =
            time_.now() < *entry.deadline ? "its invoice has not come yet" : "its invoice did not come in time";
    return bill;
}

std::vector<Bill> Ledger::bills() const
{
    std::vector<Bill> bills;
    for (const auto& id : order_)
        bills.push_back(folded_.at(id));
    for (const auto& [id, entry] : entries_)
        bills.push_back(bill_of(*entry));
    return bills;
}

/// An entry is there for a day after its end; of those before, the log has told.
std::vector<std::string> Ledger::unsettled() const
{
    std::vector<std::string> lines;
    for (const auto& [id, entry] : entries_) {
        const auto bill = bill_of(*entry);
        if (!bill.invoice_accepted)
            lines.push_back("agreement " + bill.agreement + " with " + bill.provider + ": " + bill.problem);
    }
    return lines;
}

bool Ledger::is_owing() const
{
    return std::any_of(entries_.begin(), entries_.end(), [this](const auto& known) {
        return known.second->invoice == InvoiceState::none && !is_overdue(*known.second);
    });
}

} // namespace golem::detail
