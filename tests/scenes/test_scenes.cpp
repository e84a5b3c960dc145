// Each scenario on the devnet and on real daemons, or what these said when they were there: both say the same.
#include <tests/devnet/comparison.hpp>
#include <tests/devnet/recording.hpp>
#include <tests/scenes/performance.hpp>
#include <tests/scenes/scenes.hpp>
#include <tests/support/catch.hpp>

using namespace golem;

namespace {

void check(const std::string& name, const std::function<Task<>(test::Stage&)>& scene)
{
    const auto ours = test::perform_on_devnet(name, scene);
    const auto live = test::perform_on_daemon(name, scene);
    test::Rows theirs;
    if (live)
        theirs = *live;
    else
        for (const auto& row : test::load_recording("scene-" + name).rows)
            theirs.push_back(nlohmann::json(row));
    test::Comparison comparison(false);
    auto differences = comparison.compare_all(theirs, ours);
    const auto unused = test::take_deviations("scene-" + name, differences);
    for (const auto& difference : differences)
        FAIL_CHECK(name << " " << difference);
    for (const auto& entry : unused)
        FAIL_CHECK(name << " does not deviate any more: " << entry);
    CHECK(ours.size() > 20);
}

} // namespace

TEST_CASE("http is the same", "[scene]") { check("http", test::scene_http); }
TEST_CASE("malformed input is refused in the same way", "[scene]") { check("malformed", test::scene_malformed); }
TEST_CASE("allocations are the same", "[scene]") { check("allocations", test::scene_allocations); }
TEST_CASE("services on the bus are the same", "[scene]") { check("gsb", test::scene_gsb); }
TEST_CASE("scans are the same", "[scene]") { check("scan", test::scene_scan); }
TEST_CASE("private networks are the same", "[scene]") { check("net", test::scene_net); }
TEST_CASE("negotiations are the same", "[scene]") { check("negotiation", test::scene_negotiation); }
TEST_CASE("refusals are the same", "[scene]") { check("refusals", test::scene_refusals); }
TEST_CASE("agreements are the same", "[scene]") { check("agreements", test::scene_agreements); }
TEST_CASE("ends of agreements are the same", "[scene]") { check("ends-of-agreements", test::scene_ends_of_agreements); }
TEST_CASE("the same demands and offers match", "[scene]") { check("matching", test::scene_matching); }
TEST_CASE("activities are the same", "[scene]") { check("activity", test::scene_activity); }
TEST_CASE("streams of results are the same", "[scene]") { check("streams", test::scene_streams); }
TEST_CASE("ends of activities are the same", "[scene]") { check("ends-of-activities", test::scene_ends_of_activities); }
TEST_CASE("debit notes are the same", "[scene]") { check("debit-notes", test::scene_debit_notes); }
TEST_CASE("invoices are the same", "[scene]") { check("invoices", test::scene_invoices); }
