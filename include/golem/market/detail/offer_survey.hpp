// Which condition excludes how many offers. A decision: no I/O.
#pragma once

#include <golem/market/market.hpp>
#include <golem/market/offer_survey.hpp>
#include <golem/yagna/scan.hpp>

#include <string>
#include <vector>

namespace golem::detail {

/// `conditions`: every one of ours, as constraints_list() gives them. `demand`: our properties, for the conditions of
/// the offers. What cannot be parsed excludes everything, as the daemon has it.
OfferSurvey survey_offers(
    const std::vector<std::string>& conditions, const properties::PropertySet& demand,
    const std::vector<yagna::ScannedOffer>& offers, const MarketOptions& options);

} // namespace golem::detail
