#include <golem/properties/detail/comparison.hpp>

#include <golem/properties/detail/scalar.hpp>
#include <golem/properties/detail/wildcard.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace golem::properties::detail {

namespace {

template <typename T>
bool holds(const T& left, Operator comparison, const T& right)
{
    switch (comparison) {
    case Operator::equal: return left == right;
    case Operator::less: return left < right;
    case Operator::at_most: return left <= right;
    case Operator::more: return left > right;
    case Operator::at_least: return left >= right;
    }
    return false;
}

// `text` is what the constraint says: if it is nothing of the kind, the term is false.
template <typename T>
Truth converted(const std::optional<T>& value, Operator comparison, const std::optional<T>& text)
{
    if (!value)
        return Truth::undefined;
    return text && holds(*value, comparison, *text) ? Truth::yes : Truth::no;
}

bool is_visible(const Value& value)
{
    switch (value.kind()) {
    case Value::Kind::null: return false;
    case Value::Kind::boolean:
    case Value::Kind::integer: return true;
    case Value::Kind::number: return std::isfinite(*value.as_number());
    case Value::Kind::string: {
        const auto text = *value.as_string();
        return std::all_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t';
        });
    }
    case Value::Kind::list: {
        const auto& items = *value.as_list();
        return std::all_of(items.begin(), items.end(), [](const Value& item) { return is_visible(item); });
    }
    case Value::Kind::raw: return value.as_number().has_value();
    }
    return false;
}

// The items of "[a, b]"; nothing if the text is not such a list.
std::optional<std::vector<std::string_view>> items_of(std::string_view text)
{
    if (text.size() < 3 || text.front() != '[' || text.find_first_of("[]", 1) != text.size() - 1 || text.back() != ']')
        return std::nullopt;
    text = text.substr(1, text.size() - 2);
    if (text.front() == ',')
        return std::nullopt;
    std::vector<std::string_view> items;
    for (;;) {
        const auto comma = std::min(text.find(','), text.size());
        auto item = text.substr(0, comma);
        item.remove_prefix(std::min(item.find_first_not_of(" \t\r\n"), item.size()));
        items.push_back(item);
        if (comma == text.size())
            return items;
        text.remove_prefix(comma + 1);
    }
}

bool equals(const Value& value, std::string_view text);

bool list_equals(const Value::List& list, std::string_view text)
{
    const auto holds_item = [&list](std::string_view item) {
        return std::any_of(list.begin(), list.end(), [item](const Value& value) { return equals(value, item); });
    };
    const auto items = items_of(text);
    if (!items)
        return holds_item(text);
    return items->size() == list.size() && std::all_of(items->begin(), items->end(), holds_item);
}

bool text_equals(const std::string& spelling, std::string_view text)
{
    if (text.find('*') == std::string_view::npos)
        return spelling == text;
    const auto wildcard = Wildcard::compile(text);
    return wildcard && wildcard->matches(spelling);
}

bool equals(const Value& value, std::string_view text)
{
    return compare(value, Conversion::none, Operator::equal, text) == Truth::yes;
}

} // namespace

bool is_visible(std::string_view name, const Value& value)
{
    // The matcher takes "name=value" apart at the first sign of equality.
    return name.find('=') == std::string_view::npos && is_visible(value);
}

std::string escaped(std::string_view text)
{
    std::string spelling;
    spelling.reserve(text.size());
    for (const char c : text) {
        switch (c) {
        case '"': spelling += "\\\""; break;
        case '\\': spelling += "\\\\"; break;
        case '\n': spelling += "\\n"; break;
        case '\t': spelling += "\\t"; break;
        default: spelling += c;
        }
    }
    return spelling;
}

Truth compare(const Value& value, Conversion conversion, Operator comparison, std::string_view text)
{
    const auto string = value.as_string();
    if (conversion != Conversion::none && !string)
        return Truth::undefined;
    bool answer = false;
    if (string) {
        const auto spelling = escaped(*string);
        switch (conversion) {
        case Conversion::decimal: return converted(Decimal::parse(spelling), comparison, Decimal::parse(text));
        case Conversion::version: return converted(Version::parse(spelling), comparison, Version::parse(text));
        case Conversion::time:
            return converted(parse_zoned_timestamp(spelling), comparison, parse_zoned_timestamp(text));
        case Conversion::none: break;
        }
        answer = comparison == Operator::equal ? text_equals(spelling, text)
                                               : holds(std::string_view(spelling), comparison, text);
    } else if (const auto number = value.as_number()) {
        const auto limit = parse_number(text);
        answer = limit && holds(*number, comparison, *limit);
    } else if (const auto boolean = value.as_bool()) {
        answer = comparison == Operator::equal && text == (*boolean ? "true" : "false");
    } else if (const auto* list = value.as_list()) {
        answer = comparison == Operator::equal && list_equals(*list, text);
    }
    return answer ? Truth::yes : Truth::no;
}

} // namespace golem::properties::detail
