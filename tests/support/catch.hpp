// Catch2 of either generation: Debian 12 has v2, Debian 13 has v3.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#define GOLEM_TEXT_MATCHER ContainsSubstring
#else
#include <catch2/catch.hpp>
#define GOLEM_TEXT_MATCHER Contains
#endif

namespace golem::test {

// Matches a text with `part` in it; v3 gave the name "Contains" to ranges.
inline auto contains_text(const std::string& part) { return Catch::Matchers::GOLEM_TEXT_MATCHER(part); }

} // namespace golem::test

#undef GOLEM_TEXT_MATCHER
