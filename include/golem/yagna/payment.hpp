#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::yagna {

class Caller;

struct PaymentAccount {
    std::string platform;
    std::string address;
    std::string driver;
    std::string network;
    std::string token;
};

struct Allocation {
    AllocationId id;
    std::string address;
    std::string platform;
    Amount total;
    Amount spent;
    Amount remaining;
    Timestamp timestamp{};
    std::optional<Timestamp> timeout;
};

/// What the daemon wants added to a demand so that the allocation can pay for it.
struct DemandDecoration {
    properties::PropertySet properties;
    std::vector<std::string> constraints;
};

enum class DocumentStatus { issued, received, accepted, rejected, failed, settled, cancelled, unknown };

struct DebitNote {
    DebitNoteId id;
    NodeId issuer;
    NodeId recipient;
    std::string platform;
    AgreementId agreement;
    ActivityId activity;
    /// The running total of the activity, not a difference.
    Amount total_due;
    std::optional<std::vector<double>> usage;
    std::optional<Timestamp> due;
    std::optional<DebitNoteId> previous;
    DocumentStatus status = DocumentStatus::received;
    Timestamp timestamp{};
};

struct Invoice {
    InvoiceId id;
    NodeId issuer;
    NodeId recipient;
    std::string platform;
    AgreementId agreement;
    std::vector<ActivityId> activities;
    Amount amount;
    std::optional<Timestamp> due;
    DocumentStatus status = DocumentStatus::received;
    Timestamp timestamp{};
};

struct PaymentEvent {
    enum class Kind { received, accepted, rejected, cancelled, settled, other };
    Kind kind = Kind::other;
    /// Of the debit note or invoice.
    std::string document;
    Cursor cursor;
    Timestamp date{};
};

enum class RejectionReason { unsolicited_service, bad_service, incorrect_amount };

/// The payment API, requestor's side. Every call: Errors as in Caller, cancellation terminal; one executor. Amounts are
/// exact decimals on the way in and out.
class PaymentApi {
public:
    explicit PaymentApi(Caller& caller) : caller_(caller) {}

    /// `GET /requestorAccounts`; empty on a fresh daemon. Repeatable.
    Task<std::vector<PaymentAccount>> accounts();

    /// `POST /allocations`: reserves `total` on `platform` ("erc20-hoodi-tglm") until `timeout`. Not repeatable. Errors:
    /// insufficient_funds, invalid_input (bad platform, timeout passed), daemon_failed (the chain is unreachable, after
    /// up to 32 s: the call's own limit is 60 s).
    Task<Allocation> create_allocation(const Amount& total, const std::string& platform, Timestamp timeout);
    /// `GET /allocations`: ours that are active. Repeatable.
    Task<std::vector<Allocation>> allocations();
    /// `GET /allocations/{id}`. Repeatable. A released one is Error not_found.
    Task<Allocation> allocation(const AllocationId& allocation);
    /// `PUT /allocations/{id}`: a new total. Repeatable.
    Task<Allocation> amend_allocation(const AllocationId& allocation, const Amount& total);
    /// `DELETE /allocations/{id}`. Repeatable; one that is unknown or released already counts as released.
    Task<> release_allocation(const AllocationId& allocation);
    /// `GET /demandDecorations`. Repeatable.
    Task<DemandDecoration> demand_decoration(const AllocationId& allocation);

    /// `GET /debitNoteEvents` after `cursor`, waiting up to `wait`. A log: repeatable.
    Task<std::vector<PaymentEvent>> debit_note_events(const Cursor& cursor, const std::string& app_session, Duration wait);
    /// `GET /invoiceEvents`, likewise.
    Task<std::vector<PaymentEvent>> invoice_events(const Cursor& cursor, const std::string& app_session, Duration wait);
    Task<DebitNote> debit_note(const DebitNoteId& id);
    Task<Invoice> invoice(const InvoiceId& id);
    /// `GET /invoices`, both roles. Repeatable.
    Task<std::vector<Invoice>> invoices();

    /// `POST /debitNotes/{id}/accept`. Sent once; the caller may repeat it, but never beside another accept of the same
    /// agreement: the daemon charges the allocation twice then. `amount` is the note's own total.
    Task<> accept_debit_note(const DebitNoteId& id, const Amount& amount, const AllocationId& allocation);
    /// `POST /invoices/{id}/accept`, likewise.
    Task<> accept_invoice(const InvoiceId& id, const Amount& amount, const AllocationId& allocation);
    /// `POST /invoices/{id}/reject`. Repeatable. Debit notes cannot be rejected (the daemon answers 501).
    Task<> reject_invoice(const InvoiceId& id, RejectionReason reason, const std::string& message);

private:
    Caller& caller_;
};

} // namespace golem::yagna
