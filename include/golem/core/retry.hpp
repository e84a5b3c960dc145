#pragma once

#include <golem/core/error.hpp>
#include <golem/core/random.hpp>
#include <golem/core/time_source.hpp>

#include <optional>
#include <string>

namespace golem {

/// Whether a call may be sent again although it may have taken effect already. A property of the call.
enum class Idempotency {
    repeatable, ///< Twice is as good as once: reads, deletes, accepting a document.
    once,       ///< A second one would be a second deed: creating an agreement or activity, running a script.
};

/// How often a failed call is repeated, and how long is waited in between.
struct RetryPolicy {
    int max_attempts = 5; ///< In all, the first one included: 1 never repeats.
    Duration max_elapsed =
        std::chrono::minutes(1); ///< Once this has passed since the first attempt began, no further one is made.
    Duration initial_delay = std::chrono::milliseconds(200); ///< Before the second attempt.
    Duration max_delay = std::chrono::seconds(10);           ///< Delays grow up to this one.
    double multiplier = 2.0;                                 ///< Growth from one delay to the next, at least 1.
    double jitter = 0.5; ///< Share of a delay left to chance, 0 to 1: 0.5 gives 50 % to 100 %.

    /// Throws Error (invalid_input) that names member, value and range of the first member out of range.
    void validate() const;
};

/// Truncated exponential delays with jitter.
class Backoff {
public:
    /// Throws Error (invalid_input) if the policy is out of range.
    Backoff(const RetryPolicy& policy, Random random);

    /// How long to wait before the next attempt; each call returns the next, longer one.
    Duration next() noexcept;

    /// Starts again at the first delay, after a success.
    void reset() noexcept { step_ = policy_.initial_delay; }

private:
    Duration limited(double nanoseconds) const noexcept;

    RetryPolicy policy_;
    Random random_;
    Duration step_;
};

/// What is known when an attempt has failed.
struct FailedAttempt {
    int attempts = 1;                    ///< Made so far, this one included.
    Duration elapsed{0};                 ///< Since the first attempt started.
    bool transient = false;              ///< The same call may succeed later.
    bool may_have_been_executed = false; ///< No answer came, so it is unknown.
};

/// Retry, or the reason why not with the words that complete the error ("after 3 attempts in 4 s").
struct RetryDecision {
    bool retry = false;
    GaveUp reason = GaveUp::not_tried_again;
    std::string detail;

    explicit operator bool() const noexcept { return retry; }
};

RetryDecision decide_retry(const RetryPolicy& policy, const FailedAttempt& failed, Idempotency idempotency);

} // namespace golem
