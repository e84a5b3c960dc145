#pragma once

#include <golem/core/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/system/system_error.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace golem {

namespace detail {

// A coroutine that waits for another executor. It is resumed, or destroyed, on its own.
class Caller {
public:
    virtual ~Caller() = default;
    virtual void cancel_call(boost::asio::cancellation_type type) = 0;
};

// The callers of one context. Both sides hold it: who answers after the context has ended finds nobody.
class CallGate {
public:
    std::uint64_t admit(std::unique_ptr<Caller> caller)
    {
        const std::lock_guard lock(mutex_);
        callers_.emplace(next_, std::move(caller));
        return next_++;
    }

    // Gives the caller to `resume`, if it is still there. The context does not end before that has returned.
    template <typename Resume>
    void answer(std::uint64_t key, const Resume& resume)
    {
        const std::lock_guard lock(mutex_);
        if (auto found = callers_.extract(key))
            resume(std::move(found.mapped()));
    }

    // Cancels the call, unless it was answered: then the callee's context may be gone.
    void cancel(std::uint64_t key, boost::asio::cancellation_type type)
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = callers_.find(key); found != callers_.end())
            found->second->cancel_call(type);
    }

    void shut()
    {
        std::map<std::uint64_t, std::unique_ptr<Caller>> callers; // Destroyed after the lock.
        const std::lock_guard lock(mutex_);
        callers.swap(callers_);
        for (const auto& [key, caller] : callers)
            caller->cancel_call(boost::asio::cancellation_type::terminal);
    }

private:
    std::mutex mutex_;
    std::map<std::uint64_t, std::unique_ptr<Caller>> callers_;
    std::uint64_t next_ = 0;
};

// Asio's own operations are destroyed with their context; this does the same for calls to others.
class CallGateService final : public boost::asio::execution_context::service {
public:
    static inline boost::asio::execution_context::id id;

    explicit CallGateService(boost::asio::execution_context& context) : service(context) {}

    static const std::shared_ptr<CallGate>& gate_of(const Executor& executor)
    {
        auto& context = boost::asio::query(executor, boost::asio::execution::context);
        return boost::asio::use_service<CallGateService>(context).gate_;
    }

private:
    void shutdown() override { gate_->shut(); }

    std::shared_ptr<CallGate> gate_ = std::make_shared<CallGate>();
};

// What both sides of a call share. The signal is only touched on the callee's executor.
template <typename T>
struct CallState {
    std::function<Task<T>()> function;
    boost::asio::cancellation_signal signal;
    bool finished = false;
};

template <typename T, typename Handler>
class WaitingCaller final : public Caller {
public:
    WaitingCaller(Handler handler, const Executor& callee, std::shared_ptr<CallState<T>> state)
        : handler_(std::move(handler)), executor_(boost::asio::get_associated_executor(handler_)),
          work_(boost::asio::prefer(executor_, boost::asio::execution::outstanding_work.tracked)), callee_(callee),
          state_(std::move(state))
    {
    }

    const Executor& executor() const noexcept { return executor_; }

    auto cancellation_slot() const noexcept { return boost::asio::get_associated_cancellation_slot(handler_); }

    void cancel_call(boost::asio::cancellation_type type) override
    {
        boost::asio::post(callee_, [state = state_, type] {
            if (!state->finished)
                state->signal.emit(type);
        });
    }

    template <typename... Outcome>
    void resume(Outcome&&... outcome)
    {
        cancellation_slot().clear();
        auto handler = std::move(handler_);
        handler(std::forward<Outcome>(outcome)...);
    }

private:
    Handler handler_;
    Executor executor_;
    // Keeps the caller's context running while it waits for another one.
    Executor work_;
    Executor callee_;
    std::shared_ptr<CallState<T>> state_;
};

// The callee's duty to answer. A context that ends with the call on it answers that the call was aborted.
template <typename T, typename Waiting>
class PendingAnswer {
public:
    PendingAnswer(std::shared_ptr<CallGate> gate, std::uint64_t caller) : gate_(std::move(gate)), caller_(caller) {}

    ~PendingAnswer()
    {
        const auto aborted =
            std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
        if constexpr (std::is_void_v<T>)
            give(aborted);
        else
            give(aborted, T());
    }

    PendingAnswer(const PendingAnswer&) = delete;
    PendingAnswer& operator=(const PendingAnswer&) = delete;

    // Only the first counts.
    template <typename... Outcome>
    void give(Outcome... outcome)
    {
        gate_->answer(caller_, [&](std::unique_ptr<Caller> caller) {
            std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(caller.release()));
            const auto executor = waiting->executor();
            boost::asio::post(executor, [waiting = std::move(waiting), ... outcome = std::move(outcome)]() mutable {
                waiting->resume(std::move(outcome)...);
            });
        });
    }

private:
    std::shared_ptr<CallGate> gate_;
    std::uint64_t caller_;
};

} // namespace detail

/// Runs the task that `function` returns on `executor`, from a coroutine of another one, and completes with its result
/// on the caller's executor. The only way to await across executors here: asio's `co_await co_spawn(other, …)` emits
/// cancellation on the wrong thread and is a use after free when it races with completion.
///
/// Cancellation (terminal) of the caller is posted to `executor`; the call still completes only when the task has
/// ended. Either context may be destroyed under the call: with the caller's the coroutine is destroyed and the task
/// cancelled; with the callee's the call completes as cancelled. T is default-constructible; the function and its
/// captures live, and are destroyed, on `executor` or with its context.
template <typename T>
Task<T> call_on(Executor executor, std::function<Task<T>()> function)
{
    namespace asio = boost::asio;
    auto state = std::make_shared<detail::CallState<T>>();
    state->function = std::move(function);

    auto initiate = [executor, state](auto handler) {
        using Waiting = detail::WaitingCaller<T, decltype(handler)>;
        auto waiting = std::make_unique<Waiting>(std::move(handler), executor, state);
        auto slot = waiting->cancellation_slot();
        const auto gate = detail::CallGateService::gate_of(waiting->executor());
        const auto caller = gate->admit(std::move(waiting));
        if (slot.is_connected())
            slot.assign([gate, caller](asio::cancellation_type type) { gate->cancel(caller, type); });
        auto answer = std::make_shared<detail::PendingAnswer<T, Waiting>>(gate, caller);
        auto start = [executor, state, answer] {
            auto body = [state] { return state->function(); };
            auto finish = [state, answer](auto... outcome) {
                state->finished = true;
                state->function = nullptr;
                answer->give(std::move(outcome)...);
            };
            asio::co_spawn(
                executor, std::move(body), asio::bind_cancellation_slot(state->signal.slot(), std::move(finish)));
        };
        asio::post(executor, std::move(start));
    };

    if constexpr (std::is_void_v<T>) {
        co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr)>(
            initiate, asio::use_awaitable);
    } else {
        auto result = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr, T)>(
            initiate, asio::use_awaitable);
        co_return result;
    }
}

} // namespace golem
