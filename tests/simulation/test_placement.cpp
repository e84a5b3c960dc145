#include "tests/simulation/services.hpp"

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;

namespace {

struct Placement {
    std::size_t running = 0;
    std::size_t demands = 0;
    std::size_t requests = 0;
    std::string left;
};

Placement place(int services, int providers, int capacity)
{
    simulation::World world;
    add_providers(world, providers, capacity);
    Placement result;
    world.run([&](ServiceManager& manager) -> Task<> {
        std::vector<std::shared_ptr<ServiceWrapper>> wrappers;
        for (int i = 0; i < services; ++i)
            wrappers.push_back(manager.create_service<Idle>());
        for (const auto& wrapper : wrappers)
            co_await wrapper->wait_for(ServiceStatus::running);
        for (const auto& wrapper : wrappers)
            result.running += wrapper->status() == ServiceStatus::running ? 1 : 0;
        result.demands = world.requests_by_route()["POST /market-api/v1/demands"];
        result.requests = world.total_requests();
    });
    world.pass(10s);
    result.left = what_is_left(world);
    return result;
}

} // namespace

TEST_CASE("100 services on 100 providers of capacity 1 need one demand")
{
    const auto placement = place(100, 100, 1);
    CHECK(placement.running == 100);
    CHECK(placement.demands == 1);
    CHECK(placement.left == "");
    WARN("100 services on 100 providers: " << placement.demands << " demand, " << placement.requests << " requests until all ran");
}

TEST_CASE("100 services fit on 4 providers of capacity 25")
{
    const auto placement = place(100, 4, 25);
    CHECK(placement.running == 100);
    CHECK(placement.demands <= 28);
    CHECK(placement.left == "");
    WARN("100 services on 4 providers: " << placement.demands << " demands, " << placement.requests << " requests until all ran");
}
