#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/payment/detail/audit.hpp>
#include <golem/payment/payments.hpp>

#include "allocation_keeper.hpp"
#include "places.hpp"

#include <cstddef>
#include <deque>
#include <exception>
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
        std::string platform, AllocationKeeper& allocation, std::function<void(const std::string&)> on_problem);

    /// Called once, with insufficient_funds, when the budget or the account no longer allow what is owed.
    void set_exhausted_handler(std::function<void(std::exception_ptr)> handler) { on_exhausted_ = std::move(handler); }

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
        /// Invoices that wait for the last note.
        std::vector<Document> held;
        /// Notes that came before `POST activity` has returned. The latest ones: totals run.
        std::vector<yagna::DebitNote> parked;
        /// Every document that was ever in the queue: none is handled twice.
        std::set<std::string> taken;
        bool working = false;
        std::optional<Instant> deadline; ///< Of the invoice; set when the agreement has ended.
        InvoiceState invoice = InvoiceState::none;
        /// Its accept was given up without an answer: it may be accepted.
        std::optional<yagna::InvoiceId> doubtful;
        Amount accepted;
        std::string problem;
        Event settled;
        Event arrival; ///< Set while the queue is not empty.
    };

    using EntryPointer = std::shared_ptr<Entry>;

    class Slot;

    using Send = std::function<Task<>(const yagna::AllocationId& allocation)>;
    using Read = std::function<Task<yagna::DocumentStatus>()>;

    enum class Acceptance { accepted, refused, given_up };

    EntryPointer find(const yagna::AgreementId& agreement) const;
    void enqueue(const EntryPointer& entry, Document document);
    Task<> work(EntryPointer entry);
    std::optional<Document> next(Entry& entry);
    Duration shortest_hold(const Entry& entry) const;
    Task<> handle_note(EntryPointer entry, const yagna::DebitNote& note);
    Task<> handle_invoice(EntryPointer entry, const yagna::Invoice& invoice);
    bool is_to_be_held(Entry& entry, Document& document) const;
    Task<yagna::DocumentStatus> note_status(const yagna::DebitNoteId& id);
    Task<yagna::DocumentStatus> invoice_status(const yagna::InvoiceId& id);
    Task<Acceptance> accept_and_book(
        EntryPointer entry, const std::string& what, yagna::DocumentStatus status, const Amount& increase,
        const Send& send, const Read& read);
    Task<Acceptance>
    accept(EntryPointer entry, const std::string& what, const Amount& increase, const Send& send, const Read& read);
    Task<> attempt(const Send& send, std::exception_ptr& failure);
    Task<> send_rejection(const yagna::Invoice& invoice, yagna::RejectionReason reason, const std::string& message);
    Task<bool> resolve_doubt(EntryPointer entry);
    Task<> reject(EntryPointer entry, const yagna::Invoice& invoice, const std::string& message);
    bool is_late(const Entry& entry, int attempts) const;
    void conclude(Entry& entry, InvoiceState state, std::string problem);
    void complain(Entry& entry, std::string_view document, const std::string& id, const std::string& problem);
    void exhausted(const std::string& what, const Amount& needed);
    void fold();
    const Bill* folded(const yagna::AgreementId& agreement) const;
    Amount budget_left() const { return options_.budget - accepted_ - reserved_; }
    Bill bill_of(const Entry& entry) const;

    Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    PaymentOptions options_;
    std::string platform_;
    std::function<void(const std::string&)> on_problem_;
    AllocationKeeper& allocation_;
    std::function<void(std::exception_ptr)> on_exhausted_;
    bool exhausted_ = false;
    std::map<yagna::AgreementId, EntryPointer> entries_;
    std::deque<Bill> folded_; ///< Of agreements that are over, the latest ones.
    Amount accepted_;
    Amount reserved_; // For what is being accepted now.
    Places places_;
    TaskGroup tasks_;
};

} // namespace golem::detail
