#include <golem/core/retry.hpp>

#include <algorithm>
#include <cstdio>

namespace golem {

namespace {

std::string seconds_text(Duration duration)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g s", std::chrono::duration<double>(duration).count());
    return text;
}

std::string number_text(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

[[noreturn]] void refuse(const char* member, const std::string& value, const char* range)
{
    throw Error(
        Errc::invalid_input, "check a retry policy",
        std::string("RetryPolicy::") + member + " is " + value + ", but must be " + range);
}

} // namespace

void RetryPolicy::validate() const
{
    if (max_attempts < 1)
        refuse("max_attempts", std::to_string(max_attempts), "at least 1");
    if (max_elapsed < Duration::zero())
        refuse("max_elapsed", seconds_text(max_elapsed), "at least 0 s");
    if (initial_delay < Duration::zero())
        refuse("initial_delay", seconds_text(initial_delay), "at least 0 s");
    if (max_delay < initial_delay)
        refuse("max_delay", seconds_text(max_delay), "at least initial_delay");
    if (!(multiplier >= 1.0 && multiplier <= 1000.0))
        refuse("multiplier", number_text(multiplier), "1 to 1000");
    if (!(jitter >= 0.0 && jitter <= 1.0))
        refuse("jitter", number_text(jitter), "0 to 1");
}

Backoff::Backoff(const RetryPolicy& policy, Random random)
    : policy_(policy), random_(random), step_(policy.initial_delay)
{
    policy_.validate();
}

Duration Backoff::next() noexcept
{
    const double full = static_cast<double>(step_.count());
    step_ = limited(full * policy_.multiplier);
    // Subtracted, so that a delay never exceeds max_delay.
    return limited(full - full * policy_.jitter * random_.unit());
}

Duration Backoff::limited(double nanoseconds) const noexcept
{
    // Compared as double: the longest durations do not survive the way back.
    return nanoseconds < static_cast<double>(policy_.max_delay.count())
               ? Duration(static_cast<Duration::rep>(nanoseconds))
               : policy_.max_delay;
}

RetryDecision decide_retry(const RetryPolicy& policy, const FailedAttempt& failed, Idempotency idempotency)
{
    RetryDecision decision;
    if (!failed.transient) {
        decision.reason = GaveUp::permanent;
    } else if (failed.may_have_been_executed && idempotency == Idempotency::once) {
        decision.reason = GaveUp::not_repeatable;
    } else if (failed.attempts >= policy.max_attempts || failed.elapsed >= policy.max_elapsed) {
        decision.reason = GaveUp::exhausted;
        decision.detail = "after " + std::to_string(failed.attempts) +
                          (failed.attempts == 1 ? " attempt in " : " attempts in ") + seconds_text(failed.elapsed);
    } else {
        decision.retry = true;
    }
    return decision;
}

} // namespace golem
