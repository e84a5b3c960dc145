#pragma once

#include <golem/yagna/market.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The market's JSON. Decoders throw Error protocol with `operation` for what cannot be understood; members and events
/// that this version has no name for are passed over.
namespace golem::yagna::codec {

std::string encode_demand(const DemandOfferBase& content);
/// `null` for a reason that says nothing: the daemon insists on a JSON body.
std::string encode_reason(const Reason& reason);
std::string encode_agreement_proposal(const ProposalId& draft, Timestamp valid_to);
/// The daemon's name of a state; empty for `unknown`.
std::string_view name_of(AgreementState state);

std::vector<DemandId> decode_demand_ids(std::string_view operation, const std::string& body);
std::vector<DemandEvent> decode_demand_events(std::string_view operation, const std::string& body);
Agreement decode_agreement(std::string_view operation, const std::string& body);
std::vector<AgreementSummary> decode_agreements(std::string_view operation, const std::string& body);
std::vector<AgreementEvent> decode_agreement_events(std::string_view operation, const std::string& body);

} // namespace golem::yagna::codec
