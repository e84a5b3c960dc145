#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <optional>
#include <string>
#include <vector>

namespace golem::yagna {

class Caller;

using PaymentId = std::string;

/// Money that was sent on the chain. One payment may be for many agreements with the same provider.
struct PaymentMade {
    /// What part of it is for which agreement or activity.
    struct Part {
        std::string id;
        Amount amount;
    };

    PaymentId id;
    NodeId payer;
    NodeId payee;
    std::string payer_address;
    std::string payee_address;
    std::string platform;
    Amount amount;
    Timestamp timestamp{};
    std::vector<Part> agreements; ///< By invoices.
    std::vector<Part> activities; ///< By debit notes.
    std::string transaction;      ///< The transaction's hash: "0x" and hexadecimal digits.
};

/// Which payments to list; empty members do not filter.
struct PaymentFilter {
    Cursor after{};
    std::string app_session{};
    std::string network{}; ///< "hoodi"
    std::string driver{};  ///< "erc20"
};

/// The payments of an identity, made and received. Settlement takes its time: minutes on test networks, up to a day on
/// others. Every call is repeatable: Errors as in Caller, cancellation terminal; one executor.
class PaymentListApi {
public:
    explicit PaymentListApi(Caller& caller) : caller_(caller) {}

    /// `GET /payments`, the oldest first, waiting for the first up to `wait`. A log: nothing is consumed; a Cursor of
    /// the last timestamp goes on behind it.
    Task<std::vector<PaymentMade>> payments(const PaymentFilter& filter, Duration wait, int max_payments);
    /// `GET /payments/{id}`. Error not_found.
    Task<PaymentMade> payment(const PaymentId& payment);
    /// `GET /invoices/{id}/payments`. Error not_found for an unknown invoice.
    Task<std::vector<PaymentMade>> payments_of_invoice(const InvoiceId& invoice);

private:
    Caller& caller_;
};

/// Where to go on behind this payment.
Cursor cursor_behind(const PaymentMade& payment);

} // namespace golem::yagna
