// Limits, repetitions and giving up, in virtual time.

#include "support.hpp"

#include <golem/yagna/detail/call_policy.hpp>

#include <golem/core/race.hpp>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;
using namespace std::chrono_literals;

namespace {

const std::string me = R"({"identity":"0x1","name":"n","role":"manager"})";

Task<> repeatable(Client& client) { co_await client.identity().me(); }

Task<> once(Client& client)
{
    const DemandOfferBase content;
    co_await client.market().publish_demand(content);
}

Task<> waiting(Client& client)
{
    const Cursor start;
    co_await client.market().agreement_events(start, "", 60s, 10);
}

Task<> limited(Client& client)
{
    const Reason reason;
    co_await client.market().terminate("1", reason, 10s);
}

Script always(Reply reply)
{
    return [reply](ScriptedTransport& daemon) { daemon.always(reply); };
}

/// The daemon has been reached once before.
Call after_contact(Call call)
{
    return [call](Client& client) -> Task<> {
        co_await client.identity().me();
        co_await call(client);
    };
}

Script contact_then(Reply reply)
{
    return [reply](ScriptedTransport& daemon) {
        daemon.expect(answer(200, me));
        daemon.always(reply);
    };
}

} // namespace

TEST_CASE("a call carries the app key, a limit and the most bytes of its answer")
{
    const auto outcome = make_call(answer(200, me), repeatable);
    CHECK_FALSE(outcome.code);
    CHECK(outcome.contacted);
    REQUIRE(outcome.requests.size() == 1);
    CHECK(header(outcome.requests[0], "Authorization") == std::string("Bearer ") + app_key);
    CHECK(outcome.requests[0].response_limit() == CallerOptions().response_limit);
    CHECK(outcome.log.empty());
}

TEST_CASE("limits of a call")
{
    const auto limit = [](const Call& call, const std::string& body) {
        const auto outcome = make_call(
            [&](ScriptedTransport& daemon) {
                daemon.expect(answer(200, me));
                daemon.expect(answer(200, body));
            },
            after_contact(call));
        CHECK_FALSE(outcome.code);
        return outcome.requests.at(1).limit();
    };
    CHECK(limit(repeatable, me) == 30s);
    CHECK(limit(once, "\"id\"") == 30s);
    CHECK(limit(waiting, "[]") == 65s);
    CHECK(limit(limited, "") == 10s);
}

TEST_CASE("nobody at home: an error after ten seconds that says what to do")
{
    for (const auto& call : {Call(repeatable), Call(once), Call(waiting)}) {
        const auto outcome = make_call(always(refused_connection()), call);
        CHECK(outcome.code == Errc::unreachable);
        CHECK(outcome.took == 10s);
        CHECK(outcome.transient);
        CHECK(outcome.gave_up == GaveUp::exhausted);
        CHECK(outcome.sent == Sent::no);
        CHECK_FALSE(outcome.contacted);
        CHECK(outcome.requests.size() > 3);
        CHECK(contains(outcome.text, "http://127.0.0.1:7465"));
        CHECK(contains(outcome.text, "connection refused"));
        CHECK(contains(outcome.text, "yagna service run"));
        CHECK(contains(outcome.text, "attempts in 10 s"));
    }
}

TEST_CASE("what a transport says about the place stands by itself")
{
    Reply refusal;
    refusal.failure.emplace(Errc::unreachable, "connect", "nothing listens at http://127.0.0.1:7465", Sent::no);
    const auto outcome = make_call(always(refusal), repeatable);
    CHECK(outcome.text.starts_with("read identity: nothing listens at http://127.0.0.1:7465 (gave up after "));
}

TEST_CASE("a daemon that comes up in time is not noticed")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(refused_connection());
            daemon.expect(refused_connection());
            daemon.expect(answer(201, "\"id\""));
        },
        once);
    CHECK_FALSE(outcome.code);
    CHECK(outcome.requests.size() == 3);
    CHECK(outcome.took < 1s);
    CHECK(outcome.log.empty());
}

TEST_CASE("the log tells from the third failure on, and once about the end of it")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) {
            for (int i = 0; i < 4; ++i)
                daemon.expect(refused_connection());
            daemon.expect(answer(200, me));
        },
        repeatable);
    CHECK_FALSE(outcome.code);
    REQUIRE(outcome.log.size() == 3);
    CHECK(outcome.log[0].starts_with("warning: read identity: "));
    CHECK(contains(outcome.log[0], "attempt 3 failed"));
    CHECK(contains(outcome.log[1], "attempt 4 failed"));
    CHECK(outcome.log[2].starts_with("info: read identity: the daemon answers again, after "));
}

TEST_CASE("any answer ends the report of an outage")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(answer(200, me));
            for (int i = 0; i < 4; ++i)
                daemon.expect(refused_connection());
            daemon.expect(hang()); // A long poll at the daemon that is up again.
            daemon.expect(answer(200, me));
        },
        [](Client& client) -> Task<> {
            co_await client.identity().me();
            auto poll = waiting(client);
            co_await with_timeout(client.caller().time(), 30s, std::move(poll), "long poll");
            co_await client.identity().me();
        });
    CHECK_FALSE(outcome.code);
    REQUIRE(outcome.log.size() == 3);
    CHECK(contains(outcome.log[1], "attempt 4 failed"));
    CHECK(outcome.log[2].starts_with("info: read identity: the daemon answers again, after 30 s"));
}

TEST_CASE("a daemon that accepts and says nothing ends the first contact, too")
{
    const auto outcome = make_call(always(hang()), repeatable);
    CHECK(outcome.code == Errc::timed_out);
    CHECK(outcome.took >= 10s);
    CHECK(outcome.took <= 15s);
    CHECK(outcome.sent == Sent::unknown);
    CHECK(contains(outcome.text, "did not answer within 10 s"));

    const auto single = make_call(always(hang()), once);
    CHECK(single.code == Errc::timed_out);
    CHECK(single.took == 13s);
    REQUIRE(single.requests.size() == 2);
    CHECK(single.requests[1].target() == "/version/get");
    CHECK(single.gave_up == GaveUp::not_repeatable);
    CHECK(contains(single.text, "did not answer within 13 s"));
}

TEST_CASE("a daemon that takes its time over the first call, but tells its version, is waited for")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) {
            auto slow = answer(201, "\"demand\"");
            slow.delay = 25s;
            daemon.expect(slow);
            daemon.expect(answer(200, "{}"));
        },
        once);
    CHECK_FALSE(outcome.code);
    CHECK(outcome.took == 25s);
    CHECK(outcome.requests.size() == 2);
}

TEST_CASE("once reached, a silent daemon is an outage and is waited out")
{
    const auto outcome = make_call(contact_then(refused_connection()), after_contact(repeatable));
    CHECK(outcome.code == Errc::unreachable);
    CHECK(outcome.took == 5min);
    CHECK(contains(outcome.text, "no longer answers"));
    CHECK(contains(outcome.text, "attempts in 300 s"));

    const auto over = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(answer(200, me));
            for (int i = 0; i < 15; ++i)
                daemon.expect(refused_connection());
            daemon.expect(answer(200, "[]"));
        },
        after_contact(waiting));
    CHECK_FALSE(over.code);
    CHECK(over.took > 30s);
}

TEST_CASE("the pauses grow up to ten seconds, with jitter")
{
    const auto outcome = make_call(contact_then(refused_connection()), after_contact(repeatable));
    std::vector<Duration> pauses;
    for (std::size_t i = 2; i + 1 < outcome.times.size(); ++i)
        pauses.push_back(outcome.times[i] - outcome.times[i - 1]);
    REQUIRE(pauses.size() > 10);
    CHECK(pauses[0] >= 100ms);
    CHECK(pauses[0] <= 200ms);
    CHECK(pauses[1] > 200ms);
    CHECK(*std::ranges::max_element(pauses) <= 10s);
    CHECK(*std::ranges::max_element(pauses) > 5s);
    CHECK(pauses[9] != pauses[10]);
}

TEST_CASE("what may have taken effect is repeated only where that is safe")
{
    const auto single = make_call(contact_then(cut_off()), after_contact(once));
    CHECK(single.code == Errc::unreachable);
    CHECK(single.requests.size() == 2);
    CHECK(single.gave_up == GaveUp::not_repeatable);
    CHECK(single.sent == Sent::unknown);
    CHECK(contains(single.text, "may have taken effect"));

    const auto again = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(answer(200, me));
            daemon.expect(cut_off());
            daemon.expect(answer(200, me));
        },
        after_contact(repeatable));
    CHECK_FALSE(again.code);
    CHECK(again.requests.size() == 3);

    // One attempt that may have got through taints the error of a later one that did not.
    const auto tainted = make_call(
        [](ScriptedTransport& daemon) {
            daemon.expect(cut_off());
            daemon.always(refused_connection());
        },
        repeatable);
    CHECK(tainted.sent == Sent::unknown);
}

TEST_CASE("failures that the daemon reports")
{
    struct Row {
        unsigned status;
        Call call;
        std::size_t attempts;
        Errc code;
        GaveUp gave_up;
    };
    const Row rows[] = {
        {500, repeatable, 3, Errc::daemon_failed, GaveUp::exhausted},
        {502, repeatable, 3, Errc::daemon_failed, GaveUp::exhausted},
        {503, repeatable, 3, Errc::daemon_failed, GaveUp::exhausted},
        {504, repeatable, 3, Errc::timed_out, GaveUp::exhausted},
        {429, repeatable, 3, Errc::daemon_failed, GaveUp::exhausted},
        {408, repeatable, 3, Errc::timed_out, GaveUp::exhausted},
        {500, limited, 3, Errc::daemon_failed, GaveUp::exhausted},
        {503, once, 1, Errc::daemon_failed, GaveUp::not_repeatable},
        {408, once, 1, Errc::timed_out, GaveUp::not_repeatable},
        {408, waiting, 1, Errc::timed_out, GaveUp::not_tried_again},
        {500, waiting, 3, Errc::daemon_failed, GaveUp::exhausted},
        {501, repeatable, 1, Errc::daemon_failed, GaveUp::permanent},
        {400, repeatable, 1, Errc::invalid_input, GaveUp::permanent},
        {401, repeatable, 1, Errc::unauthorized, GaveUp::permanent},
        {404, repeatable, 1, Errc::not_found, GaveUp::permanent},
        {409, repeatable, 1, Errc::refused, GaveUp::permanent},
        {302, repeatable, 1, Errc::protocol, GaveUp::permanent},
    };
    for (const auto& row : rows) {
        const auto outcome = make_call(always(answer(row.status, "{\"message\":\"words\"}")), row.call);
        INFO(row.status << " " << outcome.text);
        CHECK(outcome.code == row.code);
        CHECK(outcome.requests.size() == row.attempts);
        CHECK(outcome.gave_up == row.gave_up);
        CHECK(outcome.their_words == "words");
        CHECK_FALSE(outcome.sent);
        CHECK(outcome.contacted);
        if (row.gave_up == GaveUp::exhausted)
            CHECK(contains(outcome.text, "(gave up after 3 attempts in "));
    }
}

TEST_CASE("attempts without an answer do not count against those with a bad one")
{
    const auto outcome = make_call(
        [](ScriptedTransport& daemon) {
            for (int i = 0; i < 5; ++i)
                daemon.expect(refused_connection());
            daemon.expect(answer(503));
            daemon.expect(answer(503));
            daemon.expect(answer(200, me));
        },
        repeatable);
    CHECK_FALSE(outcome.code);
    CHECK(outcome.requests.size() == 8);
}

TEST_CASE("a limit of its own bounds a call with all its attempts")
{
    const auto hanging = make_call(contact_then(hang()), after_contact(limited));
    CHECK(hanging.code == Errc::timed_out);
    CHECK(hanging.requests.size() == 2);
    CHECK(hanging.took == 10s);
    const auto refused = make_call(contact_then(refused_connection()), after_contact(limited));
    CHECK(refused.code == Errc::unreachable);
    CHECK(refused.took <= 10s);
    const auto slow = make_call(
        [](ScriptedTransport& daemon) {
            auto failure = answer(500);
            failure.delay = 4s;
            daemon.always(failure);
        },
        limited);
    CHECK(slow.code == Errc::timed_out);
    CHECK(slow.took == 10s);
    CHECK(slow.requests.size() == 3);
    CHECK(slow.requests.back().limit() < 2s);
}

TEST_CASE("the app key stays out of errors and log lines")
{
    Reply echo = answer(500, std::string("who is ") + app_key + "?", "text/plain");
    const auto outcome = make_call(always(echo), repeatable);
    CHECK(contains(outcome.text, "who is ***?"));
    CHECK_FALSE(contains(outcome.text, app_key));
    REQUIRE_FALSE(make_call(always(refused_connection()), repeatable).log.empty());

    Reply leak;
    leak.failure.emplace(Errc::unreachable, "connect", std::string("cannot send ") + app_key, Sent::no);
    const auto leaked = make_call(always(leak), repeatable);
    CHECK(contains(leaked.text, "cannot send ***"));
    for (const auto& line : leaked.log)
        CHECK_FALSE(contains(line, app_key));
}

TEST_CASE("a cancelled call is over, in whatever it is doing")
{
    for (const auto& reply : {hang(), refused_connection()}) {
        golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
            auto transport = std::make_shared<ScriptedTransport>(time);
            transport->always(reply);
            Client client(transport, app_key, time, Random(1), Logger());
            auto call = repeatable(client);
            const bool in_time = co_await with_timeout(time, 1s, std::move(call), "test");
            CHECK_FALSE(in_time);
            CHECK(time.elapsed() == 1s);
        });
    }
}

TEST_CASE("a closed transport is not tried again")
{
    Reply closed;
    closed.failure.emplace(Errc::closed, "send", "the transport was closed", Sent::no);
    const auto outcome = make_call(always(closed), repeatable);
    CHECK(outcome.code == Errc::closed);
    CHECK(outcome.requests.size() == 1);
    CHECK(contains(outcome.text, "read identity: the transport was closed"));

    Reply too_large;
    too_large.failure.emplace(Errc::protocol, "receive", "the answer is too large", Sent::unknown);
    CHECK(make_call(always(too_large), repeatable).requests.size() == 1);
}

TEST_CASE("the limit of an attempt")
{
    struct Row {
        const char* what;
        CallClass call;
        bool contacted;
        Duration elapsed;
        Duration limit;
    };
    const auto repeat = Idempotency::repeatable;
    const auto single = Idempotency::once;
    const Row rows[] = {
        {"ordinary", {"op", repeat}, true, 0s, 30s},
        {"first contact", {"op", repeat}, false, 0s, 10s},
        {"later in the first contact", {"op", repeat}, false, 7s, 3s},
        {"the last attempt of it", {"op", repeat}, false, 10s, 1s},
        {"not repeatable", {"op", single}, false, 0s, 30s},
        {"waiting", {"op", repeat, 60s}, false, 3s, 65s},
        {"waiting for ever", {"op", repeat, Duration::max()}, true, 0s, yagna::detail::longest_wait + 5s},
        {"limited", {"op", single, 0s, 60s}, false, 20s, 40s},
        {"limited and over", {"op", single, 0s, 60s}, false, 70s, 1ms},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        yagna::detail::CallProgress progress;
        progress.contacted = row.contacted;
        progress.elapsed = row.elapsed;
        CHECK(yagna::detail::attempt_limit(row.call, CallerOptions(), progress) == row.limit);
    }
}
