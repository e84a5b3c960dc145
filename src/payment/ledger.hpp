#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/payment/detail/audit.hpp>
#include <golem/payment/payments.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace golem::detail {

/// Every agreement's documents: audits them and accepts them, those of one agreement strictly one after another.
class Ledger {
public:
    Ledger(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
        std::string platform, std::function<void(const std::string&)> on_problem);

    void set_allocation(const yagna::AllocationId& allocation) { allocation_ = allocation; }

    void agreement_approved(const yagna::Agreement& agreement);
    void activity_created(const yagna::AgreementId& agreement, const yagna::ActivityId& activity);
    void agreement_ended(const yagna::AgreementId& agreement);

    void note_came(const yagna::DebitNote& note);
    void invoice_came(const yagna::Invoice& invoice);

    Task<Bill> settle(const yagna::AgreementId& agreement);
    /// Waits until no ended agreement expects an invoice any more, or until `deadline`.
    Task<> await_invoices(Instant deadline);
    /// Completes when nothing is being accepted any more; what is not finished at `deadline` is given up.
    Task<> finish(Instant deadline);

    std::vector<Bill> bills() const;
    Amount accepted_total() const noexcept { return accepted_; }
    /// Agreements that are not settled, one line each.
    std::vector<std::string> unsettled() const;
    /// Documents may come that the allocation should still pay for.
    bool is_owing() const;

private:
    struct Document {
        std::variant<yagna::DebitNote, yagna::Invoice> content;
        /// Until when an invoice that exceeds the notes waits for the last one.
        std::optional<Instant> hold_until;
    };

    enum class InvoiceState { none, accepted, rejected, unpaid };

    struct Entry {
        Entry(const Executor& executor, yagna::AgreementId agreement)
            : id(std::move(agreement)), settled(executor), arrival(executor)
        {
        }

        yagna::AgreementId id;
        AgreementAccount account;
        std::deque<Document> queue;
        /// Notes that came before `POST activity` has returned.
        std::vector<yagna::DebitNote> parked;
        /// Every document that was ever in the queue: none is handled twice.
        std::set<std::string> taken;
        bool working = false;
        std::optional<Instant> deadline; ///< Of the invoice; set when the agreement has ended.
        InvoiceState invoice = InvoiceState::none;
        Amount accepted;
        std::string problem;
        Event settled;
        Event arrival; ///< Set while the queue is not empty.
    };

    using EntryPointer = std::shared_ptr<Entry>;

    class Slot;

    enum class Acceptance { accepted, refused, given_up };

    EntryPointer find(const yagna::AgreementId& agreement) const;
    void enqueue(const EntryPointer& entry, Document document);
    Task<> work(EntryPointer entry);
    Task<> handle_note(EntryPointer entry, const yagna::DebitNote& note);
    Task<> handle_invoice(EntryPointer entry, const yagna::Invoice& invoice);
    bool is_to_be_held(Entry& entry, Document& document) const;
    Task<yagna::DocumentStatus> note_status(const yagna::DebitNoteId& id);
    Task<yagna::DocumentStatus> invoice_status(const yagna::InvoiceId& id);
    Task<Acceptance> accept(
        EntryPointer entry, std::string what, std::function<Task<>()> send,
        std::function<Task<yagna::DocumentStatus>()> read);
    Task<> reject(EntryPointer entry, const yagna::Invoice& invoice, const std::string& message);
    bool is_late(const Entry& entry, int attempts) const;
    void conclude(Entry& entry, InvoiceState state, std::string problem);
    void complain(Entry& entry, std::string_view document, const std::string& id, const std::string& problem);
    Amount budget_left() const { return options_.budget - accepted_ - reserved_; }
    Bill bill_of(const Entry& entry) const;

    Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    PaymentOptions options_;
    std::string platform_;
    std::function<void(const std::string&)> on_problem_;
    yagna::AllocationId allocation_;
    std::map<yagna::AgreementId, EntryPointer> entries_;
    Amount accepted_;
    Amount reserved_; // For what is being accepted now.
    std::size_t under_way_ = 0;
    Event slot_free_;
    TaskGroup tasks_;
};

} // namespace golem::detail
