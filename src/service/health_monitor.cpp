#include "service/health_monitor.hpp"

#include <golem/core/race.hpp>

#include <optional>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// A poll without an answer for this long counts as silence.
constexpr Duration poll_limit = 60s;
// To ask whether the daemon itself is there.
constexpr Duration probe_limit = 5s;
// This many polls in a row without an answer of the provider, and the exe-unit is out of sight.
constexpr int tolerated_silences = 3;

} // namespace

HealthMonitor::HealthMonitor(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, Duration idle, int polls_per_minute,
    Refused refused)
    : time_(time), client_(client), log_(std::move(log)), schedule_(idle, polls_per_minute),
      refused_(std::move(refused)), changed_(executor),
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
    bool silent = false;
    auto event = co_await ask(activity, silent);
    schedule_.polled(id, time_.now());
    changed_.set();
    const auto found = watched_.find(id);
    if (found == watched_.end())
        co_return;
    auto& silences = found->second.silences;
    if (silent)
        ++silences;
    else if (event)
        silences = 0;
    if (silences == tolerated_silences)
        event.emplace(EventKind::activity_unresponsive, "the provider does not answer");
    if (event)
        found->second.listener(*event);
}

// What the daemon says of it; nothing if that is not known. `silent`: the daemon answers, but the provider does not.
Task<std::optional<LifeEvent>> HealthMonitor::ask(const yagna::ActivityId& activity, bool& silent)
{
    std::optional<LifeEvent> event;
    std::exception_ptr failure;
    std::string problem = "no answer in time";
    bool silence = false;
    try {
        auto question = client_.activity().state(activity);
        const auto state = co_await with_timeout(time_, poll_limit, std::move(question), "an activity's state");
        if (!state) {
            silence = true;
        } else {
            refusal_told_ = false;
            switch (state->status) {
            case yagna::ActivityStatus::terminated: {
                auto reason = state->reason;
                if (!state->error_message.empty())
                    reason += (reason.empty() ? "" : ", ") + state->error_message;
                event.emplace(EventKind::activity_terminated, std::move(reason));
                break;
            }
            case yagna::ActivityStatus::unresponsive: event.emplace(EventKind::activity_unresponsive); break;
            default: event.emplace(EventKind::activity_ready); break;
            }
        }
    } catch (const Error& error) {
        problem = error.what();
        silence = error.errc() == Errc::timed_out;
        if (error.errc() == Errc::activity_lost || error.errc() == Errc::not_found)
            event.emplace(EventKind::activity_lost, error.what());
        if (error.errc() == Errc::unauthorized)
            failure = std::current_exception();
    }
    if (silence)
        silent = co_await daemon_answers();
    if (!event)
        log_.info("the state of activity ", activity, " is not known: ", problem); // An outage is no death.
    if (failure)
        note_refusal(failure);
    co_return event;
}

Task<bool> HealthMonitor::daemon_answers()
{
    http::Request probe(http::Method::get, "/version/get");
    probe.set_limit(probe_limit);
    try {
        co_await client_.caller().transport().send(probe);
    } catch (const http::TransportError& error) {
        log_.debug("no answer of the daemon: ", error.what());
        co_return false;
    }
    co_return true;
}

void HealthMonitor::note_refusal(const std::exception_ptr& failure)
{
    if (!std::exchange(refusal_told_, true))
        refused_(failure);
}

} // namespace golem::detail
