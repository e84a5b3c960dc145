#include <golem/core/task_group.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstdio>
#include <list>
#include <utility>

namespace golem {

namespace {

template <typename Concrete>
std::optional<bool> runs_here_as(const Executor& executor)
{
    const auto* concrete = executor.target<Concrete>();
    return concrete ? std::optional<bool>(concrete->running_in_this_thread()) : std::nullopt;
}

} // namespace

std::optional<bool> detail::runs_here(const Executor& executor)
{
    namespace asio = boost::asio;
    if (const auto here = runs_here_as<asio::io_context::executor_type>(executor))
        return here;
    if (const auto here = runs_here_as<asio::strand<asio::io_context::executor_type>>(executor))
        return here;
    if (const auto here = runs_here_as<asio::strand<asio::any_io_executor>>(executor))
        return here;
    if (const auto here = runs_here_as<asio::thread_pool::executor_type>(executor))
        return here;
    return runs_here_as<asio::strand<asio::thread_pool::executor_type>>(executor);
}

struct TaskGroup::Entry {
    std::string name;
    std::function<Task<>()> make;
    boost::asio::cancellation_signal signal;
    bool begun = false;
    bool cancelled = false;

    void cancel()
    {
        cancelled = true;
        if (begun)
            signal.emit(boost::asio::cancellation_type::terminal);
    }
};

struct TaskGroup::State {
    State(const Executor& its_executor, FailureHandler handler)
        : executor(its_executor), on_failure(std::move(handler)), idle(its_executor)
    {
        idle.set();
    }

    Executor executor;
    FailureHandler on_failure;
    std::list<std::shared_ptr<Entry>> tasks;
    std::exception_ptr first_failure;
    Event idle;
    bool cancelled = false;
};

// A task's place in its group, kept by its completion handler. It is given up when the task has ended, or when a
// context that is destroyed drops the handler. The group may have gone before.
class TaskGroup::Ticket {
public:
    Ticket(const std::shared_ptr<State>& state, std::shared_ptr<Entry> entry)
        : state_(state), entry_(std::move(entry)), position_(state->tasks.insert(state->tasks.end(), entry_))
    {
    }

    ~Ticket() { leave(); }

    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    void finish(const std::exception_ptr& failure)
    {
        const auto state = state_.lock();
        // A cancellation that nobody asked for is a failure like any other.
        if (state && failure && !(state->cancelled && is_cancelled(failure))) {
            if (state->on_failure)
                state->on_failure(entry_->name, failure);
            else if (!state->first_failure)
                state->first_failure = failure;
        }
        leave();
    }

private:
    void leave()
    {
        // The closure dies last: it may hold the last reference to the group's owner.
        const auto closure = std::exchange(entry_->make, nullptr);
        const auto state = std::exchange(state_, std::weak_ptr<State>()).lock();
        if (!state)
            return;
        state->tasks.erase(position_);
        if (state->tasks.empty())
            state->idle.set();
    }

    std::weak_ptr<State> state_;
    std::shared_ptr<Entry> entry_;
    std::list<std::shared_ptr<Entry>>::iterator position_;
};

TaskGroup::TaskGroup(const Executor& executor, FailureHandler on_failure)
    : state_(std::make_shared<State>(executor, std::move(on_failure)))
{
}

TaskGroup::~TaskGroup()
{
    if (state_->tasks.empty())
        return;
    if (detail::runs_here(state_->executor).value_or(false)) {
        std::string text = "a TaskGroup was destroyed before it was joined (golem::with_tasks does that); its tasks:";
        for (const auto& task : state_->tasks)
            text += " \"" + task->name + '"';
        std::fprintf(stderr, "%s\n", text.c_str());
        std::terminate(); // The tasks refer to this group's owner and would be resumed.
    }
    state_->on_failure = nullptr;
}

void TaskGroup::spawn(std::string name, std::function<Task<>()> make)
{
    if (state_->cancelled)
        return;
    const auto entry = std::make_shared<Entry>();
    entry->name = std::move(name);
    entry->make = std::move(make);
    const auto ticket = std::make_shared<Ticket>(state_, entry);
    state_->idle.reset();
    // co_spawn runs the task up to its first wait at once: not in the middle of whatever the caller is doing. A task
    // that is cancelled before it has begun would not be entered at all, and could not tell its end to anybody.
    auto begin = [ticket, entry, executor = state_->executor] {
        auto finish = [ticket](const std::exception_ptr& failure) { ticket->finish(failure); };
        boost::asio::co_spawn(
            executor, [entry] { return entry->make(); },
            boost::asio::bind_cancellation_slot(entry->signal.slot(), std::move(finish)));
        entry->begun = true;
        if (entry->cancelled)
            entry->cancel();
    };
    boost::asio::post(state_->executor, std::move(begin));
}

void TaskGroup::cancel()
{
    const auto state = state_;
    state->cancelled = true;
    // Emitting may end tasks at once, and off the executor asio posts the emission and keeps a plain pointer to the
    // signal: both must find it alive.
    std::vector<std::shared_ptr<Entry>> entries(state->tasks.begin(), state->tasks.end());
    for (const auto& entry : entries)
        entry->cancel();
    if (!entries.empty())
        boost::asio::post(state->executor, [entries = std::move(entries)] {});
}

Task<> TaskGroup::join()
{
    const auto state = state_;
    co_await state->idle.wait();
    if (state->first_failure)
        std::rethrow_exception(std::exchange(state->first_failure, nullptr));
}

std::size_t TaskGroup::size() const noexcept { return state_->tasks.size(); }

std::vector<std::string> TaskGroup::names() const
{
    std::vector<std::string> names;
    for (const auto& task : state_->tasks)
        names.push_back(task->name);
    return names;
}

namespace {

Task<> keep_failure(const std::function<Task<>(TaskGroup&)>& body, TaskGroup& group, std::exception_ptr& first_failure)
{
    try {
        co_await body(group);
    } catch (...) {
        if (!first_failure)
            first_failure = std::current_exception();
    }
}

// In a chain of its own: it becomes deaf to its cancellation, and whoever awaits with_tasks() must not.
Task<> body_and_tasks(const Executor& executor, const std::function<Task<>(TaskGroup&)>& body)
{
    std::exception_ptr first_failure;
    Event task_failed(executor);
    TaskGroup group(executor, [&](const std::string&, const std::exception_ptr& failure) {
        if (!first_failure)
            first_failure = failure;
        task_failed.set();
    });
    try {
        auto running = keep_failure(body, group, first_failure);
        auto failing = task_failed.wait();
        co_await first_of(std::move(running), std::move(failing));
    } catch (const boost::system::system_error& error) {
        // Cancelled from outside: what `body` made of that counts.
        if (!is_cancelled(error.code()))
            first_failure = std::current_exception();
    }
    co_await ignore_cancellation();
    group.cancel();
    co_await group.join();
    if (first_failure)
        std::rethrow_exception(first_failure);
}

} // namespace

Task<> with_tasks(std::function<Task<>(TaskGroup&)> body)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    auto whole = body_and_tasks(executor, body);
    co_await boost::asio::co_spawn(executor, std::move(whole), boost::asio::use_awaitable);
}

} // namespace golem
