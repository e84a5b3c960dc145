#include <golem/core/retry.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace std::chrono_literals;

TEST_CASE("a retry is decided by what failed, how often, and what the call is")
{
    RetryPolicy policy;
    policy.max_attempts = 3;
    policy.max_elapsed = 10s;
    struct Row {
        FailedAttempt failed;
        Idempotency idempotency;
        bool retry;
        GaveUp reason;
        std::string detail;
    };
    const auto failed = [](int attempts, Duration elapsed, bool transient, bool executed) {
        FailedAttempt attempt;
        attempt.attempts = attempts;
        attempt.elapsed = elapsed;
        attempt.transient = transient;
        attempt.may_have_been_executed = executed;
        return attempt;
    };
    const auto repeatable = Idempotency::repeatable;
    const auto once = Idempotency::once;
    const Row table[] = {
        {failed(1, 1s, true, false), repeatable, true, GaveUp::not_tried_again, ""},
        {failed(1, 1s, true, true), repeatable, true, GaveUp::not_tried_again, ""},
        {failed(1, 1s, true, false), once, true, GaveUp::not_tried_again, ""},
        {failed(1, 1s, true, true), once, false, GaveUp::not_repeatable, ""},
        {failed(1, 1s, false, false), repeatable, false, GaveUp::permanent, ""},
        {failed(1, 1s, false, true), once, false, GaveUp::permanent, ""},
        {failed(2, 9s, true, false), repeatable, true, GaveUp::not_tried_again, ""},
        {failed(3, 4s, true, false), repeatable, false, GaveUp::exhausted, "after 3 attempts in 4 s"},
        {failed(1, 10s, true, false), repeatable, false, GaveUp::exhausted, "after 1 attempt in 10 s"},
    };
    for (const auto& row : table) {
        CAPTURE(row.failed.attempts, row.failed.transient, row.failed.may_have_been_executed);
        const auto decision = decide_retry(policy, row.failed, row.idempotency);
        CHECK(decision.retry == row.retry);
        CHECK(decision.reason == row.reason);
        CHECK(decision.detail == row.detail);
    }
}

TEST_CASE("delays double up to their limit, and start again after a reset")
{
    RetryPolicy policy;
    policy.initial_delay = 100ms;
    policy.max_delay = 350ms;
    policy.jitter = 0;
    Backoff backoff(policy, Random(1));
    CHECK(backoff.next() == 100ms);
    CHECK(backoff.next() == 200ms);
    CHECK(backoff.next() == 350ms);
    CHECK(backoff.next() == 350ms);
    backoff.reset();
    CHECK(backoff.next() == 100ms);
}

TEST_CASE("jitter shortens delays by no more than its share, and follows the seed")
{
    RetryPolicy policy;
    policy.initial_delay = 1s;
    policy.max_delay = 1s;
    policy.jitter = 0.25;
    Backoff backoff(policy, Random(1));
    Backoff same(policy, Random(1));
    Duration shortest = 1h;
    Duration longest{0};
    for (int count = 0; count < 200; ++count) {
        const auto delay = backoff.next();
        CHECK(delay == same.next());
        shortest = std::min(shortest, delay);
        longest = std::max(longest, delay);
    }
    CHECK((shortest >= 750ms && shortest < 760ms));
    CHECK((longest <= 1s && longest > 990ms));
}

TEST_CASE("very long delays do not overflow")
{
    RetryPolicy policy;
    policy.initial_delay = Duration::max() / 2;
    policy.max_delay = Duration::max();
    policy.multiplier = 1000;
    policy.jitter = 0;
    Backoff backoff(policy, Random(1));
    CHECK(backoff.next() > 0s);
    CHECK(backoff.next() == Duration::max());
    CHECK(backoff.next() == Duration::max());
}

TEST_CASE("a policy out of range is refused with member, value and range")
{
    const auto refused = [](auto change) {
        RetryPolicy policy;
        change(policy);
        try {
            Backoff(policy, Random(1));
        } catch (const Error& error) {
            CHECK(error.errc() == Errc::invalid_input);
            return error.explanation();
        }
        return std::string("accepted");
    };
    CHECK(refused([](RetryPolicy& p) {
              p.max_attempts = 0;
          }) == "RetryPolicy::max_attempts is 0, but must be at least 1");
    CHECK(refused([](RetryPolicy& p) {
              p.max_elapsed = -1s;
          }) == "RetryPolicy::max_elapsed is -1 s, but must be at least 0 s");
    CHECK(refused([](RetryPolicy& p) {
              p.initial_delay = -1s;
          }) == "RetryPolicy::initial_delay is -1 s, but must be at least 0 s");
    CHECK(refused([](RetryPolicy& p) {
              p.max_delay = 1ms;
          }) == "RetryPolicy::max_delay is 0.001 s, but must be at least initial_delay");
    CHECK(
        refused([](RetryPolicy& p) { p.multiplier = 0.5; }) == "RetryPolicy::multiplier is 0.5, but must be 1 to 1000");
    CHECK(refused([](RetryPolicy& p) { p.jitter = 1.5; }) == "RetryPolicy::jitter is 1.5, but must be 0 to 1");
    CHECK(refused([](RetryPolicy&) {}) == "accepted");
}
