// What strangers send, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace erigon {

using Json = nlohmann::ordered_json;

// Discarded (`is_discarded()`) if it is malformed or nested too deep: values are parsed without recursion, but copied
// and written with it, so that a few kilobytes of brackets would exhaust the stack.
inline Json read_json(std::string_view text)
{
    constexpr int deepest = 64;
    bool is_too_deep = false;
    const auto limit = [&](int depth, Json::parse_event_t, Json&) {
        is_too_deep = is_too_deep || depth > deepest;
        return !is_too_deep;
    };
    auto value = Json::parse(text, limit, false);
    return is_too_deep ? Json(Json::value_t::discarded) : value;
}

// Bytes that are no UTF-8 are replaced.
inline std::string write_json(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

} // namespace erigon
