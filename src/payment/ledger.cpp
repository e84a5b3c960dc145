#include "ledger.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <utility>

namespace golem::detail {

namespace {

/// Agreements whose documents are accepted at the same time.
constexpr std::size_t most_under_way = 8;
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

/// Whether the same request may succeed later, or may have succeeded.
bool is_transient(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.is_transient() || error.errc() == Errc::timed_out || error.errc() == Errc::daemon_failed ||
               error.errc() == Errc::protocol;
    } catch (...) {
        return false;
    }
}

} // namespace

Ledger::Ledger(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
    std::string platform, std::function<void(const std::string&)> on_problem)
    : executor_(executor), time_(time), client_(client), log_(std::move(log)), options_(options),
      platform_(std::move(platform)), on_problem_(std::move(on_problem)), slot_free_(executor),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
          log_.error("the task \"", name, "\" failed: ", describe(failure));
      })
{
}

// --- agreements ------------------------------------------------------------------------------------------------------

void Ledger::agreement_approved(const yagna::Agreement& agreement)
{
    if (entries_.contains(agreement.id))
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
        complain(*entry, "debit note", note.id, "its activity " + note.activity + " is not ours");
}

Task<Bill> Ledger::settle(const yagna::AgreementId& agreement)
{
    const auto entry = find(agreement);
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
        entry->parked.push_back(note);
        return;
    }
    enqueue(entry, Document{note, std::nullopt});
}

void Ledger::invoice_came(const yagna::Invoice& invoice)
{
    const auto entry = find(invoice.agreement);
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
    while (!entry->queue.empty()) {
        auto document = std::move(entry->queue.front());
        entry->queue.pop_front();
        if (entry->queue.empty())
            entry->arrival.reset();
        if (is_to_be_held(*entry, document)) {
            const auto now = time_.now();
            if (entry->queue.empty()) {
                auto arrival = entry->arrival.wait();
                co_await with_timeout(
                    time_, *document.hold_until - now, std::move(arrival), "an invoice waits for the last debit note");
            }
            entry->queue.push_back(std::move(document));
            entry->arrival.set();
            continue;
        }
        std::exception_ptr failure;
        try {
            if (const auto* note = std::get_if<yagna::DebitNote>(&document.content))
                co_await handle_note(entry, *note);
            else
                co_await handle_invoice(entry, std::get<yagna::Invoice>(document.content));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (failure)
            complain(*entry, "a document", entry->id, describe(failure));
    }
}

bool Ledger::is_to_be_held(Entry& entry, Document& document) const
{
    const auto* invoice = std::get_if<yagna::Invoice>(&document.content);
    if (!invoice || is_over(invoice->status) || entry.account.activities.empty() ||
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
        co_return;
    }
    if (!verdict.remark.empty())
        log_.warning("debit note ", note.id, " of agreement ", entry->id, ": ", verdict.remark);

    reserved_ += verdict.increase;
    auto acceptance = Acceptance::given_up;
    std::exception_ptr failure;
    try {
        auto send = [this, &note] { return client_.payment().accept_debit_note(note.id, note.total_due, allocation_); };
        auto read = [this, &note] { return note_status(note.id); };
        if (is_over(note.status))
            acceptance = Acceptance::accepted;
        else
            acceptance = co_await accept(entry, "debit note " + note.id, std::move(send), std::move(read));
    } catch (...) {
        failure = std::current_exception();
    }
    reserved_ -= verdict.increase;
    if (failure)
        std::rethrow_exception(failure);
    if (acceptance != Acceptance::accepted)
        co_return;
    accepted_ += verdict.increase;
    entry->accepted += verdict.increase;
    auto& activity = entry->account.activities[note.activity];
    activity.accepted = note.total_due;
    activity.accepted_at = time_.utc();
    ++activity.notes;
    log_.debug("accepted debit note ", note.id, ": ", note.total_due.to_string(), " GLM");
}

Task<> Ledger::handle_invoice(EntryPointer entry, const yagna::Invoice& invoice)
{
    if (entry->invoice == InvoiceState::accepted) {
        complain(*entry, "invoice", invoice.id, "the agreement's invoice was accepted before");
        co_return;
    }
    const auto verdict = audit_invoice(entry->account, invoice, time_.utc(), budget_left());
    if (verdict.decision == Decision::beyond) {
        complain(*entry, "invoice", invoice.id, verdict.problem);
        conclude(*entry, InvoiceState::unpaid, "its invoice is not accepted: " + verdict.problem);
        co_return;
    }
    if (verdict.decision != Decision::accept) {
        complain(*entry, "invoice", invoice.id, verdict.problem);
        co_await reject(entry, invoice, verdict.problem);
        co_return;
    }

    reserved_ += verdict.increase;
    auto acceptance = Acceptance::given_up;
    std::exception_ptr failure;
    try {
        auto send = [this, &invoice] {
            return client_.payment().accept_invoice(invoice.id, invoice.amount, allocation_);
        };
        auto read = [this, &invoice] { return invoice_status(invoice.id); };
        if (is_over(invoice.status))
            acceptance = Acceptance::accepted;
        else
            acceptance = co_await accept(entry, "invoice " + invoice.id, std::move(send), std::move(read));
    } catch (...) {
        failure = std::current_exception();
    }
    reserved_ -= verdict.increase;
    if (failure)
        std::rethrow_exception(failure);
    if (acceptance != Acceptance::accepted) {
        conclude(*entry, InvoiceState::unpaid, "its invoice " + invoice.id + " could not be accepted");
        co_return;
    }
    accepted_ += verdict.increase;
    entry->accepted += verdict.increase;
    entry->problem.clear();
    conclude(*entry, InvoiceState::accepted, {});
    log_.info("accepted the invoice of agreement ", entry->id, ": ", invoice.amount.to_string(), " GLM");
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

/// Keeps one of the few places for agreements whose documents are accepted at the same time.
class Ledger::Slot {
public:
    explicit Slot(Ledger& ledger) : ledger_(ledger) { ++ledger_.under_way_; }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot()
    {
        --ledger_.under_way_;
        ledger_.slot_free_.pulse();
    }

private:
    Ledger& ledger_;
};

Task<Ledger::Acceptance> Ledger::accept(
    EntryPointer entry, std::string what, std::function<Task<>()> send,
    std::function<Task<yagna::DocumentStatus>()> read)
{
    while (under_way_ >= most_under_way)
        co_await slot_free_.wait();
    const Slot slot(*this);
    Backoff pause(accept_policy(), Random(1).sub_stream(entry->id));
    for (int attempts = 1;; ++attempts) {
        std::exception_ptr failure;
        try {
            auto request = send();
            co_await std::move(request);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            co_return Acceptance::accepted;
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        if (!is_transient(failure)) {
            complain(*entry, what, {}, describe(failure));
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

bool Ledger::is_late(const Entry& entry, int attempts) const
{
    return entry.deadline && time_.now() >= *entry.deadline && attempts >= fewest_attempts;
}

Task<> Ledger::reject(EntryPointer entry, const yagna::Invoice& invoice, const std::string& message)
{
    std::exception_ptr failure;
    try {
        co_await client_.payment().reject_invoice(invoice.id, yagna::RejectionReason::incorrect_amount, message);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.warning("invoice ", invoice.id, " could not be rejected: ", describe(failure));
    conclude(*entry, InvoiceState::rejected, "its invoice was rejected: " + message);
}

// --- words -----------------------------------------------------------------------------------------------------------

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
    log_.warning(line);
    entry.problem = line;
    if (on_problem_)
        on_problem_(line);
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
    std::vector<Bill> bills;
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
