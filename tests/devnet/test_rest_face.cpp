#include <golem/core/race.hpp>
#include <golem/core/task_group.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;
using http::Method;

namespace {

std::string summary(const http::Response& response)
{
    const auto type = response.headers().get("Content-Type");
    return std::to_string(response.status()) + " " + std::string(type.value_or("-")) + " " +
           (response.headers().get("vary") ? "vary " : "") + response.body();
}

const std::string json = "application/json vary ";
const std::string plain = "text/plain; charset=utf-8 ";
const std::string demand_text =
    R"-({"properties":{"golem":{"srv.comp.expiration":1900000000000}},"constraints":"(golem.runtime.name=vm)"})-";

} // namespace

TEST_CASE("requests without a key, a path or a method are answered as by the daemon")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        http::Request nobody(Method::get, "/nowhere");
        auto response = co_await rig.transport->send(nobody);
        CHECK(summary(response) == "401 " + plain + "Missing application key");
        http::Request stranger(Method::get, "/me?authToken=devnet");
        stranger.headers().set("Authorization", "Bearer wrong");
        response = co_await rig.transport->send(stranger);
        CHECK(summary(response) == "401 " + plain + "Invalid application key");
        http::Request by_query(Method::get, "/me?authToken=devnet");
        response = co_await rig.transport->send(by_query);
        CHECK(response.status() == 200);
        http::Request version(Method::get, "/version/get");
        response = co_await rig.transport->send(version);
        CHECK(response.status() == 200);
        response = co_await rig.call(Method::get, "/nowhere");
        CHECK(summary(response) == "404 - vary ");
        response = co_await rig.call(Method::put, "/market-api/v1/demands", "{}");
        CHECK(summary(response) == "404 - vary ");
        http::Request preflight(Method::options, "/me");
        preflight.headers().set("Access-Control-Request-Method", "GET");
        preflight.headers().set("Origin", "http://elsewhere.example");
        response = co_await rig.transport->send(preflight);
        CHECK(summary(response) == "400 - Origin is not allowed to make this request");
    });
}

TEST_CASE("bodies that cannot be read are refused in each API's form")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        auto response = co_await rig.call(Method::post, "/market-api/v1/demands");
        CHECK(summary(response) == "400 " + json + R"({"message":"Content type error"})");
        response = co_await rig.call(Method::post, "/payment-api/v1/allocations");
        CHECK(summary(response) == "400 text/plain; charset=utf-8 vary Content type error");
        response = co_await rig.call(Method::post, "/market-api/v1/demands", "{nonsense");
        CHECK(response.body() == R"({"message":"Json deserialize error: key must be a string at line 1 column 2"})");
        const std::string large = "\"" + std::string(2'098'152, 'x') + "\"";
        response = co_await rig.call(Method::post, "/market-api/v1/demands", large);
        CHECK(response.status() == 400);
        CHECK(response.body().find("JSON payload (2098154 bytes) is larger than allowed") != std::string::npos);
        response = co_await rig.call(Method::post, "/payment-api/v1/allocations", large);
        CHECK(response.status() == 413);
        response = co_await rig.call(Method::get, "/payment-api/v1/demandDecorations");
        CHECK(
            summary(response) ==
            "400 text/plain; charset=utf-8 vary Query deserialize error: missing field `allocationIds`");
    });
}

TEST_CASE("a poll for events waits for the first, or for its limit, or for the end of the demand")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        auto response = co_await rig.call(Method::post, "/market-api/v1/demands", demand_text);
        REQUIRE(response.status() == 201);
        const auto demand = nlohmann::json::parse(response.body()).get<std::string>();
        const auto target = "/market-api/v1/demands/" + demand + "/events?timeout=60";
        response = co_await rig.call(Method::get, target);
        CHECK(response.body() == "[]");
        CHECK(time.elapsed() == 60s);

        TaskGroup group(executor);
        group.spawn("offer", [&]() -> Task<> {
            co_await time.sleep_for(7s, "an offer");
            rig.host.world().market().publish(Side::provider, "0xp", test::some_offer(), rig.host.now());
            rig.host.settle();
        });
        response = co_await rig.call(Method::get, target);
        CHECK(time.elapsed() == 67s);
        const auto events = nlohmann::json::parse(response.body());
        REQUIRE(events.size() == 1);
        CHECK(events[0]["proposal"]["properties"]["golem.com.pricing.model.linear.coeffs"].dump() == "[0.0,0.1]");

        group.spawn("deletion", [&]() -> Task<> {
            co_await time.sleep_for(5s, "a deletion");
            const auto deleted = co_await rig.call(Method::del, "/market-api/v1/demands/" + demand);
            CHECK(summary(deleted) == "204 - vary ");
        });
        response = co_await rig.call(Method::get, target);
        CHECK(response.status() == 404);
        CHECK(time.elapsed() == 72s);
        co_await group.join();
    });
}

TEST_CASE("a poll that was withdrawn has taken nothing")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        auto response = co_await rig.call(Method::post, "/market-api/v1/demands", demand_text);
        const auto demand = nlohmann::json::parse(response.body()).get<std::string>();
        const auto target = "/market-api/v1/demands/" + demand + "/events?timeout=60";
        for (int order = 0; order < 2; ++order) {
            TaskGroup group(executor);
            group.spawn("poll", [&]() -> Task<> {
                co_await rig.call(Method::get, target);
                FAIL("the poll was answered");
            });
            co_await time.sleep_for(1s, "the poll");
            // The change comes just before, or just after, the caller goes away.
            if (order == 1)
                group.cancel();
            rig.host.world().market().publish(
                Side::provider, "0xp" + std::to_string(order), test::some_offer(), rig.host.now());
            rig.host.settle();
            group.cancel();
            co_await group.join();
            response = co_await rig.call(Method::get, target);
            CHECK(nlohmann::json::parse(response.body()).size() == 1);
        }
    });
}

TEST_CASE("payment polls look at fixed steps if told so")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        DevnetOptions options;
        options.payment_poll_step = 1s;
        test::Rig rig(executor, time, options);
        const auto node = rig.host.world().node_of_key("devnet");
        TaskGroup group(executor);
        group.spawn("invoice", [&]() -> Task<> {
            co_await time.sleep_for(1500ms, "an invoice");
            Billing billing;
            billing.requestor = *node;
            billing.provider = "0xp";
            rig.host.world().payments().send_invoice(billing, {}, Decimal(), std::nullopt, rig.host.now());
            rig.host.settle();
        });
        const auto response = co_await rig.call(Method::get, "/payment-api/v1/invoiceEvents?timeout=10");
        CHECK(nlohmann::json::parse(response.body()).size() == 1);
        CHECK(time.elapsed() == 2s);
        co_await group.join();
    });
}

TEST_CASE("an allocation fails late while the chain is unreachable")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        DevnetOptions options;
        options.payments.chain = Chain::unreachable;
        test::Rig rig(executor, time, options);
        http::Request request(Method::post, "/payment-api/v1/allocations");
        request.headers().set("Authorization", "Bearer devnet");
        request.set_body(R"({"totalAmount":"1"})").set_limit(60s);
        const auto response = co_await rig.transport->send(request);
        CHECK(response.status() == 500);
        CHECK(response.content_type() == "application/problem+json");
        CHECK(time.elapsed() == 31'800ms);
    });
}

TEST_CASE("faults strike the requests they are meant for")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        auto& faults = rig.face->faults();
        faults.add(Method::get, "/me", Fault::answer(503, "{}"), 1, 1);
        faults.add(Method::get, "/me", Fault::delay(2s), 1, 1);
        std::string statuses;
        for (int i = 0; i < 4; ++i) {
            const auto response = co_await rig.call(Method::get, "/me");
            statuses += std::to_string(response.status()) + " ";
        }
        CHECK(statuses == "200 503 200 200 ");
        CHECK(time.elapsed() == 2s);

        faults.add(Method::post, "/market-api/v1/demands", Fault::drop_answer());
        bool broke = false;
        try {
            co_await rig.call(Method::post, "/market-api/v1/demands", demand_text);
        } catch (const http::TransportError& error) {
            broke = error.sent() == http::TransportError::Sent::unknown;
        }
        CHECK(broke);
        faults.add(Method::get, "/market-api/v1/*", Fault::truncate());
        auto response = co_await rig.call(Method::get, "/market-api/v1/demands");
        CHECK(nlohmann::json::parse(response.body(), nullptr, false).is_discarded());
        response = co_await rig.call(Method::get, "/market-api/v1/demands");
        CHECK(nlohmann::json::parse(response.body()).size() == 1);

        faults.add(Method::get, "/me", Fault::hang());
        auto hanging = rig.call(Method::get, "/me");
        const auto nothing = co_await with_timeout(time, 20s, std::move(hanging), "limit");
        CHECK(!nothing);
    });
}
