#include <tests/devnet/recording.hpp>
#include <tests/devnet/replay.hpp>
#include <tests/support/catch.hpp>

using namespace golem;

namespace {

void check(const std::string& name, test::ProviderPart part)
{
    auto replayed = test::replay(name, part);
    const auto unused = test::take_deviations(name, replayed.differences);
    CHECK(replayed.compared > 20);
    for (const auto& difference : replayed.differences)
        FAIL_CHECK(name << " " << difference);
    for (const auto& entry : unused)
        FAIL_CHECK(name << " does not deviate any more: " << entry);
}

} // namespace

TEST_CASE("the devnet negotiates as the recorded daemon", "[recording]")
{
    check("daemon-01-negotiation", test::ProviderPart::recorded);
}

TEST_CASE("the devnet refuses, cancels and expires as the recorded daemon", "[recording]")
{
    check("daemon-02-market-variants", test::ProviderPart::recorded);
}

TEST_CASE("the devnet runs activities as the recorded daemon", "[recording]")
{
    check("daemon-03-activity-native", test::ProviderPart::recorded);
    check("daemon-03-activity-rest", test::ProviderPart::recorded);
}

TEST_CASE("the devnet ends activities as the recorded daemon", "[recording]")
{
    check("daemon-07-activity-ends", test::ProviderPart::recorded);
}

TEST_CASE("the devnet pays as the recorded daemon", "[recording]")
{
    check("daemon-04-payment-unchecked-allocations", test::ProviderPart::recorded);
}

TEST_CASE("the devnet and its agent do as the recorded daemon and the real agent", "[recording]")
{
    check("provider-01-hello", test::ProviderPart::agent);
    check("provider-02-negotiation", test::ProviderPart::agent);
    check("provider-03-exec-errors", test::ProviderPart::agent);
}
