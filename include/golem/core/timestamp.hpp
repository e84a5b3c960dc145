#pragma once

#include <golem/core/time_source.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace golem {

/// Reads an RFC 3339 time: 0 to 9 decimals of the second, `Z` or an offset (`+02:00`); without a zone it is UTC, as the
/// daemon's runtime events have it. `t`, `z` and a space for the `T` are understood. Years 1678 to 2261 fit a
/// Timestamp. Throws Error (invalid_input) for anything else, leap seconds included.
Timestamp parse_timestamp(std::string_view text);
std::optional<Timestamp> try_parse_timestamp(std::string_view text) noexcept;

/// "2026-01-01T00:00:00Z" with 0, 3, 6 or 9 decimals: as few as lose nothing.
std::string format_timestamp(Timestamp when);
/// The same with exactly `fraction_digits` (0 to 9) decimals; what is beyond them is cut off.
std::string format_timestamp(Timestamp when, int fraction_digits);

} // namespace golem
