// The scenarios: each plays on any stage, and leaves nothing open.
#pragma once

#include <tests/scenes/stage.hpp>

namespace golem::test {

// Without a provider.
Task<> scene_http(Stage& stage);
Task<> scene_malformed(Stage& stage);
Task<> scene_allocations(Stage& stage);
Task<> scene_net(Stage& stage);
Task<> scene_gsb(Stage& stage);
Task<> scene_scan(Stage& stage);
// With one that does what the scenario says.
Task<> scene_negotiation(Stage& stage);
Task<> scene_refusals(Stage& stage);
Task<> scene_agreements(Stage& stage);
Task<> scene_ends_of_agreements(Stage& stage);
Task<> scene_matching(Stage& stage);
Task<> scene_activity(Stage& stage);
Task<> scene_streams(Stage& stage);
Task<> scene_ends_of_activities(Stage& stage);
Task<> scene_debit_notes(Stage& stage);
Task<> scene_invoices(Stage& stage);

} // namespace golem::test
