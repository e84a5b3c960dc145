#include <golem/properties/json.hpp>

#include <golem/properties/json_text.hpp>

#include <golem/core/error.hpp>

#include <limits>

namespace golem::properties {

namespace {

using nlohmann::json;

// As deep as the daemon reads. Everything below recurses.
constexpr int deepest = 128;

[[noreturn]] void refuse_depth()
{
    throw Error(
        Errc::invalid_input, "read properties",
        "the JSON is nested deeper than " + std::to_string(deepest) + " levels");
}

void check_depth(const json& value, int left)
{
    if (!value.is_structured())
        return;
    if (left == 0)
        refuse_depth();
    for (const auto& item : value)
        check_depth(item, left - 1);
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Value leaf(const json& value)
{
    switch (value.type()) {
    case json::value_t::null: return Value();
    case json::value_t::boolean: return value.get<bool>();
    case json::value_t::number_integer: return value.get<std::int64_t>();
    case json::value_t::number_unsigned: return value.get<std::uint64_t>();
    case json::value_t::number_float: return value.get<double>();
    case json::value_t::string: return value.get<std::string>();
    case json::value_t::array: {
        Value::List items;
        for (const auto& item : value)
            items.push_back(leaf(item));
        return Value(std::move(items));
    }
    default: return Value::raw(text_of(value));
    }
}

void flatten(const std::string& prefix, const json& value, PropertySet& properties)
{
    if (!value.is_object() || value.empty()) {
        properties.set(prefix, leaf(value));
        return;
    }
    for (const auto& [key, child] : value.items()) {
        if (key == "@tag")
            properties.set(prefix, leaf(child));
        else
            flatten(prefix.empty() ? key : prefix + "." + key, child, properties);
    }
}

json parsed(std::string_view text)
{
    // The parser itself does not recurse, but building up deep values would be for nothing.
    const auto limit = [](int depth, json::parse_event_t event, json&) {
        const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
        if (opens && depth >= deepest)
            refuse_depth();
        return true;
    };
    try {
        return json::parse(text, limit);
    } catch (const json::exception& failure) {
        throw Error(Errc::invalid_input, "read properties", "this is not well-formed JSON")
            .set_their_words(failure.what());
    }
}

} // namespace

PropertySet from_json(const json& json_value)
{
    check_depth(json_value, deepest);
    PropertySet properties;
    if (!json_value.is_object() || !json_value.empty())
        flatten(std::string(), json_value, properties);
    return properties;
}

Value value_from_json(const json& json_value)
{
    check_depth(json_value, deepest);
    return leaf(json_value);
}

json value_to_json(const Value& value)
{
    switch (value.kind()) {
    case Value::Kind::null: return nullptr;
    case Value::Kind::boolean: return *value.as_bool();
    case Value::Kind::integer: return *value.as_int();
    case Value::Kind::number: return *value.as_number();
    case Value::Kind::string: return std::string(*value.as_string());
    case Value::Kind::list: {
        auto items = json::array();
        for (const auto& item : *value.as_list())
            items.push_back(value_to_json(item));
        return items;
    }
    case Value::Kind::raw: return parsed(*value.as_raw());
    }
    return nullptr;
}

json to_json(const PropertySet& properties)
{
    auto flat = json::object();
    for (const auto& [name, value] : properties)
        flat[name] = value_to_json(value);
    return flat;
}

PropertySet parse_properties(std::string_view json_text) { return from_json(parsed(json_text)); }

std::string to_json_text(const PropertySet& properties) { return text_of(to_json(properties)); }

Value parse_value(std::string_view json_text) { return value_from_json(parsed(json_text)); }

std::string to_json_text(const Value& value) { return text_of(value_to_json(value)); }

} // namespace golem::properties
