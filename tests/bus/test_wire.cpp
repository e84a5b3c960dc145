#include <golem/bus/detail/wire.hpp>
#include <golem/core/error.hpp>
#include <golem/core/utf8.hpp>

#include <tests/support/catch.hpp>

#include <vector>

using namespace golem;
using namespace golem::bus::detail;

namespace {

std::string from_hex(std::string_view hex)
{
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        if (hex[at] == ' ') {
            --at;
            continue;
        }
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
    }
    return bytes;
}

std::string refusal(std::string_view packet)
{
    try {
        decode_packet(packet);
        return "accepted";
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::protocol);
        return error.explanation();
    }
}

} // namespace

// Bytes as protobuf's own encoder writes them.
TEST_CASE("messages and their bytes")
{
    struct Row {
        Message message;
        const char* frame;
    };
    CallReply part;
    part.id = "r";
    part.type = type_part;
    part.body = std::string("\0\xff", 2);
    CallReply refused;
    refused.id = "r";
    refused.code = reply_bad_request;
    refused.body = "no";
    CallRequest call{"c", "/a/b", "r", "x", true};
    const Row rows[] = {
        {Hello{"n", "1", "id"}, "0000000c 0a0a 0a016e 120131 1a026964"},
        {Register{"/a"}, "00000006 1204 0a022f61"},
        {Registered{}, "00000002 1a00"},
        {Registered{409, "t"}, "00000008 1a06 089903 120174"},
        {Unregister{"/a"}, "00000006 2204 0a022f61"},
        {Unregistered{404}, "00000005 2a03 089403"},
        {call, "00000013 3211 0a0163 12042f612f62 1a0172 220178 2801"},
        {part, "0000000b 3a09 0a0172 1801 220200ff"},
        {refused, "0000000c 3a0a 0a0172 109003 22026e6f"},
        {Subscribe{"t"}, "00000005 4203 0a0174"},
        {Subscribed{}, "00000002 4a00"},
        {Unsubscribe{"t"}, "00000005 5203 0a0174"},
        {Unsubscribed{404}, "00000005 5a03 089403"},
        {Broadcast{"c", "b", "t"}, "0000000b 6209 0a0163 120162 1a0174"},
        {Broadcasted{}, "00000002 6a00"},
        {Ping{}, "00000002 7200"},
        {Pong{}, "00000002 7a00"},
    };
    for (const auto& row : rows) {
        INFO(row.frame);
        const auto frame = encode_frame(row.message);
        CHECK(frame == from_hex(row.frame));
        FrameReader reader(100);
        reader.feed(from_hex(row.frame));
        const auto message = reader.next();
        REQUIRE(message);
        CHECK(*message == row.message);
        CHECK_FALSE(reader.is_inside());
    }
}

TEST_CASE("a stream is cut into messages wherever it is interrupted")
{
    std::string stream;
    for (int number = 0; number < 20; ++number)
        stream += encode_frame(CallReply{"id" + std::to_string(number), 0, type_part, std::string(number * 7u, 'x')});
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 64u, 100000u}) {
        FrameReader reader(1000);
        int found = 0;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            reader.feed(std::string_view(stream).substr(at, piece));
            while (const auto message = reader.next()) {
                CHECK(std::get<CallReply>(*message).id == "id" + std::to_string(found));
                CHECK(std::get<CallReply>(*message).body.size() == found * 7u);
                ++found;
            }
        }
        CHECK(found == 20);
        CHECK_FALSE(reader.is_inside());
    }
}

TEST_CASE("unknown fields are skipped, repeated ones overwrite, numbers may be negative")
{
    // A string, a varint, four and eight bytes of numbers nobody knows, around the topic.
    const auto topic = decode_packet(from_hex("4219 7a0161 780a 7d01020304 79 0102030405060708 0a0174 0a0175"));
    CHECK(std::get<Subscribe>(topic).topic == "u");
    CHECK(std::get<Unregistered>(decode_packet(from_hex("2a0b 08ffffffffffffffffff01"))).code == -1);
    // An unknown member of the packet beside a known one.
    CHECK(std::holds_alternative<Pong>(decode_packet(from_hex("8a0100 7a00"))));
}

TEST_CASE("foreign bytes are refused")
{
    struct Row {
        const char* packet;
        const char* explanation;
    };
    const Row rows[] = {
        {"", "no known message"},
        {"8a0100", "no known message"},            // field 17
        {"0801", "a number instead of a message"}, // hello as varint
        {"1205 0a02", "longer than its message"},
        {"1203 0a052f", "longer than its message"},
        {"1201 0a", "cut off"},
        {"0a", "cut off"},
        {"3a02 0a80", "cut off"},
        {"1202 0801", "field 1 is of the wrong type"},
        {"1a03 0a0161", "field 1 is of the wrong type"},
        {"1203 0a01ff", "no UTF-8"},
        {"1202 1300", "no known type"}, // groups
        {"1202 0000", "impossible number"},
        {"1a0c 08ffffffffffffffffffff01", "longer than 64 bits"},
        {"1a0c 08ffffffffffffffffff7f00", "longer than 64 bits"},
    };
    for (const auto& row : rows) {
        INFO(row.packet);
        CHECK_THAT(refusal(from_hex(row.packet)), test::contains_text(row.explanation));
    }
}

TEST_CASE("every cut and every changed byte of a message is read or refused, never worse")
{
    CallRequest call{"0x1", "/public/exeunit/1/Exec", "r1", std::string("\x01\x02\x03", 3), true};
    const auto frame = encode_frame(call);
    const auto packet = frame.substr(4);
    int refused = 0;
    for (std::size_t at = 0; at < packet.size(); ++at) {
        refused += refusal(packet.substr(0, at)) != "accepted";
        for (int byte = 0; byte < 256; ++byte) {
            auto changed = packet;
            changed[at] = static_cast<char>(byte);
            refused += refusal(changed) != "accepted";
        }
    }
    CHECK(refused > 1000);
}

TEST_CASE("messages have a largest size")
{
    FrameReader reader(10);
    reader.feed(from_hex("0000000b"));
    CHECK_THROWS_AS(reader.next(), Error);
    // What an HTTP server says is far too long for a message.
    FrameReader other(64u << 20);
    other.feed("HTTP/1.1 400 Bad Request\r\n");
    try {
        other.next();
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::protocol);
        CHECK_THAT(error.what(), test::contains_text("is this a service bus?"));
    }
}

TEST_CASE("UTF-8")
{
    for (const auto* text : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"})
        CHECK(is_utf8(text));
    for (const auto* text :
         {"\x80", "\xc3", "\xc0\x80", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"})
        CHECK_FALSE(is_utf8(text));
}
