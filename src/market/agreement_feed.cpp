#include <golem/market/market.hpp>

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <deque>
#include <map>
#include <utility>

namespace golem {

namespace {

constexpr int page = 100;
constexpr std::size_t most_kept = 1000;
constexpr int noteworthy_failures = 3;

bool is_final(yagna::AgreementEvent::Kind kind)
{
    using Kind = yagna::AgreementEvent::Kind;
    return kind == Kind::rejected || kind == Kind::cancelled || kind == Kind::terminated;
}

} // namespace

class AgreementFeed::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, std::string app_session,
        Duration poll)
        : executor_(executor), time_(time), client_(client), log_(log.with_tag("agreement events")),
          app_session_(std::move(app_session)), poll_(poll),
          tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
              log_.error("the task \"", name, "\" failed: ", describe(failure));
          })
    {
    }

    void listen(const yagna::AgreementId& agreement, Listener listener)
    {
        if (closed_)
            return;
        listeners_.insert_or_assign(agreement, std::make_shared<Entry>(std::move(listener)));
        for (const auto& event : kept_) {
            if (event.agreement == agreement)
                tasks_.spawn("tell an earlier event", [this, event] { return tell_later(event); });
        }
        std::erase_if(kept_, [&](const auto& event) { return event.agreement == agreement; });
        if (!stop_) {
            stop_ = std::make_shared<Event>(executor_);
            tasks_.spawn("poll", [this, stop = stop_] { return run(stop); });
        }
    }

    void forget(const yagna::AgreementId& agreement)
    {
        listeners_.erase(agreement);
        if (listeners_.empty())
            stop();
    }

    Task<> close()
    {
        closed_ = true;
        listeners_.clear();
        stop();
        tasks_.cancel();
        co_await tasks_.join();
    }

private:
    struct Entry {
        explicit Entry(Listener to_tell) : listener(std::move(to_tell)) {}
        Listener listener;
        bool told_the_end = false;
    };

    void stop()
    {
        if (stop_)
            stop_->set();
        stop_.reset();
    }

    Task<> run(std::shared_ptr<Event> stop)
    {
        Backoff pause(RetryPolicy(), Random(1)); // One feed to a manager: nobody to fall out of step with.
        int failures = 0;
        while (!stop->is_set()) {
            std::exception_ptr failure;
            auto question = poll_once(failure);
            auto end = stop->wait();
            co_await first_of(std::move(question), std::move(end));
            if (stop->is_set())
                co_return;
            if (!failure) {
                if (failures >= noteworthy_failures)
                    log_.info("events come again");
                failures = 0;
                pause.reset();
                continue;
            }
            if (++failures == noteworthy_failures)
                log_.warning("no events for the third time, going on asking: ", describe(failure));
            auto sleep = time_.sleep_for(pause.next(), "before asking for agreement events again");
            auto interruption = stop->wait();
            co_await first_of(std::move(sleep), std::move(interruption));
        }
    }

    Task<> poll_once(std::exception_ptr& failure)
    {
        std::vector<yagna::AgreementEvent> events;
        try {
            events = co_await client_.market().agreement_events(cursor_, app_session_, poll_, page);
        } catch (...) {
            failure = std::current_exception();
            co_return;
        }
        for (const auto& event : events) {
            cursor_ = event.cursor;
            tell(event);
        }
    }

    Task<> tell_later(const yagna::AgreementEvent& event)
    {
        tell(event);
        co_return;
    }

    void tell(const yagna::AgreementEvent& event)
    {
        const auto found = listeners_.find(event.agreement);
        if (found == listeners_.end()) {
            // Nobody has asked for it yet, or nobody cares any more.
            kept_.push_back(event);
            if (kept_.size() > most_kept)
                kept_.pop_front();
            return;
        }
        const auto entry = found->second; // The listener may forget itself.
        if (is_final(event.kind) && std::exchange(entry->told_the_end, true))
            return;
        // One listener's failure must not cost the others their events.
        try {
            entry->listener(event);
        } catch (const std::exception& error) {
            log_.error("a listener of agreement ", event.agreement, " failed: ", error.what());
        }
    }

    Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    std::string app_session_;
    Duration poll_;
    yagna::Cursor cursor_;
    std::map<yagna::AgreementId, std::shared_ptr<Entry>> listeners_;
    std::deque<yagna::AgreementEvent> kept_;
    std::shared_ptr<Event> stop_;
    bool closed_ = false;
    TaskGroup tasks_;
};

AgreementFeed::AgreementFeed(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, std::string app_session,
    Duration poll)
    : implementation_(
          std::make_unique<Implementation>(executor, time, client, std::move(log), std::move(app_session), poll))
{
}

AgreementFeed::~AgreementFeed() = default;

void AgreementFeed::listen(const yagna::AgreementId& agreement, Listener listener)
{
    implementation_->listen(agreement, std::move(listener));
}

void AgreementFeed::forget(const yagna::AgreementId& agreement) { implementation_->forget(agreement); }

Task<> AgreementFeed::close() { return shield(implementation_->close()); }

} // namespace golem
