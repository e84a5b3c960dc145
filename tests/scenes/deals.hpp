// The steps of a negotiation that scenarios have in common.
#pragma once

#include <tests/scenes/stage.hpp>

#include <memory>
#include <string>

namespace golem::provider {
class ScriptUnit;
}

namespace golem::test {

inline const std::string market = "/market-api/v1";
inline const std::string activities = "/activity-api/v1/activity";
inline const std::string payment = "/payment-api/v1";
inline const std::string platform = "erc20-hoodi-tglm";
/// Ids of the right form that nothing has.
inline const std::string no_agreement(64, '0');
inline const std::string no_activity(32, '0');
inline const std::string no_document = "00000000-0000-0000-0000-000000000000";

/// How far a negotiation went: ids of what was made.
struct Deal {
    std::string name;
    provider::Content offered;
    std::string offer;
    Json wanted;
    std::string demand;
    std::string initial;
    std::string counter;
    /// The provider's own id of the requestor's counter.
    std::string countered;
    std::string draft;
    std::string agreement;

    std::string demand_path() const { return market + "/demands/" + demand; }
    std::string proposal_path(const std::string& proposal) const { return demand_path() + "/proposals/" + proposal; }
    std::string agreement_path() const { return market + "/agreements/" + agreement; }
};

Json reason(const std::string& message);
Json proposal_and_validity(Stage& stage, const std::string& proposal, Duration validity = std::chrono::hours(1));

/// An offer and a demand for it, with a name of their own; nothing is published.
Deal new_deal(Stage& stage);
/// Offer, demand, Initial.
Task<> meet(Stage& stage, Deal& deal);
/// The requestor's counter reaches the provider.
Task<> counter(Stage& stage, Deal& deal);
/// The provider's counter reaches the requestor.
Task<> draft(Stage& stage, Deal& deal);
/// Makes an agreement of the draft.
Task<> make_agreement(Stage& stage, Deal& deal, Duration validity = std::chrono::hours(1));
/// Sends it to the provider, with the stage's tag as its session.
Task<> confirm(Stage& stage, Deal& deal);
/// The provider approves, the requestor waits for it.
Task<> approve(Stage& stage, Deal& deal);
/// All of that.
Task<> sign(Stage& stage, Deal& deal);
/// Takes demand and offer back.
Task<> forget(Stage& stage, Deal& deal);

/// Creates an activity whose exe-unit comes up.
struct Running {
    std::string activity;
    std::shared_ptr<provider::ScriptUnit> unit;

    std::string path() const { return activities + "/" + activity; }
};

Task<> start(Stage& stage, const Deal& deal, Running& running);
/// The requestor destroys it.
Task<> destroy(Stage& stage, const Deal& deal, Running& running);

} // namespace golem::test
