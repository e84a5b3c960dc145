#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace golem::flex {

/// What travels in the bodies of the service bus: a tree that keeps the kinds of numbers, and bytes apart from text.
class Value {
public:
    struct Blob {
        std::string bytes;
        bool operator==(const Blob&) const = default;
    };
    /// Bytes that are to be written as a list of numbers, as serde does: a list once it is read again. It takes
    /// a byte for each here, and at most four when written.
    struct ByteList {
        std::string bytes;
        bool operator==(const ByteList&) const = default;
    };
    using List = std::vector<Value>;
    using Map = std::map<std::string, Value, std::less<>>;
    using Data =
        std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Blob, ByteList, List, Map>;

    Value() = default; ///< null
    Value(std::nullptr_t) {}
    Value(bool flag) : data_(flag) {}
    template <std::signed_integral T>
    Value(T number) : data_(static_cast<std::int64_t>(number))
    {
    }
    template <std::unsigned_integral T>
        requires(!std::same_as<T, bool>)
    Value(T number) : data_(static_cast<std::uint64_t>(number))
    {
    }
    Value(double number) : data_(number) {}
    Value(const char* text) : data_(std::string(text)) {}
    Value(std::string_view text) : data_(std::string(text)) {}
    Value(std::string text) : data_(std::move(text)) {}
    Value(Blob blob) : data_(std::move(blob)) {}
    Value(ByteList list) : data_(std::move(list)) {}
    Value(List list) : data_(std::move(list)) {}
    Value(Map map) : data_(std::move(map)) {}

    const Data& data() const noexcept { return data_; }

    bool is_null() const noexcept { return std::holds_alternative<std::monostate>(data_); }
    /// Null unless it is of this kind.
    const bool* boolean() const noexcept { return std::get_if<bool>(&data_); }
    const std::string* text() const noexcept { return std::get_if<std::string>(&data_); }
    const List* list() const noexcept { return std::get_if<List>(&data_); }
    const Map* map() const noexcept { return std::get_if<Map>(&data_); }
    /// An integer of either kind that fits; floats are none.
    std::optional<std::int64_t> integer() const noexcept;
    /// A number of any kind.
    std::optional<double> number() const noexcept;
    /// A blob, a ByteList, or a list of numbers below 256.
    std::optional<std::string> bytes() const;

    /// The member of a map; null if this is no map, or has no such member.
    const Value* find(std::string_view key) const noexcept;

    /// Signed and unsigned integers of one value are equal, and lists of bytes in either form.
    friend bool operator==(const Value& left, const Value& right);

private:
    Data data_;
};

/// FlexBuffers, as Rust's serde reads and writes them. Maps are written in the order of their keys.
std::string encode(const Value& value);

/// Reads FlexBuffers, also compressed by zlib as some nets deliver them. Error protocol for whatever is malformed: cut
/// off, nested deeper than 64, unfolding to more than 256 MiB, a key or a text that is no UTF-8.
Value decode(std::string_view bytes);

/// JSON text; blobs become lists of numbers, numbers that JSON lacks null.
std::string to_json(const Value& value);

/// Integers stay integers, `1.0` stays a float. Error protocol for malformed text.
Value from_json(std::string_view text);

} // namespace golem::flex
