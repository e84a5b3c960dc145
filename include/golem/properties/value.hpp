#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace golem::properties {

/// The value of a property. Kinds survive the wire: 2 and 2.0 are different values, as the market's users expect.
class Value {
public:
    using List = std::vector<Value>;

    enum class Kind { null, boolean, integer, number, string, list, raw };

    Value() noexcept = default;

    Value(std::nullptr_t) noexcept {}

    template <std::same_as<bool> Bool>
    Value(Bool value) noexcept : data_(value)
    {
    }

    /// Unsigned numbers beyond int64 are kept as text (raw).
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
    Value(Integer value)
    {
        if (std::in_range<std::int64_t>(value))
            data_ = static_cast<std::int64_t>(value);
        else
            data_ = Raw{std::to_string(value)};
    }

    template <std::floating_point Number>
    Value(Number value) noexcept : data_(static_cast<double>(value))
    {
    }

    Value(std::string value) noexcept : data_(std::move(value)) {}

    Value(std::string_view value) : data_(std::string(value)) {}

    Value(const char* value) : data_(std::string(value)) {}

    Value(List value) noexcept : data_(std::move(value)) {}

    /// A value that the other kinds cannot hold, an object above all, as JSON text. The text must be well-formed.
    static Value raw(std::string json)
    {
        Value value;
        value.data_ = Raw{std::move(json)};
        return value;
    }

    Kind kind() const noexcept { return static_cast<Kind>(data_.index()); }

    bool is_null() const noexcept { return kind() == Kind::null; }

    std::optional<bool> as_bool() const noexcept;
    /// An integer, or a number without fraction that fits one.
    std::optional<std::int64_t> as_int() const noexcept;
    /// An integer, a number, or a raw number.
    std::optional<double> as_number() const noexcept;
    std::optional<std::string_view> as_string() const noexcept;
    /// Null if this is not a list; lives as long as this value.
    const List* as_list() const noexcept;
    /// The JSON text of a raw value.
    std::optional<std::string_view> as_raw() const noexcept;

    /// Equal in kind and content.
    friend bool operator==(const Value& left, const Value& right) noexcept;

private:
    struct Raw {
        std::string json;
        bool operator==(const Raw&) const = default;
    };

    // In the order of Kind.
    std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Raw> data_;
};

} // namespace golem::properties
