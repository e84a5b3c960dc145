#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/payment/detail/acceptance.hpp>
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
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace golem::detail {

/// Every agreement's documents: audits them and accepts them, those of one agreement strictly one after another.
class Ledger {
public:
    Ledger(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
        std::string platform, AllocationKeeper& allocation, std::function<void(const std::string&)> on_problem);

    /// Called with insufficient_funds when the budget or the account no longer allow what is owed; once, until
    /// something is accepted again.
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
    /// What the handler was told, as long as it holds; else null.
    std::exception_ptr exhaustion() const noexcept { return exhaustion_; }
    /// Agreements that are not settled, one line each; not those that were over a day ago.
    std::vector<std::string> unsettled() const;
    /// Documents may come that the allocation should still pay for.
    bool is_owing() const;

private:
    struct Document {
        std::variant<yagna::DebitNote, yagna::Invoice> content;
        /// Until when an invoice that exceeds the notes waits for the last one.
        std::optional<Instant> note_until;
        /// Until when it waits for what is kept free for others.
        std::optional<Instant> room_until;
        /// It was put back until then.
        Instant not_before{};
    };

    /// Its accept was given up and may have had its effect: what it costs is kept free until that is known.
    struct Doubt {
        std::variant<yagna::DebitNote, yagna::Invoice> content;
        Amount increase;
        int questions = 0;
        Instant next{};
        Instant until{}; ///< From then on it counts as spent.

        const std::string& content_id() const
        {
            return std::visit([](const auto& document) -> const std::string& { return document.id; }, content);
        }
    };

    enum class InvoiceState { none, accepted, rejected, unpaid };

    struct Entry {
        Entry(const Executor& executor, yagna::AgreementId agreement)
            : id(std::move(agreement)), random(Random(1).sub_stream(id)), settled(executor), arrival(executor),
              news(executor)
        {
        }

        yagna::AgreementId id;
        Random random;
        std::string provider_name;
        AgreementAccount account;
        std::deque<Document> queue;
        /// Put back until something else is known.
        std::vector<Document> held;
        /// Notes that came before `POST activity` has returned. The latest ones: totals run.
        std::vector<yagna::DebitNote> parked;
        /// None of these is handled twice.
        RecentDocuments taken;
        std::vector<Doubt> doubts;
        bool working = false;
        int failures = 0;                ///< Accepts that failed one after another.
        std::optional<Instant> expires;  ///< The agreement's own end, if it is known.
        std::optional<Instant> deadline; ///< Of the invoice; set when the agreement has ended.
        InvoiceState invoice = InvoiceState::none;
        Amount accepted;
        std::string problem;
        Event settled;
        Event arrival; ///< Set while the queue is not empty.
        Event news;    ///< Pulsed when a document comes.
        std::size_t documents = 0;
    };

    using EntryPointer = std::shared_ptr<Entry>;
    using Send = std::function<Task<>(const yagna::AllocationId& allocation)>;
    using Read = std::function<Task<yagna::DocumentStatus>()>;

    /// A note or an invoice as far as accepting goes. It refers to the document.
    struct Payable {
        std::string what;
        yagna::DocumentStatus status = yagna::DocumentStatus::received;
        Amount increase;
        Send send;
        Read read;
    };

    enum class Acceptance { accepted, refused, given_up };

    // ledger.cpp: agreements.
    EntryPointer find(const yagna::AgreementId& agreement) const;
    /// When its invoice is overdue.
    std::optional<Instant> end_of(const Entry& entry) const;
    bool is_overdue(const Entry& entry) const;

    // ledger_documents.cpp: which document is handled when, and what is thought of it.
    void enqueue(const EntryPointer& entry, Document document);
    Task<> work(EntryPointer entry);
    Task<> handle(EntryPointer entry, const Document& document);
    std::optional<Document> next(Entry& entry);
    Duration shortest_hold(const Entry& entry) const;
    bool is_early(Entry& entry, Document& document) const;
    bool is_note_before(const Entry& entry, const Document& document) const;
    Task<> handle_note(EntryPointer entry, const Document& document);
    Task<> handle_invoice(EntryPointer entry, const Document& document);
    bool put_back(Entry& entry, const Document& document, const Amount& increase);
    Task<> send_rejection(const yagna::Invoice& invoice, yagna::RejectionReason reason, const std::string& message);
    Task<> reject(EntryPointer entry, const yagna::Invoice& invoice, const std::string& message);

    // ledger_accepts.cpp: accepting, and what became of it.
    Payable payable(const yagna::DebitNote& note);
    Payable payable(const yagna::Invoice& invoice);
    Task<yagna::DocumentStatus> note_status(const yagna::DebitNoteId& id);
    Task<yagna::DocumentStatus> invoice_status(const yagna::InvoiceId& id);
    Task<Acceptance> accept_and_book(EntryPointer entry, const Payable& payable);
    Task<Acceptance> accept(EntryPointer entry, const Payable& payable);
    Task<> rest(EntryPointer entry, int failures);
    Task<> attempt(EntryPointer entry, const Send& send, std::exception_ptr& failure);
    void book(Entry& entry, const Amount& increase);
    void book_note(Entry& entry, const yagna::DebitNote& note);
    void doubt(Entry& entry, const Document& document, const Amount& increase);
    bool is_doubt_due(const Entry& entry) const;
    const Doubt* doubtful_invoice(const Entry& entry) const;
    Amount doubtful_in(const Entry& entry, const yagna::ActivityId* activity) const;
    Task<> ask_for_doubts(EntryPointer entry, bool all);
    Task<yagna::DocumentStatus> ask(const Doubt& doubt);
    void resolve(Entry& entry, const std::string& id, yagna::DocumentStatus status);
    void postpone(Entry& entry, const std::string& id, const std::string& problem);
    void drop_doubt(Entry& entry, const std::string& id);
    void forget_moot_doubts(Entry& entry);

    // ledger_reports.cpp: what is told and kept.
    void conclude(Entry& entry, InvoiceState state, std::string problem);
    void complain(Entry& entry, std::string_view document, const std::string& id, const std::string& problem);
    void exhausted(const std::string& what, const Amount& needed);
    void look_at_end(const Entry& entry, Instant when);
    void fold();
    const Bill* folded(const yagna::AgreementId& agreement) const;
    Amount budget_left() const { return options_.budget - accepted_ - reserved_ - doubtful_; }
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
    std::exception_ptr exhaustion_;
    Event closing_;
    std::map<yagna::AgreementId, EntryPointer> entries_;
    std::set<std::pair<Instant, yagna::AgreementId>> ends_; ///< When entries may be over.
    std::map<yagna::AgreementId, Bill> folded_;             ///< Of agreements that are over, the latest ones.
    std::deque<yagna::AgreementId> order_;                  ///< Of their folding.
    Amount accepted_;
    Amount reserved_; ///< For what is being accepted now.
    Amount doubtful_; ///< For what may have been accepted.
    std::shared_ptr<Places> places_;
    TaskGroup tasks_;
};

} // namespace golem::detail
