#pragma once

#include <string_view>

namespace golem {

/// Whether text is UTF-8, with nothing cut off.
bool is_utf8(std::string_view text) noexcept;

} // namespace golem
