#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/yagna/client.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace golem {

inline constexpr const char* default_network = "hoodi";

struct PaymentOptions {
    /// What may be spent in all, a hard ceiling. More than zero.
    Amount budget{1};
    /// "hoodi", "holesky", "polygon", "mainnet", … The platform follows: erc20-hoodi-tglm, erc20-polygon-glm. Empty:
    /// YAGNA_PAYMENT_NETWORK if a ServiceManager reads these options, else default_network.
    std::string network{};
    /// How long an allocation lasts. While the manager lives it is replaced in time, at nine tenths of this, by one
    /// over what is left of the budget.
    Duration allocation_lifetime = std::chrono::hours(24) * 30;
    /// One poll of the payment events.
    Duration poll = std::chrono::seconds(60);
    /// The first look for debit notes comes this long after the first approval, or when an agreement ends: the feed is
    /// a log, so nothing is lost. Well below the accept timeout agreed with providers (120 s).
    Duration first_poll = std::chrono::seconds(30);
    /// How long an ended agreement's last invoice is waited for.
    Duration last_invoice = std::chrono::seconds(30);
};

/// The platform's name for a network; Error invalid_input for an unknown one, naming the known.
std::string payment_platform(std::string_view network);

/// What happened to one agreement's money, for reports.
struct Bill {
    yagna::AgreementId agreement;
    std::string provider;      ///< Its id.
    std::string provider_name; ///< By its own account; may be empty.
    Amount accepted;           ///< What is paid so far.
    bool invoice_accepted = false;
    /// Why it is not, if it is not.
    std::string problem;
};

/// The manager's money: one allocation at a time, one poll each for debit notes and invoices, every document audited
/// before it is accepted, accepts of one agreement strictly one after another.
///
/// One executor. Close before destroying.
class Payments {
public:
    /// `on_problem` is told about documents that were not accepted and why.
    Payments(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
        std::string app_session, std::function<void(const std::string&)> on_problem);
    ~Payments();

    /// The allocation and its decoration, made at the first call; a failed attempt throws to all who wait and the next
    /// call tries again. Errors: insufficient_funds, unauthorized, unreachable, daemon_failed, invalid_input.
    Task<yagna::DemandDecoration> decoration();
    const std::string& platform() const noexcept;

    /// From now on documents of this agreement are audited against its terms and accepted.
    void agreement_approved(const yagna::Agreement& agreement);
    void activity_created(const yagna::AgreementId& agreement, const yagna::ActivityId& activity);
    /// The last note and the invoice are awaited for `last_invoice` from now.
    void agreement_ended(const yagna::AgreementId& agreement);

    /// Completes when the agreement's invoice was accepted or rejected, or its time ran out. Never waits for the chain.
    Task<Bill> settle(const yagna::AgreementId& agreement);

    /// `handler` is called with Error insufficient_funds when a document that is owed is not accepted because the budget
    /// (or the account, for a new allocation) has too little; once, and again only after something was accepted. It must
    /// not throw. Set it before the first agreement.
    void set_exhausted_handler(std::function<void(std::exception_ptr)> handler);
    /// What it was told, until something is accepted again; else null. Whoever hires now may not be able to pay.
    std::exception_ptr exhaustion() const noexcept;

    /// One for each agreement; of those that are over, the last 1000. Providers send the invoice when an agreement has
    /// ended: complete after close().
    std::vector<Bill> bills() const;
    /// Of all agreements, also of those that bills() no longer lists.
    Amount accepted_total() const;

    /// Waits for the last invoices of ended agreements (up to `limit`), ends the feeds, releases the allocation (not
    /// if accepted documents may still come: then it says so). Returns what was left over, one line each.
    Task<std::vector<std::string>> close(Duration limit);

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace golem
