// How a manager ends: services first, then what they needed, each part asked, waited for and given up.
#include "service/engine.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/network/detail/seat.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// Shares of ServiceLimits::close: services end by themselves up to the first, hurriedly up to the second; the rest is
// for demands, invoices and the allocation.
constexpr double patience = 0.55;
constexpr double hurry = 0.75;
// What the services may still take once somebody insists, and then each of the other parts.
constexpr Duration insisted_limit = 8s;
constexpr Duration hurried = 3s;
// To remove a network; what it needs beside is bounded by itself.
constexpr Duration network_limit = 10s;
// What was given up gets this once its connections are closed.
constexpr Duration last_limit = 1s;
} // namespace

Task<std::vector<std::string>> Engine::close()
{
    {
        const std::scoped_lock lock(mutex_);
        if (std::exchange(accepting_, false)) {
            auto self = shared_from_this();
            closing_.spawn("close", [self] { return self->close_all(); });
        }
    }
    auto over = closed_.wait();
    co_await shield(std::move(over));
    co_return leftovers_;
}

void Engine::left_over(std::string what)
{
    log_.warning("left over: ", what);
    leftovers_.push_back(std::move(what));
}

Task<> Engine::close_all()
{
    const auto start = time_.now();
    co_await end_services(start);
    // The market needs the feed, and may leave a last agreement to be settled.
    TaskGroup impatience(executor_);
    impatience.spawn("hurry", [this] { return hurry_market(); });
    auto left = left_of(start);
    co_await close_part("the market", &Engine::close_market, left);
    impatience.cancel();
    co_await impatience.join();
    left = left_of(start);
    TaskGroup rest_of_it(executor_);
    rest_of_it.spawn(
        "close feed", [this, left] { return close_part("the agreement feed", &Engine::close_feed, left); });
    rest_of_it.spawn("close payments", [this, left] { return close_part("payments", &Engine::close_payments, left); });
    rest_of_it.spawn("close networks", [this, left] { return close_part("networks", &Engine::close_networks, left); });
    co_await rest_of_it.join();
    co_await health_.close();
    client_.caller().close();
    registry_.close();
    // What was given up ends soon now that its requests fail; if it does not, it has been listed.
    auto rest = parts_.join();
    co_await with_timeout(time_, last_limit, std::move(rest), "parts that were given up");
    tell_pending_failures();
    closed_.set();
    replace_guests();
}

// What is left of the time for closing; at least a second, so that each part is asked.
Duration Engine::left_of(Instant start) const
{
    const auto left = std::max<Duration>(start + options_.limits.close - time_.now(), 1s);
    return insist_.is_set() ? std::min<Duration>(left, hurried) : left;
}

// Ask, wait, insist, and give up.
Task<> Engine::end_services(Instant start)
{
    const auto limit = [this, start](double share) {
        return start + std::chrono::duration_cast<Duration>(options_.limits.close * share);
    };
    tell_all(EventKind::stop_asked);
    auto until = limit(patience);
    while (live_ > 0 && time_.now() < until && !insist_.is_set()) {
        auto ended = ended_.wait();
        auto insisted = insist_.wait();
        auto over = time_.sleep_until(until, "services that end");
        co_await first_of(std::move(ended), std::move(insisted), std::move(over));
    }
    if (live_ == 0) {
        co_await workers_.join();
        co_return;
    }
    log_.warning("services do not end in time; insisting");
    tell_all(EventKind::insisted);
    until = insist_.is_set() ? time_.now() + insisted_limit : limit(hurry);
    bool heard = insist_.is_set();
    while (live_ > 0 && time_.now() < until) {
        auto ended = ended_.wait();
        auto over = time_.sleep_until(until, "services that end in a hurry");
        if (heard) {
            co_await first_of(std::move(ended), std::move(over));
            continue;
        }
        auto insisted = insist_.wait();
        co_await first_of(std::move(ended), std::move(insisted), std::move(over));
        if (insist_.is_set()) {
            heard = true;
            until = std::min(until, time_.now() + insisted_limit);
        }
    }
    workers_.cancel();
    co_await workers_.join();
}

// A part is bounded by the limit it is given; it is not waited for much longer than that, nor than somebody's patience.
Task<> Engine::close_part(std::string name, Part part, Duration limit)
{
    const auto over = std::make_shared<Event>(executor_);
    auto self = shared_from_this();
    parts_.spawn(name, [self, name, part, limit, over] { return self->run_part(name, part, limit, over); });
    auto ended = over->wait();
    auto limited = cut_off(limit + 1s);
    const auto first = co_await first_of(std::move(ended), std::move(limited));
    if (first == 1)
        left_over(name + " did not end in time: what it still had to do may not be done");
}

Task<> Engine::run_part(std::string name, Part part, Duration limit, std::shared_ptr<Event> over)
{
    std::exception_ptr failure;
    try {
        co_await (this->*part)(limit);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        left_over(name + ": " + describe(failure));
    over->set();
}

Task<> Engine::cut_off(Duration limit)
{
    auto insisted = insist_.wait();
    const auto in_a_hurry = co_await with_timeout(time_, limit, std::move(insisted), "limit of closing");
    if (in_a_hurry)
        co_await time_.sleep_for(std::min<Duration>(limit, hurried + 1s), "limit of closing in a hurry");
}

// What a part returns it has logged.
Task<> Engine::close_market(Duration limit)
{
    const auto left = co_await market_.close(limit);
    leftovers_.insert(leftovers_.end(), left.begin(), left.end());
}

// A second close() with a shorter limit cuts the first one short, which tells what is left over.
Task<> Engine::hurry_market()
{
    co_await insist_.wait();
    co_await market_.close(hurried);
}

Task<> Engine::close_feed(Duration) { co_await feed_.close(); }

// Invoices are waited for here, since this wait can be cut short.
Task<> Engine::close_payments(Duration limit)
{
    const auto start = time_.now();
    auto invoices = await_invoices();
    auto insisted = insist_.wait();
    auto over = time_.sleep_for(limit - std::min<Duration>(limit, 1s), "last invoices");
    co_await first_of(std::move(invoices), std::move(insisted), std::move(over));
    auto rest = std::max<Duration>(start + limit - time_.now(), 1s);
    if (insist_.is_set())
        rest = std::min<Duration>(rest, 1s);
    const auto left = co_await payments_.close(rest);
    leftovers_.insert(leftovers_.end(), left.begin(), left.end());
}

// All at once: the daemon tells their nodes, and some of these may be gone.
Task<> Engine::close_networks(Duration limit)
{
    std::vector<std::shared_ptr<Network>> networks;
    {
        const std::scoped_lock lock(mutex_);
        networks.swap(networks_);
    }
    const auto each = std::min(limit, network_limit);
    TaskGroup removals(executor_);
    for (const auto& network : networks)
        removals.spawn("close network", [this, network, each] { return close_network(network, each); });
    co_await removals.join();
}

Task<> Engine::close_network(std::shared_ptr<Network> network, Duration limit)
{
    auto left = co_await detail::close(*network, limit);
    for (auto& what : left)
        left_over(std::move(what));
}

Task<> Engine::await_invoices()
{
    const auto bills = payments_.bills();
    for (const auto& bill : bills)
        co_await payments_.settle(bill.agreement);
}

void Engine::tell_all(EventKind kind)
{
    for (const auto& worker : workers())
        worker->tell(LifeEvent(kind));
}

} // namespace golem::detail
