#include <devnet/config.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/devnet/platform.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;
using http::Method;
using Json = nlohmann::json;

namespace {

// A requestor that speaks plain HTTP.
class Requestor {
public:
    Requestor(const Daemon& daemon, const Executor& executor, TimeSource& time)
        : key_(daemon.app_key()), transport_(daemon.make_transport(executor, time)), time_(time)
    {
    }

    Task<Json> call(Method method, std::string target, std::string body = "")
    {
        http::Request request(method, std::move(target));
        request.headers().set("Authorization", "Bearer " + key_);
        request.set_limit(90s);
        if (!body.empty())
            request.set_body(std::move(body));
        const auto response = co_await transport_->send(request);
        if (!response.is_success())
            throw std::runtime_error(
                request.target() + ": " + std::to_string(response.status()) + " " + response.body());
        if (response.body().empty())
            co_return Json();
        co_return Json::parse(response.body());
    }

    // A whole life: demand, agreement, activity, one command, the end and the payment. Returns what was printed.
    Task<std::string> rent(const std::string& subnet = "public", const std::string& platform = "erc20-hoodi-tglm")
    {
        Json allocation;
        allocation["totalAmount"] = "1";
        allocation["paymentPlatform"] = platform;
        const auto reserved = co_await call(Method::post, "/payment-api/v1/allocations", allocation.dump());
        const auto expiration =
            std::chrono::duration_cast<std::chrono::milliseconds>((time_.utc() + 1h).time_since_epoch()).count();
        Json demand;
        demand["properties"]["golem.srv.comp.expiration"] = expiration;
        demand["properties"]["golem.node.debug.subnet"] = subnet;
        demand["properties"]["golem.srv.caps.multi-activity"] = true;
        demand["properties"]["golem.com.payment.chosen-platform"] = platform;
        demand["properties"]["golem.com.payment.debit-notes.accept-timeout?"] = 120;
        demand["properties"]["golem.srv.comp.task_package"] =
            "hash:sha3:22e08b990b6c6685c7e80ecd9a1adb52561a7d9fe9e69b915269da22:http://127.0.0.1/image.gvmi";
        demand["constraints"] = "(&(golem.runtime.name=vm)(golem.node.debug.subnet=" + subnet +
                                ")(golem.com.payment.platform." + platform + ".address=*))";
        const auto id = co_await call(Method::post, "/market-api/v1/demands", demand.dump());
        const auto path = "/market-api/v1/demands/" + id.get<std::string>();
        const auto initial = co_await call(Method::get, path + "/events?timeout=20");
        const auto proposal = initial.at(0).at("proposal").at("proposalId").get<std::string>();
        co_await call(Method::post, path + "/proposals/" + proposal, demand.dump());
        // Another provider's initial proposal may wait as well.
        std::string draft;
        while (draft.empty()) {
            const auto events = co_await call(Method::get, path + "/events?timeout=20");
            for (const auto& event : events) {
                if (event.contains("proposal") && event["proposal"]["state"] == "Draft")
                    draft = event["proposal"]["proposalId"].get<std::string>();
            }
        }
        Json wanted;
        wanted["proposalId"] = draft;
        wanted["validTo"] = "2100-01-01T00:00:00Z";
        const auto made = co_await call(Method::post, "/market-api/v1/agreements", wanted.dump());
        const auto agreement = made.get<std::string>();
        co_await call(Method::post, "/market-api/v1/agreements/" + agreement + "/confirm?appSessionId=s");
        co_await call(Method::post, "/market-api/v1/agreements/" + agreement + "/wait?timeout=20");
        const auto started =
            co_await call(Method::post, "/activity-api/v1/activity?timeout=20", "\"" + agreement + "\"");
        const auto activity = "/activity-api/v1/activity/" + started.get<std::string>();
        Json script;
        script["text"] = R"([{"deploy":{}},{"start":{}},{"run":{"entry_point":"/bin/echo","args":["hello"],)"
                         R"("capture":{"stdout":{"atEnd":{}},"stderr":{"atEnd":{}}}}}])";
        const auto batch = co_await call(Method::post, activity + "/exec", script.dump());
        const auto results = co_await call(Method::get, activity + "/exec/" + batch.get<std::string>() + "?timeout=20");
        co_await call(Method::del, activity + "?timeout=20");
        co_await call(Method::post, "/market-api/v1/agreements/" + agreement + "/terminate", "null");
        const auto events = co_await call(Method::get, "/payment-api/v1/invoiceEvents?timeout=20&appSessionId=s");
        const auto invoice = "/payment-api/v1/invoices/" + events.at(0).at("invoiceId").get<std::string>();
        const auto bill = co_await call(Method::get, invoice);
        Json acceptance;
        acceptance["totalAmountAccepted"] = bill.at("amount");
        acceptance["allocationId"] = reserved.at("allocationId");
        co_await call(Method::post, invoice + "/accept", acceptance.dump());
        co_await call(Method::del, "/payment-api/v1/allocations/" + reserved.at("allocationId").get<std::string>());
        co_await call(Method::del, path);
        const auto& last = results.back();
        co_return last.at("stdout").is_string() ? last["stdout"].get<std::string>() : last.dump();
    }

private:
    std::string key_;
    std::shared_ptr<http::Transport> transport_;
    TimeSource& time_;
};

struct Outcome {
    std::string output;
    std::uint64_t digest = 0;
    WorldReport report;
};

Outcome simulate(std::uint64_t seed)
{
    Outcome outcome;
    test::run_virtual([&outcome, seed](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        DevnetOptions options;
        options.seed = seed;
        options.with_transcript = true;
        Devnet net(executor, time, options);
        provider::ScriptedBehaviour behaviour;
        behaviour.reply = [](const provider::RunRequest& request) {
            provider::RunOutput output;
            output.out = request.args.at(0) + "\n";
            return output;
        };
        const auto runtimes = std::make_shared<provider::ScriptedRuntimeFactory>(executor, time, behaviour);
        provider::ProviderOptions provider;
        provider.activity_latency = 1s;
        provider.start_price = 0.01;
        net.add_provider(provider, runtimes);
        net.add_provider(provider, runtimes);
        TaskGroup group(executor);
        group.spawn("devnet", [&net] { return net.run(); });
        Requestor requestor(net.daemon(), executor, time);
        outcome.output = co_await requestor.rent();
        co_await time.sleep_for(10s, "the last documents");
        outcome.report = net.report();
        net.stop();
        co_await group.join();
        CHECK(net.report().open_offers == 0);
        CHECK(net.report().live_activities == 0);
        outcome.digest = net.transcript().digest();
    });
    return outcome;
}

} // namespace

TEST_CASE("a machine is rented on the devnet in virtual time, and nothing is left")
{
    const auto outcome = simulate(1);
    CHECK(outcome.output == "hello\n");
    INFO(outcome.report.to_string());
    CHECK(outcome.report.open_demands == 0);
    CHECK(outcome.report.open_offers == 2);
    CHECK(outcome.report.agreements == 1);
    CHECK(outcome.report.approved_agreements == 0);
    CHECK(outcome.report.live_activities == 0);
    CHECK(outcome.report.active_allocations == 0);
    CHECK(outcome.report.unaccepted_invoices == 0);
    CHECK(outcome.report.unsettled_documents == 0);
    CHECK(outcome.report.agreements_without_invoice == 0);
    CHECK(outcome.report.spent > Amount(0));
}

TEST_CASE("one seed is one story")
{
    const auto first = simulate(5);
    CHECK(first.digest == simulate(5).digest);
    CHECK(first.digest != simulate(6).digest);
}

TEST_CASE("an embedded devnet executes commands and ends with its last user")
{
    ::unsetenv("YAGNA_APPKEY");
    EmbeddedOptions options;
    options.announce = false;
    RealTime time;
    std::string output;
    test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Requestor requestor(daemon_or_devnet(options), executor, time);
        output = co_await requestor.rent();
    });
    CHECK(output == "hello\n");
    // With a request under way that nobody waits for any more.
    test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto daemon = daemon_or_devnet(options);
        Requestor requestor(daemon, executor, time);
        auto poll = requestor.call(Method::get, "/payment-api/v1/invoiceEvents?timeout=60");
        const auto nothing = co_await with_timeout(time, 20ms, std::move(poll), "limit");
        CHECK(!nothing);
    });
    ::setenv("YAGNA_APPKEY", "k", 1);
    CHECK(daemon_or_devnet(options).app_key() == "k");
    ::unsetenv("YAGNA_APPKEY");
}

TEST_CASE("an embedded devnet suits the subnet and the payment network of its environment")
{
    ::unsetenv("YAGNA_APPKEY");
    ::setenv("YAGNA_SUBNET", "mine", 1);
    EmbeddedOptions options;
    ::unsetenv("YAGNA_SUBNET");
    CHECK(EmbeddedOptions().provider.subnet == "public");
    options.announce = false;
    options.providers = 1;
    RealTime time;
    test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Requestor requestor(daemon_or_devnet(options), executor, time);
        const std::string subnet = "mine";
        const std::string platform = "erc20-amoy-tglm";
        const auto output = co_await requestor.rent(subnet, platform);
        CHECK(output == "hello\n");
    });
}

TEST_CASE("an embedded devnet outlives a transport with a request under way")
{
    ::unsetenv("YAGNA_APPKEY");
    EmbeddedOptions options;
    options.announce = false;
    RealTime time;
    for (int order = 0; order < 3; ++order) {
        test::run_real([&]() -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            auto transport = daemon_or_devnet(options).make_transport(executor, time);
            http::Request poll(Method::get, "/payment-api/v1/invoiceEvents?timeout=60");
            poll.headers().set("Authorization", "Bearer devnet");
            TaskGroup group(executor, [](const std::string&, std::exception_ptr) {});
            // The task holds no transport; only what the request itself holds lives on.
            auto sending = std::make_shared<std::optional<Task<http::Response>>>(transport->send(poll));
            group.spawn("poll", [sending]() -> Task<> {
                auto task = std::move(**sending);
                co_await std::move(task);
            });
            co_await time.sleep_for(20ms, "the poll");
            if (order == 0)
                group.cancel();
            transport.reset();
            if (order == 1)
                group.cancel();
            co_await group.join();
        });
    }
}

TEST_CASE("every known platform is one")
{
    const auto platforms = known_platforms();
    CHECK(platforms.size() == 9);
    for (const auto& platform : platforms) {
        PlatformWish wish;
        wish.name = platform;
        const auto resolved = resolve_platform(wish);
        REQUIRE(resolved);
        CHECK(*resolved == platform);
    }
}

TEST_CASE("what golem-devnet prints is fit for a shell, and leads to its providers")
{
    CHECK(quoted_for_shell("key") == "'key'");
    CHECK(quoted_for_shell("a b$(c)'d") == "'a b$(c)'\\''d'");
    CHECK(subnet_of({}, "public") == "public");
    const auto providers = read_providers(R"({"providers":[{"subnet":"mine"},{}]})", provider::ProviderOptions());
    CHECK(subnet_of(providers, "public") == "mine");
}

TEST_CASE("a configuration file is read, and its mistakes are named")
{
    const provider::ProviderOptions defaults;
    const auto providers = read_providers(
        R"({"providers":[{"name":"fast","cpu_price":0.5,"capacity":3,"activity_latency":1.5,"properties":{"a":{"b":1}}},{}]})",
        defaults);
    REQUIRE(providers.size() == 2);
    CHECK(providers[0].name == "fast");
    CHECK(providers[0].cpu_price == 0.5);
    CHECK(providers[0].capacity == 3);
    CHECK(providers[0].activity_latency == 1500ms);
    CHECK(providers[0].properties.get_int("a.b") == 1);
    CHECK(providers[1].name == defaults.name);
    const auto complaint = [&defaults](const char* text) {
        try {
            read_providers(text, defaults);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("none");
    };
    CHECK(
        complaint(R"({"providers":[{"name":7}]})").find("providers[0].name is 7, but must be a text") !=
        std::string::npos);
    CHECK(complaint(R"({"providers":[{},{"cores":2}]})").find("providers[1].cores is not known") != std::string::npos);
    CHECK(complaint(R"({"providers":[{"capacity":1.5}]})").find("providers[0].capacity is 1.5") != std::string::npos);
    CHECK(complaint("{").find("it is no JSON") != std::string::npos);
    CHECK(complaint("[]").find("an object with a list of providers") != std::string::npos);
}

TEST_CASE("a devnet without keys is refused")
{
    VirtualTime time;
    boost::asio::io_context context;
    DevnetOptions options;
    options.app_keys.clear();
    CHECK_THROWS_AS(Devnet(context.get_executor(), time, options), Error);
}
