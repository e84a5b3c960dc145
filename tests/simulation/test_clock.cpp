#include "tests/simulation/services.hpp"

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::test;

namespace {

struct Run {
    std::vector<std::string> answers;
    std::string transcript;
    std::string left;
    std::size_t requests = 0;
};

Run run_clock(std::uint64_t seed, Duration length)
{
    simulation::WorldOptions options;
    options.seed = seed;
    options.manager.payment.budget = Amount(100); // A day of the devnet's providers costs more than the default.
    simulation::World world(options);
    add_providers(world, 3);
    Run result;
    world.run([&](ServiceManager& manager) -> Task<> {
        ServiceOptions service;
        service.expiration = length + 1h;
        auto clock = manager.create_service<Clock>(service, std::ref(result.answers));
        co_await clock->wait_for(ServiceStatus::running);
        co_await manager.sleep(length);
        clock->stop();
        co_await clock->wait_for(ServiceStatus::stopped);
    });
    world.pass(10s);
    result.transcript = world.transcript();
    result.left = what_is_left(world);
    result.requests = world.total_requests();
    return result;
}

void check_clock(Duration length)
{
    const auto run = run_clock(7, length);
    const auto seconds = static_cast<std::size_t>(length / 1s);
    CHECK(run.answers.size() >= seconds - 1);
    CHECK(run.answers.size() <= seconds + 1);
    CHECK(run.answers.front().find("UTC") != std::string::npos);
    CHECK(run.left == "");
}

} // namespace

TEST_CASE("a clock runs for a virtual hour and leaves a clean world") { check_clock(1h); }

#ifdef NDEBUG
TEST_CASE("a clock runs for 25 virtual hours and leaves a clean world") { check_clock(25h); }
#endif

TEST_CASE("equal seeds give byte-identical transcripts, others differ")
{
    const auto first = run_clock(11, 20min);
    const auto again = run_clock(11, 20min);
    const auto other = run_clock(12, 20min);
    CHECK(first.transcript.size() > 1000);
    CHECK(first.transcript == again.transcript);
    CHECK(first.transcript != other.transcript);
}
