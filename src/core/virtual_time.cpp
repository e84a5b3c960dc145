#include <golem/core/virtual_time.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/system/system_error.hpp>

#include <cstdio>

namespace golem {

VirtualTime::VirtualTime(Timestamp start) : start_(start) {}

Task<> VirtualTime::sleep_until(Instant when, std::string_view reason)
{
    if (when <= now())
        co_return;
    const auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, boost::asio::steady_timer::time_point::max());
    bool woken = false;
    const Key key(when, sequence_++);

    // The entry goes with the coroutine, however it ends.
    struct Entry {
        std::map<Key, Sleeper>& sleepers;
        const Key& key;
        ~Entry() { sleepers.erase(key); }
    };
    sleepers_.emplace(key, Sleeper(timer, woken, reason));
    const Entry entry(sleepers_, key);

    auto [error] = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::deferred));
    if (!woken)
        throw boost::system::system_error(error);
}

std::optional<Instant> VirtualTime::next() const
{
    if (sleepers_.empty() || sleepers_.begin()->first.first == Instant::max())
        return std::nullopt;
    return sleepers_.begin()->first.first;
}

bool VirtualTime::advance_to_next()
{
    const auto when = next();
    if (!when)
        return false;
    elapsed_ = when->time_since_epoch();
    auto node = sleepers_.extract(sleepers_.begin());
    node.mapped().woken = true;
    node.mapped().timer.cancel();
    return true;
}

std::vector<std::string> VirtualTime::sleepers() const
{
    std::vector<std::string> lines;
    for (const auto& [key, sleeper] : sleepers_) {
        char left[32];
        std::snprintf(left, sizeof left, "%.3f s", std::chrono::duration<double>(key.first - now()).count());
        lines.push_back(std::string(sleeper.reason) + ": " + (key.first == Instant::max() ? "no end" : left));
    }
    return lines;
}

} // namespace golem
