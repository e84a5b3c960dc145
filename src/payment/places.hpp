#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>

namespace golem::detail {

/// A bounded number of places, given to those who wait in the order of their coming, one wake-up for each place.
class Places {
public:
    Places(const Executor& executor, std::size_t count) : executor_(executor), free_(count) {}

    /// Completes with a place, which is to be given back.
    Task<> take()
    {
        if (free_ > 0) {
            --free_;
            co_return;
        }
        const auto turn = std::make_shared<Event>(executor_);
        waiting_.push_back(turn);
        std::exception_ptr failure;
        try {
            co_await turn->wait();
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            co_return;
        if (turn->is_set())
            give(); // It was ours already, but we are gone.
        else
            std::erase(waiting_, turn);
        std::rethrow_exception(failure);
    }

    void give()
    {
        if (waiting_.empty()) {
            ++free_;
            return;
        }
        waiting_.front()->set();
        waiting_.pop_front();
    }

private:
    Executor executor_;
    std::size_t free_;
    std::deque<std::shared_ptr<Event>> waiting_;
};

} // namespace golem::detail
