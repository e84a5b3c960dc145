// Accepting documents, and what became of accepts that nobody answered.
#include "ledger.hpp"

#include "failures.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/yagna/outcome.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::detail {

namespace {

/// While the payments close nobody waits longer for another attempt.
constexpr Duration longest_last_pause = std::chrono::seconds(20);
/// An agreement whose accepts failed so often in a row is given up when the payments close.
constexpr int hopeless_failures = 10;
/// After the last attempt: by then the daemon, which waits 15 s for the provider, has done what it does.
constexpr Duration first_question = std::chrono::seconds(30);
constexpr Duration longest_question_pause = std::chrono::minutes(10);
constexpr Duration doubt_limit = std::chrono::hours(24);

} // namespace

Ledger::Payable Ledger::payable(const yagna::DebitNote& note)
{
    Payable result;
    result.what = "debit note " + note.id;
    result.status = note.status;
    result.send = [this, &note](const yagna::AllocationId& allocation) {
        return client_.payment().accept_debit_note(note.id, note.total_due, allocation);
    };
    result.read = [this, &note] { return note_status(note.id); };
    return result;
}

Ledger::Payable Ledger::payable(const yagna::Invoice& invoice)
{
    Payable result;
    result.what = "invoice " + invoice.id;
    result.status = invoice.status;
    result.send = [this, &invoice](const yagna::AllocationId& allocation) {
        return client_.payment().accept_invoice(invoice.id, invoice.amount, allocation);
    };
    result.read = [this, &invoice] { return invoice_status(invoice.id); };
    return result;
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

// --- accepting -------------------------------------------------------------------------------------------------------

/// What it costs more is kept free in the budget meanwhile. A document that is accepted already is only booked.
Task<Ledger::Acceptance> Ledger::accept_and_book(EntryPointer entry, const Payable& payable)
{
    auto acceptance = Acceptance::accepted;
    std::exception_ptr failure;
    reserved_ += payable.increase;
    try {
        if (!is_over(payable.status))
            acceptance = co_await accept(entry, payable);
    } catch (...) {
        failure = std::current_exception();
    }
    reserved_ -= payable.increase;
    if (failure && is_cancelled(failure))
        entry->problem = payable.what + " was still being accepted at the end: it may have been accepted";
    if (failure)
        std::rethrow_exception(failure);
    if (acceptance == Acceptance::accepted)
        book(*entry, payable.increase);
    if (acceptance == Acceptance::accepted && !is_over(payable.status) && !payable.increase.is_zero())
        exhaustion_ = nullptr;
    co_return acceptance;
}

Task<Ledger::Acceptance> Ledger::accept(EntryPointer entry, const Payable& payable)
{
    AcceptProgress progress;
    int failures = 0; // Since the last sign of life.
    for (progress.attempts = 1;; ++progress.attempts) {
        std::exception_ptr failure;
        co_await attempt(entry, payable.send, failure);
        if (!failure) {
            entry->failures = 0;
            co_return Acceptance::accepted;
        }
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        const auto reason = reason_of(failure);
        progress.refusals += reason == AcceptFailure::passing ? 1 : 0;
        progress.allocations_gone += reason == AcceptFailure::allocation_gone ? 1 : 0;
        progress.overdue = is_overdue(*entry) || (closing_.is_set() && entry->failures > hopeless_failures);
        progress.in_doubt = progress.in_doubt || yagna::may_have_happened(failure);
        if (has_code(failure, Errc::insufficient_funds))
            exhausted(payable.what, payable.increase);
        const auto step = decide_accept(reason, progress);
        if (step == AcceptStep::at_once)
            continue;
        if (step == AcceptStep::refused) {
            complain(*entry, payable.what, {}, describe(failure));
            co_return Acceptance::refused;
        }
        if (step == AcceptStep::given_up) {
            complain(*entry, payable.what, {}, "given up: " + describe(failure));
            co_return Acceptance::given_up;
        }
        log_.info(payable.what, " could not be accepted, trying again: ", describe(failure));
        failures = std::max(entry->failures, failures + 1);
        const auto seen = entry->documents;
        co_await rest(entry, failures);
        if (entry->documents != seen)
            failures = 0;

        std::exception_ptr unreadable;
        auto status = yagna::DocumentStatus::unknown;
        try {
            auto reading = payable.read();
            status = co_await std::move(reading);
        } catch (...) {
            unreadable = std::current_exception();
        }
        if (unreadable && is_cancelled(unreadable))
            std::rethrow_exception(unreadable);
        if (is_over(status)) {
            entry->failures = 0;
            co_return Acceptance::accepted;
        }
        if (status == yagna::DocumentStatus::cancelled) {
            complain(*entry, payable.what, {}, "the provider has cancelled it");
            co_return Acceptance::refused;
        }
    }
}

/// A document of the same provider ends the pause, and so does the end of all.
Task<> Ledger::rest(EntryPointer entry, int failures)
{
    const auto pause = accept_pause(failures, entry->random.unit());
    if (closing_.is_set()) {
        co_await time_.sleep_for(std::min(pause, longest_last_pause), "the last attempts");
        co_return;
    }
    auto news = entry->news.wait();
    auto closing = closing_.wait();
    auto hurry = first_of(std::move(news), std::move(closing));
    co_await with_timeout(time_, pause, std::move(hurry), "before accepting a document again");
}

/// One request, which is not repeated while it has its place: a provider's node may be out of reach for hours.
Task<> Ledger::attempt(EntryPointer entry, const Send& send, std::exception_ptr& failure)
{
    yagna::AllocationId allocation;
    try {
        allocation = co_await allocation_.usable();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        co_return;
    const auto places = places_;
    const int failures = entry->failures;
    co_await places->take(failures);
    const Place place(places, failures);
    try {
        auto request = send(allocation);
        co_await std::move(request);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_allocation_gone(failure))
        allocation_.is_gone(allocation);
    else if (failure && may_succeed_later(failure))
        ++entry->failures;
}

void Ledger::book(Entry& entry, const Amount& increase)
{
    accepted_ += increase;
    entry.accepted += increase;
}

void Ledger::book_note(Entry& entry, const yagna::DebitNote& note)
{
    auto& activity = entry.account.activities[note.activity];
    activity.accepted = note.total_due;
    activity.accepted_at = settled_until(entry.account.terms, note, time_.utc());
    ++activity.notes;
    forget_moot_doubts(entry);
}

// --- doubts ----------------------------------------------------------------------------------------------------------

void Ledger::doubt(Entry& entry, const Document& document, const Amount& increase)
{
    Doubt doubt;
    doubt.content = document.content;
    doubt.increase = increase;
    doubt.next = time_.deadline(first_question);
    doubt.until = time_.deadline(doubt_limit);
    doubtful_ += increase;
    entry.doubts.push_back(std::move(doubt));
}

bool Ledger::is_doubt_due(const Entry& entry) const
{
    return std::any_of(entry.doubts.begin(), entry.doubts.end(), [&](const Doubt& doubt) {
        return time_.now() >= doubt.next || (closing_.is_set() && doubt.next != Instant::max());
    });
}

const Ledger::Doubt* Ledger::doubtful_invoice(const Entry& entry) const
{
    const auto found = std::find_if(entry.doubts.begin(), entry.doubts.end(), [](const Doubt& doubt) {
        return std::holds_alternative<yagna::Invoice>(doubt.content);
    });
    return found == entry.doubts.end() ? nullptr : &*found;
}

/// What is kept free for doubtful notes, of one activity or of all: a later document contains it.
Amount Ledger::doubtful_in(const Entry& entry, const yagna::ActivityId* activity) const
{
    Amount sum;
    for (const auto& doubt : entry.doubts) {
        const auto* note = std::get_if<yagna::DebitNote>(&doubt.content);
        if (note && (!activity || note->activity == *activity))
            sum += doubt.increase;
    }
    return sum;
}

/// Asks what became of those that are due, or of all. Only the entry's own worker does, so that nothing is accepted
/// meanwhile.
Task<> Ledger::ask_for_doubts(EntryPointer entry, bool all)
{
    const auto asked = entry->doubts;
    for (const auto& doubt : asked) {
        if (!all && !closing_.is_set() && time_.now() < doubt.next)
            continue;
        std::exception_ptr failure;
        auto status = yagna::DocumentStatus::unknown;
        try {
            status = co_await ask(doubt);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (!failure)
            resolve(*entry, doubt.content_id(), status);
        else
            postpone(*entry, doubt.content_id(), describe(failure));
    }
}

Task<yagna::DocumentStatus> Ledger::ask(const Doubt& doubt)
{
    if (const auto* note = std::get_if<yagna::DebitNote>(&doubt.content))
        return note_status(note->id);
    return invoice_status(std::get<yagna::Invoice>(doubt.content).id);
}

void Ledger::postpone(Entry& entry, const std::string& id, const std::string& problem)
{
    for (auto& doubt : entry.doubts) {
        if (doubt.content_id() != id)
            continue;
        const auto pause = first_question * (1 << std::min(doubt.questions++, 5));
        doubt.next =
            closing_.is_set() ? Instant::max() : time_.deadline(std::min<Duration>(pause, longest_question_pause));
        if (time_.now() < doubt.until)
            return;
        complain(entry, "document", id, "it counts as accepted, since nobody tells what became of it: " + problem);
        book(entry, doubt.increase);
        drop_doubt(entry, id);
        return;
    }
}

void Ledger::resolve(Entry& entry, const std::string& id, yagna::DocumentStatus status)
{
    const auto found = std::find_if(
        entry.doubts.begin(), entry.doubts.end(), [&](const Doubt& doubt) { return doubt.content_id() == id; });
    if (found == entry.doubts.end())
        return;
    const auto content = found->content;
    drop_doubt(entry, id);
    const auto* invoice = std::get_if<yagna::Invoice>(&content);
    if (!is_over(status)) {
        if (invoice && entry.invoice == InvoiceState::unpaid)
            entry.problem = "its invoice " + id + " could not be accepted";
        return;
    }
    if (invoice) {
        book(entry, invoice->amount - entry.account.accepted());
        conclude(entry, InvoiceState::accepted, {});
        forget_moot_doubts(entry);
        return;
    }
    const auto& note = std::get<yagna::DebitNote>(content);
    const auto before = entry.account.activities[note.activity].accepted;
    if (note.total_due <= before)
        return;
    book(entry, note.total_due - before);
    book_note(entry, note);
}

void Ledger::drop_doubt(Entry& entry, const std::string& id)
{
    std::erase_if(entry.doubts, [&](const Doubt& doubt) {
        if (doubt.content_id() != id)
            return false;
        doubtful_ -= doubt.increase;
        return true;
    });
}

/// What was accepted later contains them.
void Ledger::forget_moot_doubts(Entry& entry)
{
    std::erase_if(entry.doubts, [&](const Doubt& doubt) {
        const auto* note = std::get_if<yagna::DebitNote>(&doubt.content);
        const bool is_moot = note && (entry.invoice == InvoiceState::accepted ||
                                      note->total_due <= entry.account.activities[note->activity].accepted);
        if (is_moot)
            doubtful_ -= doubt.increase;
        return is_moot;
    });
}

} // namespace golem::detail
