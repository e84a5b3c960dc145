#include <golem/provider/detail/kept_output.hpp>
#include <golem/provider/script.hpp>

#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::provider;

namespace {

std::string complaint(const std::string& script)
{
    try {
        parse_script(script);
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        return error.their_words();
    }
    return {};
}

RunCommand run_command(const std::string& capture)
{
    const auto script =
        parse_script(R"([{"run":{"entry_point":"/bin/sh","args":["-c","x"],"capture":)" + capture + "}}]");
    REQUIRE(script.size() == 1);
    return std::get<RunCommand>(script[0]);
}

} // namespace

TEST_CASE("a defect of a script is told in the daemon's words")
{
    struct Row {
        std::string script;
        std::string words;
    };
    const auto rows = std::vector<Row>{
        // Recorded.
        {R"([{"nope":{}}])",
         R"x(Error("unknown variant `nope`, expected one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`", line: 1, column: 8))x"},
        {R"([{"dance": {}}])",
         R"x(Error("unknown variant `dance`, expected one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`", line: 1, column: 9))x"},
        {"{}", R"x(Error("invalid type: map, expected a sequence", line: 1, column: 0))x"},
        {R"([{"run":{}}])", R"x(Error("missing field `entry_point`", line: 1, column: 10))x"},
        {R"([{"run": {"args": []}}])", R"x(Error("missing field `entry_point`", line: 1, column: 21))x"},
        {R"([{"run":{"entry_point":"/bin/date","args":null}}])",
         R"x(Error("invalid type: null, expected a sequence", line: 1, column: 46))x"},
        {"garbage", R"x(Error("expected value", line: 1, column: 1))x"},
        {"no json", R"x(Error("expected ident", line: 1, column: 2))x"},
        {R"([{"deploy":null}])",
         R"x(Error("invalid type: null, expected struct variant ExeScriptCommand::Deploy", line: 1, column: 15))x"},
        {R"([{"start":{"args":"x"}}])",
         R"x(Error("invalid type: string \"x\", expected a sequence", line: 1, column: 21))x"},
        {R"(["deploy"])", R"x(Error("invalid type: unit variant, expected struct variant", line: 1, column: 10))x"},
        {R"([{"deploy":{"net":[{}]}}])", R"x(Error("missing field `id`", line: 1, column: 21))x"},
        {R"([{"deploy":{"net":[{"id":"a"}]}}])", R"x(Error("missing field `ip`", line: 1, column: 29))x"},
        {R"([{"deploy":{"net":[{"id":"a","ip":"x"}]}}])", R"x(Error("missing field `nodeIp`", line: 1, column: 38))x"},
        {R"([{"deploy":{"net":[5]}}])",
         R"x(Error("invalid type: integer `5`, expected struct Network", line: 1, column: 20))x"},
        {R"([{"deploy":{"net":5}}])",
         R"x(Error("invalid type: integer `5`, expected a sequence", line: 1, column: 19))x"},
        {R"([{"deploy":{"net":null}}])", R"x(Error("invalid type: null, expected a sequence", line: 1, column: 22))x"},
        {R"([{"deploy":{"net":[{"id":"a","ip":"x","nodeIp":"y","nodes":5}]}}])",
         R"x(Error("invalid type: integer `5`, expected a map", line: 1, column: 60))x"},
        {R"([{"deploy":{"net":[{"id":"a","ip":"x","nodeIp":"y","mask":5}]}}])",
         R"x(Error("invalid type: integer `5`, expected a string", line: 1, column: 59))x"},
        // By the same rules.
        {"", R"x(Error("EOF while parsing a value", line: 1, column: 0))x"},
        {"[", R"x(Error("EOF while parsing a list", line: 1, column: 1))x"},
        {"[\n{\"nope\":{}}]",
         R"x(Error("unknown variant `nope`, expected one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`", line: 2, column: 7))x"},
        {R"(["nope"])",
         R"x(Error("unknown variant `nope`, expected one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`", line: 1, column: 7))x"},
        {R"([{"deploy":{}},])", R"x(Error("trailing comma", line: 1, column: 16))x"},
        {R"([{"deploy":{}}] x)", R"x(Error("trailing characters", line: 1, column: 17))x"},
        {R"([{"deploy":{},"start":{}}])", R"x(Error("expected value", line: 1, column: 13))x"},
        {R"([{"transfer":{"from":"a"}}])", R"x(Error("missing field `to`", line: 1, column: 25))x"},
        {R"([{"run":{"entry_point":5}}])",
         R"x(Error("invalid type: integer `5`, expected a string", line: 1, column: 24))x"},
        {R"([{"run":{"entry_point":1.5}}])",
         R"x(Error("invalid type: floating point `1.5`, expected a string", line: 1, column: 26))x"},
        {"5", R"x(Error("invalid type: integer `5`, expected a sequence", line: 1, column: 1))x"},
        {"true", R"x(Error("invalid type: boolean `true`, expected a sequence", line: 1, column: 4))x"},
        {R"([{"deploy":{"a":[1,2,)", R"x(Error("EOF while parsing a value", line: 1, column: 21))x"},
    };
    for (const auto& row : rows) {
        INFO(row.script);
        CHECK(complaint(row.script) == row.words);
    }
    CHECK(complaint(std::string(100'000, '[')) != "");
    CHECK(
        complaint(R"([{"deploy":{"a":)" + std::string(100'000, '[')).find("recursion limit exceeded") !=
        std::string::npos);
}

TEST_CASE("every command is read, keys that nobody knows are passed over")
{
    CHECK(parse_script(" [] ").empty());
    const auto script = parse_script(
        R"([{"deploy":{"net":[{"id":"a","ip":"10.0.0.0","mask":null,"nodeIp":"10.0.0.2","nodes":{"10.0.0.2":"n"}}],"volumes":["/data"],"x":{"y":[1,-2.5e3,null,true,"\u00e9\ud83d\ude00"]}}},
            {"deploy":{"volumes":{"/data":{"host":{}},"/tmp":{"ram":{"size":"256MiB"}}}}},
            {"start":{}}, {"start":{"args":["a","b"]}},
            {"run":{"entry_point":"/bin/date","env":{"A":"b"},"x":1,"capture":null}},
            {"transfer":{"from":"a","to":"b","format":null,"depth":null}}, {"sign":{}}, {"terminate":{}}])");
    REQUIRE(script.size() == 8);
    CHECK(std::get<DeployCommand>(script[0]).volumes == std::vector<std::string>{"/data"});
    CHECK(std::get<DeployCommand>(script[1]).volumes == std::vector<std::string>{"/data", "/tmp"});
    CHECK(std::get<StartCommand>(script[3]).args == std::vector<std::string>{"a", "b"});
    const auto& run = std::get<RunCommand>(script[4]);
    CHECK(run.entry_point == "/bin/date");
    CHECK(run.args.empty());
    CHECK(!run.out);
    CHECK(std::get<TransferCommand>(script[5]).to == "b");
    CHECK(std::holds_alternative<SignCommand>(script[6]));
    CHECK(std::holds_alternative<TerminateCommand>(script[7]));
}

TEST_CASE("captures keep what they say")
{
    struct Row {
        std::string capture;
        std::string kept;
        bool streamed = false;
        bool binary = false;
    };
    const auto rows = std::vector<Row>{
        {R"({"stdout":{"atEnd":{}}})", "0123456789"},
        {R"({"stdout":{"atEnd":{"head":4}}})", "0123"},
        {R"({"stdout":{"atEnd":{"tail":4}}})", "6789"},
        {R"({"stdout":{"atEnd":{"headTail":4}}})", "0189"},
        {R"({"stdout":{"atEnd":{"headTail":40}}})", "0123456789"},
        {R"({"stdout":{"atEnd":{"part":{"head":4}}}})", "0123456789"},
        {R"({"stdout":{"atEnd":{"format":"string"}}})", "0123456789"},
        {R"({"stdout":{"atEnd":{"format":"bin"}}})", "0123456789", false, true},
        {R"({"stdout":{"stream":{}}})", "0123456789", true},
        {R"({"stdout":{"stream":{"limit":3}}})", "012", true},
        {R"({"stdout":{"stream":{"stream":1024}}})", "0123456789", true},
        {R"({"stdout":{"stream":{"format":"binary"}}})", "0123456789", true, true},
    };
    for (const auto& row : rows) {
        INFO(row.capture);
        const auto run = run_command(row.capture);
        REQUIRE(run.out);
        CHECK(!run.err);
        CHECK(captured(*run.out, "0123456789") == row.kept);
        // What a runtime keeps of a stream, however it arrives, makes no difference.
        for (const std::size_t piece : {1u, 3u, 10u}) {
            provider::detail::KeptOutput keeper(part_for(run.out));
            for (std::size_t at = 0; at < 10; at += piece)
                keeper.append(std::string_view("0123456789").substr(at, piece));
            CHECK(captured(*run.out, keeper.take()) == row.kept);
        }
        CHECK(run.out->streamed == row.streamed);
        CHECK(run.out->binary == row.binary);
    }
    CHECK(!run_command("{}").out);
    CHECK(captured(Capture{false, Capture::Part::tail, 4, false}, "01") == "01");
}

TEST_CASE("what a runtime has to keep for a capture")
{
    using Part = Capture::Part;
    constexpr std::size_t most = 4u << 20;
    const auto part = [](Part kind, std::size_t limit) { return part_for(Capture{false, kind, limit, false}); };
    CHECK(part_for(std::nullopt) == OutputPart{0, 0});
    CHECK(part(Part::all, 0) == OutputPart{most, 0});
    CHECK(part(Part::head, 5) == OutputPart{5, 0});
    CHECK(part(Part::head, most + 1) == OutputPart{most, 0});
    CHECK(part(Part::tail, 5) == OutputPart{0, 5});
    CHECK(part(Part::tail, most + 1) == OutputPart{0, most});
    CHECK(part(Part::head_tail, 5) == OutputPart{2, 3});
    CHECK(part(Part::head_tail, 10 * most) == OutputPart{most / 2, most / 2});
    provider::detail::KeptOutput nothing(OutputPart{0, 0});
    nothing.append("abc");
    CHECK(nothing.take().empty());
}

TEST_CASE("output that is not UTF-8 is told as Latin-1")
{
    using namespace std::string_literals;
    CHECK(as_text("a\xff"s + "b") == "a\xc3\xbf"s + "b");
    CHECK(as_text("a\0b"s) == "a\0b"s);
    CHECK(as_text("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"s) == "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"s);
    CHECK(as_text("\xc3"s) == "\xc3\x83"s);
    CHECK(as_text("\xed\xa0\x80"s) == "\xc3\xad\xc2\xa0\xc2\x80"s);
    CHECK(as_text("\xc0\x80"s) == "\xc3\x80\xc2\x80"s);
}
