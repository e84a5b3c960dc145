#include <golem/provider/yagna_port.hpp>

#include "provider/failures.hpp"
#include "provider/yagna_calls.hpp"

#include <golem/core/race.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/http/url.hpp>

#include <chrono>
#include <utility>

// Debit notes, invoices and what becomes of them.
namespace golem::provider {

namespace {

using http::Method;
using http::Request;

constexpr auto payment = "/payment-api/v1/";

} // namespace

Task<> YagnaPort::send_document(const std::string& kind, const std::string& id)
{
    Request request(
        Method::post, payment + kind + "/" + http::percent_encode(id) + "/send?timeout=" + seconds_text(peer_timeout));
    request.set_limit(peer_limit);
    const std::string operation = "send " + kind + " " + id;
    co_await succeed(operation, request);
}

// Totals are running ones, so that a note too many does no harm; still what was issued is sent rather than another.
Task<std::string> YagnaPort::send_debit_note(const DebitNoteDraft& note)
{
    const auto unsent = unsent_notes_.find(note.activity);
    const bool issued = unsent != unsent_notes_.end() && unsent->second.total_due == note.total_due &&
                        unsent->second.usage == note.usage;
    std::string id;
    if (issued) {
        id = unsent->second.id;
    } else {
        Request request(Method::post, std::string(payment) + "debitNotes");
        request.set_body(detail::write_debit_note(note)).set_limit(call_limit);
        const std::string operation = "issue a debit note over " + note.total_due.to_string();
        const auto response = co_await insist(operation, request);
        id = detail::read_member(response.body(), "debitNoteId");
        UnsentNote kept;
        kept.id = id;
        kept.total_due = note.total_due;
        kept.usage = note.usage;
        unsent_notes_[note.activity] = std::move(kept);
    }
    const std::string kind = "debitNotes";
    std::exception_ptr failure;
    try {
        co_await send_document(kind, id);
    } catch (...) {
        failure = std::current_exception();
    }
    const auto kept = unsent_notes_.find(note.activity);
    // Another note may have been issued meanwhile.
    if (kept != unsent_notes_.end() && kept->second.id == id && (!failure || is_final(failure)))
        unsent_notes_.erase(kept);
    if (failure)
        std::rethrow_exception(failure);
    co_return id;
}

Task<std::string> YagnaPort::send_invoice(const InvoiceDraft& invoice)
{
    std::string id;
    std::exception_ptr failure;
    try {
        id = co_await try_invoice(invoice);
    } catch (...) {
        failure = std::current_exception();
    }
    // Nobody will try again.
    if (!failure || is_final(failure)) {
        unsent_invoices_.erase(invoice.agreement);
        for (const auto& activity : invoice.activities)
            unsent_notes_.erase(activity);
    }
    if (failure)
        std::rethrow_exception(failure);
    co_return id;
}

// The daemon issues a second invoice for an agreement without complaint: there must be only one, whatever got no
// answer.
Task<std::string> YagnaPort::try_invoice(const InvoiceDraft& invoice)
{
    auto& unsent = unsent_invoices_[invoice.agreement];
    const bool is_repeated = unsent.since != Timestamp();
    if (!is_repeated)
        unsent.since = time_.utc();
    if (unsent.id.empty() && is_repeated) {
        const auto since = unsent.since - std::chrono::minutes(10);
        Request request(
            Method::get, std::string(payment) +
                             "invoices?maxItems=1000&afterTimestamp=" + http::percent_encode(format_timestamp(since)));
        request.set_limit(call_limit).set_response_limit(64u << 20);
        const std::string operation = "look for an invoice of agreement " + invoice.agreement;
        const auto response = co_await insist(operation, request);
        unsent.id = detail::find_invoice(response.body(), invoice.agreement).value_or(std::string());
    }
    if (unsent.id.empty()) {
        Request request(Method::post, std::string(payment) + "invoices");
        request.set_body(detail::write_invoice(invoice)).set_limit(call_limit);
        const std::string operation = "issue an invoice over " + invoice.amount.to_string();
        const auto response = co_await succeed(operation, request);
        unsent.id = detail::read_member(response.body(), "invoiceId");
    }
    const auto id = unsent.id;
    const std::string kind = "invoices";
    co_await send_document(kind, id);
    co_return id;
}

Task<> YagnaPort::poll_payments(PaymentEvent::Document document, Duration wait, PaymentNews& news)
{
    std::exception_ptr failure;
    try {
        co_await read_payments(document, wait, news.events);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure)
        co_return;
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    log_.warning("a feed of payments failed: ", golem::describe(failure));
    // The other one goes on.
    news.failure = failure;
    if (++news.failures == 1)
        co_await time_.sleep_for(wait + poll_margin, "the other feed of payments");
}

Task<> YagnaPort::read_payments(PaymentEvent::Document document, Duration wait, std::vector<PaymentEvent>& events)
{
    auto& read = payments_read_.at(document);
    const bool is_invoice = document == PaymentEvent::Document::invoice;
    const auto target = payment + std::string(is_invoice ? "invoiceEvents" : "debitNoteEvents") +
                        "?timeout=" + seconds_text(wait) + log_query(read);
    const std::string operation = is_invoice ? "collect invoice events" : "collect debit note events";
    const auto text = co_await poll(operation, target, wait);
    if (text.empty())
        co_return;
    auto page = detail::read_payment_events(text, document);
    note_left_out("payment events", page.left_out);
    go_on(read, page, operation);
    for (auto& event : page.events)
        events.push_back(std::move(event));
}

// Both are logs: a poll that is broken off loses nothing, and what one has told is told whatever becomes of the other.
Task<std::vector<PaymentEvent>> YagnaPort::payment_events(Duration wait)
{
    PaymentNews news;
    auto notes = poll_payments(PaymentEvent::Document::debit_note, wait, news);
    auto invoices = poll_payments(PaymentEvent::Document::invoice, wait, news);
    co_await first_of(std::move(notes), std::move(invoices));
    if (news.events.empty() && news.failures == 2)
        std::rethrow_exception(news.failure);
    co_return std::move(news.events);
}

} // namespace golem::provider
