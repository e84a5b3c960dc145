#include "market_codec.hpp"

#include "json_codec.hpp"

#include <golem/core/timestamp.hpp>
#include <golem/properties/json.hpp>

#include <array>
#include <utility>

namespace golem::yagna::codec {

namespace {

template <typename State>
struct Name {
    State state;
    std::string_view text;
};

constexpr std::array proposal_states{
    Name<ProposalState>{ProposalState::initial, "Initial"},   Name<ProposalState>{ProposalState::draft, "Draft"},
    Name<ProposalState>{ProposalState::rejected, "Rejected"}, Name<ProposalState>{ProposalState::accepted, "Accepted"},
    Name<ProposalState>{ProposalState::expired, "Expired"},
};

constexpr std::array agreement_states{
    Name<AgreementState>{AgreementState::proposal, "Proposal"},
    Name<AgreementState>{AgreementState::pending, "Pending"},
    Name<AgreementState>{AgreementState::cancelled, "Cancelled"},
    Name<AgreementState>{AgreementState::rejected, "Rejected"},
    Name<AgreementState>{AgreementState::approved, "Approved"},
    Name<AgreementState>{AgreementState::expired, "Expired"},
    Name<AgreementState>{AgreementState::terminated, "Terminated"},
    // Inside the daemon only; shown as Pending today.
    Name<AgreementState>{AgreementState::pending, "Approving"},
};

constexpr std::array agreement_event_kinds{
    Name<AgreementEvent::Kind>{AgreementEvent::Kind::approved, "AgreementApprovedEvent"},
    Name<AgreementEvent::Kind>{AgreementEvent::Kind::rejected, "AgreementRejectedEvent"},
    Name<AgreementEvent::Kind>{AgreementEvent::Kind::cancelled, "AgreementCancelledEvent"},
    Name<AgreementEvent::Kind>{AgreementEvent::Kind::terminated, "AgreementTerminatedEvent"},
};

template <typename State, std::size_t count>
State state_of(const std::array<Name<State>, count>& names, std::string_view text, State otherwise)
{
    for (const auto& name : names)
        if (name.text == text)
            return name.state;
    return otherwise;
}

Proposal proposal(const Node& node)
{
    Proposal result;
    result.id = node.at("proposalId").string();
    result.issuer = node.at("issuerId").string();
    result.state = state_of(proposal_states, node.at("state").string(), ProposalState::unknown);
    if (const auto previous = node.find("prevProposalId"))
        result.previous = previous->string();
    result.content = node.content();
    result.timestamp = node.at("timestamp").timestamp();
    return result;
}

ProposalRejected rejection(const Node& node)
{
    ProposalRejected result;
    result.proposal = node.at("proposalId").string();
    if (const auto reason = node.find("reason")) {
        result.reason = reason->reason();
        if (reason->json().is_object()) {
            const auto is_final = reason->find("golem.proposal.rejection.is-final");
            if (is_final && is_final->json().is_boolean())
                result.is_final = is_final->boolean();
        }
    }
    return result;
}

AgreementEvent agreement_event(const Node& node)
{
    AgreementEvent result;
    const auto date = node.at("eventDate");
    result.cursor = Cursor(date.string());
    result.date = date.timestamp();
    result.kind = state_of(agreement_event_kinds, node.at("eventType").string(), AgreementEvent::Kind::other);
    result.agreement = result.kind == AgreementEvent::Kind::other ? node.string_or("agreementId", {})
                                                                  : node.at("agreementId").string();
    if (const auto reason = node.find("reason"))
        result.reason = reason->reason();
    const auto terminator = node.string_or("terminator", {});
    if (terminator == "Requestor")
        result.terminator = Terminator::requestor;
    else if (terminator == "Provider")
        result.terminator = Terminator::provider;
    return result;
}

} // namespace

std::string encode_demand(const DemandOfferBase& content) { return encode(encode_content(content)); }

std::string encode_reason(const Reason& reason)
{
    auto json = properties::to_json(reason.extra());
    if (reason.message().empty() && json.empty())
        return "null";
    json["message"] = reason.message();
    return encode(json);
}

std::string encode_agreement_proposal(const ProposalId& draft, Timestamp valid_to)
{
    auto json = Json::object();
    json["proposalId"] = draft;
    json["validTo"] = format_timestamp(valid_to, 3);
    return encode(json);
}

std::string_view name_of(AgreementState state)
{
    for (const auto& name : agreement_states)
        if (name.state == state)
            return name.text;
    return {};
}

std::vector<DemandId> decode_demand_ids(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<DemandId> result;
    for (const auto& item : document.root().items())
        result.push_back(item.at("demandId").string());
    return result;
}

std::vector<DemandEvent> decode_demand_events(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<DemandEvent> result;
    for (const auto& item : document.root().items()) {
        const std::string type = item.at("eventType").string();
        if (type == "ProposalEvent")
            result.emplace_back(proposal(item.at("proposal")));
        else if (type == "ProposalRejectedEvent")
            result.emplace_back(rejection(item));
    }
    return result;
}

Agreement decode_agreement(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    const auto demand = root.at("demand");
    const auto offer = root.at("offer");
    Agreement result;
    result.id = root.at("agreementId").string();
    result.state = state_of(agreement_states, root.at("state").string(), AgreementState::unknown);
    result.demand_id = demand.at("demandId").string();
    result.requestor = demand.at("requestorId").string();
    result.demand = demand.content();
    result.offer_id = offer.at("offerId").string();
    result.provider = offer.at("providerId").string();
    result.offer = offer.content();
    result.timestamp = root.at("timestamp").timestamp();
    result.valid_to = root.at("validTo").timestamp();
    result.approved = root.optional_timestamp("approvedDate");
    if (const auto session = root.find("appSessionId"))
        result.app_session = session->string();
    return result;
}

std::vector<AgreementSummary> decode_agreements(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<AgreementSummary> result;
    for (const auto& item : document.root().items()) {
        AgreementSummary summary;
        summary.id = item.at("id").string();
        summary.timestamp = item.at("timestamp").timestamp();
        summary.approved = item.optional_timestamp("approvedDate");
        summary.we_are_requestor = item.at("role").string() == "Requestor";
        result.push_back(std::move(summary));
    }
    return result;
}

std::vector<AgreementEvent> decode_agreement_events(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<AgreementEvent> result;
    for (const auto& item : document.root().items())
        result.push_back(agreement_event(item));
    return result;
}

} // namespace golem::yagna::codec
