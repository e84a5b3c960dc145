#include <golem/yagna/payment.hpp>

#include <golem/yagna/caller.hpp>

#include "payment_codec.hpp"
#include "targets.hpp"

namespace golem::yagna {

namespace {

constexpr std::string_view allocations_path = "/payment-api/v1/allocations";
constexpr std::string_view debit_notes_path = "/payment-api/v1/debitNotes";
constexpr std::string_view invoices_path = "/payment-api/v1/invoices";
/// The daemon asks the chain, and gives up on one that keeps silent after 32 s.
constexpr Duration allocation_limit = std::chrono::seconds(60);
/// How long the daemon may take to tell the provider.
constexpr Duration notify_wait = std::chrono::seconds(15);

Target allocation_target(const AllocationId& allocation) { return Target(allocations_path).segment(allocation); }

http::Request event_request(std::string_view path, const Cursor& cursor, const std::string& app_session, Duration wait)
{
    // No maxEvents: the daemon counts events that it then leaves out.
    Target target(path);
    target.query("timeout", wait)
        .query_unless_empty("afterTimestamp", cursor.text())
        .query_unless_empty("appSessionId", app_session);
    return http::Request(http::Method::get, target.text());
}

http::Request document_request(std::string_view path, const std::string& id, std::string_view action)
{
    Target target(path);
    target.segment(id).literal(action).query("timeout", notify_wait);
    return http::Request(http::Method::post, target.text());
}

} // namespace

Task<std::vector<PaymentAccount>> PaymentApi::accounts()
{
    const CallClass call{"list payment accounts"};
    http::Request request(http::Method::get, "/payment-api/v1/requestorAccounts");
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_accounts(call.operation, answer.body());
}

Task<Allocation> PaymentApi::create_allocation(const Amount& total, const std::string& platform, Timestamp timeout)
{
    CallClass call{"create allocation", Idempotency::once};
    call.limit = allocation_limit;
    http::Request request(http::Method::post, std::string(allocations_path));
    request.set_body(codec::encode_allocation_request(total, platform, timeout));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_allocation(call.operation, answer.body());
}

Task<std::vector<Allocation>> PaymentApi::allocations()
{
    const CallClass call{"list allocations"};
    http::Request request(http::Method::get, std::string(allocations_path));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_allocations(call.operation, answer.body());
}

Task<Allocation> PaymentApi::allocation(const AllocationId& allocation)
{
    const CallClass call{"read allocation"};
    http::Request request(http::Method::get, allocation_target(allocation).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_allocation(call.operation, answer.body());
}

Task<Allocation> PaymentApi::amend_allocation(const AllocationId& allocation, const Amount& total)
{
    CallClass call{"amend allocation"};
    call.limit = allocation_limit;
    http::Request request(http::Method::put, allocation_target(allocation).text());
    request.set_body(codec::encode_allocation_total(total));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_allocation(call.operation, answer.body());
}

Task<> PaymentApi::release_allocation(const AllocationId& allocation)
{
    const CallClass call{"release allocation"};
    const std::vector<unsigned> gone_already{404, 410};
    http::Request request(http::Method::del, allocation_target(allocation).text());
    co_await caller_.call(call, request, gone_already);
}

Task<DemandDecoration> PaymentApi::demand_decoration(const AllocationId& allocation)
{
    const CallClass call{"decorate demand"};
    Target target("/payment-api/v1/demandDecorations");
    target.query("allocationIds", allocation);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_demand_decoration(call.operation, answer.body());
}

Task<std::vector<PaymentEvent>>
PaymentApi::debit_note_events(const Cursor& cursor, const std::string& app_session, Duration wait)
{
    const CallClass call{"read debit note events", Idempotency::repeatable, wait};
    auto request = event_request("/payment-api/v1/debitNoteEvents", cursor, app_session, wait);
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_debit_note_events(call.operation, answer.body());
}

Task<std::vector<PaymentEvent>>
PaymentApi::invoice_events(const Cursor& cursor, const std::string& app_session, Duration wait)
{
    const CallClass call{"read invoice events", Idempotency::repeatable, wait};
    auto request = event_request("/payment-api/v1/invoiceEvents", cursor, app_session, wait);
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_invoice_events(call.operation, answer.body());
}

Task<DebitNote> PaymentApi::debit_note(const DebitNoteId& id)
{
    const CallClass call{"read debit note"};
    http::Request request(http::Method::get, Target(debit_notes_path).segment(id).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_debit_note(call.operation, answer.body());
}

Task<Invoice> PaymentApi::invoice(const InvoiceId& id)
{
    const CallClass call{"read invoice"};
    http::Request request(http::Method::get, Target(invoices_path).segment(id).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_invoice(call.operation, answer.body());
}

Task<std::vector<Invoice>> PaymentApi::invoices()
{
    const CallClass call{"list invoices"};
    http::Request request(http::Method::get, std::string(invoices_path));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_invoices(call.operation, answer.body());
}

Task<> PaymentApi::accept_debit_note(const DebitNoteId& id, const Amount& amount, const AllocationId& allocation)
{
    const CallClass call{"accept debit note", Idempotency::once, notify_wait};
    auto request = document_request(debit_notes_path, id, "/accept");
    request.set_body(codec::encode_acceptance(amount, allocation));
    co_await caller_.call(call, request);
}

Task<> PaymentApi::accept_invoice(const InvoiceId& id, const Amount& amount, const AllocationId& allocation)
{
    const CallClass call{"accept invoice", Idempotency::once, notify_wait};
    auto request = document_request(invoices_path, id, "/accept");
    request.set_body(codec::encode_acceptance(amount, allocation));
    co_await caller_.call(call, request);
}

Task<> PaymentApi::reject_invoice(const InvoiceId& id, RejectionReason reason, const std::string& message)
{
    const CallClass call{"reject invoice", Idempotency::repeatable, notify_wait};
    auto request = document_request(invoices_path, id, "/reject");
    request.set_body(codec::encode_rejection(reason, message));
    co_await caller_.call(call, request);
}

} // namespace golem::yagna
