// A run that gets stuck says so and ends: with a manager that still lives, and whatever it waits for.
#include "tests/simulation/services.hpp"

#include <golem/core/event.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;
using golem::test::contains_text;

namespace {

std::string run_stuck(simulation::World& world, const std::function<Task<>(ServiceManager&)>& app)
{
    try {
        world.run(app);
    } catch (const simulation::Stuck& stuck) {
        return stuck.what();
    }
    return "";
}

} // namespace

TEST_CASE("a service that stays pending beyond the time limit: the run is stuck, and ends")
{
    std::string text;
    std::string left;
    {
        simulation::WorldOptions options;
        options.time_limit = 2h;
        simulation::World world(options);
        auto provider = named("elsewhere");
        provider.subnet = "another";
        world.add_provider(provider);
        text = run_stuck(world, [](ServiceManager& manager) -> Task<> {
            auto service = manager.create_service<Idle>();
            co_await service->wait_for(ServiceStatus::running);
        });
        left = what_is_left(world);
        CHECK(world.time().elapsed() < 3h);
    }
    CHECK_THAT(text, contains_text("the limit of virtual time was passed"));
    CHECK_THAT(text, contains_text(": pending"));
    CHECK(left == "");
}

TEST_CASE("a running service and an app that sleeps beyond the time limit: the agreement is settled still")
{
    simulation::WorldOptions options;
    options.time_limit = 30min;
    simulation::World world(options);
    add_providers(world, 1);
    std::vector<std::string> answers;
    const auto text = run_stuck(world, [&](ServiceManager& manager) -> Task<> {
        auto clock = manager.create_service<Clock>(std::ref(answers));
        co_await clock->wait_for(ServiceStatus::stopped);
    });
    CHECK_THAT(text, contains_text(": running"));
    CHECK(what_is_left(world) == "");
}

TEST_CASE("a standstill with a manager that lives is told, and ends")
{
    simulation::World world;
    const auto text = run_stuck(world, [](ServiceManager& manager) -> Task<> {
        Event never(manager.executor());
        co_await never.wait();
    });
    CHECK_THAT(text, contains_text("everybody waits"));
}

TEST_CASE("a limit of turns that is passed during negotiation ends the run")
{
    simulation::WorldOptions options;
    options.step_limit = 300;
    simulation::World world(options);
    add_providers(world, 2);
    const auto text = run_stuck(world, [](ServiceManager& manager) -> Task<> {
        auto service = manager.create_service<Idle>();
        co_await service->wait_for(ServiceStatus::stopped);
    });
    CHECK_THAT(text, contains_text("the limit of 300 turns was passed"));
}
