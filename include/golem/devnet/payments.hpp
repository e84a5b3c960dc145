#pragma once

#include <golem/core/random.hpp>
#include <golem/devnet/decimal.hpp>
#include <golem/devnet/failure.hpp>
#include <golem/devnet/stamps.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace golem::devnet {

/// Whether allocations can be made.
enum class Chain { ok, unreachable };

struct PaymentOptions {
    /// What every identity owns on every platform.
    Amount funds{1000};
    Chain chain = Chain::ok;
    /// From acceptance to settlement; zero is at once, nothing is never.
    std::optional<Duration> settle_after = Duration(0);
};

struct NewAllocation {
    Decimal total;
    std::string platform;
    std::string address;
    std::optional<Timestamp> timeout;
    bool make_deposit = false;
    /// JSON text of the deposit, told back as it came.
    std::optional<std::string> deposit;
};

struct AllocationChange {
    std::optional<Decimal> total;
    std::optional<Timestamp> timeout;
    bool deposit = false;
};

struct Allocation {
    std::string id;
    std::string owner;
    std::string platform;
    std::string address;
    Decimal spent;
    Decimal remaining;
    Timestamp created{};
    Timestamp timeout{};
    bool make_deposit = false;
    std::optional<std::string> deposit;
    bool released = false;

    Decimal total() const { return spent + remaining; }
};

enum class DocumentKind { debit_note, invoice };
enum class DocumentStatus { received, accepted, rejected, settled, cancelled };

std::string_view to_string(DocumentStatus status) noexcept;

/// Who bills whom for an agreement.
struct Billing {
    std::string agreement;
    std::string requestor;
    std::string provider;
    std::string platform;
    std::string payer_address;
    std::string payee_address;
    std::string requestor_session;
    std::string provider_session;
};

/// A debit note or an invoice.
struct Document {
    DocumentKind kind = DocumentKind::debit_note;
    std::string id;
    Billing billing;
    /// Of a debit note: the one that it bills.
    std::string activity;
    /// Of an invoice.
    std::vector<std::string> activities;
    /// A note's amount is the running total of its activity.
    Decimal amount;
    std::optional<std::vector<double>> usage;
    std::optional<Timestamp> due;
    std::string previous;
    DocumentStatus status = DocumentStatus::received;
    /// The two sides' copies carry different times.
    Timestamp issued{};
    Timestamp received{};
};

enum class PaymentEventKind { received, accepted, rejected, cancelled, settled };

/// Money that went from one party to the other, for an agreement's invoice or an activity's debit note.
struct Payment {
    std::string id;
    std::string requestor;
    std::string provider;
    std::string payer_address;
    std::string payee_address;
    std::string platform;
    Decimal amount;
    Timestamp made{};
    std::string agreement;
    /// Empty if it was for the agreement as a whole.
    std::string activity;
    std::string requestor_session;
    std::string provider_session;
    /// Raw bytes that nobody can verify here: of the transaction's hash, and of the payer's signature.
    std::string transaction;
    std::string signature;
};

struct PaymentQuery {
    Timestamp after{};
    std::optional<std::string> session;
    std::optional<std::string> network;
    std::optional<std::string> driver;
    std::optional<std::size_t> max_events;
};

struct PaymentLogEntry {
    DocumentKind document = DocumentKind::debit_note;
    PaymentEventKind kind = PaymentEventKind::received;
    std::string id;
    Timestamp date{};
    /// The reader's own session of the agreement.
    std::string session;
    bool reader_is_requestor = true;
    /// JSON text of the rejection.
    std::string rejection;
};

struct PaymentEventQuery {
    DocumentKind document = DocumentKind::debit_note;
    Timestamp after{};
    std::optional<std::string> session;
    std::set<PaymentEventKind> as_requestor = {PaymentEventKind::received, PaymentEventKind::cancelled};
    std::set<PaymentEventKind> as_provider = {
        PaymentEventKind::accepted, PaymentEventKind::rejected, PaymentEventKind::settled, PaymentEventKind::cancelled};
    std::optional<std::size_t> max_events;
};

/// Allocations, debit notes, invoices and their event logs: the payment part of the daemons of all nodes. No I/O; time
/// is told with each call.
class Payments {
public:
    Payments(const PaymentOptions& options, Random random)
        : options_(options), random_(random), chain_random_(random.sub_stream("chain"))
    {
    }

    Result<Allocation> allocate(const std::string& owner, const NewAllocation& wish, Timestamp now);
    /// The active ones, oldest first.
    std::vector<Allocation> allocations(const std::string& owner, Timestamp now);
    Result<Allocation> allocation(const std::string& owner, const std::string& id, Timestamp now);
    Result<Allocation>
    amend(const std::string& owner, const std::string& id, const AllocationChange& change, Timestamp now);
    Result<Done> release(const std::string& owner, const std::string& id, Timestamp now);

    /// Issues and sends at once. Returns the document's id.
    /// What the notes of an agreement ask for, accepted or not: its invoice must not be less.
    Decimal requested_by_notes(const std::string& agreement) const;
    std::string send_note(
        const Billing& billing, const std::string& activity, const Decimal& total,
        const std::optional<std::vector<double>>& usage, std::optional<Timestamp> due, Timestamp now);
    std::string send_invoice(
        const Billing& billing, const std::vector<std::string>& activities, const Decimal& amount,
        std::optional<Timestamp> due, Timestamp now);
    /// The issuer takes a document back.
    Result<Done> cancel(const std::string& issuer, const std::string& id, Timestamp now);

    /// Both parties see a document; nobody else.
    Result<Document> document(const std::string& reader, DocumentKind kind, const std::string& id) const;
    std::vector<Document> documents(const std::string& reader, DocumentKind kind) const;

    Result<Done> accept(
        const std::string& payer, DocumentKind kind, const std::string& id, const Decimal& amount,
        const std::string& allocation, Timestamp now);
    /// `rejection` is JSON text that the provider's event repeats.
    Result<Done>
    reject_invoice(const std::string& payer, const std::string& id, const std::string& rejection, Timestamp now);

    std::vector<PaymentLogEntry> events(const std::string& reader, const PaymentEventQuery& query) const;

    /// Made or received by the reader, the oldest first.
    std::vector<Payment> payments(const std::string& reader, const PaymentQuery& query) const;
    Result<Payment> payment(const std::string& reader, const std::string& id) const;
    /// Of the invoice's agreement.
    Result<std::vector<Payment>> payments_of_invoice(const std::string& reader, const std::string& id) const;

    /// When the next accepted document settles.
    std::optional<Timestamp> next_deadline() const;
    void advance(Timestamp now);

    /// All of them, for inspection.
    const std::map<std::string, Allocation>& all_allocations() const noexcept { return allocations_; }
    const std::vector<Document>& all_documents() const noexcept { return documents_; }
    /// Paid or promised so far.
    Decimal spent(const std::string& owner) const;

    /// Names of what changed since the last call: "payments/" and a node.
    std::vector<std::string> take_touched();

private:
    Document* find(DocumentKind kind, const std::string& id);
    const Document* find(DocumentKind kind, const std::string& id) const;
    Allocation* active(const std::string& owner, const std::string& id, Timestamp now);
    Decimal reserved(const std::string& owner, const std::string& platform, Timestamp now) const;
    // The highest accepted total of each activity.
    std::map<std::string, Decimal> accepted_notes(const std::string& agreement) const;
    Decimal accepted_by_invoices(const std::string& agreement) const;
    bool has_decided_invoice(const std::string& agreement) const;
    std::string store(Document document, Timestamp now);
    void tell(const Document& document, PaymentEventKind kind, Timestamp now, const std::string& rejection = {});
    void settle(const Document& which, Timestamp now);
    void pay(const Document& document, Timestamp now);

    PaymentOptions options_;
    Random random_;
    Random chain_random_;
    std::vector<Payment> payments_;
    Stamps stamps_;
    std::map<std::string, Allocation> allocations_;
    std::vector<std::string> allocation_order_;
    std::vector<Document> documents_;
    std::map<std::string, std::size_t> index_;
    std::map<std::string, std::vector<std::size_t>> of_agreement_;
    std::map<std::string, std::vector<PaymentLogEntry>> logs_;
    std::multimap<Timestamp, std::size_t> settling_;
    std::map<std::string, Decimal> charged_;
    std::map<std::string, Decimal> charged_on_platform_;
    std::vector<std::string> touched_;
};

} // namespace golem::devnet
