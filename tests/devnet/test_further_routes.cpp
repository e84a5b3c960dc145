// What browsers, registries' clients and bookkeepers ask of the devnet.
#include <golem/core/task_group.hpp>
#include <golem/yagna/client.hpp>
#include <golem/yagna/payment_list.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;

namespace {

using Body = std::function<Task<>(golem::test::Rig&, VirtualTime&)>;

void run(const Body& body, const DevnetOptions& options = DevnetOptions())
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        golem::test::Rig rig(executor, time, options);
        auto task = body(rig, time);
        co_await std::move(task);
        rig.host.close();
    });
}

std::string header(const http::Response& response, std::string_view name)
{
    return std::string(response.headers().get(name).value_or("-"));
}

// Status, and whom it lets in.
Task<std::string> ask(golem::test::Rig& rig, http::Method method, std::string origin, std::string wanted)
{
    http::Request request(method, "/me");
    if (!origin.empty())
        request.headers().set("Origin", origin);
    if (!wanted.empty())
        request.headers().set("Access-Control-Request-Method", wanted);
    if (method == http::Method::get)
        request.headers().set("Authorization", "Bearer devnet");
    const auto response = co_await rig.transport->send(request);
    co_return std::to_string(response.status()) + " " + header(response, "access-control-allow-origin") + " " +
        (method == http::Method::options ? response.body() : std::string());
}

} // namespace

TEST_CASE("pages of allowed origins may call, as the daemon has it")
{
    using http::Method;
    DevnetOptions options;
    options.allow_origins = {"http://a.example", "http://b.example"};
    run(
        [](golem::test::Rig& rig, VirtualTime&) -> Task<> {
            struct Row {
                Method method;
                const char* origin;
                const char* wanted;
                const char* answer;
            };
            const Row rows[] = {
                {Method::options, "http://a.example", "POST", "200 http://a.example "},
                {Method::options, "http://b.example", "DELETE", "200 http://b.example "},
                {Method::options, "http://b.example", "NONSENSE", "400 - Requested method is not allowed"},
                {Method::options, "http://c.example", "POST", "400 - Origin is not allowed to make this request"},
                {Method::options, "", "POST", "400 - Request header `Origin` is required but was not provided"},
                {Method::get, "http://a.example", "", "200 http://a.example "},
                {Method::get, "http://c.example", "", "200 - "},
                {Method::get, "", "", "200 - "},
            };
            for (const auto& row : rows) {
                INFO(row.origin << " " << row.wanted);
                const auto said = co_await ask(rig, row.method, row.origin, row.wanted);
                CHECK(said == row.answer);
            }
            http::Request request(Method::options, "/market-api/v1/demands");
            request.headers().set("Origin", "http://a.example");
            request.headers().set("Access-Control-Request-Method", "POST");
            request.headers().set("Access-Control-Request-Headers", "authorization,content-type");
            const auto response = co_await rig.transport->send(request);
            CHECK(header(response, "access-control-allow-headers") == "authorization,content-type");
            CHECK(header(response, "access-control-max-age") == "3600");
            CHECK(header(response, "vary").starts_with("Origin"));
            // Without a key the reason stays hidden from the page.
            http::Request nobody(Method::get, "/me");
            nobody.headers().set("Origin", "http://a.example");
            const auto refused = co_await rig.transport->send(nobody);
            CHECK(refused.status() == 401);
            CHECK(header(refused, "access-control-allow-origin") == "-");
        },
        options);
    options.allow_origins = {"*"};
    run(
        [](golem::test::Rig& rig, VirtualTime&) -> Task<> {
            const auto said = co_await ask(rig, Method::options, "http://any.example", "POST");
            CHECK(said == "200 http://any.example ");
        },
        options);
}

TEST_CASE("the devnet is a registry of images, for whoever asks")
{
    const auto info = [](golem::test::Rig& rig, std::string query) -> Task<http::Response> {
        http::Request request(http::Method::get, "/v1/image/info?" + query);
        auto response = co_await rig.transport->send(request);
        co_return response;
    };
    run([&info](golem::test::Rig& rig, VirtualTime&) -> Task<> {
        const auto first = co_await info(rig, "count=true&tag=golem%2Falpine%3Alatest");
        CHECK(first.status() == 200);
        const auto json = nlohmann::json::parse(first.body());
        CHECK(json.at("sha3").get<std::string>().size() == 56);
        CHECK(json.at("http").get<std::string>().starts_with("http://"));
        CHECK(json.at("https").get<std::string>().starts_with("https://"));
        CHECK(json.contains("size"));
        const auto again = co_await info(rig, "tag=golem%2Falpine%3Alatest");
        CHECK(again.body() == first.body());
        const auto neither = co_await info(rig, "count=true");
        CHECK(neither.status() == 400);
    });
    DevnetOptions options;
    options.images = {{"a/b:c", std::string(56, '1'), "https://images/abc"}};
    run(
        [&info](golem::test::Rig& rig, VirtualTime&) -> Task<> {
            const auto unknown = co_await info(rig, "tag=a%2Fb%3Ad");
            CHECK(unknown.status() == 404);
            const auto by_hash = co_await info(rig, "hash=" + std::string(56, '1'));
            CHECK(by_hash.status() == 200);
            CHECK(nlohmann::json::parse(by_hash.body()).at("https") == "https://images/abc");
        },
        options);
}

TEST_CASE("a scan streams offers as they come")
{
    run([](golem::test::Rig& rig, VirtualTime& time) -> Task<> {
        auto& market = rig.host.world().market();
        market.publish(Side::provider, "0xp", golem::test::some_offer(), rig.host.now());
        const auto begun = co_await rig.call(http::Method::post, "/market-api/v1/scan", R"({"type":"offer"})");
        CHECK(begun.body() == "\"0\"");
        http::Request request(http::Method::get, "/market-api/v1/scan/0/events");
        request.headers().set("Authorization", "Bearer devnet");
        request.headers().set("Accept", "text/event-stream");
        request.set_limit(1h).set_idle_limit(1h);
        const auto stream = co_await rig.transport->open(request);
        CHECK(stream->head().content_type() == "text/event-stream");
        const auto first = co_await stream->read();
        REQUIRE(first);
        CHECK(first->starts_with("event: offer\ndata: {\"properties\":{"));
        CHECK(first->ends_with("}\n\n"));
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        group.spawn("a second provider", [&]() -> Task<> {
            co_await time.sleep_for(10min, "a test");
            market.publish(Side::provider, "0xq", golem::test::some_offer(), rig.host.now());
            rig.host.settle();
        });
        const auto second = co_await stream->read();
        REQUIRE(second);
        CHECK(second->find("\"providerId\":\"0xq\"") != std::string::npos);
        CHECK(time.elapsed() >= 10min);
        co_await group.join();
    });
}

TEST_CASE("payments are listed as they are made, to both who have to do with them")
{
    run([](golem::test::Rig& rig, VirtualTime& time) -> Task<> {
        const auto payer = rig.host.world().node_of_key("devnet").value();
        auto& payments = rig.host.world().payments();
        yagna::Client client(rig.transport, "devnet", time, Random(1), Logger());
        yagna::PaymentListApi list(client.caller());
        const auto allocation =
            co_await client.payment().create_allocation(Amount(5), "erc20-hoodi-tglm", time.utc() + 1h);
        Billing billing;
        billing.agreement = std::string(64, 'a');
        billing.requestor = payer;
        billing.provider = "0xp";
        billing.payer_address = payer;
        billing.payee_address = "0xq";
        billing.platform = "erc20-hoodi-tglm";
        billing.requestor_session = "session";
        const auto note = payments.send_note(
            billing, "activity", *Decimal::parse("0.25"), std::nullopt, std::nullopt, rig.host.now());
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        group.spawn("accept", [&]() -> Task<> {
            co_await time.sleep_for(2s, "a test");
            co_await client.payment().accept_debit_note(note, Amount::parse("0.25"), allocation.id);
        });
        yagna::PaymentFilter filter;
        const auto first = co_await list.payments(filter, 30s, 10);
        co_await group.join();
        CHECK(time.elapsed() < 5s);
        REQUIRE(first.size() == 1);
        CHECK(first[0].payer == payer);
        CHECK(first[0].payee == "0xp");
        CHECK(first[0].amount == Amount::parse("0.25"));
        REQUIRE(first[0].activities.size() == 1);
        CHECK(first[0].activities[0].id == "activity");
        CHECK(first[0].agreements.empty());
        CHECK(first[0].transaction.size() == 66);

        // The invoice pays the rest.
        const std::vector<std::string> activities{"activity"};
        const auto invoice =
            payments.send_invoice(billing, activities, *Decimal::parse("1"), std::nullopt, rig.host.now());
        co_await client.payment().accept_invoice(invoice, Amount(1), allocation.id);
        filter.after = cursor_behind(first[0]);
        const auto second = co_await list.payments(filter, 30s, 10);
        REQUIRE(second.size() == 1);
        CHECK(second[0].amount == Amount::parse("0.75"));
        REQUIRE(second[0].agreements.size() == 1);
        CHECK(second[0].agreements[0].id == billing.agreement);
        const auto one = co_await list.payment(second[0].id);
        CHECK(one.transaction == second[0].transaction);
        const auto of_invoice = co_await list.payments_of_invoice(invoice);
        CHECK(of_invoice.size() == 2);

        yagna::PaymentFilter narrow;
        narrow.app_session = "session";
        narrow.network = "hoodi";
        narrow.driver = "erc20";
        const auto fitting = co_await list.payments(narrow, 1s, 1);
        CHECK(fitting.size() == 1);
        narrow.network = "polygon";
        const auto others = co_await list.payments(narrow, 1s, 10);
        CHECK(others.empty());
        Errc code = Errc::internal;
        try {
            const std::string nothing = "0";
            co_await list.payment(nothing);
        } catch (const Error& error) {
            code = error.errc();
        }
        CHECK(code == Errc::not_found);
    });
}
