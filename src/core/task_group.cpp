#include <golem/core/task_group.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace golem {

namespace {

// co_spawn would run the task up to its first wait at once, in the middle of whatever the caller is doing.
Task<> at_the_next_turn(const std::function<Task<>()>& make)
{
    co_await boost::asio::post(boost::asio::deferred);
    auto task = make();
    co_await std::move(task);
}

} // namespace

TaskGroup::TaskGroup(const Executor& executor, FailureHandler on_failure)
    : executor_(executor), on_failure_(std::move(on_failure)), idle_(executor)
{
    idle_.set();
}

TaskGroup::~TaskGroup()
{
    if (!tasks_.empty())
        std::terminate(); // The tasks refer to this group and to its owner.
}

void TaskGroup::spawn(std::string name, std::function<Task<>()> make)
{
    if (cancelled_)
        return;
    const auto entry = tasks_.emplace_back(std::make_shared<Entry>());
    const auto position = std::prev(tasks_.end());
    entry->name = std::move(name);
    entry->make = std::move(make);
    idle_.reset();
    auto finish = [this, position](std::exception_ptr failure) {
        // A cancellation that nobody asked for is a failure like any other.
        if (failure && !(cancelled_ && is_cancelled(failure))) {
            if (on_failure_)
                on_failure_((*position)->name, failure);
            else if (!first_failure_)
                first_failure_ = failure;
        }
        // The closure dies last: it may hold the last reference to this group's owner.
        const auto closure = std::move((*position)->make);
        tasks_.erase(position);
        if (tasks_.empty())
            idle_.set();
    };
    boost::asio::co_spawn(
        executor_, [position] { return at_the_next_turn((*position)->make); },
        boost::asio::bind_cancellation_slot(entry->signal.slot(), std::move(finish)));
}

void TaskGroup::cancel()
{
    cancelled_ = true;
    // Emitting may end tasks at once, and off the executor asio posts the emission and keeps a plain pointer to the
    // signal: both must find it alive.
    std::vector<std::shared_ptr<Entry>> entries(tasks_.begin(), tasks_.end());
    for (const auto& entry : entries)
        entry->signal.emit(boost::asio::cancellation_type::terminal);
    if (!entries.empty())
        boost::asio::post(executor_, [entries = std::move(entries)] {});
}

Task<> TaskGroup::join()
{
    co_await idle_.wait();
    if (first_failure_)
        std::rethrow_exception(std::exchange(first_failure_, nullptr));
}

std::vector<std::string> TaskGroup::names() const
{
    std::vector<std::string> names;
    for (const auto& task : tasks_)
        names.push_back(task->name);
    return names;
}

} // namespace golem
