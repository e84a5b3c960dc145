// How a service is tested without a network and without waiting: its hours pass in virtual time.
#include "thermometer.hpp"

#include <golem/simulation/world.hpp>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#include <map>
#include <string>
#include <vector>

namespace {

// A machine that answers each command in this way.
golem::provider::ScriptedBehaviour machine(int exit_code, std::string output)
{
    golem::provider::ScriptedBehaviour behaviour;
    behaviour.reply = [=](const golem::provider::RunRequest& command) {
        CHECK(command.entry_point == "/bin/cat");
        golem::provider::RunOutput answer;
        answer.exit_code = exit_code;
        answer.out = output;
        return answer;
    };
    return behaviour;
}

golem::provider::ProviderOptions named(std::string name)
{
    golem::provider::ProviderOptions options;
    options.name = std::move(name);
    return options;
}

// Nothing rented, nothing that came unpaid.
void check_clean(golem::simulation::World& world)
{
    world.pass(std::chrono::minutes(1));
    CHECK(world.report().live_activities == 0);
    CHECK(world.report().approved_agreements == 0);
    CHECK(world.report().unaccepted_invoices == 0);
}

} // namespace

TEST_CASE("measures once a minute")
{
    std::vector<double> readings;
    golem::simulation::World world;
    world.add_provider(named("warm"), machine(0, "42500\n"));
    const auto start = world.time().now();

    world.run([&](golem::ServiceManager& manager) { return measure(manager, readings, 60); });

    CHECK(readings == std::vector<double>(60, 42.5));
    CHECK(world.time().now() - start >= std::chrono::minutes(59)); // Virtual ones: the test takes milliseconds.
    CHECK(world.leftovers().empty());
    check_clean(world);
}

TEST_CASE("a machine without a thermometer is a failure that tells why")
{
    std::vector<double> readings;
    golem::simulation::World world;
    world.add_provider(named("cheap"), machine(1, ""));
    golem::StatusReport end;

    world.run([&](golem::ServiceManager& manager) -> golem::Task<> {
        const auto thermometer = manager.create_service<Thermometer>(std::ref(readings));
        co_await thermometer->wait_for(golem::ServiceStatus::failed);
        end = thermometer->status();
    });

    CHECK(end.cause.find("exit code 1") != std::string::npos);
    CHECK(readings.empty());
    check_clean(world);
}

TEST_CASE("machines that all fail are not tried for ever")
{
    std::vector<double> readings;
    golem::simulation::World world;
    world.add_provider(named("cheap"), machine(1, ""));

    CHECK_THROWS_AS(
        world.run([&](golem::ServiceManager& manager) { return measure(manager, readings, 30); }), golem::ServiceError);

    check_clean(world);
}

TEST_CASE("a provider that dies is replaced by another")
{
    std::vector<double> readings;
    std::vector<std::string> asked; // Which machine each reading is from.
    golem::simulation::World world;
    std::map<std::string, golem::provider::Agent*> agents;
    for (const std::string name : {"first", "second"}) {
        auto behaviour = machine(0, "40000\n");
        behaviour.reply = [&asked, name, reply = behaviour.reply](const golem::provider::RunRequest& command) {
            asked.push_back(name);
            return reply(command);
        };
        agents[name] = &world.add_provider(named(name), behaviour);
    }
    const auto die_after_ten_minutes = [&](golem::ServiceManager& manager) -> golem::Task<> {
        co_await manager.sleep(std::chrono::minutes(10));
        agents[asked.back()]->stop(); // As when its computer is switched off: nobody is told.
    };

    world.run([&](golem::ServiceManager& manager) -> golem::Task<> {
        // Tasks end with their group, also when measure() throws.
        co_await golem::with_tasks([&](golem::TaskGroup& tasks) -> golem::Task<> {
            tasks.spawn("death of a provider", [&] { return die_after_ten_minutes(manager); });
            co_await measure(manager, readings, 30);
        });
    });

    CHECK(readings.size() >= 30);
    CHECK(asked.front() != asked.back());
    REQUIRE(world.leftovers().size() == 1); // What close() could not close: the dead one sends no invoice.
    CHECK(world.leftovers().front().find("invoice") != std::string::npos);
    check_clean(world);
}
