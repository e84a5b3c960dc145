#include "document_feed.hpp"

#include "failures.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/retry.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

constexpr int most_attempts = 30;
constexpr int noteworthy_failures = 3;

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
        std::exception_ptr failure;
        auto reading = read_all(failure);
        auto end = stop_.wait();
        co_await first_of(std::move(reading), std::move(end));
        if (!failure && !stop_.is_set()) {
            auto question = poll_once(wait_, failure);
            auto end_of_poll = stop_.wait();
            co_await first_of(std::move(question), std::move(end_of_poll));
        }
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
        // Others may have come while this one is tried again.
        if (!unread_.empty()) {
            std::exception_ptr ignored;
            auto glance = poll_once(Duration(0), ignored);
            auto end_of_glance = stop_.wait();
            co_await first_of(std::move(glance), std::move(end_of_glance));
        }
        auto sleep = time_.sleep_for(pause.next(), "before reading payment documents again");
        auto interruption = stop_.wait();
        co_await first_of(std::move(sleep), std::move(interruption));
    }
}

// Each once; those that fail stay for the next time.
Task<> DocumentFeed::read_all(std::exception_ptr& failure)
{
    for (auto entry = unread_.begin(); entry != unread_.end();) {
        std::exception_ptr problem;
        try {
            auto reading = read_(entry->id);
            co_await std::move(reading);
        } catch (...) {
            problem = std::current_exception();
        }
        if (problem && is_cancelled(problem))
            co_return;
        if (problem && may_succeed_later(problem) && ++entry->attempts < most_attempts) {
            failure = problem;
            ++entry;
            continue;
        }
        if (problem)
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
            unread_.push_back(Unread{event.document, 0});
    }
}

} // namespace golem::detail
