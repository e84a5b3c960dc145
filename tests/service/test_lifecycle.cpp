#include <golem/service/detail/lifecycle.hpp>
#include <golem/service/detail/reach.hpp>

#include <tests/support/catch.hpp>

#include <map>
#include <set>
#include <string>

using namespace golem;
using detail::Action;
using detail::Alarm;
using detail::EventKind;
using detail::Lifecycle;
using detail::LifeEvent;
using detail::Phase;

namespace {

using Actions = std::vector<Action>;

const std::vector<EventKind> all_events = {
    EventKind::waiting,
    EventKind::hired,
    EventKind::hire_failed,
    EventKind::activity_created,
    EventKind::activity_failed,
    EventKind::start_done,
    EventKind::start_failed,
    EventKind::run_returned,
    EventKind::run_failed,
    EventKind::shutdown_done,
    EventKind::cleaned,
    EventKind::stop_asked,
    EventKind::insisted,
    EventKind::alarm,
    EventKind::agreement_ended,
    EventKind::agreement_expired,
    EventKind::expiration_passed,
    EventKind::activity_lost,
    EventKind::activity_terminated,
    EventKind::activity_unresponsive,
    EventKind::activity_ready,
};

Actions tell(Lifecycle& life, EventKind kind, const std::string& text = {}) { return life.next(LifeEvent(kind, text)); }

/// A life that was told all of these.
Lifecycle after(const std::vector<EventKind>& kinds)
{
    Lifecycle life;
    for (const auto kind : kinds)
        tell(life, kind, "why");
    return life;
}

const std::vector<EventKind> to_creating = {EventKind::hired};
const std::vector<EventKind> to_starting = {EventKind::hired, EventKind::activity_created};
const std::vector<EventKind> to_running = {EventKind::hired, EventKind::activity_created, EventKind::start_done};

std::vector<EventKind> plus(std::vector<EventKind> kinds, std::initializer_list<EventKind> more)
{
    kinds.insert(kinds.end(), more);
    return kinds;
}

struct Row {
    const char* name;
    std::vector<EventKind> before;
    EventKind event;
    Phase phase;
    Actions actions;
};

/// What the driver would have under way after `actions`: the table's fuzz checks that something always is.
class Rig {
public:
    void take(const Actions& actions)
    {
        for (const auto action : actions) {
            switch (action) {
            case Action::cancel_step: CHECK(step_); break;
            case Action::abandon_step: step_ = false; break;
            case Action::finish: finished_ = true; break;
            default: step_ = true; break;
            }
        }
    }

    bool step() const { return step_; }

    bool finished() const { return finished_; }

private:
    bool step_ = true; // The first hire.
    bool finished_ = false;
};

} // namespace

TEST_CASE("the way of a service that is stopped")
{
    Lifecycle life;
    CHECK(life.status() == ServiceStatus::pending);
    tell(life, EventKind::waiting, "waiting for offers");
    CHECK(life.cause() == "waiting for offers");
    CHECK(tell(life, EventKind::hired) == Actions{Action::create_activity});
    CHECK(life.status() == ServiceStatus::starting);
    CHECK(life.cause().empty());
    CHECK(tell(life, EventKind::activity_created) == Actions{Action::start});
    CHECK(life.alarm() == Alarm::start);
    CHECK(tell(life, EventKind::start_done) == Actions{Action::run});
    CHECK(life.status() == ServiceStatus::running);
    CHECK(life.alarm() == Alarm::none);
    CHECK(tell(life, EventKind::stop_asked) == Actions{Action::cancel_step});
    CHECK(life.status() == ServiceStatus::stopping);
    CHECK(life.alarm() == Alarm::cancel);
    CHECK(tell(life, EventKind::run_failed, "cancelled") == Actions{Action::shut_down});
    CHECK(life.alarm() == Alarm::shutdown);
    CHECK(tell(life, EventKind::shutdown_done) == Actions{Action::clean_up});
    CHECK(life.must_destroy_activity());
    CHECK(life.farewell().code == "Success");
    CHECK(tell(life, EventKind::cleaned) == Actions{Action::finish});
    CHECK(life.status() == ServiceStatus::stopped);
    CHECK(life.cause().empty());
}

TEST_CASE("transitions")
{
    const Row rows[] = {
        {"stop while hiring", {}, EventKind::stop_asked, Phase::cancelling, {Action::cancel_step}},
        {"cancelled hire", {EventKind::stop_asked}, EventKind::hire_failed, Phase::ended, {Action::finish}},
        {"hired all the same", {EventKind::stop_asked}, EventKind::hired, Phase::cleaning, {Action::clean_up}},
        {"hire fails", {}, EventKind::hire_failed, Phase::ended, {Action::finish}},
        {"creation fails", to_creating, EventKind::activity_failed, Phase::cleaning, {Action::clean_up}},
        {"stop while creating", to_creating, EventKind::stop_asked, Phase::cancelling, {Action::cancel_step}},
        {"agreement ends while creating",
         to_creating,
         EventKind::agreement_ended,
         Phase::cancelling,
         {Action::cancel_step}},
        {"created all the same",
         plus(to_creating, {EventKind::stop_asked}),
         EventKind::activity_created,
         Phase::cleaning,
         {Action::clean_up}},
        {"start fails", to_starting, EventKind::start_failed, Phase::cleaning, {Action::clean_up}},
        {"start hangs", to_starting, EventKind::alarm, Phase::cancelling, {Action::cancel_step}},
        {"hanging start ends",
         plus(to_starting, {EventKind::alarm}),
         EventKind::start_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"hanging start never ends",
         plus(to_starting, {EventKind::alarm}),
         EventKind::alarm,
         Phase::cleaning,
         {Action::abandon_step, Action::clean_up}},
        {"stop while starting", to_starting, EventKind::stop_asked, Phase::cancelling, {Action::cancel_step}},
        {"started all the same",
         plus(to_starting, {EventKind::stop_asked}),
         EventKind::start_done,
         Phase::cleaning,
         {Action::clean_up}},
        {"activity dies while starting",
         to_starting,
         EventKind::activity_terminated,
         Phase::cancelling,
         {Action::cancel_step}},
        {"run returns", to_running, EventKind::run_returned, Phase::shutting_down, {Action::shut_down}},
        {"run throws", to_running, EventKind::run_failed, Phase::shutting_down, {Action::shut_down}},
        {"activity lost", to_running, EventKind::activity_lost, Phase::cancelling, {Action::cancel_step}},
        {"no shutdown without activity",
         plus(to_running, {EventKind::activity_lost}),
         EventKind::run_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"no shutdown after the agreement",
         plus(to_running, {EventKind::agreement_ended}),
         EventKind::run_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"time is up", to_running, EventKind::expiration_passed, Phase::cancelling, {Action::cancel_step}},
        {"no shutdown after the expiration",
         plus(to_running, {EventKind::expiration_passed}),
         EventKind::run_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"no shutdown in a hurry",
         plus(to_running, {EventKind::insisted}),
         EventKind::run_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"activity lost while run is being cancelled",
         plus(to_running, {EventKind::stop_asked, EventKind::activity_lost}),
         EventKind::run_failed,
         Phase::cleaning,
         {Action::clean_up}},
        {"run ignores its cancellation",
         plus(to_running, {EventKind::stop_asked}),
         EventKind::alarm,
         Phase::shutting_down,
         {Action::abandon_step, Action::shut_down}},
        {"stop again", plus(to_running, {EventKind::stop_asked}), EventKind::stop_asked, Phase::cancelling, {}},
        {"unresponsive is no end", to_running, EventKind::activity_unresponsive, Phase::running, {}},
        {"alarm of nothing", to_running, EventKind::alarm, Phase::running, {}},
        {"stop while shutting down",
         plus(to_running, {EventKind::run_returned}),
         EventKind::stop_asked,
         Phase::shutting_down,
         {}},
        {"shutdown hangs",
         plus(to_running, {EventKind::run_returned}),
         EventKind::alarm,
         Phase::cancelling,
         {Action::cancel_step}},
        {"hanging shutdown ends",
         plus(to_running, {EventKind::run_returned, EventKind::alarm}),
         EventKind::shutdown_done,
         Phase::cleaning,
         {Action::clean_up}},
        {"hanging shutdown never ends",
         plus(to_running, {EventKind::run_returned, EventKind::alarm}),
         EventKind::alarm,
         Phase::cleaning,
         {Action::abandon_step, Action::clean_up}},
        {"agreement ends while shutting down",
         plus(to_running, {EventKind::run_returned}),
         EventKind::agreement_ended,
         Phase::cancelling,
         {Action::cancel_step}},
        {"insisted while shutting down",
         plus(to_running, {EventKind::run_returned}),
         EventKind::insisted,
         Phase::cancelling,
         {Action::cancel_step}},
        {"clean-up hangs",
         plus(to_creating, {EventKind::activity_failed}),
         EventKind::alarm,
         Phase::ended,
         {Action::abandon_step, Action::finish}},
        {"the agreement's end during clean-up",
         plus(to_creating, {EventKind::activity_failed}),
         EventKind::agreement_ended,
         Phase::cleaning,
         {}},
        {"events of an activity that is not there", {}, EventKind::activity_terminated, Phase::hiring, {}},
        {"events of an agreement that is not there", {}, EventKind::agreement_expired, Phase::hiring, {}},
    };
    for (const auto& row : rows) {
        INFO(row.name);
        auto life = after(row.before);
        const auto actions = tell(life, row.event, "why");
        CHECK(static_cast<int>(life.phase()) == static_cast<int>(row.phase));
        CHECK(actions == row.actions);
    }
}

TEST_CASE("how a life ends, and why")
{
    struct End {
        const char* name;
        std::vector<EventKind> events;
        ServiceStatus status;
        std::string cause;
        std::string code;
    };
    using K = EventKind;
    const End ends[] = {
        {"stopped before it ran", {K::stop_asked, K::hire_failed}, ServiceStatus::stopped, "", "Cancelled"},
        {"no funds", {K::hire_failed}, ServiceStatus::failed, "why", "Failure"},
        {"run returned", plus(to_running, {K::run_returned, K::shutdown_done, K::cleaned}), ServiceStatus::stopped, "",
         "Success"},
        {"run threw", plus(to_running, {K::run_failed, K::shutdown_done, K::cleaned}), ServiceStatus::failed,
         "run failed: why", "Failure"},
        {"start threw", plus(to_starting, {K::start_failed, K::cleaned}), ServiceStatus::failed, "start failed: why",
         "Failure"},
        {"start hung", plus(to_starting, {K::alarm, K::start_failed, K::cleaned}), ServiceStatus::failed, "why",
         "Failure"},
        {"no activity", plus(to_creating, {K::activity_failed, K::cleaned}), ServiceStatus::failed,
         "the activity could not be created: why", "Failure"},
        {"expired", plus(to_running, {K::agreement_expired, K::run_failed, K::cleaned}), ServiceStatus::failed,
         "expired", "Expired"},
        {"time is up", plus(to_running, {K::expiration_passed, K::run_failed, K::cleaned}), ServiceStatus::failed,
         "expired", "Expired"},
        {"agreement ended", plus(to_running, {K::agreement_ended, K::run_failed, K::cleaned}), ServiceStatus::failed,
         "why", "Failure"},
        {"activity ended", plus(to_running, {K::activity_terminated, K::run_failed, K::cleaned}), ServiceStatus::failed,
         "the activity has ended on the provider's side: why", "Failure"},
        {"the better reason comes later",
         plus(to_running, {K::activity_lost, K::run_failed, K::agreement_expired, K::cleaned}), ServiceStatus::failed,
         "expired", "Expired"},
        {"a stop stays a stop", plus(to_running, {K::stop_asked, K::agreement_ended, K::run_failed, K::cleaned}),
         ServiceStatus::stopped, "", "Success"},
        {"a failure stays a failure",
         plus(to_running, {K::run_failed, K::stop_asked, K::agreement_ended, K::shutdown_done, K::cleaned}),
         ServiceStatus::failed, "run failed: why", "Failure"},
        {"stop of one that failed to react", plus(to_running, {K::stop_asked, K::alarm, K::alarm, K::alarm, K::alarm}),
         ServiceStatus::stopped, "", "Success"},
    };
    for (const auto& end : ends) {
        INFO(end.name);
        auto life = after(end.events);
        if (life.phase() == Phase::cancelling || life.phase() == Phase::cleaning)
            tell(life, EventKind::cleaned);
        CHECK(life.phase() == Phase::ended);
        CHECK(life.status() == end.status);
        CHECK(life.cause() == end.cause);
        CHECK(life.farewell().code == end.code);
    }
}

TEST_CASE("unresponsive comes and goes")
{
    auto life = after(to_running);
    tell(life, EventKind::activity_unresponsive);
    CHECK(life.status() == ServiceStatus::unresponsive);
    CHECK(!life.cause().empty());
    tell(life, EventKind::activity_ready);
    CHECK(life.status() == ServiceStatus::running);
    CHECK(life.cause().empty());
    tell(life, EventKind::activity_unresponsive);
    CHECK(tell(life, EventKind::stop_asked) == Actions{Action::cancel_step});
    CHECK(life.status() == ServiceStatus::stopping);
}

TEST_CASE("what is certainly gone is not destroyed")
{
    CHECK(after(plus(to_running, {EventKind::activity_lost}))
              .must_destroy_activity()); // It may live where nobody sees it.
    CHECK(!after(plus(to_running, {EventKind::activity_terminated})).must_destroy_activity());
    CHECK(!after(plus(to_running, {EventKind::agreement_ended})).must_destroy_activity());
    CHECK(!after(to_creating).must_destroy_activity());
    CHECK(after(plus(to_running, {EventKind::activity_terminated})).lacks_reason());
    CHECK(!after(plus(to_running, {EventKind::agreement_ended})).lacks_reason());
    CHECK(!after(plus(to_running, {EventKind::run_failed})).lacks_reason());
}

TEST_CASE("what our clock says is over has yet to be ended")
{
    const auto life = after(plus(to_running, {EventKind::expiration_passed}));
    CHECK(life.must_destroy_activity());
    CHECK_FALSE(life.agreement_is_over());
}

TEST_CASE("a life that is given up has failed, unless it was to stop")
{
    auto running = after(to_running);
    running.give_up("out of memory");
    CHECK(running.status() == ServiceStatus::failed);
    CHECK(running.cause() == "out of memory");
    auto stopping = after(plus(to_running, {EventKind::stop_asked}));
    stopping.give_up("out of time");
    CHECK(stopping.status() == ServiceStatus::stopped);
    CHECK_FALSE(stopping.agreement_is_over());
}

// Every sequence of events up to a length, and then: whatever happened, the life can always be led to its end, and no
// status claims something that nothing stands behind.
TEST_CASE("every event in every state")
{
    std::set<std::string> seen;
    std::vector<std::pair<Lifecycle, Rig>> open(1);
    for (int depth = 0; depth < 7; ++depth) {
        std::vector<std::pair<Lifecycle, Rig>> next;
        for (const auto& [life, rig] : open) {
            for (const auto kind : all_events) {
                auto after_it = life;
                auto rig_after = rig;
                rig_after.take(tell(after_it, kind, "why"));
                const auto phase = after_it.phase();
                CHECK(rig_after.finished() == (phase == Phase::ended));
                if (phase == Phase::ended) {
                    CHECK(is_final(after_it.status()));
                    continue;
                }
                CHECK(rig_after.step());
                CHECK(!is_final(after_it.status()));
                if (after_it.agreement_is_over())
                    CHECK((phase == Phase::cancelling || phase == Phase::cleaning));
                // Led to the end: the limits of its phases are enough.
                auto last = after_it;
                tell(last, EventKind::insisted);
                for (int i = 0; i < 3 && last.phase() != Phase::ended; ++i)
                    tell(last, EventKind::alarm, "limit");
                CHECK(last.phase() == Phase::ended);
                // States that look the same go on the same way.
                const auto key = std::to_string(static_cast<int>(phase)) + ',' +
                                 std::to_string(static_cast<int>(after_it.status())) + ',' + after_it.cause() + ',' +
                                 after_it.farewell().message + ',' + std::to_string(after_it.holds_agreement()) +
                                 std::to_string(after_it.agreement_is_over()) +
                                 std::to_string(after_it.must_destroy_activity()) +
                                 std::to_string(after_it.in_a_hurry()) + std::to_string(after_it.lacks_reason());
                if (seen.insert(key).second)
                    next.emplace_back(after_it, rig_after);
            }
        }
        open = std::move(next);
    }
    CHECK(seen.size() > 30);
}

TEST_CASE("what can still be reached")
{
    using S = ServiceStatus;
    const std::map<S, std::set<S>> reachable = {
        {S::pending, {S::starting, S::running, S::unresponsive, S::stopping, S::stopped, S::failed}},
        {S::starting, {S::running, S::unresponsive, S::stopping, S::stopped, S::failed}},
        {S::running, {S::running, S::unresponsive, S::stopping, S::stopped, S::failed}},
        {S::unresponsive, {S::running, S::unresponsive, S::stopping, S::stopped, S::failed}},
        {S::stopping, {S::stopping, S::stopped, S::failed}},
        {S::stopped, {}},
        {S::failed, {}},
    };
    for (const auto& [current, wanted] : reachable) {
        for (const auto status :
             {S::pending, S::starting, S::running, S::unresponsive, S::stopping, S::stopped, S::failed}) {
            INFO(to_string(current) << " -> " << to_string(status));
            CHECK(detail::can_still_reach(current, status) == wanted.contains(status));
        }
    }
}
