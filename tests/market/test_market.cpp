#include <golem/market/market.hpp>

#include <golem/core/error.hpp>
#include <golem/core/shield.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/devnet_rig.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;

namespace {

const std::string session = "test-session";

/// A devnet with a market on it.
class Rig : public DevnetRig {
public:
    Rig(const Executor& on, VirtualTime& clock, const MarketOptions& options = MarketOptions())
        : DevnetRig(on, clock), feed(on, clock, client, logger, session),
          market(
              on, clock, client, Random(1), logger, options, session, feed, [this] { return terms(); },
              [this](const MarketReport& report) { reports.push_back(report); },
              [this](const yagna::Agreement& agreement) { unwanted.push_back(agreement.id); })
    {
    }

    Task<PaymentTerms> terms()
    {
        ++terms_asked;
        if (terms_problem)
            std::rethrow_exception(terms_problem);
        PaymentTerms known;
        known.platform = "erc20-hoodi-tglm";
        const auto timeout = time.utc() + 24h;
        const auto allocation = co_await client.payment().create_allocation(Amount(10), known.platform, timeout);
        known.decoration = co_await client.payment().demand_decoration(allocation.id);
        co_return known;
    }

    /// Hires in the background.
    void hire(Duration expiration = 3h, const Payload& payload = Payload("vm"))
    {
        orders.push_back(std::make_unique<Order>(payload, expiration));
        const auto& order = *orders.back();
        background->spawn("hire", [this, &order] { return hire_one(order); });
    }

    Task<> hire_one(const Order& order)
    {
        std::exception_ptr failure;
        try {
            auto agreement = co_await market.hire(order, [this](const std::string& why) { progress.push_back(why); });
            hired.push_back(std::move(agreement));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            failures.push_back(describe(failure));
    }

    /// Whoever comes later may hire.
    Task<> cancel_hires()
    {
        background->cancel();
        co_await background->join();
        background = std::make_unique<TaskGroup>(executor);
    }

    Task<> close_all(Duration limit = 30s)
    {
        left_over = co_await market.close(limit);
        co_await feed.close();
        background->cancel();
        co_await background->join();
        co_await close();
    }

    std::exception_ptr terms_problem;
    int terms_asked = 0;
    std::vector<std::unique_ptr<Order>> orders;
    std::vector<yagna::Agreement> hired;
    std::vector<std::string> failures;
    std::vector<std::string> progress;
    std::vector<MarketReport> reports;
    std::vector<std::string> left_over;
    std::vector<yagna::AgreementId> unwanted;
    AgreementFeed feed;
    Market market;
    std::unique_ptr<TaskGroup> background = std::make_unique<TaskGroup>(executor);
};

using Body = std::function<Task<>(Rig&)>;

void in_devnet(const Body& body, const MarketOptions& options = MarketOptions())
{
    run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Rig rig(executor, time, options);
        std::exception_ptr failure;
        try {
            auto task = body(rig);
            co_await std::move(task);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await rig.close_all();
        if (failure)
            std::rethrow_exception(failure);
    });
}

ProviderScript named(const std::string& name)
{
    ProviderScript script;
    script.name = name;
    return script;
}

std::size_t count(const Rig& rig, const std::string& route)
{
    const auto& routes = rig.transport->by_route();
    const auto found = routes.find(route);
    return found == routes.end() ? 0 : found->second;
}

const std::string confirm_route = "POST /market-api/v1/agreements/{id}/confirm";
const std::string counter_route = "POST /market-api/v1/demands/{id}/proposals/{id}";
const std::string demands_route = "POST /market-api/v1/demands";

} // namespace

TEST_CASE("an order gets an approved agreement with few requests")
{
    in_devnet([](Rig& rig) -> Task<> {
        for (int index = 0; index < 10; ++index)
            rig.add(named("p" + std::to_string(index)));
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(1s);
        REQUIRE(rig.hired.size() == 1);
        const auto& agreement = rig.hired.front();
        CHECK(agreement.state == yagna::AgreementState::approved);
        CHECK(agreement.approved);
        CHECK(agreement.app_session == session);
        CHECK(agreement.demand.properties.get_string("golem.com.payment.chosen-platform") == "erc20-hoodi-tglm");
        CHECK(agreement.offer.properties.get_int("golem.com.payment.debit-notes.accept-timeout?") == 120);
        const auto known = co_await rig.client.market().agreement(agreement.id);
        CHECK(known.state == yagna::AgreementState::approved);
        CHECK(known.provider == agreement.provider);
        CHECK(known.demand_id == agreement.demand_id);
        CHECK(known.demand.properties == agreement.demand.properties);
        CHECK(known.offer.properties == agreement.offer.properties);
        CHECK(known.valid_to == std::chrono::floor<std::chrono::milliseconds>(agreement.valid_to));
        // Allocation, decoration, demand, two polls, three counters, agreement, confirm, and the feed's two: one told
        // of the approval, the other waits for what comes. The test's own one.
        CHECK(rig.transport->total() - 1 <= 12);

        co_await rig.pass(10s);
        CHECK(rig.report().open_demands == 0);
        CHECK(rig.market.open_demands() == 0);
        // The spare drafts were refused with a reason.
        std::size_t refusals = 0;
        for (const auto& provider : rig.providers)
            refusals += provider->refusals.size();
        CHECK(refusals == 2);
    });
}

TEST_CASE("the cheapest are answered first, a ghost among them costs half a second")
{
    in_devnet([](Rig& rig) -> Task<> {
        for (int index = 0; index < 6; ++index) {
            auto script = named("p" + std::to_string(index));
            script.cpu_price = 0.001 * (index + 1);
            script.answers = index >= 3;
            rig.add(script);
        }
        co_await rig.pass(1s);
        const auto start = rig.time.elapsed();
        rig.hire();
        while (rig.hired.empty())
            co_await rig.pass(10ms);
        CHECK(rig.time.elapsed() - start >= 500ms);
        CHECK(rig.time.elapsed() - start < 600ms);
        CHECK(rig.hired.front().provider == rig.providers[3]->port.node_id());
    });
}

TEST_CASE("a full provider is waited for: the slot that gets free is ours")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto& provider = rig.add(named("only"));
        co_await rig.pass(1s);
        rig.hire();
        rig.hire();
        co_await rig.pass(20s);
        REQUIRE(rig.hired.size() == 1);
        CHECK(provider.running.size() == 1);
        CHECK(rig.progress.back().find("No capacity available") != std::string::npos);
        CHECK(rig.report().open_demands >= 1);

        const auto first = rig.hired.front().id;
        const yagna::Reason reason("done");
        co_await rig.client.market().terminate(first, reason, 10s);
        rig.market.agreement_ended(first);
        co_await rig.pass(1s);
        CHECK(rig.hired.size() == 2);
        CHECK(provider.running.size() == 1);
    });
}

TEST_CASE("short services start as well when a full provider gets free, however long that takes")
{
    for (const Duration expiration : {Duration(5min), Duration(10min), Duration(50min)}) {
        for (const Duration busy : {Duration(1min), Duration(4min + 50s), Duration(33min), Duration(59min + 50s)}) {
            in_devnet([expiration, busy](Rig& rig) -> Task<> {
                auto script = named("only");
                script.least_time = 5min;
                auto& provider = rig.add(script);
                co_await rig.pass(1s);
                rig.hire(3h);
                co_await rig.pass(5s);
                REQUIRE(rig.hired.size() == 1);
                rig.hire(expiration);
                co_await rig.pass(busy);
                CHECK(rig.hired.size() == 1);
                const auto first = rig.hired.front().id;
                const yagna::Reason reason("done");
                co_await rig.client.market().terminate(first, reason, 10s);
                rig.market.agreement_ended(first);
                co_await rig.pass(2s);
                INFO(expiration.count() / 1'000'000'000 << " s, busy for " << busy.count() / 1'000'000'000 << " s");
                CHECK(rig.hired.size() == 2);
                CHECK(provider.running.size() == 1);
                CHECK(rig.report().open_demands <= 4);
            });
        }
    }
}

TEST_CASE("a provider that comes late is found by short services as well")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.hire(6min);
        co_await rig.pass(55min);
        auto script = named("late");
        script.least_time = 5min;
        rig.add(script);
        co_await rig.pass(1s);
        CHECK(rig.hired.size() == 1);
        CHECK(rig.requests(demands_route) == 1);
    });
}

TEST_CASE("a hundred orders on providers with much room need few open demands")
{
    in_devnet([](Rig& rig) -> Task<> {
        for (int index = 0; index < 4; ++index) {
            auto script = named("p" + std::to_string(index));
            script.capacity = 25;
            rig.add(script);
        }
        co_await rig.pass(1s);
        std::size_t most_open = 0;
        for (int order = 0; order < 100; ++order)
            rig.hire();
        for (int step = 0; step < 100 && rig.hired.size() < 100; ++step) {
            co_await rig.pass(10ms);
            most_open = std::max(most_open, rig.report().open_demands);
        }
        CHECK(rig.hired.size() == 100);
        CHECK(most_open <= 4);
        CHECK(rig.report().approved_agreements == 100);
        CHECK(rig.requests(demands_route) == 25);
    });
}

TEST_CASE("a hundred orders on a hundred providers share one demand")
{
    in_devnet([](Rig& rig) -> Task<> {
        for (int index = 0; index < 100; ++index)
            rig.add(named("p" + std::to_string(index)));
        co_await rig.pass(1s);
        for (int order = 0; order < 100; ++order)
            rig.hire();
        co_await rig.pass(5s);
        CHECK(rig.hired.size() == 100);
        CHECK(rig.requests(demands_route) == 1);
        CHECK(rig.terms_asked == 1);
    });
}

TEST_CASE("different payloads have demands of their own")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.hire(3h, Payload("vm").min_memory(1));
        rig.hire(3h, Payload("vm").min_memory(2));
        rig.hire(2h, Payload("vm").min_memory(2));
        co_await rig.pass(1s);
        CHECK(rig.market.open_demands() == 2);
    });
}

TEST_CASE("a demand that has expired is published anew")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.hire();
        co_await rig.pass(90min);
        CHECK(rig.requests(demands_route) == 2);
        rig.add(named("late"));
        co_await rig.pass(1s);
        CHECK(rig.hired.size() == 1);
    });
}

TEST_CASE("a provider that raises its prices in the draft is refused")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("greedy");
        script.draft_price_factor = 2;
        auto& greedy = rig.add(script);
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(5s);
        CHECK(rig.hired.empty());
        REQUIRE(greedy.refusals.size() == 1);
        CHECK(greedy.refusals.front().reason->message.find("raises the price") != std::string::npos);
        script = named("honest");
        script.cpu_price = 1;
        rig.add(script);
        co_await rig.pass(1s);
        CHECK(rig.hired.size() == 1);
    });
}

TEST_CASE("an agreement that is refused or not answered gives way to the next")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("refuses");
        script.refuses_agreement = true;
        script.cpu_price = 0.00001;
        rig.add(script);
        script = named("hesitates");
        script.approves = false;
        script.cpu_price = 0.00002;
        auto& hesitating = rig.add(script);
        rig.add(named("approves"));
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(59s);
        CHECK(rig.hired.empty());
        CHECK(hesitating.pending.size() == 1);
        co_await rig.pass(3s);
        REQUIRE(rig.hired.size() == 1);
        CHECK(rig.hired.front().provider == rig.providers[2]->port.node_id());
        CHECK(rig.report().pending_agreements == 0);
    });
}

TEST_CASE("a hire that is cancelled leaves nothing behind, whatever it was doing")
{
    // The moment of the cancellation walks through the whole of a slow negotiation.
    for (const auto moment : {0ms, 5ms, 100ms, 200ms, 250ms, 300ms, 350ms, 400ms, 500ms}) {
        in_devnet([moment](Rig& rig) -> Task<> {
            auto script = named("slow");
            script.latency = 100ms;
            rig.add(script);
            co_await rig.pass(1s);
            rig.hire();
            co_await rig.pass(moment);
            const bool was_hired = !rig.hired.empty();
            rig.background->cancel();
            co_await rig.background->join();
            co_await rig.pass(2min);
            const auto report = rig.report();
            INFO(moment.count() << " ms: " << report.to_string());
            CHECK(report.open_demands == 0);
            CHECK(report.pending_agreements == 0);
            CHECK(report.approved_agreements == (was_hired ? 1 : 0));
        });
    }
}

TEST_CASE("an agreement approved at the moment of its cancellation is terminated")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("hesitates");
        script.approves = false;
        auto& provider = rig.add(script);
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(1s);
        REQUIRE(provider.pending.size() == 1);
        // The cancellation waits a moment, and the provider approves just then.
        rig.face->faults().add(http::Method::post, "/market-api/v1/agreements/*/cancel", devnet::Fault::delay(1s));
        rig.background->cancel();
        co_await rig.background->join();
        co_await rig.pass(500ms);
        co_await provider.port.approve_agreement(provider.pending.front());
        CHECK(rig.report().approved_agreements == 1);
        co_await rig.pass(10s);
        CHECK(rig.report().approved_agreements == 0);
        CHECK(rig.report().open_demands == 0);
    });
}

TEST_CASE(
    "a hire that is cancelled when its agreement was handed over gives it back, and the provider is known to return")
{
    // The executor's turns from the approval on are tried one after another.
    std::size_t given_back = 0;
    for (int turns = 0; turns < 60; ++turns) {
        in_devnet([turns, &given_back](Rig& rig) -> Task<> {
            rig.add(named("only"));
            co_await rig.pass(1s);
            rig.hire();
            while (rig.report().approved_agreements == 0)
                co_await boost::asio::post(rig.executor, boost::asio::deferred);
            for (int turn = 0; turn < turns; ++turn)
                co_await boost::asio::post(rig.executor, boost::asio::deferred);
            if (!rig.hired.empty())
                co_return;
            co_await rig.cancel_hires();
            co_await rig.pass(1s);
            CHECK(rig.hired.empty());
            CHECK(rig.report().approved_agreements == 0);
            CHECK(rig.unwanted.size() == 1);
            const bool came_late = std::any_of(rig.log.begin(), rig.log.end(), [](const auto& line) {
                return line.find("when nobody needed it any more") != std::string::npos;
            });
            given_back += !came_late;
            // The provider offers itself again on the same demand, and that is waited for.
            rig.hire();
            co_await rig.pass(1s);
            CHECK(rig.hired.size() == 1);
            CHECK(rig.requests(demands_route) == 1);
        });
    }
    CHECK(given_back > 0);
}

TEST_CASE("an agreement that could not be cancelled is terminated when it is approved all the same")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("hesitates");
        script.approves = false;
        auto& provider = rig.add(script);
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(1s);
        REQUIRE(provider.pending.size() == 1);
        rig.face->faults().add(
            http::Method::post, "/market-api/v1/agreements/*/cancel", devnet::Fault::answer(500, "{}"), 1000);
        co_await rig.cancel_hires();
        co_await rig.pass(10min);
        CHECK(rig.market.open_demands() == 0);
        co_await provider.port.approve_agreement(provider.pending.front());
        CHECK(rig.report().approved_agreements == 1);
        co_await rig.pass(1s);
        CHECK(rig.report().approved_agreements == 0);
        CHECK(rig.unwanted.size() == 1);
        const auto left_over = co_await rig.market.close(30s);
        CHECK(left_over.empty());
    });
}

TEST_CASE("closing tries once more to cancel an agreement, and says so if that fails too")
{
    for (const bool is_back : {true, false}) {
        in_devnet([is_back](Rig& rig) -> Task<> {
            auto script = named("hesitates");
            script.approves = false;
            rig.add(script);
            co_await rig.pass(1s);
            rig.hire();
            co_await rig.pass(1s);
            const auto broken = devnet::Fault::answer(500, "{}");
            rig.face->faults().add(http::Method::post, "/market-api/v1/agreements/*/cancel", broken, 1000);
            co_await rig.cancel_hires();
            co_await rig.pass(10min);
            CHECK(rig.report().pending_agreements == 1);
            if (is_back)
                rig.face->faults().clear();
            const auto start = rig.time.elapsed();
            const auto left_over = co_await rig.market.close(20s);
            CHECK(rig.time.elapsed() - start <= 20s);
            CHECK(left_over.size() == (is_back ? 0 : 1));
            CHECK(rig.report().pending_agreements == (is_back ? 0 : 1));
        });
    }
}

TEST_CASE("a demand of which it is not known whether it was published is told at the end")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.face->faults().add(http::Method::post, "/market-api/v1/demands", devnet::Fault::drop_answer());
        rig.hire();
        co_await rig.pass(10s);
        CHECK(rig.failures.empty()); // A connection that breaks ends no wait.
        CHECK(rig.report().open_demands == 2);
        const auto left_over = co_await rig.market.close(30s);
        REQUIRE(left_over.size() == 1);
        CHECK(left_over.front().find("may be left to expire") != std::string::npos);
    });
}

TEST_CASE("answers that are lost on the way back lose no agreement")
{
    for (const std::string path : {"/market-api/v1/agreements", "/market-api/v1/agreements/*/confirm"}) {
        in_devnet([path](Rig& rig) -> Task<> {
            rig.add(named("only"));
            co_await rig.pass(1s);
            rig.face->faults().add(http::Method::post, path, devnet::Fault::drop_answer());
            rig.hire();
            co_await rig.pass(5s);
            INFO(path);
            REQUIRE(rig.hired.size() == 1);
            CHECK(rig.report().agreements == 1);
            CHECK(rig.report().approved_agreements == 1);
        });
    }
}

TEST_CASE("a confirmation that nothing is known of is cancelled")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.add(named("only"));
        co_await rig.pass(1s);
        // The daemon carries it out, and then neither answers nor tells of the agreement's state.
        rig.face->faults().add(
            http::Method::post, "/market-api/v1/agreements/*/confirm", devnet::Fault::drop_answer(), 1);
        rig.face->faults().add(http::Method::post, "/market-api/v1/agreements/*/confirm", devnet::Fault::hang(), 100);
        rig.face->faults().add(http::Method::get, "/market-api/v1/agreements/*", devnet::Fault::hang(), 1);
        rig.hire();
        co_await rig.pass(5min);
        CHECK(rig.hired.size() == 1);
        CHECK(rig.report().approved_agreements == 1);
    });
}

TEST_CASE("the terms' failure ends every wait, and the next order asks again")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.add(named("only"));
        rig.terms_problem = std::make_exception_ptr(Error(Errc::insufficient_funds, "allocate", "too little money"));
        rig.hire();
        rig.hire(3h, Payload("vm").min_memory(1));
        co_await rig.pass(1s);
        REQUIRE(rig.failures.size() == 2);
        CHECK(rig.failures[0].find("too little money") != std::string::npos);
        CHECK(rig.failures[1].find("too little money") != std::string::npos);
        rig.terms_problem = nullptr;
        rig.hire();
        co_await rig.pass(1s);
        CHECK(rig.hired.size() == 1);
    });
}

TEST_CASE("an outage is waited out and told")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.hire();
        co_await rig.pass(1s);
        rig.face->faults().add(
            http::Method::get, "/market-api/v1/demands/*/events",
            devnet::Fault::answer(500, "{\"message\":\"database is locked\"}"), 8);
        co_await rig.pass(3min);
        rig.add(named("only"));
        co_await rig.pass(3min);
        CHECK(rig.hired.size() == 1);
        const auto told = std::any_of(rig.progress.begin(), rig.progress.end(), [](const auto& line) {
            return line.find("database is locked") != std::string::npos;
        });
        CHECK(told);
    });
}

TEST_CASE("a strategy that throws costs the offer, not the market")
{
    MarketOptions options;
    options.strategy = [](const OfferFacts& offer) -> std::optional<double> {
        if (offer.provider_name == "odd")
            throw std::runtime_error("what is this?");
        if (offer.provider_name == "odder")
            throw 7;
        if (offer.provider_name == "oddest")
            return std::numeric_limits<double>::quiet_NaN();
        return 1.0;
    };
    in_devnet(
        [](Rig& rig) -> Task<> {
            rig.add(named("odd"));
            rig.add(named("odder"));
            rig.add(named("oddest"));
            co_await rig.pass(1s);
            rig.hire();
            co_await rig.pass(1s);
            CHECK(rig.hired.empty());
            rig.add(named("plain"));
            co_await rig.pass(1s);
            CHECK(rig.hired.size() == 1);
        },
        options);
}

TEST_CASE("who waits long is told why")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.hire(3h, Payload("vm").min_memory(1000));
        co_await rig.pass(65s);
        REQUIRE(rig.reports.size() == 2);
        CHECK(rig.reports.front().proposals == 0);
        CHECK(rig.reports.front().to_string().find("(golem.inf.mem.gib>=1000.0)") != std::string::npos);
        CHECK(rig.progress.back() == rig.reports.back().to_string());
    });
}

TEST_CASE("a report counts what this wait met, and always says what was asked for")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("ghost");
        script.answers = false;
        rig.add(script);
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(31s);
        REQUIRE(rig.reports.size() == 1);
        CHECK(rig.reports[0].proposals == 1);
        CHECK(rig.reports[0].silences == 1);
        CHECK(rig.progress.back().find("1 got no answer in time") != std::string::npos);
        CHECK(rig.progress.back().find("(golem.runtime.name=vm)") != std::string::npos);
        co_await rig.cancel_hires();
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(31s);
        REQUIRE(rig.reports.size() == 2);
        CHECK(rig.reports[1].proposals == 0);
        CHECK(rig.reports[1].silences == 0);
    });
}

TEST_CASE("what concerns everybody is told once a second, the latest words")
{
    in_devnet([](Rig& rig) -> Task<> {
        for (int index = 0; index < 20; ++index) {
            auto script = named("p" + std::to_string(index));
            script.capacity = 0;
            script.latency = index * 100ms;
            rig.add(script);
        }
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(900ms);
        CHECK(rig.progress == std::vector<std::string>{"waiting for offers"});
        co_await rig.pass(200ms);
        REQUIRE(rig.progress.size() == 2);
        CHECK(rig.progress[1].find("No capacity available") != std::string::npos);
        co_await rig.pass(5s);
        CHECK(rig.progress.size() <= 8);
        CHECK(rig.progress.back().find("refused by p19") != std::string::npos);
    });
}

TEST_CASE("closing ends the waits and deletes the demands")
{
    run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Rig rig(executor, time);
        rig.hire();
        co_await rig.pass(1s);
        CHECK(rig.report().open_demands == 1);
        co_await rig.close_all();
        CHECK(rig.left_over.empty());
        CHECK(rig.report().open_demands == 0);
        REQUIRE(rig.failures.size() == 1);
        CHECK(rig.failures.front().find("closed") != std::string::npos);
        CHECK(time.elapsed() < 2s);
    });
}

TEST_CASE("closing is bounded although the daemon hangs, and says what is left")
{
    run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Rig rig(executor, time);
        auto script = named("hesitates");
        script.approves = false;
        rig.add(script);
        co_await rig.pass(1s);
        rig.hire();
        co_await rig.pass(1s);
        rig.face->faults().add(http::Method::post, "/market-api/v1/agreements/*/cancel", devnet::Fault::hang(), 1000);
        rig.face->faults().add(http::Method::del, "/market-api/v1/demands/*", devnet::Fault::hang(), 1000);
        const auto start = time.elapsed();
        co_await rig.close_all(20s);
        CHECK(time.elapsed() - start == 20s);
        CHECK(rig.left_over.size() == 2);
    });
}

TEST_CASE("options out of range are refused by name")
{
    in_devnet([](Rig& rig) -> Task<> {
        const auto refused = [&rig](const MarketOptions& options) -> std::string {
            try {
                Market market(
                    rig.executor, rig.time, rig.client, Random(1), Logger(), options, session, rig.feed, {}, {}, {});
            } catch (const Error& error) {
                return error.explanation();
            }
            return "accepted";
        };
        MarketOptions options;
        options.subnet = "(a)";
        CHECK(refused(options).find("subnet") != std::string::npos);
        options = MarketOptions();
        options.max_demands = 0;
        CHECK(refused(options).find("max_demands") != std::string::npos);
        options = MarketOptions();
        options.poll = Duration(0);
        CHECK(refused(options).find("poll") != std::string::npos);
        options = MarketOptions();
        options.caps.per_hour = -1;
        CHECK(refused(options).find("per_hour") != std::string::npos);
        co_return;
    });
}

TEST_CASE("the agreement feed tells each listener its events, also those that came before")
{
    in_devnet([](Rig& rig) -> Task<> {
        auto script = named("p");
        script.capacity = 3;
        rig.add(script);
        co_await rig.pass(1s);
        for (int order = 0; order < 3; ++order)
            rig.hire();
        co_await rig.pass(2s);
        REQUIRE(rig.hired.size() == 3);

        AgreementFeed feed(rig.executor, rig.time, rig.client, rig.logger, session);
        std::vector<std::string> told;
        const auto listen = [&](std::size_t index) {
            feed.listen(rig.hired[index].id, [&told, index](const yagna::AgreementEvent& event) {
                told.push_back(
                    std::to_string(index) +
                    (event.kind == yagna::AgreementEvent::Kind::terminated ? " terminated" : " other"));
            });
        };
        listen(0);
        co_await rig.pass(1s);
        CHECK(told == std::vector<std::string>{"0 other"});

        // One whose daemon is away for a while, one that nobody listens to yet.
        rig.face->faults().add(
            http::Method::get, "/market-api/v1/agreementEvents", devnet::Fault::answer(500, "{\"message\":\"busy\"}"),
            6);
        const yagna::Reason reason("done");
        co_await rig.client.market().terminate(rig.hired[0].id, reason, 10s);
        co_await rig.client.market().terminate(rig.hired[1].id, reason, 10s);
        co_await rig.pass(3min);
        listen(1);
        co_await rig.pass(1s);
        CHECK(told == std::vector<std::string>{"0 other", "0 terminated", "1 other", "1 terminated"});

        // Nobody listens: nothing is polled; later events come all the same.
        feed.forget(rig.hired[0].id);
        feed.forget(rig.hired[1].id);
        co_await rig.pass(5min);
        const auto polls = rig.requests("GET /market-api/v1/agreementEvents");
        co_await rig.pass(5min);
        CHECK(rig.requests("GET /market-api/v1/agreementEvents") == polls);
        co_await rig.client.market().terminate(rig.hired[2].id, reason, 10s);
        listen(2);
        co_await rig.pass(1s);
        CHECK(told.back() == "2 terminated");
        co_await feed.close();
    });
}

TEST_CASE("who waits in vain is told which condition excludes how many, by one look at the market")
{
    MarketOptions options;
    options.report_after = 20s;
    in_devnet(
        [](Rig& rig) -> Task<> {
            for (int index = 0; index < 3; ++index)
                rig.add(named("p" + std::to_string(index)));
            co_await rig.pass(1s);
            const auto payload = Payload("vm").min_memory(1e6);
            rig.hire(3h, payload);
            rig.hire(3h, payload);
            co_await rig.pass(70s);
            REQUIRE(rig.reports.size() == 3);
            REQUIRE(rig.reports.front().survey);
            CHECK(rig.reports.front().survey->offers == 3);
            const auto text = rig.reports.front().to_string();
            CHECK(text.find("3 offers seen, none fits: 3 fail golem.inf.mem.gib>=1000000.0") != std::string::npos);
            // It is told to who waits, once, and again later; but the market is asked once.
            CHECK(std::count(rig.progress.begin(), rig.progress.end(), text) == 2);
            CHECK(rig.reports.back().survey);
            const std::string scans = "POST /market-api/v1/scan";
            CHECK(count(rig, scans) == 1);
            CHECK(count(rig, "GET /market-api/v1/scan/{id}/events") == 1);
            CHECK(count(rig, "DELETE /market-api/v1/scan/{id}") == 1);
            co_await rig.pass(5min);
            CHECK(count(rig, scans) == 2);
            // Another payload asks for itself, and whoever asks by hand gets what was just seen.
            const Order order(Payload("wasmtime"), 3h);
            const auto survey = co_await rig.market.survey(order);
            CHECK(survey.offers == 3);
            CHECK(survey.fitting == 0);
            const auto again = co_await rig.market.survey(order);
            CHECK(again.offers == 3);
            CHECK(count(rig, scans) == 3);
        },
        options);
}

TEST_CASE("a market that has offers is not looked at, and a look that fails costs no report")
{
    MarketOptions options;
    options.report_after = 20s;
    in_devnet(
        [](Rig& rig) -> Task<> {
            auto script = named("p");
            script.approves = false;
            rig.add(script);
            co_await rig.pass(1s);
            rig.hire();
            co_await rig.pass(30s);
            REQUIRE(rig.reports.size() == 1);
            CHECK(!rig.reports.front().survey);
            CHECK(count(rig, "POST /market-api/v1/scan") == 0);
        },
        options);
    in_devnet(
        [](Rig& rig) -> Task<> {
            rig.face->faults().add(http::Method::post, "/market-api/v1/scan", devnet::Fault::hang(), 1);
            rig.hire();
            co_await rig.pass(35s);
            REQUIRE(rig.reports.size() == 1);
            CHECK(!rig.reports.front().survey);
            co_await rig.cancel_hires();
        },
        options);
}
