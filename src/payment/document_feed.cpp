#include "document_feed.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/retry.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::detail {

namespace {

/// With the pauses that is about half an hour.
constexpr int most_attempts = 36;
constexpr int noteworthy_failures = 3;
constexpr Duration first_pause = std::chrono::milliseconds(500);
constexpr Duration longest_pause = std::chrono::seconds(60);

Duration pause_after(int attempts)
{
    auto pause = first_pause;
    for (int attempt = 1; attempt < attempts && pause < longest_pause; ++attempt)
        pause *= 2;
    return std::min(pause, longest_pause);
}

} // namespace

DocumentFeed::DocumentFeed(
    const Executor& executor, TimeSource& time, Logger log, std::string kind, Duration wait, Poll poll, Read read,
    Problem on_problem)
    : time_(time), log_(std::move(log)), kind_(std::move(kind)), wait_(wait), poll_(std::move(poll)),
      read_(std::move(read)), on_problem_(std::move(on_problem)), stop_(executor)
{
}

Task<> DocumentFeed::run()
{
    Backoff pause(RetryPolicy(), Random(1)); // One feed of its kind to a manager.
    int failures = 0;
    while (!stop_.is_set()) {
        auto reading = read_due();
        auto end = stop_.wait();
        co_await first_of(std::move(reading), std::move(end));
        if (stop_.is_set())
            co_return;
        std::exception_ptr failure;
        auto question = poll_once(until_due(), failure);
        auto end_of_poll = stop_.wait();
        co_await first_of(std::move(question), std::move(end_of_poll));
        if (stop_.is_set())
            co_return;
        if (!failure) {
            if (failures >= noteworthy_failures)
                log_.info(kind_, "s come again");
            failures = 0;
            pause.reset();
            continue;
        }
        if (++failures == noteworthy_failures)
            log_.warning(kind_, "s cannot be read for the third time, going on trying: ", describe(failure));
        auto sleep = time_.sleep_for(pause.next(), "before asking for payment documents again");
        auto interruption = stop_.wait();
        co_await first_of(std::move(sleep), std::move(interruption));
    }
}

// How long others may be waited for.
Duration DocumentFeed::until_due() const
{
    auto wait = wait_;
    for (const auto& entry : unread_)
        wait = std::min<Duration>(wait, std::max<Duration>(entry.due - time_.now(), std::chrono::milliseconds(1)));
    return wait;
}

// Each once; those that fail stay for the next time. A refusal may pass as well: a key that is not known for a moment,
// a document that is told of before it is there.
Task<> DocumentFeed::read_due()
{
    for (auto entry = unread_.begin(); entry != unread_.end();) {
        if (time_.now() < entry->due) {
            ++entry;
            continue;
        }
        std::exception_ptr problem;
        try {
            auto reading = read_(entry->id);
            co_await std::move(reading);
        } catch (...) {
            problem = std::current_exception();
        }
        if (problem && is_cancelled(problem))
            co_return;
        if (problem && ++entry->attempts < most_attempts) {
            if (entry->attempts == noteworthy_failures)
                log_.warning(kind_, " ", entry->id, " cannot be read yet: ", describe(problem));
            entry->due = time_.deadline(pause_after(entry->attempts));
            ++entry;
            continue;
        }
        if (problem && on_problem_)
            on_problem_(kind_ + " " + entry->id + " cannot be read: " + describe(problem));
        entry = unread_.erase(entry);
    }
}

Task<> DocumentFeed::poll_once(Duration wait, std::exception_ptr& failure)
{
    std::vector<yagna::PaymentEvent> events;
    try {
        auto question = poll_(cursor_, wait);
        events = co_await std::move(question);
    } catch (...) {
        failure = std::current_exception();
        co_return;
    }
    for (const auto& event : events) {
        cursor_ = event.cursor;
        const bool is_new = std::none_of(
            unread_.begin(), unread_.end(), [&](const Unread& other) { return other.id == event.document; });
        if (event.kind == yagna::PaymentEvent::Kind::received && is_new)
            unread_.push_back(Unread{event.document, 0, time_.now()});
    }
}

} // namespace golem::detail
