#include <tests/devnet/recording.hpp>
#include <tests/devnet/replay.hpp>
#include <tests/support/catch.hpp>

#include <cstdlib>

using namespace golem;

namespace {

void check(const std::string& name, test::ProviderPart part)
{
    auto replayed = test::replay(name, part);
    const auto unused = test::take_deviations(name, replayed.differences);
    CHECK(replayed.compared > 10);
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
}

TEST_CASE("the devnet ends activities as the recorded daemon", "[recording]")
{
    check("daemon-07-activity-ends", test::ProviderPart::recorded);
}

TEST_CASE("the devnet pays as the recorded daemon", "[recording]")
{
    check("daemon-04-payment-unchecked-allocations", test::ProviderPart::recorded);
    check("payments-two-daemons-debit-note", test::ProviderPart::recorded);
    check("payments-settle-cron-1s", test::ProviderPart::recorded);
    check("payments-settle-now", test::ProviderPart::recorded);
}

TEST_CASE("the devnet and its agent do as the recorded daemon and the real agent", "[recording]")
{
    check("provider-01-hello", test::ProviderPart::agent);
    check("provider-02-negotiation", test::ProviderPart::agent);
    check("provider-03-exec-errors", test::ProviderPart::agent);
}

TEST_CASE("the devnet's agent bills and breaks agreements as the recorded one", "[recording]")
{
    check("provider-05-debit-notes", test::ProviderPart::agent);
    check("provider-06-notes-not-accepted", test::ProviderPart::agent);
    check("provider-07-notes-accepted-not-paid", test::ProviderPart::agent);
    check("provider-08-expiration", test::ProviderPart::agent);
    check("provider-09-no-activity", test::ProviderPart::agent);
    check("provider-26-validTo-passed", test::ProviderPart::agent);
    check("provider-35-accept-race", test::ProviderPart::agent);
}

TEST_CASE("the devnet's agent keeps its limits as the recorded one", "[recording]")
{
    check("provider-10-single-activity", test::ProviderPart::agent);
    check("provider-16-create-timeout", test::ProviderPart::agent);
    check("provider-17-unknown-platform", test::ProviderPart::agent);
    check("provider-18-capacity", test::ProviderPart::agent);
    check("provider-24-lost-poll", test::ProviderPart::agent);
    check("provider-25-two-polls", test::ProviderPart::agent);
}

TEST_CASE("agents and exe-units that die, and images that cannot be had, look as the recorded ones", "[recording]")
{
    check("provider-13-exeunit-killed", test::ProviderPart::agent);
    check("provider-14-runtime-killed", test::ProviderPart::agent);
    check("provider-19-agent-shutdown", test::ProviderPart::agent);
    check("provider-20-agent-killed", test::ProviderPart::agent);
    check("provider-23-agent-shutdown-idle-agreement", test::ProviderPart::agent);
    check("provider-27-agent-gone-before-approval", test::ProviderPart::agent);
    check("provider-28-agent-frozen-at-approval", test::ProviderPart::agent);
    check("provider-33-provider-node-killed", test::ProviderPart::agent);
    for (const std::string image :
         {"0-404", "1-wrong-hash", "2-no-hash", "3-ftp", "4-garbage", "5-missing", "6-refused", "7-bad-length-hash"})
        check("provider-12-image-" + image, test::ProviderPart::agent);
}

// A recording of one's choice, while it is being prepared: GOLEM_REPLAY names it.
TEST_CASE("the devnet does as a recording that the environment names", "[.one]")
{
    const char* name = std::getenv("GOLEM_REPLAY");
    REQUIRE(name != nullptr);
    const bool is_agent = std::string(name).starts_with("provider");
    check(name, is_agent ? test::ProviderPart::agent : test::ProviderPart::recorded);
}
