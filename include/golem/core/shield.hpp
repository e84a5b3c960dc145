#pragma once

#include <golem/core/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>

#include <type_traits>
#include <utility>

namespace golem {

/// `co_await ignore_cancellation();` makes a coroutine that was cancelled able to await again, and deaf to any further
/// cancellation, with all that awaits it in one chain: the first statement of clean-up, since any other await would
/// throw at once. What follows needs limits of its own.
inline auto ignore_cancellation()
{
    return boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
}

/// Awaits `task` to its end even if the caller is cancelled meanwhile. Give the task a limit of its own (with_timeout
/// inside).
template <typename T>
Task<T> shield(Task<T> task)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    // A task that was spawned with an empty slot hears nothing of its caller.
    auto token = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
    if constexpr (std::is_void_v<T>) {
        co_await asio::co_spawn(executor, std::move(task), token);
    } else {
        auto result = co_await asio::co_spawn(executor, std::move(task), token);
        co_return result;
    }
}

} // namespace golem
