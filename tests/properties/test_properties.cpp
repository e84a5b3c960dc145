#include <golem/core/error.hpp>
#include <golem/properties/json.hpp>
#include <golem/properties/json_text.hpp>

#include <tests/support/catch.hpp>

#include <limits>

using namespace golem::properties;

TEST_CASE("values keep their kind")
{
    CHECK(Value(2) != Value(2.0));
    CHECK(Value(2u) == Value(std::int64_t(2)));
    CHECK(Value("x").kind() == Value::Kind::string);
    CHECK(Value(true).kind() == Value::Kind::boolean);
    CHECK(Value(nullptr).is_null());
    CHECK(Value(std::numeric_limits<std::uint64_t>::max()) == Value::raw("18446744073709551615"));
    CHECK(Value(Value::List{1, "a"}) == Value(Value::List{1, "a"}));

    CHECK(Value(2.0).as_int() == 2);
    CHECK(!Value(2.5).as_int());
    CHECK(!Value(1e300).as_int());
    CHECK(!Value(0x1p63).as_int());
    CHECK(Value(2).as_number() == 2.0);
    CHECK(Value::raw("18446744073709551615").as_number() == 18446744073709551615.0);
    CHECK(!Value::raw("{}").as_number());
    CHECK(!Value("2").as_number());
    CHECK(!Value(1).as_bool());
    CHECK(Value("x").as_string() == "x");
    CHECK(Value::raw("{}").as_raw() == "{}");
    CHECK(Value(1).as_list() == nullptr);
}

TEST_CASE("sets are sorted, and merge to the right")
{
    PropertySet properties{{"b", 1}, {"a", "x"}};
    properties.set("c", Value::List{"p", "q"}).set("d", Value::List{0.0, 1});
    CHECK(properties.begin()->first == "a");
    CHECK(properties.get_string("a") == "x");
    CHECK(!properties.get_string("b"));
    CHECK(properties.get_int("b") == 1);
    CHECK(properties.get_double("b") == 1.0);
    CHECK(!properties.get_double("missing"));
    CHECK(properties.get_strings("c") == std::vector<std::string>{"p", "q"});
    CHECK(!properties.get_strings("d"));
    CHECK(properties.get_doubles("d") == std::vector<double>{0.0, 1.0});
    CHECK(!properties.get_doubles("c"));
    CHECK(properties.get("missing") == nullptr);

    properties.merge({{"b", true}, {"e", nullptr}});
    CHECK(properties.get_bool("b") == true);
    CHECK(properties.contains("e"));
    CHECK(properties.erase("e"));
    CHECK(!properties.erase("e"));
    CHECK(properties.size() == 4);
    CHECK(properties == PropertySet(properties));
}

TEST_CASE("properties are flattened as by the daemon")
{
    const std::pair<const char*, const char*> table[] = {
        {"{}", "{}"},
        {R"({"golem":{"inf":{"mem.gib":2.5}}})", R"({"golem.inf.mem.gib":2.5})"},
        {R"({"golem.inf":{"cpu.cores":2},"golem":{"x":1}})", R"({"golem.inf.cpu.cores":2,"golem.x":1})"},
        {R"({"b":1,"a":[{"k":{"n":0.0}},[]]})", R"({"a":[{"k":{"n":0.0}},[]],"b":1})"},
        {R"({"scheme":{"@tag":"payu","payu":{}}})", R"({"scheme":"payu","scheme.payu":{}})"},
        {R"({"a":{"b":{}}})", R"({"a.b":{}})"},
        {"[]", R"({"":[]})"},
        {"[1,2]", R"({"":[1,2]})"},
        {"5", R"({"":5})"},
        {R"({"n":null,"t":true})", R"({"n":null,"t":true})"},
    };
    for (const auto& [nested, flat] : table) {
        CAPTURE(nested);
        CHECK(to_json_text(parse_properties(nested)) == flat);
        CHECK(parse_properties(flat) == parse_properties(nested));
    }
}

TEST_CASE("numbers come back as they were")
{
    const std::string text =
        R"({"a":0.0,"b":0,"c":-7,"d":0.0001,"e":18446744073709551615,"f":9223372036854775807,"g":2.0})";
    const auto properties = parse_properties(text);
    CHECK(to_json_text(properties) == text);
    CHECK(properties.get("a")->kind() == Value::Kind::number);
    CHECK(properties.get("b")->kind() == Value::Kind::integer);
    CHECK(properties.get("e")->kind() == Value::Kind::raw);
    CHECK(from_json(to_json(properties)) == properties);
    CHECK(to_json_text(Value(Value::List{1, 1.0, "ż", Value::raw("{\"k\": 1}")})) == R"([1,1.0,"ż",{"k":1}])");
    CHECK(parse_value(R"({"k":[1]})") == Value::raw(R"({"k":[1]})"));
}

TEST_CASE("malformed and hostile JSON is refused")
{
    for (const char* text : {"", "{", "{\"a\":}", "nope", "{} x", "\"\xff\""}) {
        CAPTURE(text);
        CHECK_THROWS_AS(parse_properties(text), golem::Error);
        CHECK_THROWS_AS(parse_value(text), golem::Error);
    }
    const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
    CHECK(parse_value(nested(128)).as_list());
    CHECK_THROWS_WITH(parse_value(nested(129)), golem::test::contains_text("deeper than 128"));
    CHECK_THROWS_WITH(parse_value(nested(1'000'000)), golem::test::contains_text("deeper than 128"));
    CHECK_THROWS_AS(to_json_text(Value::raw("{")), golem::Error);

    // Text that is not UTF-8 was never JSON; written out it is made so.
    CHECK(to_json_text(Value("\xff")) == "\"\xef\xbf\xbd\"");
}
