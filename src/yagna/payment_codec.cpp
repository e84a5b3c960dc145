#include "payment_codec.hpp"

#include "json_codec.hpp"

#include <golem/core/timestamp.hpp>
#include <golem/properties/json.hpp>

#include <utility>

namespace golem::yagna::codec {

namespace {

DocumentStatus status_of(std::string_view text)
{
    if (text == "ISSUED")
        return DocumentStatus::issued;
    if (text == "RECEIVED")
        return DocumentStatus::received;
    if (text == "ACCEPTED")
        return DocumentStatus::accepted;
    if (text == "REJECTED")
        return DocumentStatus::rejected;
    if (text == "FAILED")
        return DocumentStatus::failed;
    if (text == "SETTLED")
        return DocumentStatus::settled;
    if (text == "CANCELLED")
        return DocumentStatus::cancelled;
    return DocumentStatus::unknown;
}

/// "DebitNoteReceivedEvent" without its document is "ReceivedEvent".
PaymentEvent::Kind kind_of(std::string_view type, std::string_view document)
{
    using Kind = PaymentEvent::Kind;
    if (!type.starts_with(document))
        return Kind::other;
    type.remove_prefix(document.size());
    if (type == "ReceivedEvent")
        return Kind::received;
    if (type == "AcceptedEvent")
        return Kind::accepted;
    if (type == "RejectedEvent")
        return Kind::rejected;
    if (type == "CancelledEvent")
        return Kind::cancelled;
    if (type == "SettledEvent")
        return Kind::settled;
    return Kind::other;
}

std::vector<PaymentEvent>
events(std::string_view operation, const std::string& body, std::string_view document_name, std::string_view id_name)
{
    const Document document(operation, body);
    std::vector<PaymentEvent> result;
    for (const auto& item : document.root().items()) {
        PaymentEvent event;
        const auto date = item.at("eventDate");
        event.cursor = Cursor(date.string());
        event.date = date.timestamp();
        event.kind = kind_of(item.at("eventType").string(), document_name);
        event.document =
            event.kind == PaymentEvent::Kind::other ? item.string_or(id_name, {}) : item.at(id_name).string();
        result.push_back(std::move(event));
    }
    return result;
}

Allocation allocation(const Node& node)
{
    Allocation result;
    result.id = node.at("allocationId").string();
    result.address = node.string_or("address", {});
    result.platform = node.string_or("paymentPlatform", {});
    result.total = node.at("totalAmount").amount_cut();
    result.spent = node.at("spentAmount").amount_cut();
    result.remaining = node.at("remainingAmount").amount_cut();
    result.timestamp = node.at("timestamp").timestamp();
    result.timeout = node.optional_timestamp("timeout");
    return result;
}

Invoice invoice(const Node& node)
{
    Invoice result;
    result.id = node.at("invoiceId").string();
    result.issuer = node.at("issuerId").string();
    result.recipient = node.at("recipientId").string();
    result.platform = node.string_or("paymentPlatform", {});
    result.agreement = node.at("agreementId").string();
    if (const auto activities = node.find("activityIds"))
        result.activities = activities->strings();
    result.amount = node.at("amount").amount();
    result.due = node.optional_timestamp("paymentDueDate");
    result.status = status_of(node.at("status").string());
    result.timestamp = node.at("timestamp").timestamp();
    return result;
}

std::string_view name_of(RejectionReason reason)
{
    switch (reason) {
    case RejectionReason::unsolicited_service: return "UNSOLICITED_SERVICE";
    case RejectionReason::bad_service: return "BAD_SERVICE";
    case RejectionReason::incorrect_amount: return "INCORRECT_AMOUNT";
    }
    return "BAD_SERVICE";
}

} // namespace

std::string encode_allocation_request(const Amount& total, const std::string& platform, Timestamp timeout)
{
    auto json = Json::object();
    json["totalAmount"] = total.to_string();
    json["paymentPlatform"] = platform;
    json["timeout"] = format_timestamp(timeout, 3);
    json["makeDeposit"] = false;
    return encode(json);
}

std::string encode_allocation_total(const Amount& total)
{
    auto json = Json::object();
    json["totalAmount"] = total.to_string();
    return encode(json);
}

std::string encode_acceptance(const Amount& amount, const AllocationId& allocation)
{
    auto json = Json::object();
    json["totalAmountAccepted"] = amount.to_string();
    json["allocationId"] = allocation;
    return encode(json);
}

std::string encode_rejection(RejectionReason reason, const std::string& message)
{
    auto json = Json::object();
    json["rejectionReason"] = name_of(reason);
    json["totalAmountAccepted"] = "0";
    json["message"] = message;
    return encode(json);
}

std::vector<PaymentAccount> decode_accounts(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<PaymentAccount> result;
    for (const auto& item : document.root().items()) {
        PaymentAccount account;
        account.platform = item.at("platform").string();
        account.address = item.at("address").string();
        account.driver = item.string_or("driver", {});
        account.network = item.string_or("network", {});
        account.token = item.string_or("token", {});
        result.push_back(std::move(account));
    }
    return result;
}

Allocation decode_allocation(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    return allocation(document.root());
}

std::vector<Allocation> decode_allocations(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<Allocation> result;
    for (const auto& item : document.root().items())
        result.push_back(allocation(item));
    return result;
}

DemandDecoration decode_demand_decoration(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    DemandDecoration result;
    for (const auto& item : root.at("properties").items())
        result.properties.set(item.at("key").string(), properties::value_from_json(item.at("value").json()));
    result.constraints = root.at("constraints").strings();
    return result;
}

std::vector<PaymentEvent> decode_debit_note_events(std::string_view operation, const std::string& body)
{
    return events(operation, body, "DebitNote", "debitNoteId");
}

std::vector<PaymentEvent> decode_invoice_events(std::string_view operation, const std::string& body)
{
    return events(operation, body, "Invoice", "invoiceId");
}

DebitNote decode_debit_note(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    DebitNote result;
    result.id = root.at("debitNoteId").string();
    result.issuer = root.at("issuerId").string();
    result.recipient = root.at("recipientId").string();
    result.platform = root.string_or("paymentPlatform", {});
    result.agreement = root.at("agreementId").string();
    result.activity = root.at("activityId").string();
    result.total_due = root.at("totalAmountDue").amount();
    if (const auto usage = root.find("usageCounterVector"))
        result.usage = usage->numbers();
    result.due = root.optional_timestamp("paymentDueDate");
    if (const auto previous = root.find("previousDebitNoteId"))
        result.previous = previous->string();
    result.status = status_of(root.at("status").string());
    result.timestamp = root.at("timestamp").timestamp();
    return result;
}

Invoice decode_invoice(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    return invoice(document.root());
}

std::vector<Invoice> decode_invoices(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<Invoice> result;
    for (const auto& item : document.root().items())
        result.push_back(invoice(item));
    return result;
}

} // namespace golem::yagna::codec
