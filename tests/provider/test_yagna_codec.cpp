// The JSON and the bus messages of a real daemon, as recordings of it have them.
#include "provider/yagna_codec.hpp"
#include "provider/yagna_unit_codec.hpp"

#include <golem/core/error.hpp>
#include <golem/core/timestamp.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::provider;
using namespace golem::provider::detail;
using namespace std::chrono_literals;

namespace {

constexpr auto proposal_event = R"json([{"eventType":"ProposalEvent","eventDate":"2026-11-24T07:31:06.833Z","proposal":{
"properties":{"golem.com.payment.chosen-platform":"erc20-hoodi-tglm","golem.com.payment.debit-notes.accept-timeout?":120,
"golem.srv.caps.multi-activity":true,"golem.srv.comp.expiration":1795507264809},"constraints":"(golem.runtime.name=vm)",
"proposalId":"P-655f","issuerId":"0x8c77","state":"Draft","timestamp":"2026-11-24T07:31:06.828884020Z",
"prevProposalId":"P-6275"}}])json";

constexpr auto agreement_event =
    R"json([{"eventType":"AgreementEvent","eventDate":"2026-11-24T07:31:06.891Z","agreement":{
"agreementId":"fed8","demand":{"properties":{"golem.srv.caps.multi-activity":true},"constraints":"(a=b)","demandId":"37be",
"requestorId":"0x8c77","timestamp":"2026-11-24T07:31:06.843948342Z"},"offer":{"properties":
{"golem.com.pricing.model.linear.coeffs":[0.0001,0.0002,0.0]},"constraints":"()","offerId":"8b7a","providerId":"0xbc0f",
"timestamp":"2026-11-24T07:31:06.843948342Z"},"validTo":"2026-11-24T08:31:06.843Z","state":"Pending",
"timestamp":"2026-11-24T07:31:06.843948342Z","proposedSignature":"NoSignature"}}])json";

CommandOutcome outcome(int index)
{
    CommandOutcome made;
    made.index = index;
    made.ok = true;
    made.date = parse_timestamp("2026-11-24T07:31:06.5Z");
    return made;
}

} // namespace

TEST_CASE("market events of a provider are read as the daemon writes them")
{
    const auto proposals = read_market_events(proposal_event);
    REQUIRE(proposals.events.size() == 1);
    const auto& proposal = std::get<ProposalArrived>(proposals.events[0]);
    CHECK(proposal.proposal == "P-655f");
    CHECK(proposal.previous == "P-6275");
    CHECK(proposal.requestor == "0x8c77");
    CHECK(proposal.demand.constraints == "(golem.runtime.name=vm)");
    CHECK(proposal.demand.properties.get_int("golem.srv.comp.expiration") == 1795507264809);

    const auto agreements = read_market_events(agreement_event);
    REQUIRE(agreements.events.size() == 1);
    const auto& agreement = std::get<AgreementArrived>(agreements.events[0]);
    CHECK(agreement.agreement == "fed8");
    CHECK(agreement.requestor == "0x8c77");
    CHECK(agreement.demand.constraints == "(a=b)");
    CHECK(agreement.offer.properties.get_doubles("golem.com.pricing.model.linear.coeffs")->size() == 3);
    CHECK(agreement.valid_to == parse_timestamp("2026-11-24T08:31:06.843Z"));

    const auto refusals = read_market_events(
        R"([{"eventType":"ProposalRejectedEvent","eventDate":"2026-11-24T07:31:06Z","proposalId":"P-1",
        "reason":{"message":"no","golem.proposal.rejection.is-final":false}},
        {"eventType":"ProposalRejectedEvent","eventDate":"2026-11-24T07:31:06Z","proposalId":"P-2"}])");
    REQUIRE(refusals.events.size() == 2);
    const auto& refusal = std::get<ProposalRefused>(refusals.events[0]);
    REQUIRE(refusal.reason);
    CHECK(refusal.reason->message == "no");
    CHECK(refusal.reason->extra.get_bool("golem.proposal.rejection.is-final") == false);
    CHECK_FALSE(std::get<ProposalRefused>(refusals.events[1]).reason);
}

TEST_CASE("an event that is not understood is left out, and is not asked for again")
{
    const auto page = read_activity_events(
        R"([{"activityId":"a","agreementId":"g","eventType":{"CreateActivity":{}},"eventDate":"2026-11-24T07:31:33.802060Z"},
        {"activityId":"a","agreementId":"g","eventType":{"DestroyActivity":{}},"eventDate":"2026-11-24T07:31:34Z"},
        {"activityId":"a","agreementId":"g","eventType":{"Mystery":{}},"eventDate":"2026-11-24T07:31:35Z"}, 5])");
    REQUIRE(page.events.size() == 2);
    CHECK(page.events[0].kind == ActivityEvent::Kind::create);
    CHECK(page.events[1].kind == ActivityEvent::Kind::destroy);
    CHECK(page.left_out == 2);
    CHECK(page.newest == parse_timestamp("2026-11-24T07:31:35Z"));
    CHECK_THROWS_AS(read_activity_events("{}"), Error);
    CHECK_THROWS_AS(read_activity_events("<html>"), Error);
}

TEST_CASE("agreement and payment events are read as the daemon writes them")
{
    const auto agreements = read_agreement_events(
        R"([{"eventDate":"2026-11-24T07:30:24.446896Z","agreementId":"61","eventType":"AgreementApprovedEvent"},
        {"eventDate":"2026-11-24T07:30:32.537609Z","agreementId":"61","eventType":"AgreementTerminatedEvent",
        "terminator":"Requestor","signature":"","reason":{"message":"Finished","golem.requestor.code":"Success"}}])");
    REQUIRE(agreements.events.size() == 2);
    CHECK(agreements.events[0].kind == AgreementEvent::Kind::approved);
    CHECK(agreements.events[1].kind == AgreementEvent::Kind::terminated);
    CHECK_FALSE(agreements.events[1].by_provider);
    CHECK(agreements.events[1].reason->message == "Finished");

    const auto invoices = read_payment_events(
        R"([{"invoiceId":"17","eventDate":"2026-11-24T07:32:12.312403Z","eventType":"InvoiceRejectedEvent",
        "rejection":{"rejectionReason":"BAD_SERVICE","totalAmountAccepted":"0.00","message":"no"}},
        {"invoiceId":"17","eventDate":"2026-11-24T07:32:12.320535Z","eventType":"InvoiceAcceptedEvent"}])",
        PaymentEvent::Document::invoice);
    REQUIRE(invoices.events.size() == 2);
    CHECK(invoices.events[0].kind == PaymentEvent::Kind::rejected);
    CHECK(invoices.events[1].kind == PaymentEvent::Kind::accepted);
    CHECK(invoices.events[1].id == "17");
    const auto notes = read_payment_events(
        R"([{"debitNoteId":"7d","eventDate":"2026-11-24T07:32:09.373734Z","eventType":"DebitNoteSettledEvent"}])",
        PaymentEvent::Document::debit_note);
    REQUIRE(notes.events.size() == 1);
    CHECK(notes.events[0].kind == PaymentEvent::Kind::settled);
}

TEST_CASE("what a provider tells its daemon")
{
    DebitNoteDraft note;
    note.activity = "a";
    note.total_due = Amount::parse("0.01");
    note.usage = {0.5, 12.0};
    CHECK(
        write_debit_note(note) ==
        R"({"activityId":"a","totalAmountDue":"0.010000000000000000","usageCounterVector":[0.5,12.0]})");
    note.due = parse_timestamp("2026-11-24T07:34:09.380Z");
    CHECK(write_debit_note(note).find(R"("paymentDueDate":"2026-11-24T07:34:09.380Z")") != std::string::npos);
    InvoiceDraft invoice;
    invoice.agreement = "g";
    CHECK(write_invoice(invoice) == R"({"activityIds":[],"agreementId":"g","amount":"0"})");
    CHECK(
        write_state({UnitState::initialized, UnitState::deployed}, "", "") ==
        R"({"state":["Initialized","Deployed"]})");
    CHECK(
        write_state({UnitState::terminated, std::nullopt}, "r", "m") ==
        R"({"errorMessage":"m","reason":"r","state":["Terminated",null]})");
    CHECK(
        write_usage("a", {1.0, 2.5}, parse_timestamp("2026-11-24T07:31:34.9Z")) ==
        R"({"activityId":"a","timeout":null,"usage":{"currentUsage":[1.0,2.5],"timestamp":1795505494}})");
    Reason reason;
    reason.message = "no";
    reason.extra.set("golem.proposal.rejection.is-final", false);
    CHECK(write_reason(reason) == R"({"golem.proposal.rejection.is-final":false,"message":"no"})");
    CHECK(find_invoice(R"([{"agreementId":"x","invoiceId":"1"},{"agreementId":"g","invoiceId":"2"}])", "g") == "2");
    CHECK_FALSE(find_invoice("[]", "g"));
    CHECK(words_of(R"({"message":"text"})") == "text");
    CHECK(words_of(R"({"message":null})") == R"({"message":null})");
}

TEST_CASE("calls to an exe-unit are read from the bus, whatever else they hold")
{
    const auto exec = read_exec(bus::from_json(
        R"({"activityId":"a","batchId":"b","exeScript":[{"run":{"entry_point":"/bin/date","args":["x"]}}],"timeout":null})"));
    CHECK(exec.batch == "b");
    CHECK(exec.script == R"([{"run":{"args":["x"],"entry_point":"/bin/date"}}])");
    const auto poll =
        read_results(bus::from_json(R"({"activityId":"a","batchId":"b","timeout":2.5,"commandIndex":3})"));
    CHECK(poll.wait == 2500ms);
    CHECK(poll.index == 3);
    const auto bare =
        read_results(bus::from_json(R"({"activityId":"a","batchId":"b","timeout":null,"commandIndex":null})"));
    CHECK(bare.wait == 0s);
    CHECK_FALSE(bare.index);
    CHECK(read_results(bus::from_json(R"({"batchId":"b","timeout":1e300})")).wait <= 1h);
    CHECK(read_stream(bus::from_json(R"({"activity_id":"a","batch_id":"b"})")) == "b");
    CHECK_THROWS_AS(read_exec(bus::from_json(R"({"batchId":"b"})")), Error);
    CHECK_THROWS_AS(read_results(bus::from_json("null")), Error);
    CHECK_THROWS_AS(read_stream(bus::from_json(R"({"batchId":"b"})")), Error);
}

TEST_CASE("results and events of a batch as the bus carries them")
{
    auto good = outcome(0);
    good.out = "text";
    auto bad = outcome(1);
    bad.ok = false;
    bad.err = std::string("\xff\x01", 2);
    bad.err_is_binary = true;
    bad.message = "ExeScript command exited with code 3";
    bad.is_batch_finished = true;
    const auto results = write_outcomes({good, bad});
    CHECK(
        results == bus::from_json(
                       R"([{"index":0,"result":"Ok","stdout":"text","stderr":null,"message":null,
        "isBatchFinished":false,"eventDate":"2026-11-24T07:31:06.500Z"},{"index":1,"result":"Error","stdout":null,
        "stderr":[255,1],"message":"ExeScript command exited with code 3","isBatchFinished":true,
        "eventDate":"2026-11-24T07:31:06.500Z"}])"));

    // No reply is larger than a bus takes.
    bad.err = std::string(1'000'000, '\xff');
    CHECK(results_body({bad, bad}).size() < 8'010'000);
    const std::vector<CommandOutcome> many(14, bad);
    const auto too_large = bus::decode(results_body(many));
    REQUIRE(too_large.find("Err"));
    CHECK(too_large.find("Err")->find("service"));

    BatchEvent event;
    event.date = parse_timestamp("2026-11-24T07:31:06.5Z");
    event.text = R"({"start":{"args":[]}})";
    CHECK(write_event("b", event) == bus::from_json(R"({"batch_id":"b","index":0,"timestamp":"2026-11-24T07:31:06.500",
        "kind":{"started":{"command":{"start":{"args":[]}}}}})"));
    event.kind = BatchEvent::Kind::out;
    event.text = "hello";
    CHECK(*write_event("b", event).find("kind") == bus::from_json(R"({"stdout":"hello"})"));
    event.kind = BatchEvent::Kind::finished;
    event.text.clear();
    CHECK(*write_event("b", event).find("kind") == bus::from_json(R"({"finished":{"return_code":0,"message":null}})"));
    CHECK(bus::decode(ok_body("b")) == bus::from_json(R"({"Ok":"b"})"));
    CHECK(bus::decode(error_body("timeout", std::nullopt)) == bus::from_json(R"({"Err":"timeout"})"));
    CHECK(bus::decode(error_body("notFound", "x")) == bus::from_json(R"({"Err":{"notFound":"x"}})"));
}
