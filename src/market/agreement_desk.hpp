#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/market/market.hpp>
#include <golem/yagna/client.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace golem::detail {

/// One agreement on its way.
struct SigningCase {
    explicit SigningCase(const Executor& executor) : withdrawn(executor), decided(executor) {}

    /// What was negotiated, as far as we know it without asking.
    yagna::Agreement to_agreement(Timestamp approved) const;

    yagna::ProposalId draft;
    yagna::DemandId demand;
    yagna::NodeId provider;
    std::string provider_name;
    yagna::DemandOfferBase ours;
    yagna::DemandOfferBase theirs;
    /// Set when nobody needs it any more.
    Event withdrawn;
    /// Known once created.
    yagna::AgreementId agreement;
    std::string app_session;
    Timestamp created{};
    Timestamp valid_to{};
    /// Set with `approval`.
    Event decided;
    yagna::Approval approval = yagna::Approval::undecided;
    /// Why it came to nothing.
    std::string why_not;
};

/// Creates agreements, and sees to it that none is left without an owner: whatever is unknown is read again.
class AgreementDesk {
public:
    /// `tasks` must end before the desk; it may be constructed later.
    AgreementDesk(
        const Executor& executor, TimeSource& time, yagna::Client& client, Random random, Logger log,
        std::string app_session, Duration approval_limit, AgreementFeed& feed, TaskGroup& tasks,
        Market::Unwanted unwanted);

    /// True: approved, and the caller must call handed_over() or terminate(). False: nothing is left of it, save what
    /// left_over() lists.
    Task<bool> sign(const std::shared_ptr<SigningCase>& signing);
    void handed_over(const yagna::AgreementId& agreement) { unowned_.erase(agreement); }
    /// Ends an approved agreement that nobody needs; what cannot be ended soon is gone on with in the background.
    Task<> terminate(const yagna::Agreement& agreement);
    /// See Market::take_over.
    bool take_over(
        const yagna::Agreement& agreement, const yagna::Reason& reason, const std::string& problem,
        std::function<void()> on_end);
    /// Tries once more to end what could not be ended; those attempts are tasks of the group.
    void close() { closing_.set(); }

    /// Agreements that may be in force without an owner, one line each.
    std::vector<std::string> left_over() const;

private:
    enum class Confirmed { yes, no, unknown };
    enum class Cancelled { gone, approved, unknown };

    Task<bool> settle(const std::shared_ptr<SigningCase>& signing);
    Task<bool> create(SigningCase& signing);
    Task<bool> find_created(SigningCase& signing);
    Task<Confirmed> confirm(SigningCase& signing);
    void listen(const std::shared_ptr<SigningCase>& signing);
    Task<> await_decision(SigningCase& signing);
    Task<bool> conclude(const std::shared_ptr<SigningCase>& signing);
    Task<> watch(std::shared_ptr<SigningCase> signing);
    struct TakenOver;
    Task<> end(std::shared_ptr<const TakenOver> taken);
    Task<Cancelled> cancel(const yagna::AgreementId& agreement, std::string_view why);
    Task<std::optional<yagna::AgreementState>> read_state(const yagna::AgreementId& agreement);
    Backoff backoff();

    Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Random random_;
    Logger log_;
    std::string app_session_;
    Duration approval_limit_;
    AgreementFeed& feed_;
    TaskGroup& tasks_;
    Event closing_;
    Market::Unwanted unwanted_;
    std::map<yagna::AgreementId, std::string> unowned_; // With what is known of them.
    std::set<yagna::AgreementId> proposed_;             // Created here and not confirmed.
};

} // namespace golem::detail
