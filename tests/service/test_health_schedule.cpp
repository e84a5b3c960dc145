#include <golem/service/detail/health_schedule.hpp>

#include <tests/support/catch.hpp>

#include <map>

using namespace golem;
using namespace std::chrono_literals;
using detail::HealthSchedule;

namespace {

constexpr Instant start{};

} // namespace

TEST_CASE("nobody is polled when nobody is watched")
{
    HealthSchedule schedule(15s, 60);
    CHECK(!schedule.next());
    CHECK(!schedule.take(start + 1h));
    CHECK(schedule.is_empty());
}

TEST_CASE("a poll comes fifteen seconds after the last proof of life")
{
    HealthSchedule schedule(15s, 60);
    schedule.watch(1, start);
    CHECK(schedule.next() == start + 15s);
    CHECK(!schedule.take(start + 14s));
    schedule.alive(1, start + 10s);
    CHECK(schedule.next() == start + 25s);
    CHECK(schedule.take(start + 25s) == 1);
    CHECK(!schedule.next()); // It is being asked.
    schedule.alive(1, start + 26s);
    CHECK(!schedule.next()); // Never twice at a time.
    schedule.polled(1, start + 30s);
    CHECK(schedule.next() == start + 45s);
}

TEST_CASE("the forgotten are not polled, whatever comes in late")
{
    HealthSchedule schedule(15s, 60);
    schedule.watch(1, start);
    schedule.watch(2, start);
    schedule.forget(1);
    schedule.alive(1, start + 1s);
    CHECK(schedule.take(start + 15s) == 2);
    schedule.forget(2);
    schedule.polled(2, start + 16s);
    schedule.polled(3, start + 16s);
    CHECK(!schedule.next());
    CHECK(schedule.is_empty());
    schedule.forget(7);
}

TEST_CASE("all services together are polled no more than the budget allows, and each in its turn")
{
    constexpr int services = 100;
    HealthSchedule schedule(15s, 60);
    for (HealthSchedule::Id id = 1; id <= services; ++id)
        schedule.watch(id, start);
    std::map<HealthSchedule::Id, std::vector<Instant>> polls;
    std::vector<Instant> all;
    auto now = start;
    while (now < start + 10min) {
        const auto next = schedule.next();
        REQUIRE(next);
        now = std::max(now, *next);
        const auto id = schedule.take(now);
        REQUIRE(id);
        polls[*id].push_back(now);
        all.push_back(now);
        schedule.polled(*id, now + 20ms);
    }
    for (std::size_t i = 60; i < all.size(); ++i)
        CHECK(all[i] - all[i - 60] >= 1min);
    CHECK(polls.size() == services);
    for (const auto& [id, times] : polls) {
        for (std::size_t i = 1; i < times.size(); ++i)
            CHECK(times[i] - times[i - 1] <= 101s); // n times the spacing.
    }
}
