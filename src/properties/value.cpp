#include <golem/properties/value.hpp>

#include <golem/properties/property_set.hpp>

#include <charconv>
#include <cmath>

namespace golem::properties {

bool operator==(const Value& left, const Value& right) noexcept { return left.data_ == right.data_; }

std::optional<bool> Value::as_bool() const noexcept
{
    const auto* value = std::get_if<bool>(&data_);
    return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::int64_t> Value::as_int() const noexcept
{
    if (const auto* integer = std::get_if<std::int64_t>(&data_))
        return *integer;
    const auto* number = std::get_if<double>(&data_);
    // 2^63 itself no longer fits.
    if (number && std::trunc(*number) == *number && *number >= -0x1p63 && *number < 0x1p63)
        return static_cast<std::int64_t>(*number);
    return std::nullopt;
}

std::optional<double> Value::as_number() const noexcept
{
    if (const auto* integer = std::get_if<std::int64_t>(&data_))
        return static_cast<double>(*integer);
    if (const auto* number = std::get_if<double>(&data_))
        return *number;
    if (const auto* raw = std::get_if<Raw>(&data_)) {
        double value = 0;
        const auto* const end = raw->json.data() + raw->json.size();
        const auto [stop, problem] = std::from_chars(raw->json.data(), end, value);
        if (problem == std::errc() && stop == end)
            return value;
    }
    return std::nullopt;
}

std::optional<std::string_view> Value::as_string() const noexcept
{
    const auto* value = std::get_if<std::string>(&data_);
    return value ? std::optional<std::string_view>(*value) : std::nullopt;
}

const Value::List* Value::as_list() const noexcept { return std::get_if<List>(&data_); }

std::optional<std::string_view> Value::as_raw() const noexcept
{
    const auto* value = std::get_if<Raw>(&data_);
    return value ? std::optional<std::string_view>(value->json) : std::nullopt;
}

bool PropertySet::erase(std::string_view name)
{
    const auto found = values_.find(name);
    if (found == values_.end())
        return false;
    values_.erase(found);
    return true;
}

PropertySet& PropertySet::merge(const PropertySet& other)
{
    for (const auto& [name, value] : other.values_)
        values_.insert_or_assign(name, value);
    return *this;
}

std::optional<std::string> PropertySet::get_string(std::string_view name) const
{
    const auto* value = get(name);
    const auto text = value ? value->as_string() : std::nullopt;
    return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<bool> PropertySet::get_bool(std::string_view name) const
{
    const auto* value = get(name);
    return value ? value->as_bool() : std::nullopt;
}

std::optional<std::int64_t> PropertySet::get_int(std::string_view name) const
{
    const auto* value = get(name);
    return value ? value->as_int() : std::nullopt;
}

std::optional<double> PropertySet::get_double(std::string_view name) const
{
    const auto* value = get(name);
    return value ? value->as_number() : std::nullopt;
}

std::optional<std::vector<std::string>> PropertySet::get_strings(std::string_view name) const
{
    const auto* value = get(name);
    const auto* list = value ? value->as_list() : nullptr;
    if (!list)
        return std::nullopt;
    std::vector<std::string> strings;
    for (const auto& item : *list) {
        const auto text = item.as_string();
        if (!text)
            return std::nullopt;
        strings.emplace_back(*text);
    }
    return strings;
}

std::optional<std::vector<double>> PropertySet::get_doubles(std::string_view name) const
{
    const auto* value = get(name);
    const auto* list = value ? value->as_list() : nullptr;
    if (!list)
        return std::nullopt;
    std::vector<double> numbers;
    for (const auto& item : *list) {
        const auto number = item.as_number();
        if (!number)
            return std::nullopt;
        numbers.push_back(*number);
    }
    return numbers;
}

} // namespace golem::properties
