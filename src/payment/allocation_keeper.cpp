#include "allocation_keeper.hpp"

#include "failures.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/yagna/outcome.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::detail {

namespace {

constexpr Duration release_limit = std::chrono::seconds(5);
/// A request that was sent longer ago than this has had its effect, or has none: the daemon gives up on the chain after
/// half a minute.
constexpr Duration posting_limit = std::chrono::seconds(60);
/// Between two attempts to release one that was replaced.
constexpr Duration release_pause = std::chrono::seconds(60);

bool matches(const yagna::Allocation& candidate, const Amount& total, const std::string& platform, Timestamp timeout)
{
    return candidate.total == total && candidate.platform == platform && candidate.timeout == timeout;
}

} // namespace

AllocationKeeper::AllocationKeeper(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
    std::string platform, std::function<Amount()> remaining)
    : executor_(executor), time_(time), client_(client), log_(std::move(log)), options_(options),
      platform_(std::move(platform)), remaining_(std::move(remaining)),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
          log_.error("the task \"", name, "\" failed: ", describe(failure));
      })
{
}

// --- one attempt for all who wait ------------------------------------------------------------------------------------

Task<yagna::DemandDecoration> AllocationKeeper::decoration()
{
    while (!decoration_)
        co_await attempt();
    co_return *decoration_;
}

Task<yagna::AllocationId> AllocationKeeper::usable()
{
    while (!present_)
        co_await attempt();
    co_return *present_;
}

void AllocationKeeper::is_gone(const yagna::AllocationId& allocation)
{
    if (present_ == allocation) {
        present_.reset();
        log_.info("allocation ", allocation, " is gone; a new one is made for what is left of the budget");
    }
    std::erase(former_, allocation);
}

Task<> AllocationKeeper::attempt()
{
    if (closed_)
        throw Error(Errc::closed, "allocate the budget", "the payments were closed");
    if (!attempt_) {
        const auto mine = begin();
        tasks_.spawn("allocate", [this, mine] { return allocate(mine); });
    }
    const auto current = attempt_;
    co_await current->done.wait();
    // Only close() cancels an attempt.
    if (current->failure && is_cancelled(current->failure))
        throw Error(Errc::closed, "allocate the budget", "the payments were closed meanwhile");
    if (current->failure)
        std::rethrow_exception(current->failure);
}

std::shared_ptr<AllocationKeeper::Attempt> AllocationKeeper::begin()
{
    attempt_ = std::make_shared<Attempt>(executor_);
    return attempt_;
}

void AllocationKeeper::end(const std::shared_ptr<Attempt>& attempt, const std::exception_ptr& failure)
{
    attempt->failure = failure;
    attempt_ = nullptr;
    attempt->done.set();
}

Task<> AllocationKeeper::allocate(std::shared_ptr<Attempt> attempt)
{
    std::exception_ptr failure;
    try {
        if (!present_)
            co_await create();
        if (!decoration_)
            co_await decorate();
    } catch (...) {
        failure = std::current_exception();
    }
    end(attempt, failure);
}

Task<> AllocationKeeper::decorate()
{
    const auto allocation = *present_;
    std::exception_ptr failure;
    try {
        decoration_ = co_await client_.payment().demand_decoration(allocation);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure)
        co_return;
    if (!has_code(failure, Errc::not_found))
        std::rethrow_exception(failure);
    is_gone(allocation);
    co_await create();
    decoration_ = co_await client_.payment().demand_decoration(*present_);
}

// --- making one ------------------------------------------------------------------------------------------------------

Task<> AllocationKeeper::create()
{
    co_await release_former(); // They reserve what the new one needs.
    auto lost = co_await find_lost();
    if (lost) {
        is_made(*lost);
        co_return;
    }
    // Whole milliseconds come back as they were sent: by them a lost allocation is known again.
    const Timestamp timeout = std::chrono::floor<std::chrono::milliseconds>(time_.utc() + options_.allocation_lifetime);
    const auto total = remaining_();
    postings_.push_back(Posting{total, timeout, time_.now()});
    std::exception_ptr failure;
    try {
        const auto made = co_await client_.payment().create_allocation(total, platform_, timeout);
        is_made(made.id);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure); // What became of it is asked at the end.
    if (failure && yagna::may_have_happened(failure)) {
        lost = co_await find_lost();
        if (lost) {
            is_made(*lost);
            co_return;
        }
        if (yagna::was_answered(failure))
            forget(timeout); // It is over, and has made none.
        std::rethrow_exception(failure);
    }
    forget(timeout);
    if (failure)
        std::rethrow_exception(failure);
}

// Throws if the daemon does not tell: another one must not be made beside one that may exist.
Task<std::optional<yagna::AllocationId>> AllocationKeeper::find_lost()
{
    std::optional<yagna::AllocationId> found;
    if (postings_.empty())
        co_return found;
    const auto list = co_await client_.payment().allocations();
    for (auto posting = postings_.begin(); posting != postings_.end() && !found;) {
        for (const auto& candidate : list) {
            if (matches(candidate, posting->total, platform_, posting->timeout))
                found = candidate.id;
        }
        const bool is_over = found || time_.now() - posting->sent > posting_limit;
        posting = is_over ? postings_.erase(posting) : posting + 1;
    }
    co_return found;
}

void AllocationKeeper::forget(Timestamp timeout)
{
    std::erase_if(postings_, [&](const Posting& posting) { return posting.timeout == timeout; });
}

void AllocationKeeper::is_made(const yagna::AllocationId& allocation)
{
    present_ = allocation;
    renewal_ = time_.deadline(options_.allocation_lifetime / 10 * 9);
    if (!std::exchange(keeping_, true))
        tasks_.spawn("keep the allocation", [this] { return keep(); });
}

// --- renewing it -----------------------------------------------------------------------------------------------------

Task<> AllocationKeeper::keep()
{
    for (;;) {
        const auto next = former_.empty() ? renewal_ : std::min(renewal_, time_.deadline(release_pause));
        co_await time_.sleep_until(next, "until the allocation is to be renewed");
        if (!attempt_)
            co_await release_former();
        if (time_.now() < renewal_)
            continue;
        if (present_ && !attempt_)
            co_await renew();
        if (time_.now() >= renewal_)
            renewal_ = time_.deadline(std::max<Duration>(options_.allocation_lifetime / 50, std::chrono::seconds(1)));
    }
}

Task<> AllocationKeeper::renew()
{
    const auto mine = begin();
    const auto old = *present_;
    std::exception_ptr failure;
    try {
        co_await replace(old);
    } catch (...) {
        failure = std::current_exception();
    }
    end(mine, present_ ? nullptr : failure); // Those who wait go on with the old one.
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.warning("the allocation could not be renewed, trying again later: ", describe(failure));
}

Task<> AllocationKeeper::replace(const yagna::AllocationId& old)
{
    std::exception_ptr failure;
    try {
        co_await create();
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) {
        former_.push_back(old);
        co_await release_former();
        co_return;
    }
    if (!has_code(failure, Errc::insufficient_funds) || present_ != old)
        std::rethrow_exception(failure);

    // Both at once are more than the account has: who accepts now waits for the new one.
    present_.reset();
    std::string problem;
    bool released = false;
    std::exception_ptr cancelled;
    try {
        const auto deadline = time_.deadline(release_limit);
        released = co_await release(old, deadline, problem);
    } catch (...) {
        cancelled = std::current_exception();
    }
    if (!released)
        present_ = old; // Usable, or gone: that the next accept is told.
    if (cancelled)
        std::rethrow_exception(cancelled);
    if (!released)
        throw Error(
            Errc::insufficient_funds, "renew the allocation",
            "the account has too little for another one beside " + old + ", which could not be released: " + problem);
    co_await create();
}

/// Each once, within one limit; those that are not released stay for the next time.
Task<> AllocationKeeper::release_former()
{
    const auto deadline = time_.deadline(release_limit);
    const auto all = former_;
    for (const auto& allocation : all) {
        if (time_.now() >= deadline)
            co_return;
        std::string problem;
        const bool released = co_await release(allocation, deadline, problem);
        if (released)
            std::erase(former_, allocation);
        else
            log_.warning("the former allocation ", allocation, " could not be released yet: ", problem);
    }
}

// --- the end ---------------------------------------------------------------------------------------------------------

Task<std::vector<std::string>> AllocationKeeper::close(bool release_present)
{
    closed_ = true;
    std::vector<std::string> left_over;
    // One that is being made has a last chance to become known.
    const auto current = attempt_;
    if (current) {
        auto done = current->done.wait();
        co_await with_timeout(time_, release_limit, std::move(done), "waiting for the allocation");
    }
    tasks_.cancel();
    co_await tasks_.join();
    const auto deadline = time_.deadline(release_limit);
    if (!postings_.empty())
        co_await release_lost(deadline, left_over);
    auto all = std::exchange(former_, {});
    if (present_ && release_present)
        all.push_back(*present_);
    else if (present_)
        left_over.push_back("allocation " + *present_ + " is kept until its timeout: invoices may still come");
    for (const auto& allocation : all) {
        std::string problem;
        const bool released = co_await release(allocation, deadline, problem);
        if (!released)
            left_over.push_back("allocation " + allocation + " could not be released: " + problem);
    }
    co_return left_over;
}

Task<> AllocationKeeper::release_lost(Instant deadline, std::vector<std::string>& left_over)
{
    std::vector<yagna::Allocation> list;
    try {
        auto question = client_.payment().allocations();
        auto answer =
            co_await with_timeout(time_, deadline - time_.now(), std::move(question), "looking for a lost allocation");
        if (answer)
            list = std::move(*answer);
    } catch (...) {
        log_.debug("the allocations cannot be read: ", describe(std::current_exception()));
    }
    for (const auto& posting : postings_) {
        const auto found = std::find_if(list.begin(), list.end(), [&](const auto& candidate) {
            return matches(candidate, posting.total, platform_, posting.timeout);
        });
        if (found != list.end())
            former_.push_back(found->id);
        else
            left_over.push_back(
                "an allocation of " + posting.total.to_string() +
                " GLM may have been made; the daemon has not told its id");
    }
    postings_.clear();
}

Task<bool> AllocationKeeper::release(const yagna::AllocationId& allocation, Instant deadline, std::string& problem)
{
    const auto limit = std::max<Duration>(deadline - time_.now(), std::chrono::milliseconds(500));
    bool in_time = false;
    std::exception_ptr failure;
    try {
        auto releasing = client_.payment().release_allocation(allocation);
        in_time = co_await with_timeout(time_, limit, std::move(releasing), "releasing the allocation");
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        problem = describe(failure);
    else if (!in_time)
        problem = "the daemon did not answer";
    co_return problem.empty();
}

} // namespace golem::detail
