// Payments made and received.
#include <devnet/rest_call.hpp>

#include <algorithm>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);

std::string in_base64(const std::string& bytes)
{
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t place = 0; place < bytes.size(); place += 3) {
        unsigned bits = 0;
        const auto count = std::min<std::size_t>(3, bytes.size() - place);
        for (std::size_t i = 0; i < 3; ++i)
            bits = (bits << 8U) | (i < count ? static_cast<unsigned char>(bytes[place + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            text += i <= count ? letters[(bits >> (18 - 6 * i)) & 63U] : '=';
    }
    return text;
}

Json in_numbers(const std::string& bytes)
{
    Json numbers = Json::array();
    for (const char byte : bytes)
        numbers.push_back(static_cast<unsigned char>(byte));
    return numbers;
}

Json payment_to_json(const Payment& payment)
{
    Json part;
    part[payment.activity.empty() ? "agreementId" : "activityId"] =
        payment.activity.empty() ? payment.agreement : payment.activity;
    part["amount"] = payment.amount.to_string();
    Json json;
    json["paymentId"] = payment.id;
    json["payerId"] = payment.requestor;
    json["payeeId"] = payment.provider;
    json["payerAddr"] = payment.payer_address;
    json["payeeAddr"] = payment.payee_address;
    json["paymentPlatform"] = payment.platform;
    json["amount"] = payment.amount.to_string();
    json["timestamp"] = date(payment.made);
    json["agreementPayments"] = Json::array();
    json["activityPayments"] = Json::array();
    json[payment.activity.empty() ? "agreementPayments" : "activityPayments"].push_back(std::move(part));
    json["details"] = in_base64(payment.transaction);
    // What was signed: the same with its keys in order.
    const auto signed_text = nlohmann::json(json).dump();
    json["signature"] = in_numbers(payment.signature);
    json["signedBytes"] = in_numbers(signed_text);
    return json;
}

Json payments_to_json(const std::vector<Payment>& payments)
{
    Json list = Json::array();
    for (const auto& payment : payments)
        list.push_back(payment_to_json(payment));
    return list;
}

Task<http::Response> list(const Call& call)
{
    PaymentQuery query;
    query.after = call.query.time("afterTimestamp").value_or(Timestamp());
    query.session = call.query.text("appSessionId");
    query.network = call.query.text("network");
    query.driver = call.query.text("driver");
    if (const auto most = call.query.integer("maxEvents")) {
        if (*most < 0)
            refuse(Failure(400, "Query deserialize error: invalid digit found in string", BodyKind::text));
        query.max_events = static_cast<std::size_t>(*most);
    }
    const auto until = call.host.time().deadline(call.query.seconds("timeout", default_wait));
    const std::string topic = "payments/" + call.node;
    Json body = Json::array();
    for (;;) {
        body = payments_to_json(call.host.world().payments().payments(call.node, query));
        if (!body.empty() || call.host.time().now() >= until)
            break;
        co_await call.host.wait(topic, until);
    }
    co_return answer(200, body);
}

http::Response one(const Call& call)
{
    return answer(200, payment_to_json(unwrap(call.host.world().payments().payment(call.node, call.ids.at(0)))));
}

http::Response of_invoice(const Call& call)
{
    const auto& payments = call.host.world().payments();
    return answer(200, payments_to_json(unwrap(payments.payments_of_invoice(call.node, call.ids.at(0)))));
}

} // namespace

void add_payment_routes(Routes& routes)
{
    using http::Method;
    routes.add_waiting(Method::get, "/payment-api/v1/payments", list);
    routes.add(Method::get, "/payment-api/v1/payments/*", one);
    routes.add(Method::get, "/payment-api/v1/invoices/*/payments", of_invoice);
}

} // namespace golem::devnet::detail
