#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <utility>

namespace golem::detail {

/// A bounded number of places. Those who have failed less often go first, else in the order of their coming; those who
/// have failed share a few of the places, so that they never hold up the others.
class Places {
public:
    /// `count` in all, at most `few` of them for those who have failed.
    Places(const Executor& executor, std::size_t count, std::size_t few)
        : executor_(executor), free_(count), free_for_failing_(few)
    {
    }

    /// Completes with a place, to be given back with the same number of failures (see Place).
    Task<> take(int failures)
    {
        const auto mine = std::make_shared<Waiter>(executor_, failures);
        const auto after = std::find_if(
            waiting_.begin(), waiting_.end(), [&](const auto& other) { return other->failures > failures; });
        waiting_.insert(after, mine);
        serve();
        if (mine->turn.is_set())
            co_return;
        std::exception_ptr failure;
        try {
            co_await mine->turn.wait();
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            co_return;
        if (mine->turn.is_set())
            give(failures); // It was ours already, but we are gone.
        else
            std::erase(waiting_, mine);
        std::rethrow_exception(failure);
    }

    void give(int failures)
    {
        ++free_;
        if (failures > 0)
            ++free_for_failing_;
        serve();
    }

private:
    struct Waiter {
        Waiter(const Executor& executor, int failed) : failures(failed), turn(executor) {}
        int failures;
        Event turn;
    };

    void serve()
    {
        while (free_ > 0 && !waiting_.empty()) {
            const auto first = waiting_.front();
            const bool is_failing = first->failures > 0;
            if (is_failing && free_for_failing_ == 0)
                return; // All who wait have failed.
            --free_;
            if (is_failing)
                --free_for_failing_;
            waiting_.pop_front();
            first->turn.set();
        }
    }

    Executor executor_;
    std::size_t free_;
    std::size_t free_for_failing_;
    std::list<std::shared_ptr<Waiter>> waiting_;
};

/// Gives a place back. It may outlive the ledger: the frame of an accept goes with its context.
class Place {
public:
    Place(std::shared_ptr<Places> places, int failures) : places_(std::move(places)), failures_(failures) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { places_->give(failures_); }

private:
    std::shared_ptr<Places> places_;
    int failures_;
};

} // namespace golem::detail
