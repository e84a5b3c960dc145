#pragma once

#include <golem/properties/property_set.hpp>
#include <golem/properties/value.hpp>

#include <string>
#include <string_view>

namespace golem::properties {

/// Reads properties from JSON text, nested, flat or mixed, and flattens them as the daemon does (see from_json() in
/// json.hpp). Throws Error (invalid_input) for malformed text and for nesting deeper than 128.
PropertySet parse_properties(std::string_view json_text);

/// A flat JSON object, keys sorted, on one line. Floats keep a decimal point: 0.0 is "0.0".
std::string to_json_text(const PropertySet& properties);

/// Reads one JSON value. Objects become raw text. Throws like parse_properties().
Value parse_value(std::string_view json_text);

std::string to_json_text(const Value& value);

} // namespace golem::properties
