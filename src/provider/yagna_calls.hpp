// What the calls of a provider's port have in common.
#pragma once

#include "provider/yagna_codec.hpp"

#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

namespace golem::provider {

inline constexpr auto call_limit = std::chrono::seconds(6);
// Calls that pass a message on to the requestor's node.
inline constexpr auto peer_timeout = std::chrono::seconds(6);
inline constexpr auto peer_limit = std::chrono::seconds(8);
// What an answer to a long poll may take beyond its wait.
inline constexpr auto poll_margin = std::chrono::seconds(10);

inline std::string seconds_text(Duration duration)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", std::max(0.0, std::chrono::duration<double>(duration).count()));
    return text;
}

// Moves a log's cursor past a page. A page that moves nothing would come again at once, and for ever: an error, so that
// its reader makes a pause.
template <typename Item>
void go_on(Timestamp& read, const detail::Page<Item>& page, const std::string& operation)
{
    if (page.events.empty() && page.left_out > 0 && page.newest.value_or(read) <= read)
        throw Error(Errc::protocol, operation, "the daemon tells events without a usable date");
    read = std::max(read, page.newest.value_or(read));
}

} // namespace golem::provider
