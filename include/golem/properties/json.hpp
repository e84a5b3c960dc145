// Opt-in: includes the whole of nlohmann/json.hpp. Programs that need text only include json_text.hpp.
#pragma once

#include <golem/properties/property_set.hpp>
#include <golem/properties/value.hpp>

#include <nlohmann/json.hpp>

namespace golem::properties {

/// Flattens `{"golem": {"inf": {"mem.gib": 2.5}}}` to "golem.inf.mem.gib", as the daemon does. Lists, scalars and empty
/// objects are leaves; "@tag" names the value of a node that has children too; what is not an object at the top gets
/// the empty name. Throws Error (invalid_input) for nesting deeper than 128.
PropertySet from_json(const nlohmann::json& json);

/// Flat. Throws Error (invalid_input) if a raw value is not well-formed.
nlohmann::json to_json(const PropertySet& properties);

Value value_from_json(const nlohmann::json& json);
nlohmann::json value_to_json(const Value& value);

} // namespace golem::properties
