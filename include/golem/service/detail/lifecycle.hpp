#pragma once

#include <golem/service/service_status.hpp>

#include <string>
#include <utility>
#include <vector>

/// The life of a service as a machine without I/O: what is done next after each thing that can happen.
namespace golem::detail {

enum class EventKind {
    waiting,               ///< The market tells what is waited for (text).
    hired,                 ///< There is an agreement, approved by the provider.
    hire_failed,           ///< (text)
    activity_created,      ///< The exe-unit is up.
    activity_failed,       ///< It is not, or not in time (text).
    start_done,            ///< Service::start() returned.
    start_failed,          ///< It threw (text).
    run_returned,          ///< Service::run() returned.
    run_failed,            ///< It threw (text).
    shutdown_done,         ///< Service::shutdown() returned or threw.
    cleaned,               ///< The clean-up has ended, whatever it achieved.
    stop_asked,            ///< ServiceWrapper::stop().
    insisted,              ///< The manager has no more time: whatever still goes on is cut short.
    alarm,                 ///< The limit of the present phase passed (text).
    agreement_ended,       ///< By somebody else (text: by whom and why).
    agreement_expired,     ///< By the provider, since its time was up.
    expiration_passed,     ///< Its time is up, but nobody has ended it yet.
    activity_lost,         ///< The daemon cannot reach the exe-unit any more (text).
    activity_terminated,   ///< The daemon says that it has ended (text: the reason, if known).
    activity_unresponsive, ///< The exe-unit is out of sight (text: if it is not the provider who says so).
    activity_ready,        ///< The provider sees it.
};

class LifeEvent {
public:
    explicit LifeEvent(EventKind kind, std::string text = std::string()) : kind_(kind), text_(std::move(text)) {}

    EventKind kind() const noexcept { return kind_; }

    const std::string& text() const noexcept { return text_; }

private:
    EventKind kind_;
    std::string text_;
};

enum class Phase {
    hiring,        ///< Looking for a provider.
    creating,      ///< The activity is being created.
    starting,      ///< Service::start() goes on.
    running,       ///< Service::run() goes on.
    cancelling,    ///< The step that went on was cancelled; its end is awaited.
    shutting_down, ///< Service::shutdown() goes on.
    cleaning,      ///< Activity and agreement are being ended.
    ended,
};

/// A step is what goes on in the phase; at most one does at a time, not counting abandoned ones. Its end comes back as
/// an event; the end of an abandoned one must not.
enum class Action {
    create_activity,
    start,
    run,
    shut_down,
    clean_up,
    cancel_step,
    abandon_step, ///< It did not end although it was cancelled: it is not waited for any more.
    finish,       ///< Nothing goes on and nothing is held.
};

/// Which limit the present phase has.
enum class Alarm { none, start, cancel, shutdown, clean_up };

/// What the provider is told when we end the agreement.
struct Farewell {
    std::string message;
    std::string code; ///< `golem.requestor.code`
};

class Lifecycle {
public:
    /// Begins in Phase::hiring: the first hire is under way.
    Lifecycle() = default;

    std::vector<Action> next(const LifeEvent& event)
    {
        if (phase_ == Phase::ended)
            return {};
        learn(event);
        return react(event);
    }

    /// Nothing goes on any more, whatever is held: the end of a life that cannot be led any further.
    void give_up(const std::string& why)
    {
        fail(why, Rank::final, "The service was given up.");
        phase_ = Phase::ended;
    }

    Phase phase() const noexcept { return phase_; }

    ServiceStatus status() const noexcept
    {
        switch (phase_) {
        case Phase::hiring: return ServiceStatus::pending;
        case Phase::creating: return ServiceStatus::starting;
        case Phase::starting: return unresponsive_ ? ServiceStatus::unresponsive : ServiceStatus::starting;
        case Phase::running: return unresponsive_ ? ServiceStatus::unresponsive : ServiceStatus::running;
        case Phase::cancelling:
        case Phase::shutting_down:
        case Phase::cleaning: return ServiceStatus::stopping;
        case Phase::ended: break;
        }
        return verdict_ == Verdict::failed ? ServiceStatus::failed : ServiceStatus::stopped;
    }

    /// Belongs to status(): what is waited for, or why it failed; else empty.
    std::string cause() const
    {
        if (phase_ == Phase::hiring)
            return waiting_for_;
        if (status() == ServiceStatus::unresponsive)
            return unresponsive_why_;
        return cause_;
    }

    Alarm alarm() const noexcept
    {
        switch (phase_) {
        case Phase::starting: return Alarm::start;
        case Phase::cancelling: return Alarm::cancel;
        case Phase::shutting_down: return Alarm::shutdown;
        case Phase::cleaning: return Alarm::clean_up;
        default: return Alarm::none;
        }
    }

    /// Limits are the short ones: the manager insists.
    bool in_a_hurry() const noexcept { return hurry_; }

    bool holds_agreement() const noexcept { return agreement_; }

    /// The agreement was ended by somebody else.
    bool agreement_is_over() const noexcept { return agreement_over_; }

    /// False if there is none, or if its end is certain.
    bool must_destroy_activity() const noexcept { return activity_ && !activity_ended_ && !agreement_over_ && !hurry_; }

    /// The failure is known by its effect only; somebody's reason may still come.
    bool lacks_reason() const noexcept
    {
        return verdict_ == Verdict::failed && !agreement_over_ && (rank_ == Rank::lost || rank_ == Rank::terminated);
    }

    Farewell farewell() const
    {
        if (verdict_ == Verdict::failed)
            return {farewell_, expired_ ? "Expired" : "Failure"};
        if (returned_)
            return {"The service has finished.", "Success"};
        if (run_begun_)
            return {"The service was stopped.", "Success"};
        return {"The service was stopped before it ran.", "Cancelled"};
    }

private:
    enum class Verdict { none, stopped, failed };
    /// How much a cause tells: the same end shows in several ways, the most telling one last.
    enum class Rank { none, lost, terminated, final };
    using Actions = std::vector<Action>;

    bool is_in(Phase phase) const noexcept { return phase_ == phase; }

    void learn(const LifeEvent& event)
    {
        switch (event.kind()) {
        case EventKind::waiting: waiting_for_ = event.text(); break;
        case EventKind::hired: agreement_ = true; break;
        case EventKind::activity_created: activity_ = true; break;
        case EventKind::stop_asked:
        case EventKind::insisted:
            hurry_ = hurry_ || event.kind() == EventKind::insisted;
            if (verdict_ == Verdict::none && is_in(Phase::hiring) && !waiting_for_.empty())
                cause_ = "stopped before a provider was found: " + waiting_for_;
            if (verdict_ == Verdict::none)
                verdict_ = Verdict::stopped;
            break;
        case EventKind::hire_failed:
            if (is_in(Phase::hiring))
                fail(event.text(), Rank::final, "The service found no provider.");
            break;
        case EventKind::activity_failed:
            if (is_in(Phase::creating))
                fail(
                    "the activity could not be created: " + event.text(), Rank::final,
                    "The activity could not be created.");
            break;
        case EventKind::start_failed:
            if (is_in(Phase::starting))
                fail("start failed: " + event.text(), Rank::final, "The service did not start.");
            break;
        case EventKind::run_failed:
            if (is_in(Phase::running))
                fail("run failed: " + event.text(), Rank::final, "The service failed.");
            break;
        case EventKind::run_returned:
            if (is_in(Phase::running) && verdict_ == Verdict::none) {
                verdict_ = Verdict::stopped;
                returned_ = true;
            }
            break;
        case EventKind::alarm:
            if (is_in(Phase::starting))
                fail(event.text(), Rank::final, "The service did not start in time.");
            break;
        case EventKind::agreement_ended:
        case EventKind::agreement_expired: learn_end_of_agreement(event); break;
        case EventKind::expiration_passed:
            if (agreement_)
                learn_expiration();
            break;
        case EventKind::activity_lost:
            // An exchange that fails while the activity is being ended says nothing new.
            if (activity_ && !is_in(Phase::cleaning)) {
                reachable_ = false;
                fail(event.text(), Rank::lost, "The activity was lost.");
            }
            break;
        case EventKind::activity_terminated:
            if (activity_) {
                activity_ended_ = true;
                const auto why = event.text().empty() ? std::string() : ": " + event.text();
                if (!is_in(Phase::cleaning))
                    fail(
                        "the activity has ended on the provider's side" + why, Rank::terminated,
                        "The activity has ended.");
            }
            break;
        case EventKind::activity_unresponsive:
            unresponsive_ = activity_;
            unresponsive_why_ = event.text().empty() ? "the provider has lost sight of the exe-unit" : event.text();
            break;
        case EventKind::activity_ready: unresponsive_ = false; break;
        case EventKind::start_done:
        case EventKind::shutdown_done:
        case EventKind::cleaned: break;
        }
    }

    void learn_end_of_agreement(const LifeEvent& event)
    {
        if (!agreement_ || agreement_over_)
            return;
        agreement_over_ = true;
        if (event.kind() == EventKind::agreement_expired)
            learn_expiration();
        else
            fail(event.text(), Rank::final, "The agreement was over.");
    }

    void learn_expiration()
    {
        expired_ = true;
        fail("expired", Rank::final, "The agreement has expired.");
    }

    /// The first verdict stays; its cause gives way to one that tells more.
    void fail(std::string cause, Rank rank, std::string farewell)
    {
        const bool tells_more = verdict_ == Verdict::failed && rank_ != Rank::final && rank > rank_;
        if (verdict_ != Verdict::none && !tells_more)
            return;
        verdict_ = Verdict::failed;
        cause_ = std::move(cause);
        rank_ = rank;
        farewell_ = std::move(farewell);
    }

    Actions react(const LifeEvent& event)
    {
        switch (phase_) {
        case Phase::hiring:
            if (event.kind() == EventKind::hired)
                return enter(Phase::creating, Action::create_activity);
            if (event.kind() == EventKind::hire_failed)
                return clean_up();
            return ends_everything(event) ? cancel() : Actions();
        case Phase::creating:
            if (event.kind() == EventKind::activity_created)
                return enter(Phase::starting, Action::start);
            if (event.kind() == EventKind::activity_failed)
                return clean_up();
            return ends_everything(event) ? cancel() : Actions();
        case Phase::starting:
            if (event.kind() == EventKind::start_done) {
                run_begun_ = true;
                return enter(Phase::running, Action::run);
            }
            if (event.kind() == EventKind::start_failed)
                return clean_up();
            return ends_everything(event) || event.kind() == EventKind::alarm ? cancel() : Actions();
        case Phase::running:
            if (event.kind() == EventKind::run_returned || event.kind() == EventKind::run_failed)
                return after_step();
            return ends_everything(event) ? cancel() : Actions();
        case Phase::cancelling:
            if (event.kind() == EventKind::alarm) {
                auto actions = after_step();
                actions.insert(actions.begin(), Action::abandon_step);
                return actions;
            }
            return ends_step(event) ? after_step() : Actions();
        case Phase::shutting_down:
            if (event.kind() == EventKind::shutdown_done)
                return clean_up();
            // A stop is what is going on already.
            if (event.kind() == EventKind::alarm || (ends_everything(event) && event.kind() != EventKind::stop_asked))
                return cancel();
            return {};
        case Phase::cleaning:
            if (event.kind() == EventKind::cleaned)
                return enter(Phase::ended, Action::finish);
            if (event.kind() == EventKind::alarm) {
                phase_ = Phase::ended;
                return {Action::abandon_step, Action::finish};
            }
            return {};
        case Phase::ended: break;
        }
        return {};
    }

    /// After such an event no phase but the last ones makes sense.
    bool ends_everything(const LifeEvent& event) const noexcept
    {
        switch (event.kind()) {
        case EventKind::stop_asked:
        case EventKind::insisted: return true;
        case EventKind::agreement_ended:
        case EventKind::agreement_expired:
        case EventKind::expiration_passed: return agreement_;
        case EventKind::activity_lost:
        case EventKind::activity_terminated: return activity_;
        default: return false;
        }
    }

    static bool ends_step(const LifeEvent& event) noexcept
    {
        switch (event.kind()) {
        case EventKind::hired:
        case EventKind::hire_failed:
        case EventKind::activity_created:
        case EventKind::activity_failed:
        case EventKind::start_done:
        case EventKind::start_failed:
        case EventKind::run_returned:
        case EventKind::run_failed:
        case EventKind::shutdown_done: return true;
        default: return false;
        }
    }

    Actions enter(Phase phase, Action action)
    {
        phase_ = phase;
        return {action};
    }

    Actions cancel() { return enter(Phase::cancelling, Action::cancel_step); }

    Actions after_step()
    {
        const bool alive = activity_ && reachable_ && !activity_ended_ && !agreement_over_ && !expired_;
        if (run_begun_ && !shutdown_begun_ && alive && !hurry_) {
            shutdown_begun_ = true;
            return enter(Phase::shutting_down, Action::shut_down);
        }
        return clean_up();
    }

    Actions clean_up()
    {
        if (agreement_)
            return enter(Phase::cleaning, Action::clean_up);
        return enter(Phase::ended, Action::finish);
    }

    Phase phase_ = Phase::hiring;
    Verdict verdict_ = Verdict::none;
    Rank rank_ = Rank::none;
    std::string waiting_for_;
    std::string unresponsive_why_;
    std::string cause_;
    std::string farewell_;
    bool agreement_ = false;
    bool agreement_over_ = false;
    bool expired_ = false;
    bool activity_ = false;
    bool activity_ended_ = false;
    bool reachable_ = true;
    bool unresponsive_ = false;
    bool run_begun_ = false;
    bool returned_ = false;
    bool shutdown_begun_ = false;
    bool hurry_ = false;
};

} // namespace golem::detail
