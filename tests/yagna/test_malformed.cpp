// Answers that cannot be understood: each is Error protocol and says what is wrong where.

#include "support.hpp"

#include <yagna/activity_codec.hpp>
#include <yagna/json_codec.hpp>
#include <yagna/market_codec.hpp>
#include <yagna/payment_codec.hpp>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;

namespace {

/// The sentence of the Error protocol that `decode` throws for `body`.
template <typename Decode>
std::string complaint(Decode decode, const std::string& body)
{
    try {
        decode("read it", body);
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::protocol);
        CHECK(error.operation() == "read it");
        return error.explanation();
    }
    return "no complaint";
}

std::string replaced(std::string text, std::string_view what, std::string_view with)
{
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
}

const std::string event =
    R"([{"eventDate":"2026-11-24T07:30:24Z","agreementId":"1","eventType":"AgreementApprovedEvent"}])";
const std::string usage = R"({"currentUsage":[0.5],"timestamp":1795504806})";
const std::string allocation = R"({"allocationId":"1","totalAmount":"1","spentAmount":"0","remainingAmount":"1",
    "timestamp":"2026-11-24T07:30:24Z"})";

} // namespace

TEST_CASE("text that is not JSON is shown with the position and its beginning")
{
    const auto long_page = "<html><body>" + std::string(500, 'x');
    const auto page = complaint(codec::decode_state, long_page);
    CHECK(contains(page, "error at byte 1"));
    CHECK(contains(page, "<html><body>xxx"));
    CHECK(page.size() < 300);
    CHECK(contains(complaint(codec::decode_state, ""), "empty"));
    CHECK(contains(complaint(codec::decode_state, R"({"state":["Rea)"), "error at byte 15 (of 14)"));
    CHECK(contains(complaint(codec::decode_state, "{\"state\":\"\xff\"}"), "error at byte"));
    CHECK(contains(complaint(codec::decode_state, "\x01\x02"), ": .."));
    CHECK(contains(complaint(codec::decode_usage, R"({"timestamp":1e999})"), "not JSON"));
    CHECK(contains(complaint(codec::decode_id, "abc"), "not JSON"));
    CHECK(contains(complaint(codec::decode_id, "\"a\" \"b\""), "error at byte"));
}

TEST_CASE("every truncation of an answer is refused")
{
    for (std::size_t length = 0; length < event.size(); ++length)
        CHECK(complaint(codec::decode_agreement_events, event.substr(0, length)) != "no complaint");
    CHECK(complaint(codec::decode_agreement_events, event) == "no complaint");
}

TEST_CASE("nesting that could exhaust the stack is refused")
{
    const std::string deep(1'000'000, '[');
    CHECK(contains(complaint(codec::decode_state, deep), "nested too deeply at byte 200"));
    // Brackets within strings do not count.
    CHECK(codec::decode_id("op", "\"" + std::string(1000, '[') + "\\\"[\"").size() == 1002);
    const auto nested = std::string(150, '[') + std::string(150, ']');
    CHECK(
        complaint(
            codec::decode_demand_events, R"([{"eventType":"ProposalEvent","proposal":{"proposalId":"1","issuerId":"2",
        "state":"Draft","constraints":"","timestamp":"2026-11-24T07:30:24Z","properties":{"a":)" +
                                             nested + "}}}]") != "no complaint");
}

TEST_CASE("members that are missing, null or of the wrong type are named")
{
    struct Row {
        std::string what;
        std::string with;
        std::string complaint;
    };
    const Row rows[] = {
        {R"("eventDate":"2026-11-24T07:30:24Z",)", "", "[0].eventDate missing"},
        {R"("2026-11-24T07:30:24Z")", "null", "[0].eventDate null"},
        {R"("2026-11-24T07:30:24Z")", "17", "at [0].eventDate number 17 where a string was expected"},
        {R"("2026-11-24T07:30:24Z")", R"("yesterday")", R"(at [0].eventDate string "yesterday" where a time)"},
        {R"("1")", "{}", "at [0].agreementId object {} where a string"},
        {R"("agreementId":"1",)", "", "[0].agreementId missing"},
        {R"(,"eventType":"AgreementApprovedEvent")", "", "[0].eventType missing"},
    };
    for (const auto& row : rows) {
        INFO(row.what << " -> " << row.with);
        CHECK(contains(complaint(codec::decode_agreement_events, replaced(event, row.what, row.with)), row.complaint));
    }
    CHECK(contains(complaint(codec::decode_agreement_events, "{}"), "is object {} where a list"));
    CHECK(contains(complaint(codec::decode_agreement_events, "[[]]"), "at [0] array [] where an object"));
    CHECK(contains(complaint(codec::decode_agreement_events, "null"), "is null null where a list"));
    CHECK(contains(complaint(codec::decode_id, "{}"), "where a string"));
    CHECK(contains(complaint(codec::decode_id, "\"\""), "where an id"));
    CHECK(contains(complaint(codec::decode_created_activity, "{}"), "activityId missing"));
    CHECK(contains(complaint(codec::decode_state, R"({"state":[]})"), "where a pair of states"));
    CHECK(contains(complaint(codec::decode_state, R"({"state":"Ready"})"), "where a list"));
}

TEST_CASE("numbers out of range are refused")
{
    CHECK(contains(complaint(codec::decode_usage, replaced(usage, "1795504806", "1e30")), "where an integer"));
    CHECK(contains(complaint(codec::decode_usage, replaced(usage, "1795504806", "18446744073709551615")), "64 bits"));
    CHECK(contains(
        complaint(codec::decode_usage, replaced(usage, "1795504806", "9223372036854775807")), "seconds since"));
    CHECK(contains(complaint(codec::decode_usage, replaced(usage, "1795504806", "-1")), "seconds since"));
    CHECK(contains(complaint(codec::decode_usage, replaced(usage, "1795504806", "1.5")), "where an integer"));
    CHECK(complaint(codec::decode_usage, replaced(usage, "1795504806", "1795504806.0")) == "no complaint");
    CHECK(contains(complaint(codec::decode_usage, replaced(usage, "0.5", "\"x\"")), "at currentUsage[0] string"));
    CHECK(contains(complaint(codec::decode_results, R"([{"index":-1,"result":"Ok"}])"), "where an index"));
    CHECK(contains(complaint(codec::decode_results, R"([{"index":0,"result":"Ok","stdout":[256]}])"), "[0].stdout[0]"));
    CHECK(contains(
        complaint(codec::decode_allocation, replaced(allocation, "\"1\",\"spent", "\"a lot\",\"spent")),
        "where an amount"));
    CHECK(contains(complaint(codec::decode_allocation, replaced(allocation, "\"0\"", "[]")), "at spentAmount array"));
    CHECK(
        contains(complaint(codec::decode_allocation, replaced(allocation, "\"0\"", "1e40")), "at spentAmount number"));
}

TEST_CASE("what could not be understood reaches the caller of the API")
{
    const auto outcome = make_call(
        answer(200, R"({"state":["Ready",)"), [](Client& client) -> Task<> { co_await client.activity().state("1"); });
    CHECK(outcome.code == Errc::protocol);
    CHECK(outcome.text.starts_with("read activity state: "));
    CHECK(outcome.requests.size() == 1);
    const auto empty = make_call(answer(204), [](Client& client) -> Task<> { co_await client.activity().state("1"); });
    CHECK(empty.code == Errc::protocol);
}
