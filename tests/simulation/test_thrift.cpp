// Fewer requests beat faster ones: how many the manager sends is part of its contract.
#include "tests/simulation/services.hpp"

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;

namespace {

std::string listed(const std::map<std::string, std::size_t>& counts)
{
    std::string text;
    for (const auto& [route, count] : counts)
        text += "  " + std::to_string(count) + " " + route + "\n";
    return text;
}

void check_first_output(int providers, std::size_t most)
{
    simulation::World world;
    add_providers(world, providers);
    std::vector<std::string> answers;
    std::size_t requests = 0;
    std::string routes;
    world.run([&](ServiceManager& manager) -> Task<> {
        auto clock = manager.create_service<Clock>(std::ref(answers), 1h);
        while (answers.empty())
            co_await manager.sleep(1ms);
        requests = world.total_requests();
        routes = listed(world.requests_by_route());
        clock->stop();
        co_await clock->wait_for(ServiceStatus::stopped);
    });
    INFO(routes);
    CHECK(requests <= most);
    WARN(providers << " provider(s): " << requests << " requests sent when the first output was there");
}

// Requests of one minute in which `services` services do nothing.
std::map<std::string, std::size_t> idle_minute(int services)
{
    simulation::World world;
    add_providers(world, services);
    std::map<std::string, std::size_t> counts;
    world.run([&](ServiceManager& manager) -> Task<> {
        std::vector<std::shared_ptr<ServiceWrapper>> wrappers;
        for (int i = 0; i < services; ++i)
            wrappers.push_back(manager.create_service<Idle>());
        for (const auto& wrapper : wrappers)
            co_await wrapper->wait_for(ServiceStatus::running);
        co_await manager.sleep(5min);
        const auto before = world.requests_by_route();
        // Ten minutes smooth out where polls of a minute begin.
        co_await manager.sleep(10min);
        counts = world.requests_by_route();
        for (const auto& [route, count] : before)
            counts[route] -= count;
    });
    return counts;
}

std::size_t sum(const std::map<std::string, std::size_t>& counts)
{
    std::size_t total = 0;
    for (const auto& [route, count] : counts)
        total += count;
    return total;
}

} // namespace

TEST_CASE("one provider: the first output takes at most 15 requests") { check_first_output(1, 15); }

TEST_CASE("ten providers: the first output takes at most 19 requests") { check_first_output(10, 19); }

TEST_CASE("an idle service costs at most 9 requests a minute")
{
    const auto counts = idle_minute(1);
    INFO("in ten minutes:\n" << listed(counts));
    CHECK(sum(counts) <= 90);
    WARN("1 idle service: " << static_cast<double>(sum(counts)) / 10 << " requests a minute");
}

TEST_CASE("state polls of many services share one budget of 60 a minute")
{
    const auto counts = idle_minute(40);
    INFO("in ten minutes:\n" << listed(counts));
    const auto state = counts.find("GET /activity-api/v1/activity/{id}/state");
    REQUIRE(state != counts.end());
    CHECK(state->second <= 610);
    CHECK(state->second >= 300);
    WARN("40 idle services: " << static_cast<double>(sum(counts)) / 10 << " requests a minute");
}
