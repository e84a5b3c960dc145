#pragma once

#include <golem/core/task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

namespace golem {

/// A level-triggered latch: a set event lets everybody pass until it is reset, so a wake-up cannot be lost.
///
/// All members belong to the executor it was made with. Waiters must be gone before it is destroyed.
class Event {
public:
    explicit Event(const Executor& executor) : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    bool is_set() const noexcept { return set_; }

    void set()
    {
        if (!set_) {
            set_ = true;
            timer_.cancel();
        }
    }

    void reset() noexcept { set_ = false; }

    /// Lets all who wait now pass, and nobody who comes later.
    void pulse()
    {
        ++pulses_;
        timer_.cancel();
    }

    /// Completes once the event is set, or pulsed while waiting. Cancelled (terminal) while it waits it throws
    /// operation_aborted, even if the event is set before the waiter runs again: it must not take what the event tells of.
    Task<> wait()
    {
        const auto seen = pulses_;
        while (!set_ && pulses_ == seen) {
            const auto before = co_await boost::asio::this_coro::cancellation_state;
            if (before.cancelled() != boost::asio::cancellation_type::none)
                throw boost::system::system_error(boost::asio::error::operation_aborted);
            auto [error] = co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::deferred));
            static_cast<void>(error); // Both a pulse and a cancellation arrive as operation_aborted: the state tells them apart.
            const auto after = co_await boost::asio::this_coro::cancellation_state;
            if (after.cancelled() != boost::asio::cancellation_type::none)
                throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
    }

private:
    boost::asio::steady_timer timer_;
    bool set_ = false;
    unsigned long pulses_ = 0;
};

} // namespace golem
