// What each call sends, and what it makes of the answers that are outcomes.

#include "support.hpp"

#include <golem/core/timestamp.hpp>
#include <golem/yagna/scan.hpp>

#include <algorithm>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;
using namespace std::chrono_literals;

namespace {

/// "GET /me" or "POST /x body".
std::string sent(const Outcome& outcome)
{
    REQUIRE(outcome.requests.size() == 1);
    const auto& request = outcome.requests[0];
    std::string text(to_string(request.method()));
    text += " " + request.target();
    if (!request.body().empty()) {
        CHECK(header(request, "Content-Type") == "application/json");
        text += " " + request.body();
    } else {
        CHECK(header(request, "Content-Type").empty());
    }
    return text;
}

std::string sent(const Reply& reply, const Call& call) { return sent(make_call(reply, call)); }

template <typename Result>
Result result_of(const Reply& reply, const std::function<Task<Result>(Client&)>& call)
{
    std::optional<Result> result;
    const auto outcome = make_call(reply, [&](Client& client) -> Task<> {
        Result value = co_await call(client);
        result.emplace(std::move(value));
    });
    INFO(outcome.text);
    REQUIRE(result);
    return *result;
}

Reply refusal(unsigned status, const std::string& words) { return answer(status, "{\"message\":\"" + words + "\"}"); }

} // namespace

TEST_CASE("market requests")
{
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              co_await c.market().demands();
          }) == "GET /market-api/v1/demands");
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              co_await c.market().delete_demand("a-b");
          }) == "DELETE /market-api/v1/demands/a-b");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              co_await c.market().demand_events("a-b", 2500ms, 100);
          }) == "GET /market-api/v1/demands/a-b/events?timeout=2.5&maxEvents=100");
    CHECK(sent(answer(200, "\"R-2\""), [](Client& c) -> Task<> {
              DemandOfferBase content;
              co_await c.market().counter("a-b", "R-1", content);
          }) == R"(POST /market-api/v1/demands/a-b/proposals/R-1 {"constraints":"","properties":{}})");
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              const Reason none;
              co_await c.market().reject("a-b", "R-1", none);
          }) == "POST /market-api/v1/demands/a-b/proposals/R-1/reject null");
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              co_await c.market().confirm("1", "my session");
          }) == "POST /market-api/v1/agreements/1/confirm?appSessionId=my%20session");
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              co_await c.market().confirm("1", "");
          }) == "POST /market-api/v1/agreements/1/confirm");
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              co_await c.market().wait_for_approval("1", 60s);
          }) == "POST /market-api/v1/agreements/1/wait?timeout=60");
    CHECK(sent(answer(200), [](Client& c) -> Task<> {
              const Reason reason("bye");
              co_await c.market().terminate("1", reason, 10s);
          }) == R"(POST /market-api/v1/agreements/1/terminate {"message":"bye"})");
    // The daemon wants JSON even where there is nothing to say.
    CHECK(sent(answer(200), [](Client& c) -> Task<> {
              const Reason none;
              co_await c.market().terminate("1", none, 10s);
          }) == "POST /market-api/v1/agreements/1/terminate null");
    CHECK(sent(answer(200), [](Client& c) -> Task<> {
              const Reason none;
              co_await c.market().cancel("1", none);
          }) == "POST /market-api/v1/agreements/1/cancel null");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              AgreementFilter filter;
              filter.state = AgreementState::approved;
              filter.app_session = "s&t";
              co_await c.market().agreements(filter);
          }) == "GET /market-api/v1/agreements?state=Approved&appSessionId=s%26t");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              const AgreementFilter all;
              co_await c.market().agreements(all);
          }) == "GET /market-api/v1/agreements");
    // Ids and cursors are opaque; whatever is in them stays in its place.
    CHECK(sent(answer(204), [](Client& c) -> Task<> {
              co_await c.market().delete_demand("../me?x#y z/%");
          }) == "DELETE /market-api/v1/demands/..%2Fme%3Fx%23y%20z%2F%25");
}

TEST_CASE("cursors are sent verbatim and percent-encoded")
{
    CHECK(
        sent(
            answer(200, "[]"),
            [](Client& c) -> Task<> {
                const Cursor cursor("2026-11-24T07:30:24.449563+00:00");
                co_await c.market().agreement_events(cursor, "session", 60s, 20);
            }) ==
        "GET "
        "/market-api/v1/agreementEvents?timeout=60&afterTimestamp=2026-11-24T07%3A30%3A24.449563%2B00%3A00&maxEvents=20"
        "&appSessionId=session");
    const Call beginning = [](Client& c) -> Task<> {
        const Cursor start;
        co_await c.payment().invoice_events(start, "", 0s);
    };
    CHECK(sent(answer(200, "[]"), beginning) == "GET /payment-api/v1/invoiceEvents?timeout=0");
    const Call notes = [](Client& c) -> Task<> {
        const Cursor cursor("2026-11-24T07:30:24.449563Z");
        co_await c.payment().debit_note_events(cursor, "s", 60s);
    };
    CHECK(
        sent(answer(200, "[]"), notes) ==
        "GET /payment-api/v1/debitNoteEvents?timeout=60&afterTimestamp=2026-11-24T07%3A30%3A24.449563Z&appSessionId=s");
}

TEST_CASE("activity requests")
{
    const Call create = [](Client& c) -> Task<> { co_await c.activity().create("1", 30s); };
    const auto created = make_call(answer(200, R"({"activityId":"2"})"), create);
    CHECK(sent(created) == R"(POST /activity-api/v1/activity?timeout=30 {"agreementId":"1"})");
    CHECK(created.requests[0].limit() == 35s);
    // A shorter wait than 5 s leaves orphans.
    const Call hasty = [](Client& c) -> Task<> { co_await c.activity().create("1", 1s); };
    CHECK(sent(answer(201, "\"2\""), hasty) == R"(POST /activity-api/v1/activity?timeout=5 {"agreementId":"1"})");
    CHECK(sent(answer(200, "null"), [](Client& c) -> Task<> {
              co_await c.activity().destroy("2", 30s);
          }) == "DELETE /activity-api/v1/activity/2?timeout=30");
    CHECK(sent(answer(200, "\"3\""), [](Client& c) -> Task<> {
              co_await c.activity().exec("2", R"([{"deploy":{}}])");
          }) == R"(POST /activity-api/v1/activity/2/exec {"text":"[{\"deploy\":{}}]"})");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              co_await c.activity().results("2", "3", 5s);
          }) == "GET /activity-api/v1/activity/2/exec/3?timeout=5");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              co_await c.activity().result("2", "3", 4, 60s);
          }) == "GET /activity-api/v1/activity/2/exec/3?timeout=60&commandIndex=4");
    CHECK(sent(answer(200, "[]"), [](Client& c) -> Task<> {
              co_await c.activity().activities("1");
          }) == "GET /activity-api/v1/activity?agreementId=1");
}

TEST_CASE("payment requests")
{
    const auto allocation = read_file("allocation.json");
    const Call create = [](Client& c) -> Task<> {
        const auto total = Amount::parse("0.1");
        const auto timeout = parse_timestamp("2026-11-24T12:00:00Z");
        co_await c.payment().create_allocation(total, "erc20-hoodi-tglm", timeout);
    };
    const auto created = make_call(answer(201, allocation), create);
    CHECK(
        sent(created) ==
        R"(POST /payment-api/v1/allocations {"makeDeposit":false,"paymentPlatform":"erc20-hoodi-tglm",)"
        R"("timeout":"2026-11-24T12:00:00.000Z","totalAmount":"0.1"})");
    CHECK(created.requests[0].limit() == 60s);
    const Call amend = [](Client& c) -> Task<> {
        const Amount total(3);
        co_await c.payment().amend_allocation("a", total);
    };
    CHECK(sent(answer(200, allocation), amend) == R"(PUT /payment-api/v1/allocations/a {"totalAmount":"3"})");
    CHECK(sent(answer(200, read_file("decoration.json")), [](Client& c) -> Task<> {
              co_await c.payment().demand_decoration("a");
          }) == "GET /payment-api/v1/demandDecorations?allocationIds=a");
    const Call accept = [](Client& c) -> Task<> {
        const auto amount = Amount::parse("0.0041");
        co_await c.payment().accept_invoice("i", amount, "a");
    };
    CHECK(
        sent(answer(200, "null"), accept) ==
        R"(POST /payment-api/v1/invoices/i/accept?timeout=15 {"allocationId":"a","totalAmountAccepted":"0.0041"})");
    const Call accept_note = [](Client& c) -> Task<> {
        const auto amount = Amount::parse("0.0041");
        co_await c.payment().accept_debit_note("d", amount, "a");
    };
    CHECK(
        sent(answer(200, "null"), accept_note) ==
        R"(POST /payment-api/v1/debitNotes/d/accept?timeout=15 {"allocationId":"a","totalAmountAccepted":"0.0041"})");
    const Call reject = [](Client& c) -> Task<> {
        co_await c.payment().reject_invoice("i", RejectionReason::incorrect_amount, "no");
    };
    CHECK(
        sent(answer(200, "null"), reject) ==
        R"(POST /payment-api/v1/invoices/i/reject?timeout=15 {"message":"no","rejectionReason":"INCORRECT_AMOUNT",)"
        R"("totalAmountAccepted":"0"})");
}

TEST_CASE("success is success, whatever its number and body")
{
    for (const unsigned status : {200u, 201u, 204u}) {
        for (const char* body : {"", "null", "anything"}) {
            const auto outcome =
                make_call(answer(status, body), [](Client& c) -> Task<> { co_await c.market().confirm("1", "s"); });
            CHECK_FALSE(outcome.code);
        }
        const std::function<Task<ProposalId>(Client&)> counter = [](Client& c) -> Task<ProposalId> {
            const DemandOfferBase content;
            ProposalId id = co_await c.market().counter("a", "R-1", content);
            co_return id;
        };
        CHECK(result_of(answer(status, "\"R-2\""), counter) == "R-2");
    }
}

TEST_CASE("what a wait for approval learned")
{
    const std::function<Task<Approval>(Client&)> call = [](Client& c) -> Task<Approval> {
        Approval approval = co_await c.market().wait_for_approval("1", 60s);
        co_return approval;
    };
    CHECK(result_of(answer(204), call) == Approval::approved);
    CHECK(result_of(answer(200), call) == Approval::approved);
    CHECK(result_of(refusal(408, "Timeout while waiting for Agreement [R-1] approval."), call) == Approval::undecided);
    CHECK(result_of(answer(408), call) == Approval::undecided);
    CHECK(result_of(refusal(410, "Rejected"), call) == Approval::rejected);
    CHECK(result_of(refusal(410, "Cancelled"), call) == Approval::cancelled);
    CHECK(result_of(refusal(410, "Agreement [R-1] expired."), call) == Approval::expired);
    CHECK(result_of(refusal(400, "Agreement [R-1] terminated."), call) == Approval::terminated);
    const Call plain = [](Client& c) -> Task<> { co_await c.market().wait_for_approval("1", 60s); };
    const auto unconfirmed =
        make_call(refusal(400, "Agreement [R-1] should be confirmed, before waiting for approval."), plain);
    CHECK(unconfirmed.code == Errc::refused);
    CHECK(contains(unconfirmed.text, "has not been confirmed"));
    CHECK(make_call(refusal(410, "Something new"), plain).code == Errc::refused);
    CHECK(make_call(answer(404), plain).code == Errc::not_found);
}

TEST_CASE("confirming twice is as good as once")
{
    const Call call = [](Client& c) -> Task<> { co_await c.market().confirm("1", "s"); };
    for (const char* state : {"Pending", "Approved", "Rejected", "Terminated"}) {
        const auto outcome =
            make_call(refusal(410, std::string("Can't update Agreement state from ") + state + " to Pending."), call);
        CHECK_FALSE(outcome.code);
    }
    for (const char* state : {"Expired", "Cancelled"}) {
        const auto outcome =
            make_call(refusal(410, std::string("Can't update Agreement state from ") + state + " to Pending."), call);
        CHECK(outcome.code == Errc::refused);
    }
    const auto again = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(cut_off());
            daemon.expect(refusal(410, "Can't update Agreement state from Pending to Pending."));
        },
        call);
    CHECK_FALSE(again.code);
    CHECK(again.requests.size() == 2);
}

TEST_CASE("what became of an end")
{
    const std::function<Task<EndOutcome>(Client&)> cancel = [](Client& c) -> Task<EndOutcome> {
        const Reason reason("r");
        EndOutcome outcome = co_await c.market().cancel("1", reason);
        co_return outcome;
    };
    const auto from = [](const char* state, const char* to) {
        return refusal(410, std::string("Can't update Agreement state from ") + state + " to " + to + ".");
    };
    CHECK(result_of(answer(200), cancel) == EndOutcome::done);
    CHECK(result_of(from("Approved", "Cancelled"), cancel) == EndOutcome::wrong_state);
    CHECK(result_of(from("Cancelled", "Cancelled"), cancel) == EndOutcome::already);
    CHECK(result_of(from("Rejected", "Cancelled"), cancel) == EndOutcome::already);
    CHECK(result_of(from("Expired", "Cancelled"), cancel) == EndOutcome::already);
    CHECK(result_of(from("Terminated", "Cancelled"), cancel) == EndOutcome::already);
    CHECK(
        result_of(
            refusal(500, "Protocol error while approving: Remote failed to approve. Error: Agreement [P-1] not found."),
            cancel) == EndOutcome::already);
    const Call plain_cancel = [](Client& c) -> Task<> {
        const Reason reason("r");
        co_await c.market().cancel("1", reason);
    };
    CHECK(make_call(refusal(404, "Agreement [R-1] not found."), plain_cancel).code == Errc::not_found);
    CHECK(make_call(refusal(410, "Something new"), plain_cancel).code == Errc::refused);

    const std::function<Task<EndOutcome>(Client&)> terminate = [](Client& c) -> Task<EndOutcome> {
        const Reason reason("r");
        EndOutcome outcome = co_await c.market().terminate("1", reason, 10s);
        co_return outcome;
    };
    CHECK(result_of(answer(200), terminate) == EndOutcome::done);
    CHECK(result_of(from("Terminated", "Terminated"), terminate) == EndOutcome::already);
    CHECK(result_of(from("Cancelled", "Terminated"), terminate) == EndOutcome::already);
    CHECK(result_of(from("Pending", "Terminated"), terminate) == EndOutcome::wrong_state);
    CHECK(
        result_of(refusal(409, "Can't update Agreement state from Proposal to Terminated."), terminate) ==
        EndOutcome::wrong_state);
}

TEST_CASE("what is gone already counts as done")
{
    CHECK_FALSE(make_call(refusal(404, "Demand [1] not found."), [](Client& c) -> Task<> {
                    co_await c.market().delete_demand("1");
                }).code);
    const Call release = [](Client& c) -> Task<> { co_await c.payment().release_allocation("1"); };
    CHECK_FALSE(make_call(answer(404, R"({"message":null})"), release).code);
    CHECK_FALSE(make_call(refusal(410, "Allocation 1 has been already released"), release).code);
    const Call destroy = [](Client& c) -> Task<> { co_await c.activity().destroy("1", 30s); };
    CHECK_FALSE(make_call(refusal(500, "DAO error: Not found: agreement id for activity: 1"), destroy).code);
    CHECK(make_call(refusal(408, "Timeout"), destroy).code == Errc::timed_out);
}

TEST_CASE("the result of one command")
{
    const std::function<Task<std::optional<CommandResult>>(Client&)> call =
        [](Client& c) -> Task<std::optional<CommandResult>> {
        std::optional<CommandResult> result = co_await c.activity().result("1", "2", 1, 60s);
        co_return result;
    };
    const auto found = result_of(
        answer(
            200,
            R"([{"index":0,"result":"Ok","stdout":null},{"index":1,"result":"Ok","stdout":"hi","isBatchFinished":true}])"),
        call);
    REQUIRE(found);
    CHECK(found->index == 1);
    CHECK(found->out == "hi");
    CHECK_FALSE(result_of(refusal(408, "Timeout"), call));
    CHECK_FALSE(result_of(answer(200, R"([{"index":0,"result":"Error","stdout":null}])"), call));
}

TEST_CASE("reading events consumes them, so it is not repeated by itself")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) { daemon.always(cut_off()); },
        [](Client& c) -> Task<> { co_await c.market().demand_events("1", 60s, 10); });
    CHECK(outcome.code == Errc::unreachable);
    CHECK(outcome.requests.size() == 1);
}

TEST_CASE("the number of events has a range")
{
    for (const int count : {0, 101, -1}) {
        const auto outcome = make_call(
            [](ScriptedTransport&) {},
            [count](Client& c) -> Task<> { co_await c.market().demand_events("1", 60s, count); });
        CHECK(outcome.code == Errc::invalid_input);
        CHECK(contains(outcome.text, "must be 1 to 100"));
        CHECK(outcome.requests.empty());
    }
}

TEST_CASE("scan requests")
{
    const std::string all = R"(POST /market-api/v1/scan {"timeout":90,"type":"offer"})";
    CHECK(all == sent(answer(201, "\"7\""), [](Client& c) -> Task<> {
              ScanApi scan(c.caller());
              const std::string everything;
              co_await scan.begin(everything, 90s);
          }));
    const std::string some = R"+(POST /market-api/v1/scan {"constraints":"(a=1)","timeout":1,"type":"offer"})+";
    CHECK(some == sent(answer(201, "\"7\""), [](Client& c) -> Task<> {
              ScanApi scan(c.caller());
              const std::string constraints = "(a=1)";
              co_await scan.begin(constraints, 10ms);
          }));
    const std::string reading = "GET /market-api/v1/scan/7/events?timeout=0.5&maxEvents=100";
    CHECK(reading == sent(answer(200, "[]"), [](Client& c) -> Task<> {
              ScanApi scan(c.caller());
              const std::string id = "7";
              co_await scan.offers(id, 500ms, 100);
          }));
    const auto gone = refusal(404, "Iterator with id 7 not found");
    CHECK("DELETE /market-api/v1/scan/7" == sent(gone, [](Client& c) -> Task<> {
              ScanApi scan(c.caller());
              const std::string id = "7";
              co_await scan.end(id);
          }));
}

TEST_CASE("a look at the market takes as many reads as there are pages")
{
    const std::string one = R"+({"properties":{"a":1},"constraints":"()","offerId":"o","providerId":"0x1",)+"
                            R"("timestamp":"2026-11-24T14:51:09.430561485Z"})";
    std::string page = "[" + one;
    for (int index = 1; index < 500; ++index)
        page += "," + one;
    page += "]";
    const auto look = [&page, &one](std::size_t limit) {
        std::size_t found = 0;
        const auto outcome = make_call(
            [&](ScriptedTransport& daemon) {
                daemon.expect(answer(201, "\"7\""));
                daemon.expect(answer(200, page));
                if (limit > 500)
                    daemon.expect(answer(200, "[" + one + "]"));
                daemon.expect(answer(204));
            },
            [&](Client& client) -> Task<> {
                ScanApi scan(client.caller());
                const std::string all;
                const auto offers = co_await scan.look(all, limit);
                found = offers.size();
                CHECK(offers.front().content.properties.get_int("a") == 1);
            });
        CHECK(!outcome.code);
        return std::pair(found, outcome.requests.size());
    };
    CHECK(look(2000) == std::pair<std::size_t, std::size_t>(501, 4));
    CHECK(look(500) == std::pair<std::size_t, std::size_t>(500, 3));
}
