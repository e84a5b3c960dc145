#include <golem/bus/detail/wire.hpp>

#include <golem/core/error.hpp>
#include <golem/core/utf8.hpp>

#include <type_traits>
#include <utility>

namespace golem::bus::detail {

namespace {

constexpr unsigned wire_varint = 0;
constexpr unsigned wire_eight_bytes = 1;
constexpr unsigned wire_length = 2;
constexpr unsigned wire_four_bytes = 5;

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::protocol, "read the service bus", explanation);
}

void put_varint(std::string& out, std::uint64_t number)
{
    for (; number > 0x7f; number >>= 7)
        out += static_cast<char>(0x80 | (number & 0x7f));
    out += static_cast<char>(number);
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes)
{
    put_varint(out, field << 3 | wire_length);
    put_varint(out, bytes.size());
    out += bytes;
}

// Writes fields; those that have the default value are left out, as protobuf does.
struct Writer {
    std::string out;

    void operator()(unsigned field, const std::string& text) { bytes(field, text); }
    void bytes(unsigned field, const std::string& content)
    {
        if (!content.empty())
            put_bytes(out, field, content);
    }
    void operator()(unsigned field, int number) { varint(field, static_cast<std::uint64_t>(std::int64_t(number))); }
    void operator()(unsigned field, bool flag) { varint(field, flag ? 1 : 0); }
    void varint(unsigned field, std::uint64_t number)
    {
        if (number == 0)
            return;
        put_varint(out, field << 3 | wire_varint);
        put_varint(out, number);
    }
};

class Cursor {
public:
    explicit Cursor(std::string_view bytes) : rest_(bytes) {}

    bool at_end() const noexcept { return rest_.empty(); }

    std::uint64_t varint()
    {
        std::uint64_t number = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1)[0]);
            if (shift == 63 && byte > 1)
                refuse("a number is longer than 64 bits");
            number |= std::uint64_t(byte & 0x7f) << shift;
            if (byte < 0x80)
                return number;
        }
        refuse("a number has no end");
    }

    std::string_view bytes()
    {
        const auto size = varint();
        if (size > rest_.size())
            refuse("a field is longer than its message");
        return take(static_cast<std::size_t>(size));
    }

    void skip(unsigned wire)
    {
        switch (wire) {
        case wire_varint: varint(); break;
        case wire_eight_bytes: take(8); break;
        case wire_length: bytes(); break;
        case wire_four_bytes: take(4); break;
        default: refuse("a field is of no known type");
        }
    }

private:
    std::string_view take(std::size_t count)
    {
        if (count > rest_.size())
            refuse("a message is cut off");
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    std::string_view rest_;
};

struct Tag {
    explicit Tag(std::uint64_t key) : field(static_cast<unsigned>(key >> 3)), wire(static_cast<unsigned>(key & 7))
    {
        if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
            refuse("a field has an impossible number");
    }

    unsigned field;
    unsigned wire;
};

// Reads the one field that the cursor stands at, if it is among those it is shown.
struct FieldReader {
    Cursor& cursor;
    Tag tag;
    bool found = false;

    bool is_here(unsigned field, unsigned wire)
    {
        if (field != tag.field)
            return false;
        if (wire != tag.wire)
            refuse("field " + std::to_string(field) + " is of the wrong type");
        found = true;
        return true;
    }

    void bytes(unsigned field, std::string& content)
    {
        if (is_here(field, wire_length))
            content = cursor.bytes();
    }
    void operator()(unsigned field, std::string& text)
    {
        bytes(field, text);
        if (field == tag.field && !is_utf8(text))
            refuse("field " + std::to_string(field) + " is no UTF-8");
    }
    void operator()(unsigned field, int& number)
    {
        if (is_here(field, wire_varint))
            number = static_cast<std::int32_t>(cursor.varint());
    }
    void operator()(unsigned field, bool& flag)
    {
        if (is_here(field, wire_varint))
            flag = cursor.varint() != 0;
    }
};

template <typename T>
Message read_message(std::string_view bytes)
{
    T message;
    Cursor cursor(bytes);
    while (!cursor.at_end()) {
        const Tag tag(cursor.varint());
        FieldReader reader{cursor, tag};
        T::fields(message, reader);
        if (!reader.found)
            cursor.skip(tag.wire);
    }
    return message;
}

using Reading = Message (*)(std::string_view);

template <std::size_t... Index>
Reading reading_of(unsigned field, std::index_sequence<Index...>)
{
    static constexpr Reading readings[] = {&read_message<std::variant_alternative_t<Index, Message>>...};
    return field - 1 < sizeof...(Index) ? readings[field - 1] : nullptr;
}

} // namespace

std::string encode_frame(const Message& message)
{
    Writer writer;
    std::visit([&](const auto& concrete) { std::decay_t<decltype(concrete)>::fields(concrete, writer); }, message);
    std::string head;
    put_varint(head, static_cast<unsigned>(message.index() + 1) << 3 | wire_length);
    put_varint(head, writer.out.size());
    const auto size = head.size() + writer.out.size();
    std::string frame;
    frame.reserve(4 + size);
    for (int shift = 24; shift >= 0; shift -= 8)
        frame += static_cast<char>(size >> shift & 0xff);
    frame += head;
    frame += writer.out;
    return frame;
}

Message decode_packet(std::string_view packet)
{
    // Of several messages in one packet, which nobody sends, the last one counts.
    std::optional<Message> message;
    Cursor cursor(packet);
    while (!cursor.at_end()) {
        const Tag tag(cursor.varint());
        const auto reading = reading_of(tag.field, std::make_index_sequence<std::variant_size_v<Message>>());
        if (!reading) {
            cursor.skip(tag.wire);
            continue;
        }
        if (tag.wire != wire_length)
            refuse("a packet holds a number instead of a message");
        message = reading(cursor.bytes());
    }
    if (!message)
        refuse("a packet holds no known message");
    return *std::move(message);
}

std::optional<Message> FrameReader::next()
{
    const auto rest = std::string_view(buffer_).substr(consumed_);
    if (rest.size() < 4)
        return std::nullopt;
    std::size_t size = 0;
    for (const char byte : rest.substr(0, 4))
        size = size << 8 | static_cast<unsigned char>(byte);
    if (size > largest_)
        refuse(
            "a message of " + std::to_string(size) + " bytes is longer than the " + std::to_string(largest_) +
            " allowed; is this a service bus?");
    if (rest.size() - 4 < size)
        return std::nullopt;
    auto message = decode_packet(rest.substr(4, size));
    consumed_ += 4 + size;
    // Now and then, as moving the rest costs.
    if (consumed_ == buffer_.size() || consumed_ > buffer_.size() / 2) {
        buffer_.erase(0, consumed_);
        consumed_ = 0;
    }
    return message;
}

} // namespace golem::bus::detail
