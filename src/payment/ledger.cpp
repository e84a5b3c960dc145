#include "ledger.hpp"

#include "failures.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

/// Accepts at the same time.
constexpr std::size_t most_under_way = 16;
constexpr std::size_t most_parked = 16;
/// A new allocation may be gone again, but not always.
constexpr int most_allocations = 3;
/// The feeds of notes and invoices look once a second, each for itself: an invoice is often seen before the last note.
constexpr Duration note_wait = std::chrono::seconds(3);
constexpr int fewest_attempts = 3;

RetryPolicy accept_policy()
{
    RetryPolicy policy;
    policy.initial_delay = std::chrono::milliseconds(500);
    return policy;
}

bool is_over(yagna::DocumentStatus status)
{
    return status == yagna::DocumentStatus::accepted || status == yagna::DocumentStatus::settled;
}

} // namespace

Ledger::Ledger(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
    std::string platform, AllocationKeeper& allocation, std::function<void(const std::string&)> on_problem)
    : executor_(executor), time_(time), client_(client), log_(std::move(log)), options_(options),
      platform_(std::move(platform)), on_problem_(std::move(on_problem)), allocation_(allocation),
      places_(executor, most_under_way), tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
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
    const auto now = time_.now();
    auto end = tasks_.join();
    const auto limit = std::max(Duration(deadline - now), Duration(0));
    co_await with_timeout(time_, limit, std::move(end), "accepting the last documents");
    tasks_.cancel(); // In any case: nothing is to be started any more.
    co_await tasks_.join();
}

Ledger::EntryPointer Ledger::find(const yagna::AgreementId& agreement) const
{
    const auto found = entries_.find(agreement);
    return found == entries_.end() ? nullptr : found->second;
}

// --- documents -------------------------------------------------------------------------------------------------------

void Ledger::note_came(const yagna::DebitNote& note)
{
    const auto entry = find(note.agreement);
    if (!entry) {
        log_.debug("debit note ", note.id, " belongs to none of our agreements");
        return;
    }
    if (!entry->account.activities.contains(note.activity) && !entry->deadline) {
        if (entry->parked.size() == most_parked)
            entry->parked.erase(entry->parked.begin());
        entry->parked.push_back(note);
        return;
    }
    enqueue(entry, Document{note, std::nullopt});
}

void Ledger::invoice_came(const yagna::Invoice& invoice)
{
    const auto entry = find(invoice.agreement);
    const auto* over = folded(invoice.agreement);
    if (!entry && over && !over->invoice_accepted)
        log_.warning(
            "invoice ", invoice.id, " of agreement ", invoice.agreement, " comes too late, it is not accepted");
    if (!entry) {
        log_.debug("invoice ", invoice.id, " belongs to none of our agreements");
        return;
    }
    enqueue(entry, Document{invoice, std::nullopt});
}

void Ledger::enqueue(const EntryPointer& entry, Document document)
{
    const auto& id = std::visit([](const auto& content) -> const std::string& { return content.id; }, document.content);
    if (!entry->taken.insert(id).second)
        return;
    entry->queue.push_back(std::move(document));
    entry->arrival.set();
    if (!std::exchange(entry->working, true))
        tasks_.spawn("documents of agreement " + entry->id, [this, entry] { return work(entry); });
}

Task<> Ledger::work(EntryPointer entry)
{
    struct Leaving {
        Entry& entry;
        ~Leaving() { entry.working = false; }
    };
    const Leaving leaving(*entry);
    for (;;) {
        const auto document = next(*entry);
        if (!document && entry->held.empty())
            co_return;
        if (!document) {
            const auto hold = shortest_hold(*entry);
            auto arrival = entry->arrival.wait();
            co_await with_timeout(time_, hold, std::move(arrival), "an invoice waits for the last debit note");
            continue;
        }
        std::exception_ptr failure;
        try {
            if (const auto* note = std::get_if<yagna::DebitNote>(&document->content))
                co_await handle_note(entry, *note);
            else
                co_await handle_invoice(entry, std::get<yagna::Invoice>(document->content));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (failure)
            complain(*entry, "a document", entry->id, describe(failure));
    }
}

/// What can be handled now: what came, in its order, then invoices that need not wait any more.
std::optional<Ledger::Document> Ledger::next(Entry& entry)
{
    while (!entry.queue.empty()) {
        auto document = std::move(entry.queue.front());
        entry.queue.pop_front();
        if (!is_to_be_held(entry, document))
            return document;
        entry.held.push_back(std::move(document));
    }
    entry.arrival.reset();
    for (auto held = entry.held.begin(); held != entry.held.end(); ++held) {
        if (is_to_be_held(entry, *held))
            continue;
        auto document = std::move(*held);
        entry.held.erase(held);
        return document;
    }
    return std::nullopt;
}

Duration Ledger::shortest_hold(const Entry& entry) const
{
    Duration shortest = note_wait;
    for (const auto& document : entry.held)
        shortest = std::min<Duration>(shortest, *document.hold_until - time_.now());
    return shortest;
}

bool Ledger::is_to_be_held(Entry& entry, Document& document) const
{
    const auto* invoice = std::get_if<yagna::Invoice>(&document.content);
    if (!invoice || is_over(invoice->status) || entry.invoice == InvoiceState::accepted ||
        is_covered_by_notes(entry.account, *invoice))
        return false;
    if (!document.hold_until)
        document.hold_until = time_.deadline(note_wait);
    return time_.now() < *document.hold_until;
}

Task<> Ledger::handle_note(EntryPointer entry, const yagna::DebitNote& note)
{
    if (entry->invoice != InvoiceState::none) {
        log_.debug("debit note ", note.id, " is of no consequence after the invoice");
        co_return;
    }
    const auto verdict = audit_note(entry->account, note, time_.utc(), budget_left());
    if (verdict.decision != Decision::accept) {
        complain(*entry, "debit note", note.id, verdict.problem);
        if (verdict.decision == Decision::beyond)
            exhausted("debit note " + note.id, verdict.increase);
        co_return;
    }
    if (!verdict.remark.empty())
        log_.warning("debit note ", note.id, " of agreement ", entry->id, ": ", verdict.remark);

    Send send = [this, &note](const yagna::AllocationId& allocation) {
        return client_.payment().accept_debit_note(note.id, note.total_due, allocation);
    };
    Read read = [this, &note] { return note_status(note.id); };
    const std::string what = "debit note " + note.id;
    const auto acceptance = co_await accept_and_book(entry, what, note.status, verdict.increase, send, read);
    if (acceptance != Acceptance::accepted)
        co_return;
    auto& activity = entry->account.activities[note.activity];
    activity.accepted = note.total_due;
    activity.accepted_at = settled_until(entry->account.terms, note, time_.utc());
    ++activity.notes;
    log_.debug("accepted debit note ", note.id, ": ", note.total_due.to_string(), " GLM");
}

Task<> Ledger::handle_invoice(EntryPointer entry, const yagna::Invoice& invoice)
{
    if (entry->doubtful) {
        const bool is_known = co_await resolve_doubt(entry);
        if (!is_known) {
            complain(
                *entry, "invoice", invoice.id, "it is not known whether invoice " + *entry->doubtful + " was accepted");
            co_return;
        }
    }
    if (entry->invoice == InvoiceState::accepted) {
        const std::string problem = "the agreement's invoice was accepted before";
        complain(*entry, "invoice", invoice.id, problem);
        // The daemon would charge for it a second time.
        if (!is_over(invoice.status))
            co_await send_rejection(invoice, yagna::RejectionReason::unsolicited_service, problem);
        co_return;
    }
    const auto verdict = audit_invoice(entry->account, invoice, time_.utc(), budget_left());
    if (verdict.decision == Decision::beyond) {
        complain(*entry, "invoice", invoice.id, verdict.problem);
        conclude(*entry, InvoiceState::unpaid, "its invoice is not accepted: " + verdict.problem);
        exhausted("invoice " + invoice.id, verdict.increase);
        co_return;
    }
    if (verdict.decision != Decision::accept) {
        complain(*entry, "invoice", invoice.id, verdict.problem);
        co_await reject(entry, invoice, verdict.problem);
        co_return;
    }

    Send send = [this, &invoice](const yagna::AllocationId& allocation) {
        return client_.payment().accept_invoice(invoice.id, invoice.amount, allocation);
    };
    Read read = [this, &invoice] { return invoice_status(invoice.id); };
    const std::string what = "invoice " + invoice.id;
    const auto acceptance = co_await accept_and_book(entry, what, invoice.status, verdict.increase, send, read);
    if (acceptance == Acceptance::given_up)
        entry->doubtful = invoice.id;
    if (acceptance != Acceptance::accepted) {
        conclude(*entry, InvoiceState::unpaid, "its invoice " + invoice.id + " could not be accepted");
        co_return;
    }
    entry->problem.clear();
    conclude(*entry, InvoiceState::accepted, {});
    log_.info("accepted the invoice of agreement ", entry->id, ": ", invoice.amount.to_string(), " GLM");
}

/// Two accepted invoices would be paid both. False if the daemon does not tell.
Task<bool> Ledger::resolve_doubt(EntryPointer entry)
{
    yagna::Invoice first;
    std::exception_ptr failure;
    try {
        auto reading = client_.payment().invoice(*entry->doubtful);
        first = co_await std::move(reading);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        co_return false;
    entry->doubtful.reset();
    if (is_over(first.status)) {
        const auto increase = first.amount - entry->account.accepted();
        accepted_ += increase;
        entry->accepted += increase;
        conclude(*entry, InvoiceState::accepted, {});
    }
    co_return true;
}

Task<yagna::DocumentStatus> Ledger::note_status(const yagna::DebitNoteId& id)
{
    const auto note = co_await client_.payment().debit_note(id);
    co_return note.status;
}

Task<yagna::DocumentStatus> Ledger::invoice_status(const yagna::InvoiceId& id)
{
    const auto invoice = co_await client_.payment().invoice(id);
    co_return invoice.status;
}

/// Gives one of the few places back.
class Ledger::Slot {
public:
    explicit Slot(Places& places) : places_(places) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { places_.give(); }

private:
    Places& places_;
};

/// What it costs more is kept free in the budget meanwhile. A document that is accepted already is only booked.
Task<Ledger::Acceptance> Ledger::accept_and_book(
    EntryPointer entry, const std::string& what, yagna::DocumentStatus status, const Amount& increase, const Send& send,
    const Read& read)
{
    auto acceptance = Acceptance::accepted;
    std::exception_ptr failure;
    reserved_ += increase;
    try {
        if (!is_over(status))
            acceptance = co_await accept(entry, what, increase, send, read);
    } catch (...) {
        failure = std::current_exception();
    }
    reserved_ -= increase;
    if (failure)
        std::rethrow_exception(failure);
    if (acceptance == Acceptance::accepted) {
        accepted_ += increase;
        entry->accepted += increase;
    }
    co_return acceptance;
}

Task<Ledger::Acceptance>
Ledger::accept(EntryPointer entry, const std::string& what, const Amount& increase, const Send& send, const Read& read)
{
    int allocations_gone = 0;
    Backoff pause(accept_policy(), Random(1).sub_stream(entry->id));
    for (int attempts = 1;; ++attempts) {
        std::exception_ptr failure;
        co_await attempt(send, failure);
        if (!failure)
            co_return Acceptance::accepted;
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        if (is_allocation_gone(failure) && ++allocations_gone < most_allocations)
            continue;
        if (!may_succeed_later(failure)) {
            complain(*entry, what, {}, describe(failure));
            if (has_code(failure, Errc::insufficient_funds))
                exhausted(what, increase);
            co_return Acceptance::refused;
        }
        if (is_late(*entry, attempts)) {
            complain(*entry, what, {}, "given up: " + describe(failure));
            co_return Acceptance::given_up;
        }
        log_.info(what, " could not be accepted, trying again: ", describe(failure));
        co_await time_.sleep_for(pause.next(), "before accepting a document again");

        std::exception_ptr unreadable;
        auto status = yagna::DocumentStatus::unknown;
        try {
            auto reading = read();
            status = co_await std::move(reading);
        } catch (...) {
            unreadable = std::current_exception();
        }
        if (unreadable && is_cancelled(unreadable))
            std::rethrow_exception(unreadable);
        if (is_over(status))
            co_return Acceptance::accepted;
        if (status == yagna::DocumentStatus::cancelled) {
            complain(*entry, what, {}, "the provider has cancelled it");
            co_return Acceptance::refused;
        }
    }
}

/// One request; its place is kept no longer, for a provider's node may be out of reach for hours.
Task<> Ledger::attempt(const Send& send, std::exception_ptr& failure)
{
    yagna::AllocationId allocation;
    try {
        allocation = co_await allocation_.usable();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        co_return;
    co_await places_.take();
    const Slot slot(places_);
    try {
        auto request = send(allocation);
        co_await std::move(request);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_allocation_gone(failure))
        allocation_.is_gone(allocation);
}

bool Ledger::is_late(const Entry& entry, int attempts) const
{
    return entry.deadline && time_.now() >= *entry.deadline && attempts >= fewest_attempts;
}

Task<> Ledger::reject(EntryPointer entry, const yagna::Invoice& invoice, const std::string& message)
{
    co_await send_rejection(invoice, yagna::RejectionReason::incorrect_amount, message);
    conclude(*entry, InvoiceState::rejected, "its invoice was rejected: " + message);
}

Task<> Ledger::send_rejection(const yagna::Invoice& invoice, yagna::RejectionReason reason, const std::string& message)
{
    std::exception_ptr failure;
    try {
        co_await client_.payment().reject_invoice(invoice.id, reason, message);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.warning("invoice ", invoice.id, " could not be rejected: ", describe(failure));
}

} // namespace golem::detail
