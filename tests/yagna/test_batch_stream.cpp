// The events of a batch, in the words of a real daemon.
#include <golem/core/timestamp.hpp>

#include <tests/yagna/support.hpp>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;

namespace {

const std::string head = R"(event: runtime
data: {"batch_id":"35e17dc6","index":)";

std::string frame(const std::string& index, const std::string& kind)
{
    return head + index + R"(,"timestamp":"2026-11-24T06:59:34.614216578","kind":)" + kind + "}\nid: 0\n\n";
}

// "kind index text …" of each event up to the end, or why it failed.
std::vector<std::string> read(const Reply& reply, std::vector<http::Request>* requests = nullptr)
{
    std::vector<std::string> events;
    const auto outcome = make_call(
        [&](ScriptedTransport& daemon) { daemon.expect(reply); },
        [&](Client& client) -> Task<> {
            auto stream = client.activity().stream("act", "b/1");
            CHECK(!stream.has_begun());
            for (;;) {
                const auto event = co_await stream.next();
                if (!event)
                    break;
                auto text = std::to_string(static_cast<int>(event->kind)) + " " + std::to_string(event->index) + " " +
                            event->text;
                if (event->kind == BatchEvent::Kind::finished)
                    text += " " + std::to_string(event->exit_code);
                if (event->kind == BatchEvent::Kind::progress)
                    text += " " + std::to_string(event->done) + "/" +
                            (event->total ? std::to_string(*event->total) : "?") + " " + event->unit;
                if (event->kind == BatchEvent::Kind::unreadable)
                    text = "unreadable";
                else
                    CHECK(event->date == parse_timestamp("2026-11-24T06:59:34.614216578Z"));
                events.push_back(std::move(text));
            }
        });
    if (outcome.code)
        events.push_back("failed: " + outcome.text);
    if (requests)
        *requests = outcome.requests;
    return events;
}

Reply stream_of(const std::string& text) { return answer(200, text, "text/event-stream"); }

} // namespace

TEST_CASE("a stream of results is asked for and read as the daemon writes it")
{
    std::vector<http::Request> requests;
    const auto events = read(
        stream_of(
            frame("0", R"({"stdout":"out1\n"})") + frame("0", R"({"stderr":[255,0,98]})") +
            frame("0", R"({"stdout":[]})") + frame("0", R"({"later":{}})") +
            frame(
                "0",
                R"({"progress":{"step":[0,1],"message":"Deployed image from cache","progress":[0,null],"unit":"Bytes"}})") +
            frame("0", R"({"progress":{"step":[0,1],"message":null,"progress":[204800,30000000],"unit":"Bytes"}})") +
            frame("0", R"({"finished":{"return_code":0,"message":null}})") +
            frame("1", R"({"started":{"command":{"start":{"args":[]}}}})") +
            frame("1", R"({"finished":{"return_code":137,"message":"ExeScript command exited with code 137"}})") +
            ":ping\n:ping\n" + frame("2", R"({"stdout":"never"})")),
        &requests);
    CHECK(
        events == std::vector<std::string>{
                      "1 0 out1\n", "2 0 " + std::string("\xff\0b", 3), "1 0 ",
                      "3 0 Deployed image from cache 0/? Bytes", "3 0  204800/30000000 Bytes", "4 0  0",
                      R"(0 1 {"start":{"args":[]}})", "4 1 ExeScript command exited with code 137 137"});
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].target() == "/activity-api/v1/activity/act/exec/b%2F1");
    CHECK(requests[0].headers().get("Accept") == "text/event-stream");
    CHECK(requests[0].idle_limit() == Duration::max());
}

TEST_CASE("an event that cannot be read is told as such, and ends nothing")
{
    const auto good = frame("0", R"({"stdout":"after"})");
    for (const auto& odd :
         {frame("0", R"({"stdout":[256]})"), std::string("data: nonsense\n\n"), frame("0", R"({"finished":{}})"),
          frame("0", R"({"stdout":{"later":1}})"), frame("\"x\"", R"({"stdout":"a"})"), frame("0", "7"),
          std::string("data: []\n\n")}) {
        INFO(odd);
        CHECK(read(stream_of(odd + good)) == std::vector<std::string>{"unreadable", "1 0 after"});
    }
}

TEST_CASE("a result that is too long tells at its beginning how the command ended")
{
    const auto head_of = [](const std::string& body, int index) {
        std::optional<CommandResult> result;
        make_call(
            [&](ScriptedTransport& daemon) { daemon.expect(answer(200, body)); },
            [&](Client& client) -> Task<> { result = co_await client.activity().result_head("act", "b", index); });
        return !result ? "?" : result->ok ? "ok" : "failed";
    };
    const std::string first =
        R"([{"index":0,"eventDate":"2026-11-24T06:59:34Z","result":"Ok","stdout":"","stderr":null,)"
        R"("message":null,"isBatchFinished":false},)";
    const std::string second = R"({"index":1,"eventDate":"2026-11-24T06:59:34Z","result":"Error","stdout":")";
    const std::string long_text(100'000, 'x');
    CHECK(head_of(first + second + long_text, 1) == std::string("failed"));
    CHECK(head_of(first + second + long_text, 0) == std::string("ok"));
    CHECK(head_of(first + second + long_text + "\"}]", 1) == std::string("failed"));
    CHECK(head_of(first + second + long_text, 2) == std::string("?"));
    CHECK(head_of(R"([{"index":0,"stdout":")" + long_text, 0) == std::string("?"));
    CHECK(head_of(R"([{"index":0,"stdout":{"index":1,"result":"Ok"}}])", 1) == std::string("?"));
    CHECK(head_of("<html>", 0) == std::string("?"));
}

TEST_CASE("streams that cannot be read are errors")
{
    CHECK(contains(read(answer(404, R"({"message":"Not found: x"})")).at(0), "failed: stream results"));
    CHECK(contains(read(cut_off()).at(0), "failed: stream results"));
    CHECK(read(stream_of("")).empty());
}
