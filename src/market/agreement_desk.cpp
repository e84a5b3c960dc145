#include "agreement_desk.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/retry.hpp>
#include <golem/market/detail/expirations.hpp>
#include <golem/yagna/outcome.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::detail {

namespace {

/// How long a proposed agreement can still be approved. Clocks differ, so this is generous; ours is cancelled long
/// before.
constexpr Duration validity = std::chrono::hours(1);
/// One attempt to end an agreement, and all of them together.
constexpr Duration ending_attempt = std::chrono::seconds(10);
constexpr Duration ending_limit = std::chrono::seconds(60);
constexpr std::size_t most_candidates = 8;
/// A provider ends an agreement by itself when it expires, by its own clock.
constexpr Duration expiration_margin = std::chrono::hours(1);

RetryPolicy ending_policy()
{
    RetryPolicy policy;
    policy.initial_delay = std::chrono::milliseconds(500);
    policy.max_delay = std::chrono::seconds(5);
    return policy;
}

// For what goes on in the background.
RetryPolicy take_over_policy()
{
    RetryPolicy policy;
    policy.initial_delay = std::chrono::seconds(2);
    policy.max_delay = std::chrono::seconds(60);
    return policy;
}

std::string still_open(const yagna::AgreementId& agreement, const yagna::NodeId& provider, const std::string& problem)
{
    return "agreement " + agreement + " with " + provider + " may still be open: " + problem;
}

bool is_not_found(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.errc() == Errc::not_found;
    } catch (...) {
        return false;
    }
}

} // namespace

yagna::Agreement SigningCase::to_agreement(Timestamp approved) const
{
    yagna::Agreement made;
    made.id = agreement;
    made.state = yagna::AgreementState::approved;
    made.demand_id = demand;
    made.demand = ours;
    made.provider = provider;
    made.offer = theirs;
    made.timestamp = created;
    made.valid_to = valid_to;
    made.approved = approved;
    made.app_session = app_session;
    return made;
}

AgreementDesk::AgreementDesk(
    const Executor& executor, TimeSource& time, yagna::Client& client, Random random, Logger log,
    std::string app_session, Duration approval_limit, AgreementFeed& feed, TaskGroup& tasks, Market::Unwanted unwanted)
    : executor_(executor), time_(time), client_(client), random_(std::move(random)), log_(std::move(log)),
      app_session_(std::move(app_session)), approval_limit_(approval_limit), feed_(feed), tasks_(tasks),
      closing_(executor), unwanted_(std::move(unwanted))
{
}

Backoff AgreementDesk::backoff() { return Backoff(ending_policy(), Random(random_.next())); }

Task<bool> AgreementDesk::sign(const std::shared_ptr<SigningCase>& signing)
{
    const bool created = co_await create(*signing);
    if (!created)
        co_return false;
    const bool approved = co_await settle(signing);
    proposed_.erase(signing->agreement);
    co_return approved;
}

Task<bool> AgreementDesk::settle(const std::shared_ptr<SigningCase>& signing)
{
    if (signing->withdrawn.is_set()) {
        signing->why_not = "nobody waits for it any more";
        co_return false; // The provider knows nothing of it yet.
    }

    const auto& id = signing->agreement;
    unowned_[id] = "agreement " + id + " with " + signing->provider + " was proposed; its end is not known";
    // Before confirming: the approval may be faster than the answer.
    listen(signing);
    const auto confirmed = co_await confirm(*signing);
    if (confirmed != Confirmed::yes)
        feed_.forget(id);
    if (confirmed == Confirmed::no)
        unowned_.erase(id);
    if (confirmed == Confirmed::unknown)
        tasks_.spawn("watch an agreement that may be confirmed", [this, signing] { return watch(signing); });
    if (confirmed != Confirmed::yes)
        co_return false;
    co_await await_decision(*signing);
    // From now on the feed keeps what comes for the agreement's owner.
    feed_.forget(id);
    const bool approved = co_await conclude(signing);
    co_return approved;
}

// The feed asks for all agreements at once; a `wait` of each would be a request more.
void AgreementDesk::listen(const std::shared_ptr<SigningCase>& signing)
{
    feed_.listen(signing->agreement, [this, weak = std::weak_ptr(signing)](const yagna::AgreementEvent& event) {
        const auto waiting = weak.lock();
        if (!waiting)
            return;
        using Kind = yagna::AgreementEvent::Kind;
        const auto& words = event.reason ? event.reason->message() : std::string();
        switch (event.kind) {
        case Kind::approved: waiting->approval = yagna::Approval::approved; break;
        case Kind::rejected: waiting->approval = yagna::Approval::rejected; break;
        case Kind::cancelled: waiting->approval = yagna::Approval::cancelled; break;
        case Kind::terminated: waiting->approval = yagna::Approval::terminated; break;
        case Kind::other: return;
        }
        waiting->why_not = words;
        waiting->decided.set();
        feed_.forget(event.agreement); // What follows is kept for the agreement's owner.
    });
}

Task<> AgreementDesk::await_decision(SigningCase& signing)
{
    auto decision = signing.decided.wait();
    auto withdrawal = signing.withdrawn.wait();
    auto limit = time_.sleep_for(approval_limit_, "approval of an agreement");
    co_await first_of(std::move(decision), std::move(withdrawal), std::move(limit));
}

Task<bool> AgreementDesk::conclude(const std::shared_ptr<SigningCase>& shared)
{
    auto& signing = *shared;
    const auto because = signing.why_not.empty() ? "" : ": " + signing.why_not;
    switch (signing.approval) {
    case yagna::Approval::approved: co_return true;
    case yagna::Approval::rejected: signing.why_not = "the provider refused the agreement" + because; break;
    case yagna::Approval::cancelled: signing.why_not = "the agreement was cancelled" + because; break;
    case yagna::Approval::expired: signing.why_not = "the agreement expired before it was approved"; break;
    case yagna::Approval::terminated: signing.why_not = "the agreement was terminated at once" + because; break;
    case yagna::Approval::undecided: {
        signing.why_not =
            signing.withdrawn.is_set() ? "nobody waits for it any more" : "the provider did not approve in time";
        const auto cancelled = co_await cancel(signing.agreement, signing.why_not);
        if (cancelled == Cancelled::approved)
            co_return true;
        if (cancelled == Cancelled::unknown) {
            tasks_.spawn("watch an agreement that may be approved", [this, shared] { return watch(shared); });
            co_return false;
        }
        break;
    }
    }
    unowned_.erase(signing.agreement);
    co_return false;
}

// Nobody waits for it, and it may still be approved: then it is terminated. It is listed until its end is known.
Task<> AgreementDesk::watch(std::shared_ptr<SigningCase> signing)
{
    const auto& id = signing->agreement;
    // What came while it was being cancelled is told as well.
    listen(signing);
    auto decision = signing->decided.wait();
    auto closing = closing_.wait();
    auto end = time_.sleep_for(validity + ending_limit, "the end of an agreement that could not be cancelled");
    const auto first = co_await first_of(std::move(decision), std::move(closing), std::move(end));
    feed_.forget(id);
    // After its validity nobody can approve it any more.
    bool is_approved = signing->approval == yagna::Approval::approved;
    bool is_over = !is_approved && (signing->decided.is_set() || first == 2);
    if (!is_approved && !is_over) {
        const auto cancelled = co_await cancel(id, "No longer needed");
        is_approved = cancelled == Cancelled::approved;
        is_over = cancelled == Cancelled::gone;
    }
    if (is_approved) {
        const auto agreement = signing->to_agreement(time_.utc());
        co_await terminate(agreement);
    } else if (is_over) {
        unowned_.erase(id);
    }
}

Task<bool> AgreementDesk::create(SigningCase& signing)
{
    signing.app_session = app_session_;
    signing.created = time_.utc();
    signing.valid_to = signing.created + validity;
    std::exception_ptr failure;
    try {
        signing.agreement = co_await client_.market().create_agreement(signing.draft, signing.valid_to);
    } catch (...) {
        failure = std::current_exception();
    }
    bool found = !failure;
    if (failure) {
        signing.why_not = describe(failure);
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        if (yagna::may_have_happened(failure))
            found = co_await find_created(signing);
    }
    if (found)
        proposed_.insert(signing.agreement);
    co_return found;
}

// Not confirmed yet, such an agreement binds nobody and would expire; but the draft is used up, so it is worth a look.
Task<bool> AgreementDesk::find_created(SigningCase& signing)
{
    yagna::AgreementFilter filter;
    filter.state = yagna::AgreementState::proposal;
    try {
        const auto list = co_await client_.market().agreements(filter);
        std::size_t looked_at = 0;
        for (const auto& summary : list) {
            const bool is_ours = summary.we_are_requestor && !proposed_.contains(summary.id) &&
                                 summary.timestamp >= signing.created - std::chrono::seconds(5);
            if (!is_ours || ++looked_at > most_candidates)
                continue;
            const auto agreement = co_await client_.market().agreement(summary.id);
            if (agreement.demand_id == signing.demand && agreement.provider == signing.provider) {
                signing.agreement = agreement.id;
                co_return true;
            }
        }
    } catch (const Error& error) {
        log_.warning("could not look for an agreement that may have been created: ", error.what());
    }
    co_return false;
}

Task<AgreementDesk::Confirmed> AgreementDesk::confirm(SigningCase& signing)
{
    std::exception_ptr failure;
    bool in_time = false;
    try {
        auto confirmation = client_.market().confirm(signing.agreement, app_session_);
        in_time = co_await with_timeout(time_, approval_limit_, std::move(confirmation), "confirming an agreement");
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (in_time)
        co_return Confirmed::yes;
    signing.why_not = failure ? describe(failure) : "the daemon did not pass the agreement on in time";
    const auto state = co_await read_state(signing.agreement);
    // While it is not even known, it counts as confirmed: then it will be cancelled.
    if (state != yagna::AgreementState::proposal)
        co_return Confirmed::yes;
    // The daemon says Proposal until it has reached the provider, and may be trying still.
    co_return failure&& yagna::was_answered(failure) ? Confirmed::no : Confirmed::unknown;
}

Task<AgreementDesk::Cancelled> AgreementDesk::cancel(const yagna::AgreementId& agreement, std::string_view why)
{
    const yagna::Reason reason(std::string(why), "golem.requestor.code", "Cancelled");
    const auto deadline = time_.deadline(ending_limit);
    auto pause = backoff();
    for (;;) {
        std::exception_ptr failure;
        std::optional<yagna::EndOutcome> outcome;
        try {
            auto attempt = client_.market().cancel(agreement, reason);
            outcome = co_await with_timeout(time_, ending_attempt, std::move(attempt), "cancelling an agreement");
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (outcome == yagna::EndOutcome::wrong_state)
            co_return Cancelled::approved;
        if (outcome || (failure && is_not_found(failure)))
            co_return Cancelled::gone;
        if (time_.now() >= deadline) {
            log_.error(
                "agreement ", agreement,
                " could not be cancelled: ", failure ? describe(failure) : std::string("the daemon does not answer"));
            co_return Cancelled::unknown;
        }
        co_await time_.sleep_for(pause.next(), "before cancelling an agreement again");
    }
}

Task<> AgreementDesk::terminate(const yagna::Agreement& agreement)
{
    if (unwanted_)
        unwanted_(agreement);
    const yagna::Reason reason("No longer needed", "golem.requestor.code", "Cancelled");
    const auto deadline = time_.deadline(ending_limit);
    auto pause = backoff();
    for (;;) {
        std::exception_ptr failure;
        try {
            // Approved it was: whatever the answer, it is over.
            co_await client_.market().terminate(agreement.id, reason, ending_attempt);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (!failure || is_not_found(failure)) {
            unowned_.erase(agreement.id);
            co_return;
        }
        if (time_.now() >= deadline) {
            log_.error("agreement ", agreement.id, " could not be terminated yet: ", describe(failure));
            take_over(agreement, reason, describe(failure), [] {});
            co_return;
        }
        co_await time_.sleep_for(pause.next(), "before terminating an agreement again");
    }
}

struct AgreementDesk::TakenOver {
    yagna::AgreementId id;
    yagna::NodeId provider;
    yagna::Reason reason;
    std::optional<Timestamp> expiration;
    std::function<void()> on_end;
};

bool AgreementDesk::take_over(
    const yagna::Agreement& agreement, const yagna::Reason& reason, const std::string& problem,
    std::function<void()> on_end)
{
    if (closing_.is_set())
        return false;
    unowned_[agreement.id] = still_open(agreement.id, agreement.provider, problem);
    auto taken = std::make_shared<const TakenOver>(
        TakenOver{agreement.id, agreement.provider, reason, expiration_of(agreement), std::move(on_end)});
    tasks_.spawn("end an agreement that its owner could not end", [this, taken] { return end(taken); });
    return true;
}

// The daemon, or its way to the provider, may be away for hours; meanwhile the provider may be working, and charging.
Task<> AgreementDesk::end(std::shared_ptr<const TakenOver> taken)
{
    Backoff pause(take_over_policy(), Random(random_.next()));
    std::string told;
    const auto is_past = [&] { return taken->expiration && time_.utc() > *taken->expiration + expiration_margin; };
    for (bool is_last = false; !is_last;) {
        auto again = time_.sleep_for(pause.next(), "before ending an agreement again");
        auto closing = closing_.wait();
        co_await first_of(std::move(again), std::move(closing));
        is_last = closing_.is_set();
        std::exception_ptr failure;
        std::optional<yagna::EndOutcome> outcome;
        try {
            auto attempt = client_.market().terminate(taken->id, taken->reason, ending_attempt);
            outcome = co_await with_timeout(time_, ending_attempt, std::move(attempt), "ending an agreement");
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        const bool is_over = outcome && *outcome != yagna::EndOutcome::wrong_state;
        if (is_over || (failure && is_not_found(failure))) {
            log_.info("agreement ", taken->id, " has ended at last");
            unowned_.erase(taken->id);
            break;
        }
        const auto problem = failure ? describe(failure) : std::string("the daemon does not answer in time");
        if (std::exchange(told, problem) != problem)
            log_.warning("agreement ", taken->id, " could not be ended yet: ", problem);
        unowned_[taken->id] = still_open(taken->id, taken->provider, problem);
        if (is_past()) {
            log_.warning("agreement ", taken->id, " has expired; nobody confirms its end: ", problem);
            unowned_.erase(taken->id);
            break;
        }
    }
    taken->on_end();
}

Task<std::optional<yagna::AgreementState>> AgreementDesk::read_state(const yagna::AgreementId& agreement)
{
    std::exception_ptr failure;
    std::optional<yagna::Agreement> found;
    try {
        auto reading = client_.market().agreement(agreement);
        found = co_await with_timeout(time_, ending_attempt, std::move(reading), "reading an agreement again");
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    std::optional<yagna::AgreementState> state;
    if (found)
        state = found->state;
    co_return state;
}

std::vector<std::string> AgreementDesk::left_over() const
{
    std::vector<std::string> lines;
    for (const auto& [agreement, line] : unowned_)
        lines.push_back(line);
    return lines;
}

} // namespace golem::detail
