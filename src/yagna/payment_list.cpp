#include <golem/yagna/payment_list.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/yagna/caller.hpp>

#include "json_codec.hpp"
#include "targets.hpp"

#include <utility>

namespace golem::yagna {

namespace {

constexpr std::string_view payments_path = "/payment-api/v1/payments";
constexpr std::string_view invoices_path = "/payment-api/v1/invoices";

// Base64 of the raw hash.
std::string transaction_of(const codec::Node& details)
{
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "0x";
    unsigned bits = 0;
    int count = 0;
    for (const char c : details.string()) {
        if (c == '=')
            break;
        const auto value = letters.find(c);
        if (value == std::string_view::npos)
            details.refuse("a transaction in base64");
        bits = (bits << 6U) | static_cast<unsigned>(value);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        const auto byte = (bits >> static_cast<unsigned>(count)) & 0xFFU;
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::vector<PaymentMade::Part> parts(const codec::Node& list, std::string_view key)
{
    std::vector<PaymentMade::Part> result;
    for (const auto& item : list.items()) {
        PaymentMade::Part part;
        part.id = item.at(key).string();
        part.amount = item.at("amount").amount_cut();
        result.push_back(std::move(part));
    }
    return result;
}

PaymentMade read_payment(const codec::Node& node)
{
    PaymentMade payment;
    payment.id = node.at("paymentId").string();
    payment.payer = node.at("payerId").string();
    payment.payee = node.at("payeeId").string();
    payment.payer_address = node.at("payerAddr").string();
    payment.payee_address = node.at("payeeAddr").string();
    payment.platform = node.at("paymentPlatform").string();
    payment.amount = node.at("amount").amount_cut();
    payment.timestamp = node.at("timestamp").timestamp();
    payment.agreements = parts(node.at("agreementPayments"), "agreementId");
    payment.activities = parts(node.at("activityPayments"), "activityId");
    payment.transaction = transaction_of(node.at("details"));
    return payment;
}

std::vector<PaymentMade> read_payments(std::string_view operation, const std::string& body)
{
    const codec::Document document(operation, body);
    std::vector<PaymentMade> result;
    for (const auto& item : document.root().items())
        result.push_back(read_payment(item));
    return result;
}

} // namespace

Task<std::vector<PaymentMade>> PaymentListApi::payments(const PaymentFilter& filter, Duration wait, int max_payments)
{
    const CallClass call{"list payments", Idempotency::repeatable, wait};
    Target target(payments_path);
    target.query("timeout", wait).query("maxEvents", max_payments);
    target.query_unless_empty("afterTimestamp", filter.after.text());
    target.query_unless_empty("appSessionId", filter.app_session);
    target.query_unless_empty("network", filter.network).query_unless_empty("driver", filter.driver);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return read_payments(call.operation, answer.body());
}

Task<PaymentMade> PaymentListApi::payment(const PaymentId& payment)
{
    const CallClass call{"read payment"};
    http::Request request(http::Method::get, Target(payments_path).segment(payment).text());
    const Answer answer = co_await caller_.call(call, request);
    const codec::Document document(call.operation, answer.body());
    co_return read_payment(document.root());
}

Task<std::vector<PaymentMade>> PaymentListApi::payments_of_invoice(const InvoiceId& invoice)
{
    const CallClass call{"list payments of an invoice"};
    http::Request request(http::Method::get, Target(invoices_path).segment(invoice).literal("/payments").text());
    const Answer answer = co_await caller_.call(call, request);
    co_return read_payments(call.operation, answer.body());
}

Cursor cursor_behind(const PaymentMade& payment) { return Cursor(format_timestamp(payment.timestamp)); }

} // namespace golem::yagna
