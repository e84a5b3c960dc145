#pragma once

#include <golem/core/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace golem {

namespace detail {

// What a cross-executor call shares between both sides. The signal is only touched on the callee's executor.
template <typename T>
struct CallState {
    std::function<Task<T>()> function;
    boost::asio::cancellation_signal signal;
    bool finished = false;
};

} // namespace detail

/// Runs the task that `function` returns on `executor`, from a coroutine of another one, and completes with its result
/// on the caller's executor. The only way to await across executors here: asio's `co_await co_spawn(other, …)` emits
/// cancellation on the wrong thread and is a use after free when it races with completion.
///
/// Cancellation (terminal) of the caller is posted to `executor`; the call still completes only when the task has ended.
/// T is default-constructible and copyable; the function and its captures live, and are destroyed, on `executor` or with the executor's context.
template <typename T>
Task<T> call_on(Executor executor, std::function<Task<T>()> function)
{
    namespace asio = boost::asio;
    auto state = std::make_shared<detail::CallState<T>>();
    state->function = std::move(function);

    auto initiate = [executor, state](auto handler) {
        const auto caller = asio::get_associated_executor(handler);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        if (slot.is_connected()) {
            slot.assign([executor, state](asio::cancellation_type type) {
                asio::post(executor, [state, type] {
                    if (!state->finished)
                        state->signal.emit(type);
                });
            });
        }
        // The work guard keeps the caller's context running while it waits for another one.
        auto work = asio::prefer(caller, asio::execution::outstanding_work.tracked);
        auto start = [executor, state, shared, caller, work] {
            auto body = [state] { return state->function(); };
            auto finish = [state, shared, caller, work](auto... outcome) {
                state->finished = true;
                state->function = nullptr;
                asio::post(caller, [shared, outcome...]() mutable {
                    asio::get_associated_cancellation_slot(*shared).clear();
                    auto complete = std::move(*shared);
                    complete(std::move(outcome)...);
                });
            };
            asio::co_spawn(executor, std::move(body), asio::bind_cancellation_slot(state->signal.slot(), std::move(finish)));
        };
        asio::post(executor, std::move(start));
    };

    if constexpr (std::is_void_v<T>) {
        co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr)>(initiate, asio::use_awaitable);
    } else {
        auto result = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr, T)>(
            initiate, asio::use_awaitable);
        co_return result;
    }
}

} // namespace golem
