#include <golem/market/market.hpp>

#include <golem/core/error.hpp>
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
        : time_(time), client_(client), log_(log.with_tag("agreement events")), app_session_(std::move(app_session)),
          poll_(poll), tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
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
        if (!std::exchange(polling_, true))
            tasks_.spawn("poll", [this] { return run(); });
    }

    void forget(const yagna::AgreementId& agreement) { listeners_.erase(agreement); }

    Task<> close()
    {
        closed_ = true;
        listeners_.clear();
        tasks_.cancel();
        co_await tasks_.join();
    }

private:
    struct Entry {
        explicit Entry(Listener to_tell) : listener(std::move(to_tell)) {}
        Listener listener;
        bool told_the_end = false;
    };

    Task<> run()
    {
        Backoff pause(RetryPolicy(), Random(1)); // One feed to a manager: nobody to fall out of step with.
        int failures = 0;
        // A poll that is under way is not withdrawn when the last listener goes: the next one needs it.
        while (!listeners_.empty()) {
            std::exception_ptr failure;
            co_await poll_once(failure);
            if (!failure) {
                if (failures >= noteworthy_failures)
                    log_.info("events come again");
                failures = 0;
                pause.reset();
                continue;
            }
            if (++failures == noteworthy_failures)
                log_.warning("no events for the third time, going on asking: ", describe(failure));
            co_await time_.sleep_for(pause.next(), "before asking for agreement events again");
        }
        polling_ = false;
    }

    Task<> poll_once(std::exception_ptr& failure)
    {
        std::vector<yagna::AgreementEvent> events;
        try {
            events = co_await client_.market().agreement_events(cursor_, app_session_, poll_, page);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
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

    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    std::string app_session_;
    Duration poll_;
    yagna::Cursor cursor_;
    std::map<yagna::AgreementId, std::shared_ptr<Entry>> listeners_;
    std::deque<yagna::AgreementEvent> kept_;
    bool polling_ = false;
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
