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

} // namespace

void Ledger::conclude(Entry& entry, InvoiceState state, std::string problem)
{
    entry.invoice = state;
    entry.problem = std::move(problem);
    entry.settled.set();
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
    if (std::exchange(exhausted_, true) || !on_exhausted_)
        return;
    const Error error(
        Errc::insufficient_funds, "accept " + what,
        "the budget of " + options_.budget.to_string() + " GLM is exhausted: " + accepted_.to_string() +
            " GLM were accepted and " + needed.to_string() +
            " GLM more are needed; raise the budget or top up the account");
    on_exhausted_(std::make_exception_ptr(error));
}

// --- agreements that are over ----------------------------------------------------------------------------------------

/// Months of agreements leave bills, the last of them, instead of all their documents.
void Ledger::fold()
{
    const auto now = time_.now();
    for (auto position = entries_.begin(); position != entries_.end();) {
        const auto& entry = *position->second;
        const auto extra = entry.invoice == InvoiceState::accepted ? Duration(0) : late_invoice;
        if (entry.working || !entry.deadline || now < *entry.deadline + extra) {
            ++position;
            continue;
        }
        folded_.push_back(bill_of(entry));
        position = entries_.erase(position);
    }
    while (folded_.size() > most_bills)
        folded_.pop_front();
}

const Bill* Ledger::folded(const yagna::AgreementId& agreement) const
{
    const auto found =
        std::find_if(folded_.rbegin(), folded_.rend(), [&](const Bill& bill) { return bill.agreement == agreement; });
    return found == folded_.rend() ? nullptr : &*found;
}

Bill Ledger::bill_of(const Entry& entry) const
{
    Bill bill;
    bill.agreement = entry.id;
    bill.provider = entry.account.terms.provider;
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
    std::vector<Bill> bills(folded_.begin(), folded_.end());
    for (const auto& [id, entry] : entries_)
        bills.push_back(bill_of(*entry));
    return bills;
}

std::vector<std::string> Ledger::unsettled() const
{
    std::vector<std::string> lines;
    for (const auto& bill : bills()) {
        if (!bill.invoice_accepted)
            lines.push_back("agreement " + bill.agreement + " with " + bill.provider + ": " + bill.problem);
    }
    return lines;
}

bool Ledger::is_owing() const
{
    for (const auto& [id, entry] : entries_) {
        const bool is_open = entry->invoice == InvoiceState::none;
        if (is_open && (!entry->deadline || time_.now() < *entry->deadline))
            return true;
    }
    return false;
}

} // namespace golem::detail
