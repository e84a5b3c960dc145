// The three known issues of the reference library, which must not exist here.
#include "tests/simulation/services.hpp"

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;
using golem::test::contains_text;

namespace {

class BadStart : public Service {
public:
    enum class How { throws, command_fails, hangs };

    explicit BadStart(How how) : how_(how) {}

    Payload payload() const override { return test_payload(); }

    Task<> start(WorkContext& work) override
    {
        co_await Service::start(work);
        if (how_ == How::throws)
            throw std::runtime_error("the service does not like this machine");
        if (how_ == How::command_fails)
            co_await work.run("/bin/false");
        else
            co_await work.sleep(24h);
    }

private:
    How how_;
};

} // namespace

TEST_CASE("all providers are busy: the service starts when one frees up, and says why it waits")
{
    simulation::World world;
    add_providers(world, 1);
    world.run([&](ServiceManager& manager) -> Task<> {
        auto first = manager.create_service<Idle>();
        co_await first->wait_for(ServiceStatus::running);
        auto second = manager.create_service<Idle>();
        co_await manager.sleep(2min);
        CHECK(second->status() == ServiceStatus::pending);
        const auto cause = second->status().cause;
        CHECK_THAT(cause, contains_text("No capacity available"));
        first->stop();
        co_await first->wait_for(ServiceStatus::stopped);
        const auto freed = manager.time().now();
        co_await second->wait_for(ServiceStatus::running);
        CHECK(manager.time().now() - freed <= 5s);
    });
    world.pass(10s);
    CHECK(what_is_left(world) == "");
}

TEST_CASE("a start that fails leaves a failed wrapper with the cause, and no agreement")
{
    const auto [how, cause] = GENERATE(
        std::make_pair(BadStart::How::throws, "does not like this machine"),
        std::make_pair(BadStart::How::command_fails, "exit code 1"),
        std::make_pair(BadStart::How::hangs, "start did not end within 10 min"));
    simulation::World world;
    provider::ScriptedBehaviour behaviour;
    behaviour.reply = [](const provider::RunRequest& request) {
        provider::RunOutput output;
        output.exit_code = request.entry_point == "/bin/false" ? 1 : 0;
        return output;
    };
    world.add_provider(named("solid"), behaviour);
    world.run([&](ServiceManager& manager) -> Task<> {
        auto service = manager.create_service<BadStart>(how);
        co_await service->wait_for(ServiceStatus::failed);
        const auto report = service->status();
        CHECK_THAT(report.cause, contains_text(cause));
        CHECK_FALSE(service->started());
        CHECK(world.report().approved_agreements == 0);
        std::string thrown;
        try {
            co_await service->wait_for(ServiceStatus::running);
        } catch (const ServiceError& error) {
            thrown = error.what();
        }
        CHECK_THAT(thrown, contains_text(cause));
    });
    world.pass(10s);
    CHECK(what_is_left(world) == "");
}

namespace {

enum class Death { agreement, exe_unit };

void check_death(Death death, bool busy)
{
    simulation::World world;
    auto& agent = world.add_provider(named("doomed"));
    std::vector<std::string> answers;
    world.run([&](ServiceManager& manager) -> Task<> {
        std::shared_ptr<ServiceWrapper> service;
        if (busy)
            service = manager.create_service<Clock>(std::ref(answers));
        else
            service = manager.create_service<Idle>();
        co_await service->wait_for(ServiceStatus::running);
        co_await manager.sleep(70s);
        REQUIRE(service->status() == ServiceStatus::running);
        const auto before = manager.time().now();
        if (death == Death::agreement) {
            provider::Reason reason;
            reason.message = "I need my machine";
            const auto agreement = agent.agreements().at(0);
            CHECK(agent.terminate_agreement(agreement, reason));
        } else {
            const auto activity = agent.activities().at(0);
            CHECK(agent.kill_unit(activity));
        }
        co_await service->wait_for(ServiceStatus::failed);
        // At once by the agreement feed or a command; by the state poll of 15 s otherwise.
        CHECK(manager.time().now() - before <= (death == Death::agreement || busy ? 2s : 16s));
        const auto report = service->status();
        CHECK_THAT(
            report.cause, contains_text(
                              death == Death::agreement ? "I need my machine"
                              : busy                    ? "activity"
                                                        : "execution aborted"));
    });
    world.pass(10s);
    CHECK(what_is_left(world) == "");
}

} // namespace

TEST_CASE("a provider that ends the agreement is noticed at once")
{
    check_death(Death::agreement, GENERATE(false, true));
}

TEST_CASE("an exe-unit that dies is noticed within one poll") { check_death(Death::exe_unit, GENERATE(false, true)); }
