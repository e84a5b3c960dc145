#include "provider/yagna_codec.hpp"

#include <golem/core/error.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/properties/json.hpp>
#include <golem/provider/detail/unit_machine.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace golem::provider::detail {

namespace {

using Json = nlohmann::json;

constexpr auto reading = "read the daemon's answer";

Json parse(std::string_view text)
{
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_discarded())
        return json;
    Error error(Errc::protocol, reading, "it is no JSON; is this address a yagna daemon's?");
    error.set_their_words(std::string(text.substr(0, 200)));
    throw error;
}

const Json& list(const Json& json)
{
    if (!json.is_array())
        throw Error(Errc::protocol, reading, "it should be a list of events");
    return json;
}

std::string text(const Json& object, const char* name) { return object.at(name).get<std::string>(); }

Timestamp date(const Json& object, const char* name) { return parse_timestamp(text(object, name)); }

Content read_content(const Json& side)
{
    Content content;
    content.properties = properties::from_json(side.at("properties"));
    content.constraints = text(side, "constraints");
    return content;
}

std::optional<Reason> read_reason(const Json& event)
{
    const auto found = event.find("reason");
    if (found == event.end() || !found->is_object())
        return std::nullopt;
    auto extra = *found;
    Reason reason;
    if (const auto message = extra.find("message"); message != extra.end() && message->is_string())
        reason.message = message->get<std::string>();
    extra.erase("message");
    reason.extra = properties::from_json(extra);
    return reason;
}

MarketEvent read_market_event(const Json& event)
{
    const auto kind = text(event, "eventType");
    if (kind == "ProposalEvent") {
        const auto& proposal = event.at("proposal");
        ProposalArrived arrived;
        arrived.proposal = text(proposal, "proposalId");
        arrived.requestor = text(proposal, "issuerId");
        arrived.demand = read_content(proposal);
        arrived.previous = proposal.value("prevProposalId", std::string());
        return arrived;
    }
    if (kind == "AgreementEvent") {
        const auto& agreement = event.at("agreement");
        AgreementArrived arrived;
        arrived.agreement = text(agreement, "agreementId");
        arrived.requestor = text(agreement.at("demand"), "requestorId");
        arrived.demand = read_content(agreement.at("demand"));
        arrived.offer = read_content(agreement.at("offer"));
        arrived.timestamp = date(agreement, "timestamp");
        arrived.valid_to = date(agreement, "validTo");
        return arrived;
    }
    if (kind != "ProposalRejectedEvent")
        throw Error(Errc::protocol, reading, "unknown event " + kind);
    ProposalRefused refused;
    refused.proposal = text(event, "proposalId");
    refused.reason = read_reason(event);
    return refused;
}

AgreementEvent read_agreement_event(const Json& event)
{
    AgreementEvent read;
    const auto kind = text(event, "eventType");
    if (kind == "AgreementApprovedEvent")
        read.kind = AgreementEvent::Kind::approved;
    else if (kind == "AgreementRejectedEvent")
        read.kind = AgreementEvent::Kind::rejected;
    else if (kind == "AgreementCancelledEvent")
        read.kind = AgreementEvent::Kind::cancelled;
    else if (kind == "AgreementTerminatedEvent")
        read.kind = AgreementEvent::Kind::terminated;
    else
        throw Error(Errc::protocol, reading, "unknown event " + kind);
    read.agreement = text(event, "agreementId");
    read.by_provider = event.value("terminator", std::string()) == "Provider";
    read.reason = read_reason(event);
    read.date = date(event, "eventDate");
    return read;
}

ActivityEvent read_activity_event(const Json& event)
{
    ActivityEvent read;
    const auto& kind = event.at("eventType");
    const auto is = [&](const char* name) { return kind.is_object() ? kind.contains(name) : kind == name; };
    if (!is("CreateActivity") && !is("DestroyActivity"))
        throw Error(Errc::protocol, reading, "unknown event " + kind.dump());
    read.kind = is("CreateActivity") ? ActivityEvent::Kind::create : ActivityEvent::Kind::destroy;
    read.activity = text(event, "activityId");
    read.agreement = text(event, "agreementId");
    read.date = date(event, "eventDate");
    return read;
}

PaymentEvent read_payment_event(const Json& event, PaymentEvent::Document document)
{
    PaymentEvent read;
    read.document = document;
    const bool is_invoice = document == PaymentEvent::Document::invoice;
    const std::string prefix = is_invoice ? "Invoice" : "DebitNote";
    const auto kind = text(event, "eventType");
    if (kind == prefix + "AcceptedEvent")
        read.kind = PaymentEvent::Kind::accepted;
    else if (kind == prefix + "RejectedEvent")
        read.kind = PaymentEvent::Kind::rejected;
    else if (kind == prefix + "SettledEvent")
        read.kind = PaymentEvent::Kind::settled;
    else if (kind == prefix + "CancelledEvent")
        read.kind = PaymentEvent::Kind::cancelled;
    else
        throw Error(Errc::protocol, reading, "unknown event " + kind);
    read.id = text(event, is_invoice ? "invoiceId" : "debitNoteId");
    read.date = date(event, "eventDate");
    return read;
}

template <typename Item, typename Reader>
Page<Item> read_page(std::string_view json, const Reader& reader)
{
    const auto parsed = parse(json);
    Page<Item> page;
    for (const auto& event : list(parsed)) {
        try {
            // First: what is not understood must not come again and again.
            if (event.is_object()) {
                const auto when = try_parse_timestamp(event.value("eventDate", std::string()));
                if (when && (!page.newest || *page.newest < *when))
                    page.newest = when;
            }
            page.events.push_back(reader(event));
        } catch (const Json::exception&) {
            ++page.left_out;
        } catch (const Error&) {
            ++page.left_out;
        }
    }
    return page;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// The agent's amounts have all decimals; only nothing is "0".
std::string written(const Amount& amount) { return amount.to_string(amount.is_zero() ? 0 : Amount::decimals); }

} // namespace

std::string read_identity(std::string_view json) { return read_member(json, "identity"); }

std::string read_id(std::string_view json)
{
    const auto id = parse(json);
    if (!id.is_string())
        throw Error(Errc::protocol, reading, "it should be an id");
    return id.get<std::string>();
}

std::string read_member(std::string_view json, const char* name)
{
    const auto object = parse(json);
    const auto found = object.is_object() ? object.find(name) : object.end();
    if (found == object.end() || !found->is_string())
        throw Error(Errc::protocol, reading, std::string("it should have a text ") + name);
    return found->get<std::string>();
}

Page<MarketEvent> read_market_events(std::string_view json) { return read_page<MarketEvent>(json, read_market_event); }

Page<AgreementEvent> read_agreement_events(std::string_view json)
{
    return read_page<AgreementEvent>(json, read_agreement_event);
}

Page<ActivityEvent> read_activity_events(std::string_view json)
{
    return read_page<ActivityEvent>(json, read_activity_event);
}

Page<PaymentEvent> read_payment_events(std::string_view json, PaymentEvent::Document document)
{
    return read_page<PaymentEvent>(json, [&](const Json& event) { return read_payment_event(event, document); });
}

std::optional<std::string> find_invoice(std::string_view json, const std::string& agreement)
{
    const auto parsed = parse(json);
    for (const auto& invoice : list(parsed)) {
        if (invoice.is_object() && invoice.value("agreementId", std::string()) == agreement)
            return invoice.value("invoiceId", std::string());
    }
    return std::nullopt;
}

std::string write_content(const Content& content)
{
    Json json;
    json["properties"] = properties::to_json(content.properties);
    json["constraints"] = content.constraints;
    return dump(json);
}

std::string write_reason(const Reason& reason)
{
    auto json = properties::to_json(reason.extra);
    json["message"] = reason.message;
    return dump(json);
}

std::string write_state(const UnitStatePair& state, const std::string& reason, const std::string& message)
{
    Json json;
    auto pair = Json::array();
    pair.push_back(std::string(name_of(state.now)));
    pair.push_back(nullptr);
    if (state.entering)
        pair[1] = std::string(name_of(*state.entering));
    json["state"] = std::move(pair);
    if (!reason.empty())
        json["reason"] = reason;
    if (!message.empty())
        json["errorMessage"] = message;
    return dump(json);
}

std::string write_usage(const std::string& activity, const std::vector<double>& usage, Timestamp when)
{
    Json json;
    json["activityId"] = activity;
    json["usage"]["currentUsage"] = usage;
    json["usage"]["timestamp"] = std::chrono::floor<std::chrono::seconds>(when).time_since_epoch().count();
    json["timeout"] = nullptr;
    return dump(json);
}

std::string write_debit_note(const DebitNoteDraft& note)
{
    Json json;
    json["activityId"] = note.activity;
    json["totalAmountDue"] = written(note.total_due);
    json["usageCounterVector"] = note.usage;
    if (note.due)
        json["paymentDueDate"] = format_timestamp(*note.due);
    return dump(json);
}

std::string write_invoice(const InvoiceDraft& invoice)
{
    Json json;
    json["agreementId"] = invoice.agreement;
    json["activityIds"] = invoice.activities;
    json["amount"] = written(invoice.amount);
    if (invoice.due)
        json["paymentDueDate"] = format_timestamp(*invoice.due);
    return dump(json);
}

std::string words_of(std::string_view body)
{
    const auto json = Json::parse(body, nullptr, false);
    if (json.is_object()) {
        if (const auto found = json.find("message"); found != json.end() && found->is_string())
            return found->get<std::string>();
    }
    return std::string(body.substr(0, 500));
}

} // namespace golem::provider::detail
