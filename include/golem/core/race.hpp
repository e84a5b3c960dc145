#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace golem {

/// Awaits `task`, but no longer than `limit`: then the task is cancelled (terminal), awaited to its end, and nothing is
/// returned (false for a task without a value). An exception of the task passes through with its type.
///
/// Cancellation of the caller reaches the task. Asio's own `||` would swallow the exception and wait on.
template <typename T>
Task<std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>>
with_timeout(TimeSource& time, Duration limit, Task<T> task, std::string_view reason)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    auto sleep = time.sleep_for(limit, reason);
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(task), asio::deferred),
        asio::co_spawn(executor, std::move(sleep), asio::deferred));
    if constexpr (std::is_void_v<T>) {
        auto [order, failure, sleep_failure] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        if (order[0] == 0) {
            if (failure)
                std::rethrow_exception(failure);
            co_return true;
        }
        if (sleep_failure)
            std::rethrow_exception(sleep_failure);
        co_return false;
    } else {
        auto [order, failure, value, sleep_failure] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        if (order[0] == 0) {
            if (failure)
                std::rethrow_exception(failure);
            std::optional<T> result(std::move(value));
            co_return result;
        }
        if (sleep_failure)
            std::rethrow_exception(sleep_failure);
        co_return std::nullopt;
    }
}

/// Awaits whichever of the two ends first (returns its index, 0 or 1) and cancels (terminal) and awaits the other.
/// An exception of the first to end passes through.
inline Task<std::size_t> first_of(Task<> first, Task<> second)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(first), asio::deferred),
        asio::co_spawn(executor, std::move(second), asio::deferred));
    auto [order, first_failure, second_failure] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto failure = order[0] == 0 ? first_failure : second_failure;
    if (failure)
        std::rethrow_exception(failure);
    co_return order[0];
}

/// The same with three tasks: returns 0, 1 or 2.
inline Task<std::size_t> first_of(Task<> first, Task<> second, Task<> third)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(first), asio::deferred),
        asio::co_spawn(executor, std::move(second), asio::deferred),
        asio::co_spawn(executor, std::move(third), asio::deferred));
    auto [order, first_failure, second_failure, third_failure] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto failure = order[0] == 0 ? first_failure : order[0] == 1 ? second_failure : third_failure;
    if (failure)
        std::rethrow_exception(failure);
    co_return order[0];
}

} // namespace golem
