#pragma once

#include <golem/core/error.hpp>
#include <golem/core/retry.hpp>
#include <golem/yagna/caller.hpp>

#include <algorithm>
#include <limits>

/// How long a call may take and whether it is made again: decisions without I/O.
namespace golem::yagna::detail {

/// The daemon's own limits pass up to a second late, and the answer needs time to travel.
inline constexpr Duration answer_margin = std::chrono::seconds(5);
/// What the last attempt of a first contact gets at least.
inline constexpr Duration shortest_limit = std::chrono::seconds(1);
/// A daemon that answers, but with a failure of its own, is asked so often in all.
inline constexpr int answered_attempts = 3;
/// Keeps sums of durations from overflowing.
inline constexpr Duration longest_wait = std::chrono::hours(24 * 365);

/// What is known while a call is being made.
struct CallProgress {
    bool contacted = false; ///< The daemon has answered something, to whatever call.
    int attempts = 0;       ///< Made so far.
    int answered = 0;       ///< Those of them that got an answer.
    Duration elapsed{0};    ///< Since the first attempt started.
};

/// From request to answer, for the next attempt.
inline Duration attempt_limit(const CallClass& call, const CallerOptions& options, const CallProgress& progress)
{
    if (call.limit > Duration::zero())
        return std::max(call.limit - progress.elapsed, Duration(std::chrono::milliseconds(1)));
    if (call.server_wait > Duration::zero())
        return std::min(call.server_wait, longest_wait) + answer_margin;
    if (progress.contacted || call.idempotency == Idempotency::once)
        return options.call_limit;
    // A daemon that accepts connections and says nothing must not make the first contact last longer.
    return std::min(options.call_limit, std::max(options.first_contact - progress.elapsed, shortest_limit));
}

/// Why an attempt failed.
struct AttemptFailure {
    Errc code = Errc::protocol;
    bool transient = false;
    bool may_have_been_executed = true;
    bool answered = false; ///< The daemon answered with a failure; otherwise no answer came.
    unsigned status = 0;   ///< Of that answer.
};

/// No attempt starts later than this after the first.
inline Duration patience(const CallClass& call, const CallerOptions& options, const CallProgress& progress)
{
    const auto outage = progress.contacted ? options.outage_patience : options.first_contact;
    if (call.limit <= Duration::zero())
        return outage;
    return std::min(outage, std::max(call.limit - shortest_limit, Duration::zero()));
}

/// Whether the call is made again. `progress` includes the failed attempt.
inline RetryDecision decide_call(
    const CallClass& call, const CallerOptions& options, const CallProgress& progress, const AttemptFailure& failure)
{
    // The wait that was asked for has passed: that is an answer, and the caller decides about another one.
    if (failure.status == 408 && call.server_wait > Duration::zero())
        return RetryDecision();

    RetryPolicy policy;
    policy.max_elapsed = patience(call, options, progress);
    policy.max_attempts =
        failure.answered ? progress.attempts - progress.answered + answered_attempts : std::numeric_limits<int>::max();

    FailedAttempt failed;
    failed.attempts = progress.attempts;
    failed.elapsed = progress.elapsed;
    failed.transient = failure.transient;
    failed.may_have_been_executed = failure.may_have_been_executed;
    return decide_retry(policy, failed, call.idempotency);
}

/// How long to wait before the next attempt: `delay`, but not beyond the point at which there is none any more.
inline Duration pause(const CallClass& call, const CallerOptions& options, const CallProgress& progress, Duration delay)
{
    return std::min(delay, std::max(patience(call, options, progress) - progress.elapsed, Duration::zero()));
}

} // namespace golem::yagna::detail
