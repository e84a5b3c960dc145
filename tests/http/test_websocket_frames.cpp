#include <golem/core/utf8.hpp>
#include <golem/http/detail/websocket_frames.hpp>

#include <tests/support/catch.hpp>

#include <vector>

using namespace golem;
using namespace golem::http::detail;
using namespace std::string_literals;

namespace {

// "text Hello|ping |close 1000 bye", or what it was refused with: "1002".
std::string read(const std::string& bytes, bool masked, std::size_t piece, std::size_t limit = 100)
{
    WebSocketReader reader(masked, limit);
    std::string story;
    std::uint16_t violation = 0;
    for (std::size_t at = 0; at < bytes.size() && violation == 0; at += piece) {
        try {
            reader.feed(std::string_view(bytes).substr(at, piece));
        } catch (const WebSocketViolation& error) {
            violation = error.close_code();
        }
    }
    while (const auto item = reader.next()) {
        story += story.empty() ? "" : "|";
        switch (item->kind) {
        case Opcode::text: story += "text "; break;
        case Opcode::binary: story += "binary "; break;
        case Opcode::ping: story += "ping "; break;
        case Opcode::pong: story += "pong "; break;
        case Opcode::close: story += "close " + std::to_string(item->code) + " "; break;
        default: story += "? ";
        }
        story += item->data;
    }
    if (violation != 0)
        story += (story.empty() ? "" : "|") + std::to_string(violation);
    return story;
}

} // namespace

TEST_CASE("frames are read in any pieces, by the rules of RFC 6455")
{
    struct Row {
        std::string bytes;
        bool masked;
        std::string story;
    };
    const std::string large(200, 'x');
    const Row rows[] = {
        // The examples of the RFC, 5.7.
        {"\x81\x05Hello", false, "text Hello"},
        {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true, "text Hello"},
        {"\x01\x03Hel\x80\x02lo", false, "text Hello"},
        {"\x89\x05Hello\x8a\x00"s, false, "ping Hello|pong "},
        {"\x82\x00"s, false, "binary "},
        // A control frame between fragments; two messages in a row.
        {"\x02\x01"s + "a" + "\x89\x00"s + "\x80\x01"s + "b" + "\x82\x01"s + "c", false, "ping |binary ab|binary c"},
        {"\x88\x00"s, false, "close 1005 "},
        {"\x88\x05\x03\xe8"s + "bye", false, "close 1000 bye"},
        // Sixteen bits of length; more than allowed in one frame, and in fragments.
        {"\x82\x7e\x00\x50"s + std::string(80, 'x'), false, "binary " + std::string(80, 'x')},
        {"\x82\x7e\x00\xc8"s + large, false, "1009"},
        {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"s, false, "1009"},
        {"\x02\x50"s + std::string(80, 'x') + "\x80\x50"s + std::string(80, 'x'), false, "1009"},
        // Against the rules.
        {"\x81\x05Hello", true, "1002"},
        {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", false, "1002"},
        {"\xc1\x00"s, false, "1002"},
        {"\x83\x00"s, false, "1002"},
        {"\x80\x00"s, false, "1002"},
        {"\x01\x00\x01\x00"s, false, "1002"},
        {"\x09\x00"s, false, "1002"},
        {"\x89\x7e\x00\x80"s, false, "1002"},
        {"\x88\x01\x03"s, false, "1002"},
        {"\x88\x02\x03\xed"s, false, "1002"},
        {"\x81\x02\xc3\x28"s, false, "1007"},
        {"\x82\x01"s + "a" + "\x81\x01\xff"s, false, "binary a|1007"},
    };
    for (const auto& row : rows) {
        for (const std::size_t piece : {1u, 2u, 3u, 1000u}) {
            INFO(Catch::StringMaker<std::string>::convert(row.bytes) << " in pieces of " << piece);
            CHECK(read(row.bytes, row.masked, piece) == row.story);
        }
    }
}

TEST_CASE("frames that were written can be read, at every size and mask")
{
    for (const std::size_t size : {0u, 1u, 3u, 8u, 125u, 126u, 127u, 65535u, 65536u, 70001u}) {
        std::string payload(size, '\0');
        for (std::size_t n = 0; n < size; ++n)
            payload[n] = static_cast<char>(n * 7);
        const auto masked = websocket_frame(Opcode::binary, payload, 0x12345678u);
        CHECK(read(masked, true, 1001, 100'000) == "binary " + payload);
        CHECK(read(websocket_frame(Opcode::binary, payload, std::nullopt), false, 7, 100'000) == "binary " + payload);
        CHECK((size < 8 || masked.find(payload) == std::string::npos));
    }
    CHECK(websocket_frame(Opcode::text, "Hello", std::nullopt) == "\x81\x05Hello");
}

TEST_CASE("a farewell's reason is cut where a character ends")
{
    CHECK(close_payload(1000, "bye") == "\x03\xe8"s + "bye");
    const std::string long_one = std::string(122, 'x') + "\xc3\xa4\xc3\xa4";
    const auto payload = close_payload(4000, long_one);
    CHECK(payload.size() == 124);
    CHECK(is_utf8(payload.substr(2)));
}

TEST_CASE("the handshake's answer is the one of the RFC")
{
    CHECK(websocket_key("the sample nonce") == "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
