#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem {

/// Owns background tasks: nothing outlives the group, and no exception is lost.
///
/// Make it the last member of its owner, so that the tasks' captures die after the tasks. All members belong to the
/// executor it was made with. Cancel and join before destroying: a group that is destroyed by its running executor and
/// still has tasks is a bug (their names on stderr, then std::terminate), since they would go on without their owner. An
/// exception or a cancellation that leaves a coroutine does not join the group in it: use with_tasks() there. Only when
/// nothing runs the executor any more (an exception left `run()`, the context is being destroyed) a group may go before
/// its tasks: they are never resumed, and their frames go with the context.
class TaskGroup {
public:
    /// Called for each exception of a task (not for cancellations), with the task's name.
    using FailureHandler = std::function<void(const std::string& name, std::exception_ptr)>;

    explicit TaskGroup(const Executor& executor, FailureHandler on_failure = {});
    ~TaskGroup();

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts the task that `make` returns, at the executor's next turn. The closure lives as long as the task, so a
    /// coroutine lambda may use its captures, and may own the owner of this group. A task that is cancelled before that
    /// turn begins all the same and meets the cancellation at its first wait, so that whatever it does at its end is
    /// done. After cancel() nothing is started any more.
    void spawn(std::string name, std::function<Task<>()> make);

    /// Asks every task to end (terminal cancellation) and refuses new ones. Idempotent.
    void cancel();

    /// Completes when no task is left. Rethrows the first exception of a task unless a failure handler has taken it.
    /// Shielded by nothing: a cancelled join leaves the tasks where they are.
    Task<> join();

    std::size_t size() const noexcept;
    std::vector<std::string> names() const;

private:
    struct Entry;
    struct State;
    class Ticket;

    std::shared_ptr<State> state_;
};

/// Awaits `body`, which may start tasks in the group it is given, and ends them with it: when `body` has returned, has
/// thrown or was cancelled, the tasks that are left are cancelled and joined. Await group.join() in `body` to let them
/// come to their own end.
///
/// A task that fails cancels `body`; what failed first is thrown here. Waits for as long as `body` and the tasks take
/// to obey their cancellation (terminal).
///
///     co_await golem::with_tasks([&](golem::TaskGroup& tasks) -> golem::Task<> {
///         tasks.spawn("watch", [&] { return watch(manager); });
///         co_await clock->wait_for(golem::ServiceStatus::stopped);
///     });
Task<> with_tasks(std::function<Task<>(TaskGroup&)> body);

namespace detail {

/// Whether this thread is running `executor` at this moment; nothing for kinds of executors that cannot tell.
std::optional<bool> runs_here(const Executor& executor);

} // namespace detail

} // namespace golem
