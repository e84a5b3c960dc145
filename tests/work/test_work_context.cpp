#include <golem/work/work_context.hpp>

#include <golem/core/race.hpp>

#include <tests/yagna/support.hpp>

using namespace golem;
using namespace std::chrono_literals;
using yagna::test::answer;
using yagna::test::contains;

namespace {

std::string item(int index, bool ok, const std::string& out, const std::string& message = {})
{
    const auto text = [](const std::string& value) {
        return value.empty() ? std::string("null") : "\"" + value + "\"";
    };
    return R"({"index":)" + std::to_string(index) + R"(,"result":")" + (ok ? "Ok" : "Error") + R"(","stdout":)" +
           text(out) + R"(,"stderr":null,"message":)" + text(message) +
           R"(,"isBatchFinished":false,"eventDate":"2024-05-15T12:00:09.123456789Z"})";
}

struct Ended {
    std::vector<CommandResult> results;
    std::exception_ptr failure;
    std::optional<Errc> code;
    int alive = 0;
    int lost = 0;
    Duration took{0};
    std::vector<http::Request> requests;
};

Ended execute(const yagna::test::Script& daemon, const Script& script, const WorkOptions& options = WorkOptions())
{
    Ended ended;
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        auto transport = std::make_shared<yagna::test::ScriptedTransport>(time);
        daemon(*transport);
        yagna::Client client(transport, "key", time, Random(1), Logger());
        yagna::Agreement agreement;
        agreement.provider = "0xab";
        agreement.offer.properties.set("golem.node.id.name", "rosa");
        WorkHooks hooks;
        hooks.on_alive = [&] { ++ended.alive; };
        hooks.on_lost = [&](const Error&) { ++ended.lost; };
        WorkContext work(client, time, agreement, "act", {}, options, hooks);
        CHECK(work.provider().name == "rosa");
        CHECK(work.provider().id == "0xab");
        try {
            ended.results = co_await work.execute(script);
        } catch (const Error& error) {
            ended.failure = std::current_exception();
            ended.code = error.errc();
        }
        ended.took = time.elapsed();
        ended.requests = transport->requests;
    });
    return ended;
}

const auto batch = answer(200, "\"b1\"");

} // namespace

TEST_CASE("one command is submitted and its result polled as a list")
{
    Script script;
    script.run({"/bin/date"});
    const auto ended = execute(
        [](auto& daemon) {
            daemon.expect(batch);
            auto empty = answer(200, "[]");
            empty.delay = 60s;
            daemon.expect(empty);
            daemon.expect(answer(200, "[" + item(0, true, "Thu") + "]"));
        },
        script);
    REQUIRE(ended.results.size() == 1);
    CHECK(ended.results[0].out == "Thu");
    CHECK(ended.alive == 3);
    CHECK(ended.lost == 0);
    REQUIRE(ended.requests.size() == 3);
    CHECK(ended.requests[0].target() == "/activity-api/v1/activity/act/exec");
    CHECK(contains(ended.requests[0].body(), R"({\"run\":{\"entry_point\":\"/bin/date\")"));
    CHECK(contains(ended.requests[1].target(), "/exec/b1?timeout=60"));
    CHECK(!contains(ended.requests[1].target(), "commandIndex"));
}

TEST_CASE("an empty script sends nothing")
{
    const auto ended = execute([](auto&) {}, Script());
    CHECK(ended.results.empty());
    CHECK(ended.requests.empty());
}

TEST_CASE("a short batch is one look at its list")
{
    Script script;
    script.deploy().start();
    const auto both = "[" + item(0, true, "") + "," + item(1, true, "") + "]";
    const auto ended = execute(
        [&](auto& daemon) {
            daemon.expect(batch);
            daemon.expect(answer(200, both));
        },
        script);
    CHECK(ended.results.size() == 2);
    REQUIRE(ended.requests.size() == 2);
    CHECK(contains(ended.requests[1].target(), "/exec/b1?timeout=2"));
    CHECK(!contains(ended.requests[1].target(), "commandIndex"));

    const auto failed = execute(
        [&](auto& daemon) {
            daemon.expect(batch);
            daemon.expect(answer(200, "[" + item(0, false, "", "Runtime error: no") + "]"));
        },
        script);
    CHECK(failed.code == Errc::command_failed);
}

TEST_CASE("several results are asked for one after the other, and the first failure ends the batch at once")
{
    Script script;
    script.deploy().start().run({"/bin/x"});
    const auto ended = execute(
        [](auto& daemon) {
            daemon.expect(batch);
            auto look = answer(200, "[" + item(0, true, "") + "]");
            look.delay = 2s;
            daemon.expect(look);
            daemon.expect(answer(408, R"({"message":"Timeout"})"));
            daemon.expect(answer(200, "[" + item(0, true, "") + "," + item(1, false, "", "Runtime error: no") + "]"));
        },
        script);
    CHECK(ended.code == Errc::command_failed);
    CHECK(ended.took < 4s);
    try {
        std::rethrow_exception(ended.failure);
    } catch (const CommandError& error) {
        CHECK(error.index() == 1);
        CHECK(error.command() == "start");
        CHECK(error.their_words() == "Runtime error: no");
    }
    REQUIRE(ended.requests.size() == 4);
    CHECK(!contains(ended.requests[1].target(), "commandIndex"));
    CHECK(contains(ended.requests[2].target(), "/exec/b1?timeout=60&commandIndex=1"));
    CHECK(contains(ended.requests[3].target(), "/exec/b1?timeout=60&commandIndex=1"));
}

TEST_CASE("each result is asked for by its own number, and once")
{
    Script script;
    script.run({"/bin/a"}).run({"/bin/b"}).run({"/bin/c"}).run({"/bin/d"});
    const auto up_to = [](int last) {
        std::string list;
        for (int index = 0; index <= last; ++index)
            list += (index > 0 ? "," : "") + item(index, true, "out" + std::to_string(index));
        return answer(200, "[" + list + "]");
    };
    const auto ended = execute(
        [&](auto& daemon) {
            daemon.expect(batch);
            for (int last = 0; last < 4; ++last)
                daemon.expect(up_to(last));
        },
        script);
    CHECK(!ended.code);
    REQUIRE(ended.results.size() == 4);
    REQUIRE(ended.requests.size() == 5);
    for (std::size_t index = 0; index < 4; ++index)
        CHECK(ended.results[index].out == "out" + std::to_string(index));
    for (std::size_t index = 1; index < 4; ++index)
        CHECK(ended.requests[index + 1].target().ends_with("commandIndex=" + std::to_string(index)));
}

TEST_CASE("results that do not belong to the batch are refused")
{
    Script script;
    script.run({"/bin/x"});
    for (const auto& list : {"[" + item(1, true, "") + "]", "[" + item(0, true, "") + "," + item(1, true, "") + "]"}) {
        const auto ended = execute(
            [&](auto& daemon) {
                daemon.expect(batch);
                daemon.expect(answer(200, list));
            },
            script);
        CHECK(ended.code == Errc::protocol);
    }
}

TEST_CASE("a provider that does not answer in time is asked again")
{
    Script script;
    script.deploy().start();
    const auto ended = execute(
        [](auto& daemon) {
            daemon.expect(batch);
            auto late = answer(408, R"({"message":"Timeout"})");
            late.delay = 6s;
            daemon.expect(late);
            // One that does not even wait must not be asked in a tight loop.
            daemon.expect(answer(408, R"({"message":"Timeout"})"));
            daemon.expect(answer(200, "[" + item(0, true, "") + "]"));
            daemon.expect(answer(200, "[" + item(0, true, "") + "," + item(1, true, "") + "]"));
        },
        script);
    CHECK(!ended.code);
    CHECK(ended.results.size() == 2);
    CHECK(ended.took >= 7s);
    CHECK(ended.alive == 3); // The submission and the results: silence proves nothing.
}

TEST_CASE("an activity that is gone is told to the owner before the service hears it")
{
    const auto gone = answer(500, R"({"message":"GSB error: Bad request: Bad request: endpoint address not found"})");
    Script script;
    script.run({"/bin/date"});
    SECTION("at the submission")
    {
        const auto ended = execute([&](auto& daemon) { daemon.always(gone); }, script);
        CHECK(ended.code == Errc::activity_lost);
        CHECK(ended.lost == 1);
    }
    SECTION("while waiting")
    {
        const auto ended = execute(
            [&](auto& daemon) {
                daemon.expect(batch);
                daemon.always(gone);
            },
            script);
        CHECK(ended.code == Errc::activity_lost);
        CHECK(ended.lost == 1);
    }
    SECTION("as the last result of the command that ran")
    {
        const auto ended = execute(
            [&](auto& daemon) {
                daemon.expect(batch);
                daemon.expect(answer(
                    200, "[" +
                             item(
                                 0, false, "",
                                 "Local service error: State error: Unexpected state: StatePair(Terminated, None), "
                                 "expected StatePair(Ready, Some(Ready))") +
                             "]"));
            },
            script);
        CHECK(ended.code == Errc::activity_lost);
        CHECK(ended.lost == 1);
    }
}

TEST_CASE("a batch has a limit")
{
    WorkOptions options;
    options.batch_limit = 100s;
    Script script;
    script.run({"/bin/sleep"});
    const auto ended = execute(
        [](auto& daemon) {
            daemon.expect(batch);
            auto empty = answer(200, "[]");
            empty.delay = 40s;
            daemon.always(empty);
        },
        script, options);
    CHECK(ended.code == Errc::timed_out);
    CHECK(ended.took >= 100s);
    CHECK(ended.took < 130s);
    CHECK(ended.lost == 0);
}

TEST_CASE("run takes a program and its arguments")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        auto transport = std::make_shared<yagna::test::ScriptedTransport>(time);
        transport->expect(batch);
        transport->expect(answer(200, "[" + item(0, true, "hi") + "]"));
        yagna::Client client(transport, "key", time, Random(1), Logger());
        WorkContext work(client, time, yagna::Agreement(), "act", {}, WorkOptions(), WorkHooks());
        const std::string script = "echo hi";
        const auto result = co_await work.run("/bin/sh", "-c", script);
        CHECK(result.out == "hi");
        CHECK(contains(transport->requests[0].body(), R"(\"args\":[\"-c\",\"echo hi\"])"));
    });
}
