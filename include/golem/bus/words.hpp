#pragma once

#include <string_view>

namespace golem::bus {

/// The text by which a bus says that nobody has an address. Callers know it, so it must be said in just these words.
inline constexpr std::string_view address_not_found = "endpoint address not found";

} // namespace golem::bus
