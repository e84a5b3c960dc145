#include <golem/core/error.hpp>
#include <golem/core/random.hpp>
#include <golem/flex/value.hpp>

#include <tests/support/catch.hpp>

#define FLATBUFFERS_LOCALE_INDEPENDENT 0
#include <flatbuffers/flexbuffers.h>

#include <limits>

using namespace golem;
using flex::Value;

namespace {

std::string built(const std::function<void(flexbuffers::Builder&)>& build)
{
    flexbuffers::Builder builder;
    build(builder);
    builder.Finish();
    return std::string(builder.GetBuffer().begin(), builder.GetBuffer().end());
}

std::string from_hex(std::string_view hex)
{
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
    return bytes;
}

bool is_refused(std::string_view bytes)
{
    try {
        flex::decode(bytes);
        return false;
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::protocol);
        return true;
    }
}

Value typical()
{
    return Value::Map{
        {"Ok", nullptr},
        {"flag", true},
        {"list", Value::List{1, -2, 3u, 4.5, "five", Value::List{}, Value::Map{}}},
        {"large", std::numeric_limits<std::uint64_t>::max()},
        {"small", std::numeric_limits<std::int64_t>::min()},
        {"float", 0.1},
        {"text", "grüße"},
        {"blob", Value::Blob{std::string("\0\xff\x80", 3)}},
        {"long", std::string(70000, 'x')},
    };
}

} // namespace

TEST_CASE("values come back as they went")
{
    const Value values[] = {
        nullptr,
        true,
        false,
        0,
        -1,
        255u,
        65536,
        std::int64_t(1) << 40,
        1.0,
        -0.1,
        1e300,
        "",
        "a",
        Value::Blob{},
        Value::Blob{"x"},
        Value::List{},
        Value::Map{},
        typical()};
    for (const auto& value : values) {
        INFO(flex::to_json(value).substr(0, 200));
        const auto bytes = flex::encode(value);
        const auto back = flex::decode(bytes);
        CHECK(back == value);
        CHECK(back.data().index() == value.data().index());
    }
}

TEST_CASE("all that other writers may use is understood")
{
    struct Row {
        std::string bytes;
        Value value;
    };
    const std::vector<int> ints = {1, -70000, 3};
    const std::vector<unsigned> bytes = {0, 255};
    const std::vector<double> doubles = {0.5, 2};
    const std::vector<float> floats = {0.5f, 2};
    const Row rows[] = {
        {built([&](auto& b) { b.Vector(ints); }), Value::List{1, -70000, 3}},
        {built([&](auto& b) { b.Vector(bytes); }), Value::List{0u, 255u}},
        {built([&](auto& b) { b.Vector(doubles); }), Value::List{0.5, 2.0}},
        {built([&](auto& b) { b.FixedTypedVector(ints.data(), 3); }), Value::List{1, -70000, 3}},
        {built([&](auto& b) { b.FixedTypedVector(floats.data(), 2); }), Value::List{0.5, 2.0}},
        {built([&](auto& b) { b.IndirectInt(-5); }), -5},
        {built([&](auto& b) { b.IndirectUInt(1u << 20); }), 1u << 20},
        {built([&](auto& b) { b.IndirectDouble(0.1); }), 0.1},
        {built([&](auto& b) { b.IndirectFloat(0.5f); }), 0.5},
        {built([&](auto& b) { b.Float(0.25f); }), 0.25},
        {built([&](auto& b) { b.Key("key"); }), "key"},
        {built([&](auto& b) { b.Vector([&] { b.Key("k"), b.Key("l"); }); }), Value::List{"k", "l"}},
        {built([&](auto& b) { b.TypedVector([&] { b.Key("k"), b.Key("l"); }); }), Value::List{"k", "l"}},
        {built([&](auto& b) { b.TypedVector([&] { b.Bool(true), b.Bool(false); }); }), Value::List{true, false}},
        {built([&](auto& b) { b.Map([&] { b.Int("z", 1), b.Vector("a", [&] { b.Null(); }); }); }),
         Value::Map{{"a", Value::List{nullptr}}, {"z", 1}}},
        // Deprecated, and with a size that is known to nobody: elements are read up to their nulls.
        {std::string("\x02hi\0\x01\x04\x01\x3c\x01", 9), Value::List{"hi"}},
    };
    for (const auto& row : rows) {
        INFO(flex::to_json(row.value));
        CHECK(flex::decode(row.bytes) == row.value);
    }
}

TEST_CASE("bodies compressed by a net are inflated")
{
    const Value value = Value::Map{{"Ok", std::string(300, 'a')}};
    const auto packed = from_hex("789cf3cf6660d0614c1c054403060646063346260626206dc128caacca0800ffdd7348");
    CHECK(flex::decode(packed) == value);
    CHECK(is_refused(packed.substr(0, packed.size() - 5) + packed.substr(packed.size() - 4)));
    const auto plain = flex::encode(value);
    // A stored block: what any deflate may choose.
    std::string stored = from_hex("7801");
    stored += '\x01';
    const auto size = static_cast<unsigned>(plain.size());
    for (const unsigned part : {size & 0xff, size >> 8, ~size & 0xff, ~size >> 8 & 0xff})
        stored += static_cast<char>(part);
    stored += plain;
    std::uint32_t low = 1, high = 0;
    for (const char byte : plain) {
        low = (low + static_cast<unsigned char>(byte)) % 65521;
        high = (high + low) % 65521;
    }
    const auto sum = high << 16 | low;
    for (int shift = 24; shift >= 0; shift -= 8)
        stored += static_cast<char>(sum >> shift & 0xff);
    CHECK(flex::decode(stored) == value);
    // With a wrong sum it is not zlib, and what it is then is malformed.
    stored.back() = static_cast<char>(stored.back() ^ 1);
    CHECK(is_refused(stored));
}

TEST_CASE("malformed bodies are refused")
{
    const std::pair<const char*, std::string> rows[] = {
        {"nothing", ""},
        {"cut off", std::string("\x00\x01", 2)},
        {"no such width", std::string("\x01\x04\x03", 3)},
        {"root wider than all", std::string("\x01\x04\x08", 3)},
        {"no such type", std::string("\x01\xfc\x01", 3)},
        {"text before the start", std::string("\x05\x14\x01", 3)},
        {"text longer than all", std::string("\x60hi\0\x03\x14\x01", 7)},
        {"text that is no UTF-8", std::string("\x02\xff\xff\0\x03\x14\x01", 7)},
        {"a float of one byte", std::string("\x01\x0c\x01", 3)},
        {"a vector in itself", std::string("\x01\x00\x28\x02\x28\x01", 6)},
    };
    for (const auto& [what, bytes] : rows) {
        INFO(what);
        CHECK(is_refused(bytes));
    }
}

TEST_CASE("what unfolds without bound is refused")
{
    // Lists in lists, each holding the one before it many times.
    std::string bomb = built([](auto& b) { b.Vector([&] { b.Null(); }); });
    bomb.resize(bomb.size() - 3);
    std::size_t inner = bomb.size() - 2; // of its elements
    for (int level = 0; level < 12; ++level) {
        bomb += '\x10';
        const auto start = bomb.size();
        for (std::size_t n = 0; n < 16; ++n)
            bomb += static_cast<char>(bomb.size() - inner);
        bomb += std::string(16, '\x28');
        inner = start;
    }
    bomb += static_cast<char>(bomb.size() - inner);
    bomb += "\x28\x01";
    REQUIRE(bomb.size() < 1000);
    CHECK(is_refused(bomb));
}

TEST_CASE("every cut and many changes of a body are read or refused, never worse")
{
    auto value = typical();
    auto members = *value.map();
    members.erase("long");
    const auto bytes = flex::encode(members);
    int refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at)
        refused += is_refused(bytes.substr(0, at));
    Random random(7);
    for (int round = 0; round < 20000; ++round) {
        auto changed = bytes;
        const auto changes = 1 + random.below(3);
        for (std::uint64_t n = 0; n < changes; ++n) {
            const auto at = random.below(changed.size());
            const auto byte = random.below(256);
            changed[static_cast<std::size_t>(at)] = static_cast<char>(byte);
        }
        refused += is_refused(changed);
    }
    CHECK(refused > 1000);
}

TEST_CASE("values as JSON")
{
    const std::pair<Value, const char*> rows[] = {
        {nullptr, "null"},
        {true, "true"},
        {-1, "-1"},
        {std::numeric_limits<std::uint64_t>::max(), "18446744073709551615"},
        {1.0, "1.0"},
        {0.1, "0.1"},
        {"a\"b", R"("a\"b")"},
        {Value::Blob{"\x01\xff"}, "[1,255]"},
        {Value::List{1, 2.0}, "[1,2.0]"},
        {Value::Map{{"b", 1}, {"a", nullptr}}, R"({"a":null,"b":1})"},
    };
    for (const auto& [value, text] : rows) {
        CHECK(flex::to_json(value) == text);
        if (!std::holds_alternative<Value::Blob>(value.data()))
            CHECK(flex::from_json(text) == value);
    }
    for (const std::string& text :
         {std::string("{"), std::string("nul"), std::string(1000, '[') + std::string(1000, ']')})
        CHECK_THROWS_AS(flex::from_json(text), Error);
}

TEST_CASE("asking a value for what it is not gives nothing")
{
    const Value text = "x";
    CHECK(text.text());
    CHECK_FALSE(text.list());
    CHECK_FALSE(text.integer());
    CHECK_FALSE(text.find("a"));
    CHECK_FALSE(Value(std::numeric_limits<std::uint64_t>::max()).integer());
    CHECK(Value(7u).integer() == 7);
    CHECK(Value(7u) == Value(7));
    CHECK(Value(7).number() == 7.0);
    CHECK_FALSE(Value(1.0).integer());
    CHECK(Value(Value::List{104, 105u}).bytes() == "hi");
    CHECK(Value(Value::Blob{"hi"}).bytes() == "hi");
    CHECK(Value(Value::ByteList{"hi"}).bytes() == "hi");
    CHECK_FALSE(Value(Value::List{104, 300}).bytes());
    CHECK(Value(Value::Map{{"a", 1}}).find("a")->integer() == 1);
}

TEST_CASE("bytes as a list of numbers take little space, however many they are")
{
    for (const std::size_t count : {0, 1, 255, 256, 65'535, 65'536, 100'000}) {
        std::string bytes;
        for (std::size_t n = 0; n < count; ++n)
            bytes += static_cast<char>(n);
        Value::Map map;
        map.emplace("bin", Value::ByteList{bytes});
        const auto encoded = flex::encode(map);
        CHECK(encoded.size() <= 4 * count + 64);
        const auto read = flex::decode(encoded);
        REQUIRE(read.find("bin"));
        CHECK(read.find("bin")->list());
        CHECK(*read.find("bin") == Value::ByteList{bytes});
    }
    CHECK(!(Value(Value::ByteList{"ab"}) == Value(Value::List{Value(97)})));
    CHECK(!(Value(Value::List{Value("x")}) == Value(Value::ByteList{})));
    CHECK(to_json(Value::ByteList{"\x01\xff"}) == "[1,255]");
}
