#pragma once

#include <golem/properties/constraint.hpp>
#include <golem/properties/value.hpp>

#include <string>
#include <string_view>

namespace golem::properties::detail {

enum class Operator { equal, less, at_most, more, at_least };

/// The `$d`, `$v` and `$t` after an attribute: what a string is turned into before it is compared.
enum class Conversion { none, decimal, version, time };

/// Whether the matcher sees the property at all: not null, objects, lists that hold such, text with control characters.
bool is_visible(std::string_view name, const Value& value);

/// The spelling in which the daemon compares text: as in JSON, without the quotes.
std::string escaped(std::string_view text);

/// Compares a visible value with the text of a constraint. Undefined if the conversion is impossible.
Truth compare(const Value& value, Conversion conversion, Operator comparison, std::string_view text);

} // namespace golem::properties::detail
