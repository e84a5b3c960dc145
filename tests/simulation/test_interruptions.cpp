// Ctrl-C at every point of a program's life: bounded, and nothing is left open.
#include "tests/simulation/services.hpp"

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;

namespace {

// Two clocks that share a provider's time: negotiation, start, work, stop and settlement.
Task<> program(ServiceManager& manager, std::vector<std::string>& answers)
{
    auto first = manager.create_service<Clock>(std::ref(answers));
    auto second = manager.create_service<Clock>(std::ref(answers));
    co_await first->wait_for(ServiceStatus::running);
    co_await second->wait_for(ServiceStatus::running);
    co_await manager.sleep(3s);
    first->stop();
    co_await first->wait_for(ServiceStatus::stopped);
}

struct Outcome {
    std::size_t steps = 0;
    Duration took{0};
    std::string left;
};

Outcome interrupt_after(std::size_t steps)
{
    simulation::WorldOptions options;
    options.devnet.latency = 3ms; // So that requests are under way when it happens.
    simulation::World world(options);
    auto provider_options = named("solid", 2);
    provider_options.activity_latency = 700ms;
    provider_options.command_latency = 5ms;
    world.add_provider(provider_options);
    std::vector<std::string> answers;
    world.run_interrupted(steps, [&](ServiceManager& manager) { return program(manager, answers); });
    const auto end = world.time().elapsed();
    Outcome outcome;
    outcome.took = end;
    outcome.steps = world.steps();
    world.pass(2min);
    outcome.left = what_is_left(world);
    return outcome;
}

} // namespace

TEST_CASE("a program interrupted at any turn leaves a clean world in bounded time")
{
    const auto whole = interrupt_after(static_cast<std::size_t>(-1));
    CHECK(whole.left == "");
    // A prime stride visits every phase without taking every turn.
    std::size_t points = 0;
    for (std::size_t steps = 1; steps < whole.steps; steps += 13) {
        const auto outcome = interrupt_after(steps);
        INFO("interrupted after " << steps << " of " << whole.steps << " turns");
        CHECK(outcome.left == "");
        CHECK(outcome.took < 60s);
        ++points;
    }
    WARN("interrupted at " << points << " points of " << whole.steps << " turns");
}

TEST_CASE("a daemon that never answers terminate is reported, and closing is bounded")
{
    simulation::World world;
    world.add_provider(named("frozen"));
    world.run([&](ServiceManager& manager) -> Task<> {
        auto service = manager.create_service<Idle>();
        co_await service->wait_for(ServiceStatus::running);
        world.devnet().faults().add(
            http::Method::post, "/market-api/v1/agreements/*/terminate", devnet::Fault::hang(), 1000);
    });
    CHECK(world.time().elapsed() < 3min);
    REQUIRE(world.leftovers().size() >= 1);
    CHECK_THAT(world.leftovers().front(), golem::test::contains_text("agreement"));
}
