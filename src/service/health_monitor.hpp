#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task_group.hpp>
#include <golem/service/detail/health_schedule.hpp>
#include <golem/service/detail/lifecycle.hpp>
#include <golem/yagna/client.hpp>

#include <exception>
#include <functional>
#include <map>
#include <optional>

namespace golem::detail {

/// Asks the daemon for the states of the activities of all services. One executor; close before destroying.
class HealthMonitor {
public:
    using Id = HealthSchedule::Id;
    using Listener = std::function<void(const LifeEvent&)>;

    /// Told once, until a poll succeeds again, when the daemon does not accept the app key any more.
    using Refused = std::function<void(const std::exception_ptr&)>;

    HealthMonitor(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, Duration idle,
        int polls_per_minute, Refused refused);

    /// `listener` is told of what was learnt until forget(); it must not call back.
    Id watch(yagna::ActivityId activity, Listener listener);
    void alive(Id id) { schedule_.alive(id, time_.now()); }
    void forget(Id id);

    Task<> close();

private:
    struct Watched {
        yagna::ActivityId activity;
        Listener listener;
        int silences = 0; ///< Polls in a row that the provider left without an answer.
    };

    Task<> run();
    Task<> poll(Id id);
    Task<std::optional<LifeEvent>> ask(const yagna::ActivityId& activity, bool& silent);
    Task<bool> daemon_answers();
    void note_refusal(const std::exception_ptr& failure);

    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    HealthSchedule schedule_;
    std::map<Id, Watched> watched_;
    Id last_id_ = 0;
    bool started_ = false;
    const Refused refused_;
    bool refusal_told_ = false;
    Event changed_;
    TaskGroup tasks_;
};

} // namespace golem::detail
