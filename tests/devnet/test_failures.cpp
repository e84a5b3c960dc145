// What the REST face makes of the unexpected: units that have ended, bodies that no client sends, broken connections.
#include <golem/core/log.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/client.hpp>
#include <golem/http/server.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <array>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;
using golem::test::contains_text;
using http::Method;

namespace {

// Fails as a unit does that has ended and was not detached yet; or in a way that nobody expects.
class FailingUnit final : public provider::ExeUnit {
public:
    explicit FailingUnit(bool expected) : expected_(expected) {}

    void exec(const std::string&, const std::string&) override { fail(); }

    Task<std::optional<std::vector<provider::CommandOutcome>>>
    results(const std::string&, Duration, std::optional<int>) override
    {
        fail();
        co_return std::nullopt;
    }

    Task<provider::BatchEvents> events(const std::string&, std::size_t, Duration) override
    {
        fail();
        co_return provider::BatchEvents();
    }

    Task<> state_leaves(provider::UnitStatePair) override { co_return; }

    provider::UnitStatePair state() const override { return {provider::UnitState::terminated, std::nullopt}; }

    std::optional<std::vector<double>> usage() const override { return std::nullopt; }

private:
    void fail() const
    {
        if (expected_)
            throw Error(Errc::activity_lost, "execute script", "the exe-unit has ended");
        throw std::runtime_error("as planned");
    }

    bool expected_;
};

std::string add_activity(Host& host, bool expected)
{
    auto& activities = host.world().activities();
    const auto node = host.world().node_of_key("devnet");
    const auto id = activities.create(std::string(64, 'a'), *node, "0xp", host.now());
    REQUIRE(activities.attach("0xp", id, std::make_shared<FailingUnit>(expected)));
    return "/activity-api/v1/activity/" + id;
}

Task<http::Response> call(http::Transport& transport, Method method, std::string target, std::string body = "")
{
    http::Request request(method, std::move(target));
    request.headers().set("Authorization", "Bearer devnet");
    if (!body.empty())
        request.set_body(std::move(body));
    auto response = co_await transport.send(request);
    co_return response;
}

const std::string script = R"({"text":"[{\"deploy\":{}}]"})";

Task<> check_failing_units(Host& host, http::Transport& transport, const std::string& gone)
{
    const std::string gone_body = "{\"message\":\"" + gone + "\"}";
    const std::string unexpected = R"({"message":"Internal error: as planned"})";
    constexpr std::array kinds = {true, false};
    for (const bool expected : kinds) {
        const auto activity = add_activity(host, expected);
        auto response = co_await call(transport, Method::post, activity + "/exec", script);
        CHECK(response.status() == 500);
        CHECK(response.content_type() == "application/json");
        CHECK(response.body() == (expected ? gone_body : unexpected));
        response = co_await call(transport, Method::get, activity + "/exec/" + std::string(32, 'b') + "?timeout=1");
        CHECK(response.status() == 500);
        CHECK(response.body() == (expected ? gone_body : unexpected));
    }
}

const std::string endpoint_gone = "GSB error: Bad request: Bad request: endpoint address not found";

// A REST face behind a port of this machine.
Task<> with_port(std::function<Task<>(Host&, RestFace&, http::Transport&)> body)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    RealTime time;
    Host host(executor, time, DevnetOptions());
    const auto face = std::make_shared<RestFace>(host);
    const http::ServerOptions options;
    http::Server server(executor, time, face, options, Logger());
    TaskGroup group(executor);
    group.spawn("server", [&] { return server.run(); });
    const auto url = http::Url::parse("http://127.0.0.1:" + std::to_string(server.port()));
    const auto transport = http::make_transport(executor, time, url);
    std::exception_ptr failure;
    try {
        co_await body(host, *face, *transport);
    } catch (...) {
        failure = std::current_exception();
    }
    transport->close();
    server.close();
    co_await group.join();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

TEST_CASE("a unit that has ended is gone to the caller, and a defect has a text and a log line")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        co_await check_failing_units(rig.host, *rig.transport, endpoint_gone);
        std::string lines;
        Logger log([&lines](LogLevel, std::string_view line) { lines += std::string(line) + "\n"; });
        const auto face = std::make_shared<RestFace>(rig.host, log);
        const auto transport = http::make_in_process_transport(executor, time, face, "devnet");
        const auto activity = add_activity(rig.host, false);
        co_await call(*transport, Method::post, activity + "/exec", script);
        CHECK_THAT(lines, contains_text("/exec: as planned"));
    });
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        DevnetOptions options;
        options.wording = Wording::central;
        test::Rig rig(executor, time, options);
        const auto activity = add_activity(rig.host, true);
        const auto response = co_await rig.call(Method::post, activity + "/exec", script);
        CHECK_THAT(response.body(), contains_text("GSB error: Remote service at `/net/0xp/exeunit/"));
        CHECK_THAT(
            response.body(), contains_text("/Exec` error: GSB failure: Bad request: endpoint address not found"));
    });
}

TEST_CASE("over a port the unexpected looks the same, and a broken connection is one")
{
    const auto body = [](Host& host, RestFace& face, http::Transport& transport) -> Task<> {
        co_await check_failing_units(host, transport, endpoint_gone);
        face.faults().add(Method::post, "/market-api/v1/demands", Fault::drop());
        const std::string demand = R"-({"properties":{"a":1},"constraints":"()"})-";
        bool broke = false;
        try {
            co_await call(transport, Method::post, "/market-api/v1/demands", demand);
        } catch (const http::TransportError& error) {
            broke = error.errc() == Errc::unreachable && error.sent() == http::TransportError::Sent::unknown;
        }
        CHECK(broke);
        CHECK(host.world().market().all_subscriptions().empty());
        const auto response = co_await call(transport, Method::post, "/market-api/v1/demands", demand);
        CHECK(response.status() == 201);
    };
    test::run_real([&body] { return with_port(body); });
}

namespace {

std::string demand_of(const std::string& value)
{
    return R"({"properties":{"a":)" + value + R"-(},"constraints":"()"})-";
}

std::string nested(std::size_t lists) { return demand_of(std::string(lists, '[') + std::string(lists, ']')); }

} // namespace

TEST_CASE("bodies nested deeper than the daemon reads are refused in its words")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        // 127 levels with the two objects.
        const auto most = nested(125);
        auto response = co_await rig.call(Method::post, "/market-api/v1/demands", most);
        CHECK(response.status() == 201);
        const auto more = nested(126);
        response = co_await rig.call(Method::post, "/market-api/v1/demands", more);
        CHECK(response.status() == 400);
        CHECK_THAT(
            response.body(),
            contains_text(R"({"message":"Json deserialize error: recursion limit exceeded at line 1)"));
        const auto huge = nested(1'000'000);
        response = co_await rig.call(Method::post, "/market-api/v1/demands", huge);
        CHECK_THAT(response.body(), contains_text("recursion limit exceeded"));
        // Brackets in texts are no depth.
        const auto quoted = demand_of(R"("\"\\)" + std::string(1000, '[') + "\"");
        response = co_await rig.call(Method::post, "/market-api/v1/demands", quoted);
        CHECK(response.status() == 201);
        std::string objects;
        for (int level = 0; level < 100'000; ++level)
            objects += R"({"a":)";
        response = co_await rig.call(Method::post, "/payment-api/v1/allocations", objects);
        CHECK(response.status() == 400);
        CHECK_THAT(response.body(), contains_text("recursion limit exceeded"));
    });
}

TEST_CASE("members of a wrong kind and ids that are no text are refused, not stumbled over")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        test::Rig rig(executor, time);
        auto response = co_await rig.call(Method::get, "/market-api/v1/demands/%ff/events");
        CHECK(response.status() == 400);
        CHECK_FALSE(nlohmann::json::parse(response.body(), nullptr, false).is_discarded());
        response = co_await rig.call(Method::get, "/market-api/v1/agreements/%ff");
        CHECK(response.status() == 400);
        response = co_await rig.call(
            Method::post, "/payment-api/v1/allocations", R"({"totalAmount":"1","makeDeposit":"yes"})");
        CHECK(response.status() == 400);
        CHECK_THAT(
            response.body(),
            contains_text(R"(Json deserialize error: invalid type: string "yes", expected a boolean at line 1)"));
        response = co_await rig.call(Method::post, "/payment-api/v1/allocations", R"({"totalAmount":"1"})");
        REQUIRE(response.status() == 201);
        const auto id = nlohmann::json::parse(response.body())["allocationId"].get<std::string>();
        response = co_await rig.call(Method::put, "/payment-api/v1/allocations/" + id, "[]");
        CHECK(response.status() == 400);
        CHECK_THAT(response.body(), contains_text("Json deserialize error: invalid length 0"));

        Billing billing;
        billing.requestor = *rig.host.world().node_of_key("devnet");
        billing.provider = "0xp";
        const auto amount = Decimal::parse("0.3");
        const auto invoice =
            rig.host.world().payments().send_invoice(billing, {}, *amount, std::nullopt, rig.host.now());
        const auto accept = "/payment-api/v1/invoices/" + invoice + "/accept";
        // A number has 16 digits to the daemon, whatever its text has.
        response = co_await rig.call(
            Method::post, accept, R"({"totalAmountAccepted":0.30000000000000004,"allocationId":")" + id + "\"}");
        CHECK(response.status() == 200);
    });
}
