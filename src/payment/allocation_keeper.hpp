#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/payment/payments.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::detail {

/// Keeps one allocation over what is left of the budget: made at the first need, made anew in time before the daemon
/// releases it, and whenever it turns out to be gone.
///
/// The timeout is not prolonged by PUT: the daemon's timer of the first timeout may go off all the same.
class AllocationKeeper {
public:
    /// `remaining` tells what is left of the budget.
    AllocationKeeper(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
        std::string platform, std::function<Amount()> remaining);

    /// What the allocation adds to demands; asked once. Errors: those of Payments::decoration().
    Task<yagna::DemandDecoration> decoration();
    /// The allocation to accept with, made if there is none. Errors likewise.
    Task<yagna::AllocationId> usable();
    /// The daemon does not know it any more.
    void is_gone(const yagna::AllocationId& allocation);

    /// Releases all (the present one only if `release_present`); returns what was left over, one line each. Bounded.
    Task<std::vector<std::string>> close(bool release_present);

private:
    /// Belongs to all who wait for it, not to the first of them, whose cancellation must not lose it.
    struct Attempt {
        explicit Attempt(const Executor& executor) : done(executor) {}
        Event done;
        std::exception_ptr failure;
    };

    /// A request for an allocation whose end is not known. By the timeout it is known again.
    struct Posting {
        Amount total;
        Timestamp timeout{};
        Instant sent{};
    };

    Task<> attempt();
    std::shared_ptr<Attempt> begin();
    void end(const std::shared_ptr<Attempt>& attempt, const std::exception_ptr& failure);
    Task<> allocate(std::shared_ptr<Attempt> attempt);
    Task<> decorate();
    Task<> create();
    Task<std::optional<yagna::AllocationId>> find_lost();
    void forget(Timestamp timeout);
    void is_made(const yagna::AllocationId& allocation);
    Task<> keep();
    Task<> renew();
    Task<> replace(const yagna::AllocationId& old);
    Task<> release_former();
    Task<bool> release(const yagna::AllocationId& allocation, Instant deadline, std::string& problem);
    Task<> release_lost(Instant deadline, std::vector<std::string>& left_over);

    Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    PaymentOptions options_;
    std::string platform_;
    std::function<Amount()> remaining_;
    std::optional<yagna::AllocationId> present_;
    std::optional<yagna::DemandDecoration> decoration_;
    std::vector<yagna::AllocationId> former_; ///< Replaced, but perhaps not released.
    std::vector<Posting> postings_;
    std::shared_ptr<Attempt> attempt_; ///< The one under way.
    Instant renewal_{};
    bool keeping_ = false;
    bool closed_ = false;
    TaskGroup tasks_;
};

} // namespace golem::detail
