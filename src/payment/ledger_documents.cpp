// Which document is handled when, and what is thought of it.
#include "ledger.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::detail {

namespace {

constexpr std::size_t most_parked = 16;
/// Notes of one agreement that wait while an earlier one is tried: the latest, for totals run.
constexpr std::size_t most_queued = 32;
/// The feeds of notes and invoices look once a second, each for itself: an invoice is often seen before the last note.
constexpr Duration note_wait = std::chrono::seconds(3);
/// How long a document waits for money that is kept free for others: within the accept timeout.
constexpr Duration room_wait = std::chrono::seconds(60);
constexpr Duration room_pause = std::chrono::milliseconds(250);
constexpr Duration question_margin = std::chrono::milliseconds(1);

template <typename Document>
bool is_note(const Document& document)
{
    return std::holds_alternative<yagna::DebitNote>(document.content);
}

} // namespace

// --- in which order --------------------------------------------------------------------------------------------------

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
    enqueue(entry, Document{note, {}, {}, {}});
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
    enqueue(entry, Document{invoice, {}, {}, {}});
}

void Ledger::enqueue(const EntryPointer& entry, Document document)
{
    const auto& id = std::visit([](const auto& content) -> const std::string& { return content.id; }, document.content);
    if (!entry->taken.insert(id))
        return;
    auto& queue = entry->queue;
    queue.push_back(std::move(document));
    if (queue.size() > most_queued) {
        const auto oldest = std::find_if(queue.begin(), queue.end(), is_note<Document>);
        queue.erase(oldest == queue.end() ? queue.begin() : oldest);
    }
    entry->arrival.set();
    entry->failures = std::min(entry->failures, 1); // Its provider is within reach again.
    ++entry->documents;
    entry->news.pulse();
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
        if (document) {
            co_await handle(entry, *document);
            continue;
        }
        if (is_doubt_due(*entry)) {
            co_await ask_for_doubts(entry, false);
            continue;
        }
        const bool is_done = entry->held.empty() && (entry->doubts.empty() || closing_.is_set());
        if (is_done)
            co_return;
        const auto hold = shortest_hold(*entry);
        auto arrival = entry->arrival.wait();
        co_await with_timeout(time_, hold, std::move(arrival), "a document waits until more is known");
    }
}

Task<> Ledger::handle(EntryPointer entry, const Document& document)
{
    std::exception_ptr failure;
    try {
        if (is_note(document))
            co_await handle_note(entry, document);
        else
            co_await handle_invoice(entry, document);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        complain(*entry, "a document", entry->id, describe(failure));
}

/// What can be handled now: what came, in its order, then what need not wait any more.
std::optional<Ledger::Document> Ledger::next(Entry& entry)
{
    while (!entry.queue.empty()) {
        auto document = std::move(entry.queue.front());
        entry.queue.pop_front();
        if (!is_early(entry, document) && !is_note_before(entry, document))
            return document;
        entry.held.push_back(std::move(document));
    }
    entry.arrival.reset();
    bool is_note_waiting = false; // Totals run: a note does not overtake an earlier one.
    for (auto held = entry.held.begin(); held != entry.held.end(); ++held) {
        const bool is_blocked = is_note_waiting && is_note(*held);
        if (is_blocked || is_early(entry, *held)) {
            is_note_waiting = is_note_waiting || is_note(*held);
            continue;
        }
        auto document = std::move(*held);
        entry.held.erase(held);
        return document;
    }
    return std::nullopt;
}

Duration Ledger::shortest_hold(const Entry& entry) const
{
    Duration shortest = note_wait;
    if (entry.held.empty())
        shortest = std::chrono::hours(1);
    const auto until = [&](Instant when) {
        if (when > time_.now())
            shortest = std::min<Duration>(shortest, when - time_.now());
    };
    for (const auto& document : entry.held) {
        if (document.note_until)
            until(*document.note_until);
        until(document.not_before);
    }
    for (const auto& doubt : entry.doubts)
        until(doubt.next);
    return shortest;
}

bool Ledger::is_early(Entry& entry, Document& document) const
{
    if (time_.now() < document.not_before && !closing_.is_set())
        return true;
    const auto* invoice = std::get_if<yagna::Invoice>(&document.content);
    if (!invoice || is_over(invoice->status) || entry.invoice == InvoiceState::accepted ||
        is_covered_by_notes(entry.account, *invoice))
        return false;
    if (!document.note_until)
        document.note_until = time_.deadline(note_wait);
    return time_.now() < *document.note_until;
}

bool Ledger::is_note_before(const Entry& entry, const Document& document) const
{
    return is_note(document) && std::any_of(entry.held.begin(), entry.held.end(), is_note<Document>);
}

// --- what is thought of it -------------------------------------------------------------------------------------------

Task<> Ledger::handle_note(EntryPointer entry, const Document& document)
{
    const auto& note = std::get<yagna::DebitNote>(document.content);
    if (entry->invoice != InvoiceState::none) {
        log_.debug("debit note ", note.id, " is of no consequence after the invoice");
        co_return;
    }
    const auto room = budget_left() + doubtful_in(*entry, &note.activity);
    const auto verdict = audit_note(entry->account, note, time_.utc(), room);
    if (verdict.decision == Decision::beyond && put_back(*entry, document, verdict.increase))
        co_return;
    if (verdict.decision != Decision::accept) {
        complain(*entry, "debit note", note.id, verdict.problem);
        if (verdict.decision == Decision::beyond)
            exhausted("debit note " + note.id, verdict.increase);
        co_return;
    }
    if (!verdict.remark.empty())
        log_.warning("debit note ", note.id, " of agreement ", entry->id, ": ", verdict.remark);

    auto paying = payable(note);
    paying.increase = verdict.increase;
    const auto acceptance = co_await accept_and_book(entry, paying);
    if (acceptance == Acceptance::given_up)
        doubt(*entry, document, verdict.increase);
    if (acceptance != Acceptance::accepted)
        co_return;
    book_note(*entry, note);
    log_.debug("accepted debit note ", note.id, ": ", note.total_due.to_string(), " GLM");
}

Task<> Ledger::handle_invoice(EntryPointer entry, const Document& document)
{
    const auto& invoice = std::get<yagna::Invoice>(document.content);
    // Two accepted invoices would be paid both.
    const bool is_new = document.not_before == Instant();
    const bool asks = doubtful_invoice(*entry) && (is_new || closing_.is_set());
    if (asks)
        co_await ask_for_doubts(entry, true);
    if (const auto* first = doubtful_invoice(*entry)) {
        const auto problem = "it is not known whether invoice " + first->content_id() + " was accepted";
        if (is_new)
            complain(*entry, "invoice", invoice.id, problem);
        if (!closing_.is_set()) {
            auto later = document;
            later.not_before = first->next + question_margin; // After the question.
            entry->held.push_back(std::move(later));
        }
        co_return;
    }
    if (entry->invoice == InvoiceState::accepted) {
        const std::string problem = "the agreement's invoice was accepted before";
        complain(*entry, "invoice", invoice.id, problem);
        // The daemon would charge for it a second time.
        if (!is_over(invoice.status))
            co_await send_rejection(invoice, yagna::RejectionReason::unsolicited_service, problem);
        co_return;
    }
    const auto room = budget_left() + doubtful_in(*entry, nullptr);
    const auto verdict = audit_invoice(entry->account, invoice, time_.utc(), room);
    if (verdict.decision == Decision::beyond) {
        if (put_back(*entry, document, verdict.increase))
            co_return;
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

    auto paying = payable(invoice);
    paying.increase = verdict.increase;
    const auto acceptance = co_await accept_and_book(entry, paying);
    if (acceptance == Acceptance::given_up) {
        doubt(*entry, document, verdict.increase);
        conclude(*entry, InvoiceState::unpaid, "it is not known whether its invoice " + invoice.id + " was accepted");
    }
    if (acceptance == Acceptance::refused)
        conclude(*entry, InvoiceState::unpaid, "its invoice " + invoice.id + " could not be accepted");
    if (acceptance != Acceptance::accepted)
        co_return;
    entry->problem.clear();
    conclude(*entry, InvoiceState::accepted, {});
    forget_moot_doubts(*entry);
    log_.info("accepted the invoice of agreement ", entry->id, ": ", invoice.amount.to_string(), " GLM");
}

/// True if it waits: there is enough for it, but what is being accepted, or may have been, comes first.
bool Ledger::put_back(Entry& entry, const Document& document, const Amount& increase)
{
    if (closing_.is_set() || increase > options_.budget - accepted_)
        return false;
    auto later = document;
    if (!later.room_until)
        later.room_until = time_.deadline(room_wait);
    if (time_.now() >= *later.room_until)
        return false;
    later.not_before = time_.deadline(room_pause);
    entry.held.insert(entry.held.begin(), std::move(later));
    return true;
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
