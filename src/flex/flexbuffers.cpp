// FlexBuffers: written by the library, read by hand. The library's verifier looks at neither the alignment of numbers
// nor how much a small buffer with shared parts unfolds to, and these bytes come from strangers.
#include <golem/flex/value.hpp>

#include <golem/core/error.hpp>
#include <golem/core/utf8.hpp>

// Nothing here reads numbers from text, and so nothing of the library needs linking.
#define FLATBUFFERS_LOCALE_INDEPENDENT 0
#include <flatbuffers/flexbuffers.h>

#include <boost/beast/zlib/inflate_stream.hpp>

#include <bit>
#include <cstring>
#include <vector>

namespace golem::flex {

namespace {

constexpr std::size_t most_bytes = 64u << 20;
// What comes out may be this much for any buffer, this many times as much as the buffer, and never more than that.
constexpr std::size_t free_memory = 1u << 20;
constexpr std::size_t memory_per_byte = 256;
constexpr std::size_t most_memory = 256u << 20;
constexpr int deepest = 64;

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::protocol, "read FlexBuffers", explanation);
}

// ---- reading

struct Width {
    std::size_t bytes;
};

Width width_of(std::uint64_t bytes)
{
    if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
        refuse("a width is none of 1, 2, 4 and 8");
    return Width{static_cast<std::size_t>(bytes)};
}

// A place in the buffer whose bytes are a value, or the distance back to one.
struct Slot {
    std::size_t at;
    Width slot;   // of the bytes here
    int type;     // flexbuffers::Type
    Width target; // of what it refers to
};

class Reader {
public:
    explicit Reader(std::string_view buffer) : buffer_(buffer) {}

    Value read()
    {
        if (buffer_.size() < 3)
            refuse("it is cut off");
        const auto width = width_of(static_cast<unsigned char>(buffer_.back()));
        const auto packed = static_cast<unsigned char>(buffer_[buffer_.size() - 2]);
        if (buffer_.size() - 2 < width.bytes)
            refuse("it is cut off");
        return value(slot_at(buffer_.size() - 2 - width.bytes, width, packed), 0);
    }

private:
    static Slot slot_at(std::size_t at, Width width, unsigned char packed)
    {
        return Slot{at, width, packed >> 2, Width{std::size_t(1) << (packed & 3)}};
    }

    std::string_view bytes(std::size_t at, std::uint64_t count) const
    {
        if (at > buffer_.size() || count > buffer_.size() - at)
            refuse("it points outside of itself");
        return buffer_.substr(at, static_cast<std::size_t>(count));
    }

    std::uint64_t unsigned_at(std::size_t at, Width width) const
    {
        std::uint64_t number = 0;
        const auto source = bytes(at, width.bytes);
        for (std::size_t n = width.bytes; n > 0; --n)
            number = number << 8 | static_cast<unsigned char>(source[n - 1]);
        return number;
    }

    std::int64_t signed_at(std::size_t at, Width width) const
    {
        const auto shift = 64 - 8 * width.bytes;
        return static_cast<std::int64_t>(unsigned_at(at, width) << shift) >> shift;
    }

    double float_at(std::size_t at, Width width) const
    {
        if (width.bytes == 4)
            return std::bit_cast<float>(static_cast<std::uint32_t>(unsigned_at(at, width)));
        if (width.bytes == 8)
            return std::bit_cast<double>(unsigned_at(at, width));
        refuse("a float is neither 4 nor 8 bytes wide");
    }

    // Where the distance in a place leads: always to the left.
    std::size_t follow(std::size_t at, Width width) const
    {
        const auto distance = unsigned_at(at, width);
        if (distance > at)
            refuse("it points outside of itself");
        return at - static_cast<std::size_t>(distance);
    }

    // The number of elements, which stands before them. Each element takes a byte at least.
    std::size_t size_before(std::size_t at, Width width)
    {
        if (at < width.bytes)
            refuse("it points outside of itself");
        const auto size = unsigned_at(at - width.bytes, width);
        if (size > buffer_.size())
            refuse("a size is larger than the whole");
        return static_cast<std::size_t>(size);
    }

    // Shared parts are read once for each use: what comes out must stay in proportion.
    void spend(std::size_t amount)
    {
        spent_ += amount;
        if (spent_ > std::min(free_memory + memory_per_byte * buffer_.size(), most_memory))
            refuse("it unfolds to more than can be held");
    }

    std::string text(std::string_view content)
    {
        if (!is_utf8(content))
            refuse("a text is no UTF-8");
        spend(content.size());
        return std::string(content);
    }

    std::string key_at(std::size_t at)
    {
        const auto rest = bytes(at, buffer_.size() - std::min(at, buffer_.size()));
        const auto end = rest.find('\0');
        if (end == std::string_view::npos)
            refuse("a key has no end");
        return text(rest.substr(0, end));
    }

    std::string_view sized_bytes(const Slot& slot)
    {
        const auto at = follow(slot.at, slot.slot);
        return bytes(at, size_before(at, slot.target));
    }

    Value value(const Slot& slot, int depth)
    {
        using namespace flexbuffers;
        if (depth > deepest)
            refuse("it is nested too deep");
        spend(sizeof(Value));
        const auto target = [&] { return follow(slot.at, slot.slot); };
        switch (slot.type) {
        case FBT_NULL: return {};
        case FBT_BOOL: return unsigned_at(slot.at, slot.slot) != 0;
        case FBT_INT: return signed_at(slot.at, slot.slot);
        case FBT_UINT: return unsigned_at(slot.at, slot.slot);
        case FBT_FLOAT: return float_at(slot.at, slot.slot);
        case FBT_INDIRECT_INT: return signed_at(target(), slot.target);
        case FBT_INDIRECT_UINT: return unsigned_at(target(), slot.target);
        case FBT_INDIRECT_FLOAT: return float_at(target(), slot.target);
        case FBT_KEY: return key_at(target());
        case FBT_STRING: return text(sized_bytes(slot));
        case FBT_BLOB: {
            const auto content = sized_bytes(slot);
            spend(content.size());
            return Value::Blob{std::string(content)};
        }
        case FBT_MAP: return map(target(), slot.target, depth);
        case FBT_VECTOR: return list(target(), slot.target, depth);
        case FBT_VECTOR_INT: return typed(slot, FBT_INT, depth);
        case FBT_VECTOR_UINT: return typed(slot, FBT_UINT, depth);
        case FBT_VECTOR_FLOAT: return typed(slot, FBT_FLOAT, depth);
        case FBT_VECTOR_KEY: return typed(slot, FBT_KEY, depth);
        // Their sizes are unknown, but they end with a null.
        case FBT_VECTOR_STRING_DEPRECATED: return typed(slot, FBT_KEY, depth);
        case FBT_VECTOR_BOOL: return typed(slot, FBT_BOOL, depth);
        default: break;
        }
        if (slot.type >= FBT_VECTOR_INT2 && slot.type <= FBT_VECTOR_FLOAT4) {
            const auto kind = slot.type - FBT_VECTOR_INT2;
            return elements(target(), slot.target, static_cast<std::size_t>(kind / 3 + 2), FBT_INT + kind % 3, depth);
        }
        refuse("a value is of no known type");
    }

    Value typed(const Slot& slot, int type, int depth)
    {
        const auto at = follow(slot.at, slot.slot);
        return elements(at, slot.target, size_before(at, slot.target), type, depth);
    }

    Value elements(std::size_t at, Width width, std::size_t count, int type, int depth)
    {
        bytes(at, count * width.bytes);
        Value::List items;
        items.reserve(std::min<std::size_t>(count, 1024));
        for (std::size_t n = 0; n < count; ++n)
            items.push_back(value(Slot{at + n * width.bytes, width, type, Width{1}}, depth + 1));
        return items;
    }

    // The n-th of `count` elements, whose types stand after them all.
    Slot element(std::size_t at, Width width, std::size_t count, std::size_t n) const
    {
        return slot_at(at + n * width.bytes, width, static_cast<unsigned char>(buffer_[at + count * width.bytes + n]));
    }

    Value list(std::size_t at, Width width, int depth)
    {
        const auto count = size_before(at, width);
        bytes(at, count * (width.bytes + 1));
        Value::List items;
        items.reserve(std::min<std::size_t>(count, 1024));
        for (std::size_t n = 0; n < count; ++n)
            items.push_back(value(element(at, width, count, n), depth + 1));
        return items;
    }

    // Before the number of elements stand the distance to the vector of keys, and the width of its distances.
    Value map(std::size_t at, Width width, int depth)
    {
        const auto count = size_before(at, width);
        bytes(at, count * (width.bytes + 1));
        if (at < 3 * width.bytes)
            refuse("it points outside of itself");
        const auto keys = follow(at - 3 * width.bytes, width);
        const auto key_width = width_of(unsigned_at(at - 2 * width.bytes, width));
        if (size_before(keys, key_width) != count)
            refuse("a map has not as many keys as values");
        bytes(keys, count * key_width.bytes);
        Value::Map members;
        for (std::size_t n = 0; n < count; ++n) {
            auto name = key_at(follow(keys + n * key_width.bytes, key_width));
            members.insert_or_assign(std::move(name), value(element(at, width, count, n), depth + 1));
        }
        return members;
    }

    std::string_view buffer_;
    std::size_t spent_ = 0;
};

// ---- writing

template <typename Number>
void put_numbers(flexbuffers::Builder& builder, const std::string& bytes)
{
    std::vector<Number> numbers;
    numbers.reserve(bytes.size());
    for (const char byte : bytes)
        numbers.push_back(static_cast<unsigned char>(byte));
    builder.Vector(numbers);
}

void put(flexbuffers::Builder& builder, const Value& value)
{
    struct Visitor {
        flexbuffers::Builder& builder;

        void operator()(std::monostate) const { builder.Null(); }
        void operator()(bool flag) const { builder.Bool(flag); }
        void operator()(std::int64_t number) const { builder.Int(number); }
        void operator()(std::uint64_t number) const { builder.UInt(number); }
        void operator()(double number) const { builder.Double(number); }
        void operator()(const std::string& text) const { builder.String(text); }
        void operator()(const Value::Blob& blob) const { builder.Blob(blob.bytes.data(), blob.bytes.size()); }
        void operator()(const Value::ByteList& list) const
        {
            // The number of elements is written in the width of one, so that it has to fit.
            const auto count = list.bytes.size();
            if (count <= 0xff)
                put_numbers<std::uint8_t>(builder, list.bytes);
            else if (count <= 0xffff)
                put_numbers<std::uint16_t>(builder, list.bytes);
            else
                put_numbers<std::uint32_t>(builder, list.bytes);
        }
        void operator()(const Value::List& list) const
        {
            const auto start = builder.StartVector();
            for (const auto& item : list)
                put(builder, item);
            builder.EndVector(start, false, false);
        }
        void operator()(const Value::Map& map) const
        {
            const auto start = builder.StartMap();
            for (const auto& [key, item] : map) {
                builder.Key(key);
                put(builder, item);
            }
            builder.EndMap(start);
        }
    };
    std::visit(Visitor{builder}, value.data());
}

// ---- zlib

std::uint32_t adler32(std::string_view bytes)
{
    std::uint32_t low = 1, high = 0;
    for (const char byte : bytes) {
        low = (low + static_cast<unsigned char>(byte)) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

// Nothing if the bytes are not compressed: the check sum tells for certain.
std::optional<std::string> inflated(std::string_view bytes)
{
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    if (bytes.size() < 8 || (byte(0) & 0x0f) != 8 || (byte(0) << 8 | byte(1)) % 31 != 0 || (byte(1) & 0x20) != 0)
        return std::nullopt;
    const auto content = bytes.substr(2, bytes.size() - 6);
    boost::beast::zlib::inflate_stream stream;
    stream.reset(15);
    boost::beast::zlib::z_params params;
    params.next_in = content.data();
    params.avail_in = content.size();
    std::string out;
    boost::beast::error_code error;
    do {
        if (out.size() >= most_bytes)
            refuse("it inflates to more than can be held");
        const auto before = out.size();
        out.resize(before + std::max<std::size_t>(content.size() * 2, 4096));
        params.next_out = out.data() + before;
        params.avail_out = out.size() - before;
        stream.write(params, boost::beast::zlib::Flush::sync, error);
        out.resize(out.size() - params.avail_out);
    } while (!error && params.avail_out == 0);
    std::uint32_t sum = 0;
    for (std::size_t n = bytes.size() - 4; n < bytes.size(); ++n)
        sum = sum << 8 | byte(n);
    if (error != boost::beast::zlib::error::end_of_stream || params.avail_in != 0 || adler32(out) != sum)
        return std::nullopt;
    return out;
}

} // namespace

std::string encode(const Value& value)
{
    flexbuffers::Builder builder;
    put(builder, value);
    builder.Finish();
    const auto& buffer = builder.GetBuffer();
    return std::string(buffer.begin(), buffer.end());
}

Value decode(std::string_view bytes)
{
    if (const auto plain = inflated(bytes))
        return Reader(*plain).read();
    return Reader(bytes).read();
}

} // namespace golem::flex
