#include "service/health_monitor.hpp"

#include <golem/core/race.hpp>

#include <optional>
#include <utility>

namespace golem::detail {

HealthMonitor::HealthMonitor(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, Duration idle, int polls_per_minute)
    : time_(time), client_(client), log_(std::move(log)), schedule_(idle, polls_per_minute), changed_(executor),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
          log_.error(name, " failed: ", describe(failure));
      })
{
}

HealthMonitor::Id HealthMonitor::watch(yagna::ActivityId activity, Listener listener)
{
    const auto id = ++last_id_;
    auto& watched = watched_[id];
    watched.activity = std::move(activity);
    watched.listener = std::move(listener);
    schedule_.watch(id, time_.now());
    changed_.set();
    if (!std::exchange(started_, true))
        tasks_.spawn("health monitor", [this] { return run(); });
    return id;
}

void HealthMonitor::forget(Id id)
{
    schedule_.forget(id);
    watched_.erase(id);
}

Task<> HealthMonitor::close()
{
    tasks_.cancel();
    co_await tasks_.join();
}

Task<> HealthMonitor::run()
{
    for (;;) {
        const auto next = schedule_.next();
        if (next && *next <= time_.now()) {
            const auto id = schedule_.take(time_.now());
            if (id)
                tasks_.spawn("activity state poll", [this, polled = *id] { return poll(polled); });
            continue;
        }
        changed_.reset();
        if (next) {
            auto due = time_.sleep_until(*next, "next look at an activity's state");
            auto changed = changed_.wait();
            co_await first_of(std::move(due), std::move(changed));
        } else {
            co_await changed_.wait();
        }
    }
}

Task<> HealthMonitor::poll(Id id)
{
    const auto watched = watched_.find(id);
    if (watched == watched_.end())
        co_return;
    const auto activity = watched->second.activity;
    std::optional<LifeEvent> event;
    try {
        const auto state = co_await client_.activity().state(activity);
        switch (state.status) {
        case yagna::ActivityStatus::terminated: {
            auto reason = state.reason;
            if (!state.error_message.empty())
                reason += (reason.empty() ? "" : ", ") + state.error_message;
            event.emplace(EventKind::activity_terminated, std::move(reason));
            break;
        }
        case yagna::ActivityStatus::unresponsive: event.emplace(EventKind::activity_unresponsive); break;
        default: event.emplace(EventKind::activity_ready); break;
        }
    } catch (const Error& error) {
        if (error.errc() == Errc::activity_lost || error.errc() == Errc::not_found)
            event.emplace(EventKind::activity_lost, error.what());
        else
            log_.info("the state of activity ", activity, " is not known: ", error.what()); // An outage is no death.
    }
    schedule_.polled(id, time_.now());
    changed_.set();
    const auto found = watched_.find(id);
    if (event && found != watched_.end())
        found->second.listener(*event);
}

} // namespace golem::detail
