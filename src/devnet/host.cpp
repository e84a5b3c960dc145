#include <golem/devnet/host.hpp>

#include <golem/core/race.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace golem::devnet {

// Its own latch in the list of a topic: a change between registration and the wait is not lost.
class Host::Waiter {
public:
    Waiter(Host& host, const std::string& topic) : host_(host), topic_(topic), event_(host.executor_)
    {
        host_.waiters_[topic_].push_back(&event_);
    }

    ~Waiter()
    {
        const auto found = host_.waiters_.find(topic_);
        std::erase(found->second, &event_);
        if (found->second.empty())
            host_.waiters_.erase(found);
    }

    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    Event& event() noexcept { return event_; }

private:
    Host& host_;
    const std::string& topic_;
    Event event_;
};

Host::Host(const Executor& executor, TimeSource& time, const DevnetOptions& options)
    : executor_(executor), time_(time), options_(options), world_(options), deadline_changed_(executor)
{
}

void Host::settle()
{
    for (const auto& topic : world_.take_touched())
        wake(topic);
    if (world_.next_deadline() != deadline_)
        deadline_changed_.set();
}

void Host::wake(const std::string& topic)
{
    const auto found = waiters_.find(topic);
    if (found == waiters_.end())
        return;
    for (auto* event : found->second)
        event->set();
}

Task<bool> Host::wait(const std::string& topic, Instant until)
{
    if (closed_)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (until <= time_.now())
        co_return false;
    Waiter waiter(*this, topic);
    auto waiting = waiter.event().wait();
    const bool changed = co_await with_timeout(time_, until - time_.now(), std::move(waiting), "a poll of the devnet");
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none || closed_)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    co_return changed;
}

Task<> Host::sleep_until(Instant when)
{
    const std::string nothing;
    co_await wait(nothing, when);
}

void Host::close()
{
    closed_ = true;
    for (const auto& [topic, events] : waiters_) {
        for (auto* event : events)
            event->set();
    }
}

Task<> Host::run()
{
    for (;;) {
        deadline_changed_.reset();
        const auto next = world_.next_deadline();
        deadline_ = next;
        if (!next) {
            co_await deadline_changed_.wait();
            continue;
        }
        const auto left = *next - now();
        if (left <= Duration(0)) {
            world_.advance(now());
            settle();
            continue;
        }
        auto waiting = deadline_changed_.wait();
        co_await with_timeout(time_, left, std::move(waiting), "the devnet's next settlement");
    }
}

void Host::note(const std::string& who, std::string what)
{
    if (options_.with_transcript)
        transcript_.add(now(), who, std::move(what));
}

} // namespace golem::devnet
