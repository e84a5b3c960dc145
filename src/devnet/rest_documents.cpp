// Debit notes, invoices and their events.
#include <devnet/rest_call.hpp>

#include <array>
#include <sstream>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);

Json document_to_json(const Document& document, const std::string& reader)
{
    const bool is_note = document.kind == DocumentKind::debit_note;
    Json json;
    json[is_note ? "debitNoteId" : "invoiceId"] = document.id;
    json["issuerId"] = document.billing.provider;
    json["recipientId"] = document.billing.requestor;
    json["payeeAddr"] = document.billing.payee_address;
    json["payerAddr"] = document.billing.payer_address;
    json["paymentPlatform"] = document.billing.platform;
    if (!document.previous.empty())
        json["previousDebitNoteId"] = document.previous;
    json["timestamp"] = date(reader == document.billing.requestor ? document.received : document.issued);
    json["agreementId"] = document.billing.agreement;
    if (is_note) {
        json["activityId"] = document.activity;
        json["totalAmountDue"] = document.amount.to_string();
        if (document.usage)
            json["usageCounterVector"] = *document.usage;
    } else {
        json["activityIds"] = document.activities;
        json["amount"] = document.amount.to_string();
    }
    if (document.due)
        json["paymentDueDate"] = date(*document.due);
    json["status"] = to_string(document.status);
    return json;
}

template <DocumentKind kind>
http::Response list(const Call& call)
{
    const auto after = call.query.time("afterTimestamp");
    const auto most = call.query.integer("maxItems");
    Json body = Json::array();
    for (const auto& document : call.host.world().payments().documents(call.node, kind)) {
        const bool wanted = !after || document.received > *after;
        if (wanted && (!most || static_cast<long long>(body.size()) < *most))
            body.push_back(document_to_json(document, call.node));
    }
    return answer(200, body);
}

template <DocumentKind kind>
http::Response get(const Call& call)
{
    const auto document = unwrap(call.host.world().payments().document(call.node, kind, call.ids.at(0)));
    return answer(200, document_to_json(document, call.node));
}

template <DocumentKind kind>
http::Response accept(const Call& call)
{
    static const Shape shape{"Acceptance", 2, {"totalAmountAccepted", "allocationId"}};
    const auto body = body_of(call, shape);
    const auto amount = decimal_from(call, body.at("totalAmountAccepted"));
    const auto allocation = string_member(call, body, "allocationId");
    call.query.seconds("timeout", default_wait);
    unwrap(call.host.world().payments().accept(call.node, kind, call.ids.at(0), amount, allocation, call.host.now()));
    return answer(200, nullptr);
}

http::Response reject(const Call& call)
{
    static const Shape shape{"Rejection", 3, {"rejectionReason", "totalAmountAccepted"}};
    const auto body = body_of(call, shape);
    string_member(call, body, "rejectionReason");
    unwrap(call.host.world().payments().reject_invoice(call.node, call.ids.at(0), body.dump(), call.host.now()));
    return answer(200, nullptr);
}

http::Response not_implemented(const Call&) { refuse(Failure(501, "", BodyKind::null_message)); }

Json event_to_json(const PaymentLogEntry& event)
{
    constexpr std::array kinds = {"Received", "Accepted", "Rejected", "Cancelled", "Settled"};
    const bool is_note = event.document == DocumentKind::debit_note;
    Json json;
    json[is_note ? "debitNoteId" : "invoiceId"] = event.id;
    json["eventDate"] = date_in_micros(event.date);
    json["eventType"] =
        std::string(is_note ? "DebitNote" : "Invoice") + kinds.at(static_cast<std::size_t>(event.kind)) + "Event";
    if (!event.rejection.empty())
        json["rejection"] = Json::parse(event.rejection);
    return json;
}

// The kinds named in a header such as "RECEIVED,SETTLED".
void read_kinds(const Call& call, std::string_view header, std::set<PaymentEventKind>& kinds)
{
    const auto value = call.request.headers().get(header);
    if (!value)
        return;
    kinds.clear();
    std::istringstream names{std::string(*value)};
    for (std::string name; std::getline(names, name, ',');) {
        name.erase(0, name.find_first_not_of(' '));
        constexpr std::array known = {"RECEIVED", "ACCEPTED", "REJECTED", "CANCELLED", "SETTLED"};
        for (std::size_t kind = 0; kind < known.size(); ++kind) {
            if (name == known.at(kind))
                kinds.insert(static_cast<PaymentEventKind>(kind));
        }
    }
}

template <DocumentKind kind>
Task<http::Response> events(const Call& call)
{
    const auto& payments = call.host.world().payments();
    PaymentEventQuery query;
    query.document = kind;
    query.after = call.query.time("afterTimestamp").value_or(Timestamp());
    query.session = call.query.text("appSessionId");
    if (const auto most = call.query.integer("maxEvents")) {
        if (*most < 0)
            refuse(Failure(400, "Query deserialize error: invalid digit found in string", BodyKind::text));
        query.max_events = static_cast<std::size_t>(*most);
    }
    read_kinds(call, "X-Requestor-Events", query.as_requestor);
    read_kinds(call, "X-Provider-Events", query.as_provider);

    auto& host = call.host;
    const auto until = host.time().deadline(call.query.seconds("timeout", default_wait));
    const auto step = host.options().payment_poll_step;
    const std::string topic = "payments/" + call.node;
    Json body = Json::array();
    for (;;) {
        for (const auto& event : payments.events(call.node, query))
            body.push_back(event_to_json(event));
        if (!body.empty() || host.time().now() >= until)
            break;
        // The daemon looks again at fixed steps from the poll's start; by default this one looks when there is news.
        if (step > Duration(0))
            co_await host.sleep_until(std::min(until, host.time().deadline(step)));
        else
            co_await host.wait(topic, until);
    }
    co_return answer(200, body);
}

} // namespace

void add_document_routes(Routes& routes)
{
    using http::Method;
    constexpr auto note = DocumentKind::debit_note;
    constexpr auto invoice = DocumentKind::invoice;
    routes.add(Method::get, "/payment-api/v1/debitNotes", list<note>);
    routes.add(Method::get, "/payment-api/v1/debitNotes/*", get<note>);
    routes.add(Method::post, "/payment-api/v1/debitNotes/*/accept", accept<note>);
    routes.add(Method::post, "/payment-api/v1/debitNotes/*/reject", not_implemented);
    routes.add(Method::post, "/payment-api/v1/debitNotes/*/cancel", not_implemented);
    routes.add(Method::get, "/payment-api/v1/debitNotes/*/payments", not_implemented);
    routes.add_waiting(Method::get, "/payment-api/v1/debitNoteEvents", events<note>);
    routes.add(Method::get, "/payment-api/v1/invoices", list<invoice>);
    routes.add(Method::get, "/payment-api/v1/invoices/*", get<invoice>);
    routes.add(Method::post, "/payment-api/v1/invoices/*/accept", accept<invoice>);
    routes.add(Method::post, "/payment-api/v1/invoices/*/reject", reject);
    routes.add_waiting(Method::get, "/payment-api/v1/invoiceEvents", events<invoice>);
}

} // namespace golem::devnet::detail
