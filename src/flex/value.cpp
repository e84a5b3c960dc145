#include <golem/flex/value.hpp>

#include <golem/core/error.hpp>

#include <nlohmann/json.hpp>

#include <limits>

namespace golem::flex {

namespace {

using Json = nlohmann::json;

constexpr int deepest = 64;

Json json_of(const Value& value)
{
    struct Visitor {
        Json operator()(std::monostate) const { return nullptr; }
        Json operator()(bool flag) const { return flag; }
        Json operator()(std::int64_t number) const { return number; }
        Json operator()(std::uint64_t number) const { return number; }
        Json operator()(double number) const { return number; }
        Json operator()(const std::string& text) const { return text; }
        static Json numbers_of(const std::string& bytes)
        {
            auto numbers = Json::array();
            for (const char byte : bytes)
                numbers.push_back(static_cast<unsigned char>(byte));
            return numbers;
        }
        Json operator()(const Value::Blob& blob) const { return numbers_of(blob.bytes); }
        Json operator()(const Value::ByteList& list) const { return numbers_of(list.bytes); }
        Json operator()(const Value::List& list) const
        {
            auto items = Json::array();
            for (const auto& item : list)
                items.push_back(json_of(item));
            return items;
        }
        Json operator()(const Value::Map& map) const
        {
            auto members = Json::object();
            for (const auto& [key, item] : map)
                members[key] = json_of(item);
            return members;
        }
    };
    return std::visit(Visitor(), value.data());
}

Value value_of(const Json& json, int depth)
{
    if (depth > deepest)
        throw Error(Errc::protocol, "read JSON", "it is nested too deep");
    switch (json.type()) {
    case Json::value_t::boolean: return json.get<bool>();
    case Json::value_t::number_integer: return json.get<std::int64_t>();
    case Json::value_t::number_unsigned: {
        // Signed where it fits, as for numbers below zero: the kind says nothing in JSON.
        const auto number = json.get<std::uint64_t>();
        if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return static_cast<std::int64_t>(number);
        return number;
    }
    case Json::value_t::number_float: return json.get<double>();
    case Json::value_t::string: return json.get<std::string>();
    case Json::value_t::array: {
        Value::List list;
        for (const auto& item : json)
            list.push_back(value_of(item, depth + 1));
        return list;
    }
    case Json::value_t::object: {
        Value::Map map;
        for (const auto& [key, item] : json.items())
            map.emplace(key, value_of(item, depth + 1));
        return map;
    }
    default: return {};
    }
}

} // namespace

std::optional<std::int64_t> Value::integer() const noexcept
{
    if (const auto* number = std::get_if<std::int64_t>(&data_))
        return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&data_))
        if (*number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return static_cast<std::int64_t>(*number);
    return std::nullopt;
}

std::optional<double> Value::number() const noexcept
{
    if (const auto* number = std::get_if<double>(&data_))
        return *number;
    if (const auto* number = std::get_if<std::int64_t>(&data_))
        return static_cast<double>(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&data_))
        return static_cast<double>(*number);
    return std::nullopt;
}

std::optional<std::string> Value::bytes() const
{
    if (const auto* blob = std::get_if<Blob>(&data_))
        return blob->bytes;
    if (const auto* numbers = std::get_if<ByteList>(&data_))
        return numbers->bytes;
    const auto* items = list();
    if (!items)
        return std::nullopt;
    std::string content;
    content.reserve(items->size());
    for (const auto& item : *items) {
        const auto number = item.integer();
        if (!number || *number < 0 || *number > 255)
            return std::nullopt;
        content += static_cast<char>(*number);
    }
    return content;
}

const Value* Value::find(std::string_view key) const noexcept
{
    const auto* members = map();
    if (!members)
        return nullptr;
    const auto found = members->find(key);
    return found == members->end() ? nullptr : &found->second;
}

bool operator==(const Value& left, const Value& right)
{
    const bool lists = (left.list() && std::holds_alternative<Value::ByteList>(right.data_)) ||
                       (right.list() && std::holds_alternative<Value::ByteList>(left.data_));
    if (lists)
        return left.bytes() == right.bytes();
    if (left.data_.index() != right.data_.index()) {
        const auto number = left.integer();
        return number && number == right.integer();
    }
    return left.data_ == right.data_;
}

std::string to_json(const Value& value) { return json_of(value).dump(-1, ' ', false, Json::error_handler_t::replace); }

Value from_json(std::string_view text)
{
    try {
        return value_of(Json::parse(text), 0);
    } catch (const Json::exception& error) {
        throw Error(Errc::protocol, "read JSON", "it is malformed").set_their_words(error.what());
    }
}

} // namespace golem::flex
