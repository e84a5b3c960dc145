// What the daemon says, read into plain data: recorded bodies first, then its quirks.

#include "support.hpp"

#include <golem/core/timestamp.hpp>

#include <yagna/activity_codec.hpp>
#include <yagna/identity_codec.hpp>
#include <yagna/json_codec.hpp>
#include <yagna/market_codec.hpp>
#include <yagna/payment_codec.hpp>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;

namespace {

Timestamp at(std::string_view text) { return parse_timestamp(text); }

Amount glm(std::string_view text) { return Amount::parse(text); }

} // namespace

TEST_CASE("demand events: proposals and refusals")
{
    const auto events = codec::decode_demand_events("op", read_file("demand_events.json"));
    REQUIRE(events.size() == 4);

    const auto& initial = std::get<Proposal>(events[0]);
    CHECK(initial.id == "R-6480218018a50cd2cf69fdcef4f422d34792423d904dbbe058c1fa8d98fd3a23");
    CHECK(initial.issuer == "0xa600345e29adf494e4e9b29c8f187d5735a5648b");
    CHECK(initial.state == ProposalState::initial);
    CHECK_FALSE(initial.previous);
    CHECK(initial.timestamp == at("2026-11-24T06:55:54.257029641Z"));
    CHECK(contains(initial.content.constraints, "golem.srv.comp.expiration>1795503343861"));
    // Kinds survive: 4.0 is a float, 120 an integer, {} an object.
    const auto& properties = initial.content.properties;
    CHECK(*properties.get("golem.inf.mem.gib") == properties::Value(4.0));
    CHECK(*properties.get("golem.com.payment.debit-notes.accept-timeout?") == properties::Value(240));
    CHECK(properties.get("golem.com.scheme.payu")->as_raw() == "{}");
    CHECK(
        properties.get_doubles("golem.com.pricing.model.linear.coeffs") == std::vector<double>{0.0002, 0.0001, 0.001});

    const auto& draft = std::get<Proposal>(events[1]);
    CHECK(draft.state == ProposalState::draft);
    CHECK(draft.previous == "R-9ef26226b6b4957b8792e386c52a693336c6d0d6efeeb8c8c20c94af0129205e");

    const auto& refused = std::get<ProposalRejected>(events[2]);
    CHECK(refused.proposal == "R-d306d23447efb9f067500639ddaa6023ceb88544d0b65bd2d58a69fc43164c29");
    REQUIRE(refused.reason);
    CHECK(refused.reason->message() == "No capacity available. Reached Agreements limit: 1");
    CHECK(refused.reason->extra().get_bool("golem.proposal.rejection.is-final") == false);
    CHECK(refused.reason->extra().size() == 1);
    CHECK_FALSE(refused.is_final);

    const auto& silent = std::get<ProposalRejected>(events[3]);
    CHECK_FALSE(silent.reason);
    CHECK(silent.is_final);
}

TEST_CASE("demand events: what has no name is passed over")
{
    const auto events = codec::decode_demand_events("op", R"([
        {"eventType":"PropertyQueryEvent","eventDate":"2026-11-24T06:55:54Z","queryId":7},
        {"eventType":"ProposalRejectedEvent","eventDate":"2026-11-24T06:55:54Z","proposalId":"R-1","reason":"no","more":[1]},
        {"eventType":"ProposalEvent","eventDate":"2026-11-24T06:55:54Z","proposal":{"properties":{"a":{"b":{}}},
         "constraints":"","proposalId":"R-2","issuerId":"0x1","state":"Dreaming","timestamp":"2026-11-24T06:55:54Z"}}])");
    REQUIRE(events.size() == 2);
    CHECK(std::get<ProposalRejected>(events[0]).reason->message() == "no");
    CHECK(std::get<Proposal>(events[1]).state == ProposalState::unknown);
}

TEST_CASE("agreements")
{
    const auto agreement = codec::decode_agreement("op", read_file("agreement_approved.json"));
    CHECK(agreement.id == "e5ca650c3503b2646bc388df08a68da2c99d08bd76236d0b6bfe6169dd2da987");
    CHECK(agreement.state == AgreementState::approved);
    CHECK(agreement.demand_id.starts_with("9a104096ba474150ba63feb4033193ed-cf3ec176"));
    CHECK(agreement.requestor == "0x0bdfc80a98bbcd5d40ec797194b8ff2a2fe3bf20");
    CHECK(agreement.offer_id.starts_with("41777625e5b34020900b8874a49ad62b-0adaa8aa"));
    CHECK(agreement.provider == "0xa600345e29adf494e4e9b29c8f187d5735a5648b");
    CHECK(agreement.demand.properties.get_int("golem.srv.comp.expiration") == 1795504854253);
    CHECK(agreement.offer.properties.get_string("golem.runtime.name") == "vm");
    CHECK(agreement.timestamp == at("2026-11-24T06:55:54.279676704Z"));
    CHECK(agreement.valid_to == at("2026-11-24T07:55:54.278312Z"));
    CHECK(agreement.approved == at("2026-11-24T06:55:54.288002735Z"));
    CHECK(agreement.app_session == "01-hello-1795503354");

    const std::string body = R"({"agreementId":"1",
        "demand":{"properties":{},"constraints":"","demandId":"2","requestorId":"3"},
        "offer":{"properties":{},"constraints":"","offerId":"4","providerId":"5"},
        "validTo":"2026-11-24T07:00:00Z","timestamp":"2026-11-24T06:00:00Z","state":")";
    const auto state = [&](const char* name) { return codec::decode_agreement("op", body + name + "\"}").state; };
    CHECK(state("Proposal") == AgreementState::proposal);
    CHECK(state("Pending") == AgreementState::pending);
    CHECK(state("Approving") == AgreementState::pending);
    CHECK(state("Cancelled") == AgreementState::cancelled);
    CHECK(state("Rejected") == AgreementState::rejected);
    CHECK(state("Expired") == AgreementState::expired);
    CHECK(state("Terminated") == AgreementState::terminated);
    CHECK(state("Frozen") == AgreementState::unknown);
    CHECK_FALSE(codec::decode_agreement("op", body + "Pending\"}").approved);
    CHECK_FALSE(codec::decode_agreement("op", body + "Pending\"}").app_session);
}

TEST_CASE("lists of agreements")
{
    const auto all = codec::decode_agreements("op", read_file("agreements.json"));
    REQUIRE(all.size() == 2);
    CHECK(all[0].id == "6117e93a1c4d5a56924b6ee562b156ef220bf418a679a573a8fb74dec80276fe");
    CHECK(all[0].approved == at("2026-11-24T07:30:24.360356883Z"));
    CHECK(all[0].we_are_requestor);
    const auto other = codec::decode_agreements(
        "op", R"([{"id":"1","timestamp":"2026-11-24T07:30:24Z","approvedDate":null,"role":"Provider"}])");
    CHECK_FALSE(other.at(0).approved);
    CHECK_FALSE(other.at(0).we_are_requestor);
}

TEST_CASE("agreement events keep their cursor verbatim")
{
    using Kind = AgreementEvent::Kind;
    const auto events = codec::decode_agreement_events("op", read_file("agreement_events.json"));
    REQUIRE(events.size() == 5);
    CHECK(events[0].kind == Kind::approved);
    CHECK(events[0].cursor == Cursor("2026-11-24T07:30:24.449563Z"));
    CHECK(events[0].date == at("2026-11-24T07:30:24.449563Z"));
    CHECK_FALSE(events[0].reason);
    CHECK(events[0].terminator == Terminator::unknown);
    CHECK(events[1].kind == Kind::terminated);
    CHECK(events[1].terminator == Terminator::requestor);
    CHECK(events[2].kind == Kind::rejected);
    CHECK(events[3].kind == Kind::cancelled);
    CHECK(events[4].terminator == Terminator::provider);
    CHECK(events[4].reason->message() == "No activity created within 90s");
    CHECK(events[4].reason->extra().get_string("golem.provider.code") == "NoActivity");

    const auto other = codec::decode_agreement_events(
        "op", R"([{"eventDate":"2026-11-24T07:30:24.449+00:00","eventType":"AgreementPaintedEvent","colour":"red"}])");
    CHECK(other.at(0).kind == Kind::other);
    CHECK(other.at(0).cursor.text() == "2026-11-24T07:30:24.449+00:00");
    CHECK(other.at(0).date == at("2026-11-24T07:30:24.449Z"));
}

TEST_CASE("dates in every form")
{
    const auto date = [](const std::string& text) {
        return codec::decode_agreements("op", R"([{"id":"1","role":"Requestor","timestamp":")" + text + "\"}]")
            .at(0)
            .timestamp;
    };
    const auto whole = at("2024-05-15T12:00:00Z");
    CHECK(date("2024-05-15T12:00:00Z") == whole);
    CHECK(date("2024-05-15T12:00:00.123Z") == whole + std::chrono::milliseconds(123));
    CHECK(date("2024-05-15T12:00:00.123456Z") == whole + std::chrono::microseconds(123456));
    CHECK(date("2024-05-15T12:00:00.123456789Z") == whole + std::chrono::nanoseconds(123456789));
    CHECK(date("2024-05-15T14:00:00+02:00") == whole);
    CHECK(date("2024-05-15T12:00:00.123456") == whole + std::chrono::microseconds(123456));
}

TEST_CASE("results of commands")
{
    const auto bytes = codec::decode_results("op", R"([{"index":0,"result":"Ok","stdout":[104,255,0],"stderr":[],
        "message":null,"isBatchFinished":true,"eventDate":"2026-11-24T07:31:38.393194Z"}])");
    REQUIRE(bytes.size() == 1);
    CHECK(bytes[0].ok);
    CHECK(bytes[0].out == std::string("h\xff\0", 3));
    CHECK(bytes[0].err.empty());
    CHECK(bytes[0].is_batch_finished);
    CHECK(bytes[0].date == at("2026-11-24T07:31:38.393194Z"));
    CHECK(codec::decode_results("op", read_file("results_bytes.json")).at(0).out == "hi\n");

    const auto failed = codec::decode_results("op", R"([
        {"index":0,"result":"Ok","stdout":null,"stderr":null,"message":null,"isBatchFinished":false,"eventDate":"2026-11-24T07:31:38Z"},
        {"index":1,"result":"Error","stdout":"a\u0000\u00e9","stderr":"sh: nope: not found\n",
         "message":"ExeScript command exited with code 127","isBatchFinished":true,"eventDate":"2026-11-24T07:31:38Z"}])");
    CHECK(failed.at(0).out.empty());
    CHECK_FALSE(failed.at(0).is_batch_finished);
    CHECK_FALSE(failed.at(1).ok);
    CHECK(failed.at(1).out == std::string("a\0\xc3\xa9", 4));
    CHECK(failed.at(1).err == "sh: nope: not found\n");
    CHECK(failed.at(1).message == "ExeScript command exited with code 127");

    const auto specified = codec::decode_results(
        "op",
        R"([{"index":0,"result":"Ok","stdout":{"str":"text"},"stderr":{"bin":[1,2]}},{"index":1,"result":"Strange"}])");
    CHECK(specified.at(0).out == "text");
    CHECK(specified.at(0).err == "\x01\x02");
    CHECK_FALSE(specified.at(1).ok);
    CHECK(codec::decode_results("op", "[]").empty());
}

TEST_CASE("activities")
{
    CHECK(codec::decode_created_activity("op", R"("f0780de9")") == "f0780de9");
    CHECK(codec::decode_created_activity("op", R"({"activityId":"f0780de9","credentials":{"sgx":{}}})") == "f0780de9");
    CHECK(codec::decode_activity_ids("op", R"(["a","b"])") == std::vector<std::string>{"a", "b"});

    const auto state = codec::decode_state("op", R"({"state":["Initialized","Deployed"]})");
    CHECK(state.status == ActivityStatus::initialized);
    CHECK(state.entering == ActivityStatus::deployed);
    CHECK(state.reason.empty());
    const auto dead = codec::decode_state(
        "op", R"({"state":["Terminated",null],"reason":"execution aborted","errorMessage":"exit code None"})");
    CHECK(dead.status == ActivityStatus::terminated);
    CHECK_FALSE(dead.entering);
    CHECK(dead.reason == "execution aborted");
    CHECK(dead.error_message == "exit code None");
    const auto status = [](const std::string& name) {
        return codec::decode_state("op", "{\"state\":[\"" + name + "\"]}").status;
    };
    CHECK(status("New") == ActivityStatus::fresh);
    CHECK(status("Deployed") == ActivityStatus::deployed);
    CHECK(status("Ready") == ActivityStatus::ready);
    CHECK(status("Unresponsive") == ActivityStatus::unresponsive);
    CHECK(status("Asleep") == ActivityStatus::unknown);

    const auto usage = codec::decode_usage("op", R"({"currentUsage":[0.017308,3],"timestamp":1795504806})");
    CHECK(usage.current == std::vector<double>{0.017308, 3.0});
    CHECK(usage.timestamp == at("2026-11-24T07:20:06Z"));
    CHECK_FALSE(codec::decode_usage("op", R"({"timestamp":1795504806})").current);
    CHECK_FALSE(codec::decode_usage("op", R"({"currentUsage":null,"timestamp":1795504806})").current);
}

TEST_CASE("debit notes")
{
    const auto note = codec::decode_debit_note("op", read_file("debit_note.json"));
    CHECK(note.id == "8cae3039-906a-4352-bcf5-bbb7ba9f14a4");
    CHECK(note.issuer == "0xbc0f79ee6b2790778b47e777ae132d6bc5e9c310");
    CHECK(note.recipient == "0x8c778de95e4381d6e652d9b67ad2dc38575d4b4f");
    CHECK(note.platform == "erc20-hoodi-tglm");
    CHECK(note.agreement == "6117e93a1c4d5a56924b6ee562b156ef220bf418a679a573a8fb74dec80276fe");
    CHECK(note.activity == "ba3116842a144e99a9345100e6bd8769");
    CHECK(note.total_due == glm("0.03"));
    CHECK(note.usage == std::vector<double>{1.0, 20.0});
    CHECK(note.due == at("2026-11-24T07:32:28.981Z"));
    CHECK(note.previous == "f89e2a8a-cbad-4710-ab1c-c0fa2d75a098");
    CHECK(note.status == DocumentStatus::received);
    CHECK(note.timestamp == at("2026-11-24T07:30:28.989Z"));

    const auto bare = codec::decode_debit_note("op", read_file("debit_note_bare.json"));
    CHECK(bare.total_due == glm("0.01"));
    CHECK_FALSE(bare.due);
    CHECK_FALSE(bare.previous);
}

TEST_CASE("invoices, and documents in every status")
{
    const auto invoices = codec::decode_invoices("op", read_file("invoices.json"));
    REQUIRE(invoices.size() == 1);
    CHECK(invoices[0].id == "d1c49154-ff9a-4c3c-b404-971fa95426b3");
    CHECK(invoices[0].activities == std::vector<std::string>{"ba3116842a144e99a9345100e6bd8769"});
    CHECK(invoices[0].amount == glm("0.04"));
    CHECK(invoices[0].due == at("2026-11-25T07:30:32.540Z"));

    const auto invoice = [](const std::string& status) {
        return codec::decode_invoice(
            "op", R"({"invoiceId":"1","issuerId":"2","recipientId":"3","agreementId":"4","activityIds":[],
            "amount":"0","timestamp":"2026-11-24T07:30:32Z","status":")" +
                      status + "\"}");
    };
    CHECK(invoice("ISSUED").status == DocumentStatus::issued);
    CHECK(invoice("RECEIVED").status == DocumentStatus::received);
    CHECK(invoice("ACCEPTED").status == DocumentStatus::accepted);
    CHECK(invoice("REJECTED").status == DocumentStatus::rejected);
    CHECK(invoice("FAILED").status == DocumentStatus::failed);
    CHECK(invoice("SETTLED").status == DocumentStatus::settled);
    CHECK(invoice("CANCELLED").status == DocumentStatus::cancelled);
    CHECK(invoice("LOST").status == DocumentStatus::unknown);
    CHECK(invoice("RECEIVED").amount.is_zero());
    CHECK_FALSE(invoice("RECEIVED").due);
}

TEST_CASE("payment events")
{
    using Kind = PaymentEvent::Kind;
    const auto kinds = [](const std::vector<PaymentEvent>& events) {
        std::vector<Kind> result;
        for (const auto& event : events)
            result.push_back(event.kind);
        return result;
    };
    const auto invoices = codec::decode_invoice_events("op", read_file("invoice_events.json"));
    CHECK(
        kinds(invoices) == std::vector{Kind::received, Kind::rejected, Kind::accepted, Kind::settled, Kind::cancelled});
    CHECK(invoices[0].document == "d1c49154-ff9a-4c3c-b404-971fa95426b3");
    CHECK(invoices[0].cursor.text() == "2026-11-24T07:30:32.584530Z");
    const auto notes = codec::decode_debit_note_events("op", read_file("debit_note_events.json"));
    CHECK(kinds(notes) == std::vector{Kind::received, Kind::accepted, Kind::settled});
    CHECK(notes[0].document == "f89e2a8a-cbad-4710-ab1c-c0fa2d75a098");
    const auto other = codec::decode_debit_note_events(
        "op", R"([{"eventDate":"2026-11-24T07:30:32.5Z","eventType":"DebitNotePaymentStatusEvent","property":{}}])");
    CHECK(other.at(0).kind == Kind::other);
    CHECK(other.at(0).cursor.text() == "2026-11-24T07:30:32.5Z");
}

TEST_CASE("allocations")
{
    const auto allocation = codec::decode_allocation("op", read_file("allocation.json"));
    CHECK(allocation.id == "63b08e95-9834-41e3-878d-82384854026a");
    CHECK(allocation.address == "0x8c778de95e4381d6e652d9b67ad2dc38575d4b4f");
    CHECK(allocation.platform == "erc20-hoodi-tglm");
    CHECK(allocation.total == Amount(1));
    CHECK(allocation.spent.is_zero());
    CHECK(allocation.remaining == Amount(1));
    CHECK(allocation.timeout == at("2026-11-24T08:32:06.399Z"));
    CHECK(allocation.timestamp == at("2026-11-24T07:32:06.402456234Z"));

    const auto decoration = codec::decode_demand_decoration("op", read_file("decoration.json"));
    CHECK(decoration.properties.get_string("golem.com.payment.protocol.version") == "3");
    CHECK(decoration.properties.size() == 2);
    CHECK(decoration.constraints.size() == 2);

    const auto accounts = codec::decode_accounts("op", read_file("accounts.json"));
    REQUIRE(accounts.size() == 1);
    CHECK(accounts[0].platform == "erc20-hoodi-tglm");
    CHECK(accounts[0].token == "tGLM");
    CHECK(codec::decode_accounts("op", "[]").empty());
}

TEST_CASE("amounts are exact, from strings and from numbers")
{
    const auto amount = [](const std::string& json) {
        return codec::decode_invoice(
                   "op", R"({"invoiceId":"1","issuerId":"2","recipientId":"3","agreementId":"4","status":"RECEIVED",
            "other":{"amount":9.5},"amount":)" +
                             json + R"(,"timestamp":"2026-11-24T07:30:32Z"})")
            .amount;
    };
    CHECK(amount(R"("0.001406482928000000")") == glm("0.001406482928"));
    CHECK(amount(R"("2.000")") == Amount(2));
    CHECK(amount("0.123456789012345678") == glm("0.123456789012345678"));
    CHECK(amount("12345678.000000000000000001") == glm("12345678.000000000000000001"));
    CHECK(amount("1e-18") == Amount::from_units(1));
    CHECK(amount("3") == Amount(3));
    CHECK(amount("-0") == Amount(0));
    CHECK_THROWS_AS(amount(R"("")"), Error);
    CHECK_THROWS_AS(amount(R"("0.0000000000000000001")"), Error);
    CHECK_THROWS_AS(amount("true"), Error);

    // In lists, too, each at its own place.
    const auto invoices = codec::decode_invoices("op", R"([
        {"invoiceId":"1","issuerId":"2","recipientId":"3","agreementId":"4","status":"RECEIVED","amount":1.000000000000000001,"timestamp":"2026-11-24T07:30:32Z"},
        {"invoiceId":"5","issuerId":"2","recipientId":"3","agreementId":"4","status":"RECEIVED","activityIds":["a"],"amount":1.000000000000000002,"timestamp":"2026-11-24T07:30:32Z"}])");
    CHECK(invoices.at(0).amount == glm("1.000000000000000001"));
    CHECK(invoices.at(1).amount == glm("1.000000000000000002"));

    // An allocation of somebody else may be smaller than anything that can be paid; it must not hide the others.
    const auto tiny = codec::decode_allocation("op", R"({"allocationId":"1","totalAmount":"0.0000000000000000019",
        "spentAmount":"0","remainingAmount":0.0000000000000000019,"timestamp":"2026-11-24T07:30:32Z"})");
    CHECK(tiny.total == Amount::from_units(1));
}

TEST_CASE("identity and version")
{
    const auto me = codec::decode_identity("op", R"({"identity":"0x5f4a","name":"autoconfigured","role":"manager"})");
    CHECK(me.node == "0x5f4a");
    CHECK(me.name == "autoconfigured");
    CHECK(me.role == "manager");
    CHECK(codec::decode_identity("op", R"({"identity":"0x5f4a","name":null})").name.empty());
    const auto version = codec::decode_version("op", read_file("version.json"));
    CHECK(version.version == "0.17.6");
    CHECK(version.name == "(a98d28015 2026-03-13)");
}

TEST_CASE("what is sent")
{
    CHECK(codec::encode_reason(Reason()) == "null");
    CHECK(codec::encode_reason(Reason("bye")) == R"({"message":"bye"})");
    CHECK(
        codec::encode_reason(Reason("Work cancelled", "golem.requestor.code", "Cancelled")) ==
        R"({"golem.requestor.code":"Cancelled","message":"Work cancelled"})");
    // Nothing that a user puts in can make an answer of it that is not JSON.
    CHECK(codec::encode_reason(Reason("\xff\"\n")) == "{\"message\":\"\xef\xbf\xbd\\\"\\n\"}");

    DemandOfferBase demand;
    demand.properties.set("golem.srv.comp.expiration", std::int64_t{1715776200000});
    demand.properties.set("golem.inf.mem.gib", 2.0);
    demand.properties.set("empty", properties::Value::raw("{}"));
    demand.constraints = "(&(a=1)\n\t(b=2))";
    CHECK(
        codec::encode_demand(demand) == R"-({"constraints":"(&(a=1)\n\t(b=2))","properties":{"empty":{},)-"
                                        R"("golem.inf.mem.gib":2.0,"golem.srv.comp.expiration":1715776200000}})");
    CHECK(codec::encode_script(R"([{"deploy":{}}])") == R"({"text":"[{\"deploy\":{}}]"})");
    CHECK(
        codec::encode_agreement_proposal("R-1", at("2024-05-15T13:00:00Z")) ==
        R"({"proposalId":"R-1","validTo":"2024-05-15T13:00:00.000Z"})");
    CHECK(codec::encode_acceptance(glm("0.10"), "6b3a") == R"({"allocationId":"6b3a","totalAmountAccepted":"0.1"})");
    CHECK(
        codec::encode_rejection(RejectionReason::unsolicited_service, "no") ==
        R"({"message":"no","rejectionReason":"UNSOLICITED_SERVICE","totalAmountAccepted":"0"})");
    CHECK(
        codec::encode_allocation_request(glm("2.5"), "erc20-hoodi-tglm", at("2024-05-15T18:00:00Z")) ==
        R"({"makeDeposit":false,"paymentPlatform":"erc20-hoodi-tglm","timeout":"2024-05-15T18:00:00.000Z","totalAmount":"2.5"})");
}
