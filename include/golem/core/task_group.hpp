#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace golem {

/// Owns background tasks: nothing outlives the group, and no exception is lost.
///
/// Make it the last member of its owner, so that the tasks' captures die after the tasks. All members belong to the
/// executor it was made with. Destroying a group that still has tasks is a bug (std::terminate): cancel and join first.
class TaskGroup {
public:
    /// Called for each exception of a task (not for cancellations), with the task's name.
    using FailureHandler = std::function<void(const std::string& name, std::exception_ptr)>;

    explicit TaskGroup(const Executor& executor, FailureHandler on_failure = {});
    ~TaskGroup();

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts the task that `make` returns, at the executor's next turn. The closure lives as long as the task, so a
    /// coroutine lambda may use its captures, and may own the owner of this group. After cancel() nothing is started any
    /// more.
    void spawn(std::string name, std::function<Task<>()> make);

    /// Asks every task to end (terminal cancellation) and refuses new ones. Idempotent.
    void cancel();

    /// Completes when no task is left. Rethrows the first exception of a task unless a failure handler has taken it.
    /// Shielded by nothing: a cancelled join leaves the tasks where they are.
    Task<> join();

    std::size_t size() const noexcept { return tasks_.size(); }
    std::vector<std::string> names() const;

private:
    struct Entry {
        std::string name;
        std::function<Task<>()> make;
        boost::asio::cancellation_signal signal;
    };

    Executor executor_;
    FailureHandler on_failure_;
    std::list<std::shared_ptr<Entry>> tasks_;
    std::exception_ptr first_failure_;
    Event idle_;
    bool cancelled_ = false;
};

} // namespace golem
