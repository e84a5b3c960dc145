#include <golem/devnet/market.hpp>

#include <tests/devnet/rig.hpp>
#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;

namespace {

const std::string requestor = "0xr";
const std::string provider_node = "0xp";

// A market in which one demand and one offer have met.
struct Met {
    Met() : market(Random(7))
    {
        offer = market.publish(Side::provider, provider_node, test::some_offer(), now);
        demand = market.publish(Side::requestor, requestor, test::some_demand(), now);
    }

    std::string initial() { return market.view(Side::requestor, market.take_events(demand, 20).at(0).id).id; }

    // The requestor's counter, as the provider sees it.
    std::string counter()
    {
        const auto id = market.counter(Side::requestor, demand, initial(), test::some_demand(), now);
        REQUIRE(id);
        return market.view(Side::provider, market.take_events(offer, 20).at(0).id).id;
    }

    std::string agreement(Timestamp valid_to)
    {
        REQUIRE(market.counter(Side::provider, offer, counter(), test::some_offer(), now));
        const auto draft = market.view(Side::requestor, market.take_events(demand, 20).at(0).id);
        CHECK(draft.state == ProposalState::draft);
        const auto id = market.create_agreement(requestor, draft.id, valid_to, now);
        REQUIRE(id);
        return *id;
    }

    Timestamp now{24h * 20000};
    Market market;
    std::string offer;
    std::string demand;
};

} // namespace

TEST_CASE("a demand and an offer meet once, whichever comes first, and again after a termination")
{
    Met met;
    CHECK(met.market.take_events(met.demand, 20).size() == 1);
    const auto second = met.market.publish(Side::provider, "0xq", test::some_offer(), met.now);
    CHECK(met.market.take_events(met.demand, 20).size() == 1);
    // Own offers never match own demands.
    met.market.publish(Side::provider, requestor, test::some_offer(), met.now);
    CHECK(met.market.take_events(met.demand, 20).empty());

    Met other;
    const auto agreement = other.agreement(other.now + 1h);
    REQUIRE(other.market.confirm(requestor, agreement, "session", other.now));
    REQUIRE(other.market.approve(provider_node, agreement, "", other.now));
    CHECK(other.market.take_events(other.demand, 20).empty());
    REQUIRE(other.market.terminate(Side::provider, provider_node, agreement, std::nullopt, other.now));
    const auto fresh = other.market.take_events(other.demand, 20);
    REQUIRE(fresh.size() == 1);
    CHECK(other.market.view(Side::requestor, fresh[0].id).state == ProposalState::initial);
}

TEST_CASE("constraints of both sides have to be fulfilled, and nonsense matches nothing")
{
    Market market{Random(1)};
    const Timestamp now{24h * 20000};
    market.publish(Side::provider, provider_node, test::some_offer(), now);
    auto demand = test::some_demand();
    demand.properties.erase("golem.srv.comp.expiration");
    CHECK(market.take_events(market.publish(Side::requestor, requestor, demand, now), 20).empty());
    demand = test::some_demand();
    demand.constraints = "nonsense (";
    CHECK(market.take_events(market.publish(Side::requestor, requestor, demand, now), 20).empty());
}

TEST_CASE("what waits for a requestor comes rejections first, up to the limit, and once")
{
    Met met;
    const auto counter = met.counter();
    met.market.publish(Side::provider, "0xq", test::some_offer(), met.now);
    REQUIRE(met.market.reject(Side::provider, met.offer, counter, Reason{"no", {}}, met.now));
    const auto first = met.market.take_events(met.demand, 1);
    REQUIRE(first.size() == 1);
    CHECK(first[0].kind == QueuedEvent::Kind::rejection);
    CHECK("P-" + first[0].id == counter);
    CHECK(met.market.take_events(met.demand, 20).size() == 1);
    CHECK(met.market.take_events(met.demand, 20).empty());
}

TEST_CASE("a demand lives for an hour")
{
    Met met;
    CHECK(met.market.waiting(Side::requestor, requestor, met.demand, met.now + 59min));
    const auto late = met.market.waiting(Side::requestor, requestor, met.demand, met.now + 1h);
    REQUIRE(!late);
    CHECK(late.failure().status() == 404);
    CHECK(late.failure().text() == "Subscription [" + met.demand + "] expired.");
    const auto counter =
        met.market.counter(Side::requestor, met.demand, met.initial(), test::some_demand(), met.now + 1h);
    REQUIRE(!counter);
    CHECK(counter.failure().status() == 410);
}

TEST_CASE("each state of an agreement allows what the daemon allows")
{
    struct Row {
        const char* state;
        unsigned confirm;
        unsigned cancel;
        unsigned approve;
        unsigned refuse;
        unsigned terminate;
    };
    // 0: it succeeds.
    const Row rows[] = {
        {"Proposal", 0, 500, 404, 404, 409},     {"Pending", 410, 0, 0, 0, 410},
        {"Cancelled", 410, 410, 410, 410, 410},  {"Rejected", 410, 410, 410, 410, 410},
        {"Approved", 410, 410, 410, 410, 0},     {"Expired", 410, 410, 410, 410, 410},
        {"Terminated", 410, 410, 410, 410, 410},
    };
    const auto status = [](const Result<Done>& result) { return result ? 0u : result.failure().status(); };
    for (const auto& row : rows) {
        const std::string name = row.state;
        INFO(name);
        const auto prepared = [&name](Met& met) {
            const auto id = met.agreement(met.now + 1h);
            if (name != "Proposal")
                REQUIRE(met.market.confirm(requestor, id, std::nullopt, met.now));
            if (name == "Cancelled")
                REQUIRE(met.market.cancel(requestor, id, std::nullopt, met.now));
            if (name == "Rejected")
                REQUIRE(met.market.refuse(provider_node, id, std::nullopt, met.now));
            if (name == "Approved" || name == "Terminated")
                REQUIRE(met.market.approve(provider_node, id, "", met.now));
            if (name == "Terminated")
                REQUIRE(met.market.terminate(Side::requestor, requestor, id, std::nullopt, met.now));
            if (name == "Expired")
                met.now += 1h;
            return id;
        };
        Met a, b, c, d, e;
        CHECK(status(a.market.confirm(requestor, prepared(a), std::nullopt, a.now)) == row.confirm);
        CHECK(status(b.market.cancel(requestor, prepared(b), std::nullopt, b.now)) == row.cancel);
        CHECK(status(c.market.approve(provider_node, prepared(c), "", c.now)) == row.approve);
        CHECK(status(d.market.refuse(provider_node, prepared(d), std::nullopt, d.now)) == row.refuse);
        CHECK(
            status(e.market.terminate(Side::requestor, requestor, prepared(e), std::nullopt, e.now)) == row.terminate);
        Met seen;
        const auto id = prepared(seen);
        CHECK(to_string(seen.market.agreement(requestor, id, seen.now)->state) == row.state);
        // The provider hears of an agreement when it is confirmed.
        CHECK(static_cast<bool>(seen.market.agreement(provider_node, id, seen.now)) == (name != "Proposal"));
    }
}

TEST_CASE("events of agreements never share a time stamp, and sessions are each side's own")
{
    Met met;
    const auto id = met.agreement(met.now + 1h);
    REQUIRE(met.market.confirm(requestor, id, "mine", met.now));
    REQUIRE(met.market.approve(provider_node, id, "theirs", met.now));
    REQUIRE(met.market.terminate(Side::requestor, requestor, id, std::nullopt, met.now));
    const auto events = met.market.agreement_events(requestor, Timestamp(), "mine", 20);
    REQUIRE(events.size() == 2);
    CHECK(events[0].date < events[1].date);
    CHECK(met.market.agreement_events(requestor, events[0].date, "mine", 20).size() == 1);
    CHECK(met.market.agreement_events(requestor, Timestamp(), "theirs", 20).empty());
    CHECK(met.market.agreement_events(provider_node, Timestamp(), "theirs", 1).size() == 1);
}

TEST_CASE("proposals and agreements share what was published")
{
    Met met;
    const auto& offer = met.market.all_subscriptions().at(met.offer);
    for (const auto& [hash, proposal] : met.market.all_proposals())
        CHECK(proposal.content == offer.content);
    const auto id = met.agreement(met.now + 1h);
    const auto& agreement = met.market.all_agreements().at(id);
    CHECK(agreement.offer.use_count() > 1);
    CHECK(agreement.demand.use_count() > 1);
    // Asked for, not copied.
    CHECK(&*met.market.agreement(requestor, id, met.now) == &agreement);
}

TEST_CASE("what was withdrawn or has expired meets nobody, and is told to be over still")
{
    Met met;
    const auto fleeting = met.market.publish(Side::requestor, requestor, test::some_demand(), met.now);
    REQUIRE(met.market.withdraw(Side::requestor, requestor, fleeting, met.now));
    const auto before = met.market.all_proposals().size();
    met.market.publish(Side::provider, "0xq", test::some_offer(), met.now);
    CHECK(met.market.all_proposals().size() == before + 1);
    CHECK(met.market.waiting(Side::requestor, requestor, fleeting, met.now).failure().status() == 404);
    met.now += 2h;
    met.market.publish(Side::provider, "0xs", test::some_offer(), met.now);
    CHECK(met.market.all_proposals().size() == before + 1);
    CHECK(met.market.subscriptions(Side::requestor, requestor, met.now).empty());
    CHECK(
        met.market.waiting(Side::requestor, requestor, met.demand, met.now).failure().text().find("expired") !=
        std::string::npos);
}
