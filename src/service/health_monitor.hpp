#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task_group.hpp>
#include <golem/service/detail/health_schedule.hpp>
#include <golem/service/detail/lifecycle.hpp>
#include <golem/yagna/client.hpp>

#include <functional>
#include <map>

namespace golem::detail {

/// Asks the daemon for the states of the activities of all services. One executor; close before destroying.
class HealthMonitor {
public:
    using Id = HealthSchedule::Id;
    using Listener = std::function<void(const LifeEvent&)>;

    HealthMonitor(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, Duration idle,
        int polls_per_minute);

    /// `listener` is told of what was learnt until forget(); it must not call back.
    Id watch(yagna::ActivityId activity, Listener listener);
    void alive(Id id) { schedule_.alive(id, time_.now()); }
    void forget(Id id);

    Task<> close();

private:
    struct Watched {
        yagna::ActivityId activity;
        Listener listener;
    };

    Task<> run();
    Task<> poll(Id id);

    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    HealthSchedule schedule_;
    std::map<Id, Watched> watched_;
    Id last_id_ = 0;
    bool started_ = false;
    Event changed_;
    TaskGroup tasks_;
};

} // namespace golem::detail
