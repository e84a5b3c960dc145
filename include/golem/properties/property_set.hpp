#pragma once

#include <golem/properties/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::properties {

/// The properties of a demand or an offer: flat names ("golem.inf.mem.gib"), sorted bytewise, as the daemon shows them.
class PropertySet {
public:
    using Map = std::map<std::string, Value, std::less<>>;
    using const_iterator = Map::const_iterator;

    PropertySet() = default;

    PropertySet(std::initializer_list<Map::value_type> values) : values_(values) {}

    /// Adds or replaces.
    PropertySet& set(std::string name, Value value)
    {
        values_.insert_or_assign(std::move(name), std::move(value));
        return *this;
    }

    /// Null if there is no such property; valid until it is changed or erased.
    const Value* get(std::string_view name) const noexcept
    {
        const auto found = values_.find(name);
        return found == values_.end() ? nullptr : &found->second;
    }

    bool contains(std::string_view name) const noexcept { return get(name) != nullptr; }

    /// False if there was no such property.
    bool erase(std::string_view name);

    /// Adds all of `other`; where both have a name, the value of `other` wins.
    PropertySet& merge(const PropertySet& other);

    // Nothing if the property is missing or of another kind.
    std::optional<std::string> get_string(std::string_view name) const;
    std::optional<bool> get_bool(std::string_view name) const;
    std::optional<std::int64_t> get_int(std::string_view name) const;
    std::optional<double> get_double(std::string_view name) const;
    /// Nothing if one item is not a string.
    std::optional<std::vector<std::string>> get_strings(std::string_view name) const;
    /// Nothing if one item is not a number.
    std::optional<std::vector<double>> get_doubles(std::string_view name) const;

    std::size_t size() const noexcept { return values_.size(); }

    bool empty() const noexcept { return values_.empty(); }

    const_iterator begin() const noexcept { return values_.begin(); }

    const_iterator end() const noexcept { return values_.end(); }

    bool operator==(const PropertySet&) const = default;

private:
    Map values_;
};

} // namespace golem::properties
