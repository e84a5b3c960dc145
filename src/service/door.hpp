#pragma once

#include <golem/core/task.hpp>

#include <boost/asio/post.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace golem::detail {

/// Lets any thread bring work to the manager's executor for as long as there is one. Any thread.
class Door {
public:
    explicit Door(const Executor& executor) : executor_(executor) {}

    /// False if the manager has gone; `work` is dropped then.
    bool post(std::function<void()> work)
    {
        const std::scoped_lock lock(mutex_);
        if (!executor_)
            return false;
        boost::asio::post(*executor_, std::move(work));
        return true;
    }

    void close()
    {
        const std::scoped_lock lock(mutex_);
        executor_.reset();
    }

private:
    std::mutex mutex_;
    std::optional<Executor> executor_;
};

} // namespace golem::detail
