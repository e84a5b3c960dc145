#include <golem/market/detail/negotiation.hpp>

#include <tests/support/catch.hpp>

#include <map>
#include <set>
#include <string>

using namespace golem;
using namespace golem::detail;
using namespace std::chrono_literals;

namespace {

/// Plays events and shows the decisions as text, one action a word group.
class Table {
public:
    explicit Table(const NegotiationRules& rules = NegotiationRules()) : machine(rules) {}

    Instant now() const { return Instant(time); }

    std::string decide(Duration later = 0ms)
    {
        time += later;
        std::string text;
        for (const auto& any : machine.decide(now())) {
            if (!text.empty())
                text += "; ";
            text += std::visit([](const auto& what) { return show(what); }, any);
        }
        return text;
    }

    void wait(OrderNumber order, Duration expiration = 3h) { machine.order_waits(order, expiration); }

    /// Answers a counter of `offer` at once: with a draft.
    void draft(DemandNumber demand, const std::string& offer, std::optional<std::string> objection = std::nullopt)
    {
        machine.countered(demand, offer, "c-" + offer, now());
        machine.draft_arrived(demand, "c-" + offer, "d-" + offer, objection);
    }

    void refuse(DemandNumber demand, const std::string& offer, bool is_final = false)
    {
        machine.countered(demand, offer, "c-" + offer, now());
        machine.refused(demand, "c-" + offer, is_final);
    }

    Negotiation machine;
    Duration time = 1h;

private:
    static std::string show(const action::Publish& what)
    {
        const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(what.expiration).count();
        return "publish " + std::to_string(what.demand) + " for " + std::to_string(minutes) + " min";
    }
    static std::string show(const action::Delete& what) { return "delete " + std::to_string(what.demand); }
    static std::string show(const action::StartPolling& what) { return "poll " + std::to_string(what.demand); }
    static std::string show(const action::StopPolling& what) { return "stop " + std::to_string(what.demand); }
    static std::string show(const action::Counter& what)
    {
        const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(what.expiration).count();
        return "counter " + what.proposal + (minutes == 180 ? "" : " for " + std::to_string(minutes) + " min");
    }
    static std::string show(const action::Sign& what)
    {
        return "sign " + what.draft + " for " + std::to_string(what.order);
    }
    static std::string show(const action::CancelSigning& what) { return "cancel " + what.draft; }
    static std::string show(const action::Reject& what) { return "reject " + what.draft + " (" + what.reason + ")"; }
};

} // namespace

TEST_CASE("one order, one provider: from the demand to its end")
{
    Table table;
    table.wait(1);
    CHECK(table.decide() == "publish 1 for 180 min");
    CHECK(table.decide() == ""); // Nothing to be polled before it is published.
    table.machine.demand_published(1);
    CHECK(table.decide() == "poll 1");
    table.machine.offer_arrived(1, "a", 1);
    CHECK(table.decide() == "counter a");
    table.draft(1, "a");
    // An order that has a draft is not served by more events.
    CHECK(table.decide() == "sign d-a for 1; stop 1");
    CHECK(table.machine.agreement_approved("d-a") == OrderNumber(1));
    CHECK(table.decide() == "");
    CHECK(table.machine.deadline() == table.now() + 5s);
    CHECK(table.decide(4999ms) == "");
    CHECK(table.decide(1ms) == "delete 1");
    CHECK(table.machine.is_idle());
}

TEST_CASE("counters go out best first, as many as wait and two more; the next on refusal or silence")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.decide();
    for (const auto* offer : {"e5", "e2", "e4", "e1", "e3", "e6"})
        table.machine.offer_arrived(1, offer, offer[1] - '0');
    CHECK(table.decide() == "counter e1; counter e2; counter e3");
    CHECK(table.decide() == "");

    table.refuse(1, "e2", true);
    CHECK(table.decide() == "counter e4");

    table.machine.countered(1, "e1", "c-e1", table.now());
    table.machine.countered(1, "e3", "c-e3", table.now());
    table.machine.countered(1, "e4", "c-e4", table.now());
    table.decide();
    CHECK(table.machine.deadline() == table.now() + 500ms);
    CHECK(table.decide(499ms) == "");
    CHECK(table.decide(1ms) == "counter e5; counter e6");
    CHECK(table.machine.silences() == 3);

    // Better late than never.
    table.machine.draft_arrived(1, "c-e3", "d-e3", std::nullopt);
    CHECK(table.decide() == "sign d-e3 for 1; stop 1");
}

TEST_CASE("a spare draft serves the next order, or is refused with a reason when the demand goes")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    for (const auto* offer : {"a", "b", "c"})
        table.machine.offer_arrived(1, offer, 1);
    table.decide();
    table.draft(1, "a");
    table.draft(1, "b");
    table.draft(1, "c");
    CHECK(table.decide() == "sign d-a for 1; stop 1");
    table.machine.agreement_approved("d-a");
    table.decide();

    SECTION("the next order comes in time")
    {
        table.time += 3s;
        table.wait(2);
        CHECK(table.decide() == "sign d-b for 2");
    }
    SECTION("nobody comes")
    {
        CHECK(table.decide(5s) == "reject d-b (No longer needed); reject d-c (No longer needed); delete 1");
    }
    SECTION("the next order needs another end: the draft is an offer to it")
    {
        table.wait(2, 1h);
        CHECK(table.decide() == "counter d-b for 60 min; counter d-c for 60 min; poll 1");
        table.draft(1, "d-b");
        CHECK(table.decide() == "sign d-d-b for 2; stop 1");
    }
}

TEST_CASE("a draft that has become stale is countered anew")
{
    CHECK(draft_freshness(5min) == 6s);
    CHECK(draft_freshness(3h) == 2min);
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.decide();
    table.refuse(1, "a");
    CHECK(table.decide() == "");
    CHECK(table.decide(40min) == ""); // It stays open and polled: the provider may get room.
    table.machine.draft_arrived(1, "c-a", "d-a", std::nullopt);
    CHECK(table.decide() == "counter d-a");
    table.draft(1, "d-a");
    CHECK(table.decide() == "sign d-d-a for 1; stop 1");
}

TEST_CASE("a freed slot soon after the refusal is used as it is")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.decide();
    table.refuse(1, "a");
    table.decide(30s);
    table.machine.draft_arrived(1, "c-a", "d-a", std::nullopt);
    CHECK(table.decide() == "sign d-a for 1; stop 1");
}

TEST_CASE("a draft that we object to is rejected and the next offer answered")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    for (const auto* offer : {"a", "b", "c", "d"})
        table.machine.offer_arrived(1, offer, 1);
    table.decide();
    table.draft(1, "a", "the draft raises the start price");
    CHECK(table.decide() == "reject d-a (the draft raises the start price); counter d");
}

TEST_CASE("an agreement that fails lets the order take the next draft")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.machine.offer_arrived(1, "b", 2);
    table.decide();
    table.draft(1, "a");
    table.draft(1, "b");
    table.decide();
    table.machine.agreement_failed("d-a", table.now());
    CHECK(table.decide() == "sign d-b for 1");
    table.machine.agreement_failed("d-b", table.now());
    // Nobody is left on this demand; a while later another one is worth a try.
    CHECK(table.decide() == "poll 1");
    CHECK(table.machine.deadline() == table.now() + 30s);
    CHECK(table.decide(30s) == "stop 1; delete 1; publish 2 for 180 min");
}

TEST_CASE("orders of different length are countered each for its own")
{
    Table table;
    table.wait(1, 1h);
    table.wait(2, 2h);
    CHECK(table.decide() == "publish 1 for 120 min");
    table.machine.demand_published(1);
    for (const auto* offer : {"a", "b", "c", "d", "e"})
        table.machine.offer_arrived(1, offer, 1);
    CHECK(
        table.decide() ==
        "counter a for 60 min; counter b for 120 min; counter c for 60 min; counter d for 60 min; poll 1");
    table.draft(1, "a");
    table.draft(1, "c");
    CHECK(table.decide() == "sign d-a for 1");
    table.draft(1, "b");
    CHECK(table.decide() == "sign d-b for 2; stop 1");
}

TEST_CASE("a withdrawn order's agreement goes to the next one, or is cancelled")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.decide();
    table.draft(1, "a");
    table.decide();

    SECTION("nobody else waits")
    {
        table.machine.order_withdrawn(1);
        CHECK(table.decide() == "cancel d-a");
        CHECK(table.decide(10s) == ""); // The demand stays while something is being signed on it.
        SECTION("cancelled")
        {
            table.machine.agreement_failed("d-a", table.now());
            CHECK(table.decide() == "delete 1");
        }
        SECTION("approved all the same")
        {
            CHECK(table.machine.agreement_approved("d-a") == std::nullopt);
            CHECK(table.decide() == "delete 1");
        }
        CHECK(table.machine.is_idle());
    }
    SECTION("another order of that length takes it over")
    {
        table.wait(2);
        table.machine.order_withdrawn(1);
        CHECK(table.decide() == "");
        CHECK(table.machine.agreement_approved("d-a") == OrderNumber(2));
    }
    SECTION("another order of that length comes while it is being cancelled")
    {
        table.machine.order_withdrawn(1);
        table.decide();
        table.wait(2);
        table.decide();
        CHECK(table.machine.agreement_approved("d-a") == OrderNumber(2));
    }
}

TEST_CASE("an expired demand is published anew while somebody waits")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.decide();
    table.machine.demand_lost(1);
    CHECK(table.decide() == "publish 2 for 180 min");
    table.machine.order_withdrawn(1);
    CHECK(table.decide() == "");
    table.machine.demand_lost(2);
    CHECK(table.decide() == "");
    CHECK(table.machine.is_idle());
}

TEST_CASE("refusals alone open no further demand")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.machine.offer_arrived(1, "b", 1);
    table.decide();
    table.refuse(1, "a");
    table.refuse(1, "b", true);
    CHECK(table.decide() == "");
    CHECK(table.decide(50min) == "");
}

TEST_CASE("a refused counter whose end comes near is replaced by one on a new demand")
{
    CHECK(counter_freshness(3h) == 3h - 330s);
    CHECK(counter_freshness(10min) == 270s);
    CHECK(counter_freshness(5min) == 20s); // Not at once, else it would go round without end.
    Table table;
    table.wait(1, 10min);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    CHECK(table.decide() == "counter a for 10 min; poll 1");

    SECTION("while somebody waits")
    {
        table.time += 3s; // The counter was on its way; its end is that of the moment before.
        table.refuse(1, "a");
        CHECK(table.decide() == "");
        CHECK(table.machine.deadline() == table.now() + 267s);
        CHECK(table.decide(267s - 1ns) == "");
        CHECK(table.decide(1ns) == "publish 2 for 10 min; stop 1; delete 1");
        table.machine.demand_published(2);
        table.machine.offer_arrived(2, "a2", 1);
        CHECK(table.decide() == "counter a2 for 10 min; poll 2");
    }
    SECTION("not one that was refused for good")
    {
        table.refuse(1, "a", true);
        table.decide();
        CHECK_FALSE(table.machine.deadline());
        CHECK(table.decide(10min) == "");
    }
    SECTION("not while an answer is due")
    {
        table.refuse(1, "a");
        table.decide(270s - 1ms);
        table.machine.offer_arrived(1, "b", 1);
        CHECK(table.decide() == "counter b for 10 min");
        CHECK(table.decide(1ms) == "");
        table.refuse(1, "b", true);
        CHECK(table.decide() == "publish 2 for 10 min; stop 1; delete 1");
    }
    SECTION("not while an agreement on its demand is signed")
    {
        table.refuse(1, "a");
        table.decide(269s);
        table.machine.offer_arrived(1, "b", 1);
        table.decide();
        table.draft(1, "b");
        CHECK(table.decide() == "sign d-b for 1; stop 1");
        table.wait(2, 10min);
        CHECK(table.decide(1s) == "poll 1");
        table.machine.agreement_approved("d-b");
        CHECK(table.decide() == "publish 2 for 10 min; stop 1; delete 1");
    }
}

TEST_CASE("a thousand orders and a thousand offers cost a few looks at each, decided at every event")
{
    Table table;
    for (OrderNumber order = 1; order <= 1000; ++order)
        table.wait(order);
    table.decide();
    table.machine.demand_published(1);
    for (int offer = 0; offer < 1000; ++offer)
        table.machine.offer_arrived(1, "p" + std::to_string(offer), offer);
    std::size_t approved = 0;
    std::size_t decisions = 0;
    std::vector<Action> work = table.machine.decide(table.now());
    while (!work.empty()) {
        std::vector<Action> next;
        for (const auto& any : work) {
            if (const auto* counter = std::get_if<action::Counter>(&any))
                table.draft(1, counter->proposal);
            else if (const auto* sign = std::get_if<action::Sign>(&any))
                approved += table.machine.agreement_approved(sign->draft).has_value();
            const auto more = table.machine.decide(table.now());
            ++decisions;
            next.insert(next.end(), more.begin(), more.end());
        }
        work = std::move(next);
    }
    CHECK(approved == 1000);
    CHECK(decisions >= 2000);
    CHECK(table.machine.steps() < decisions * 10'000);
    // Where nothing has happened, nothing is looked at.
    const auto before = table.machine.steps();
    table.decide();
    CHECK(table.machine.steps() == before);
}

TEST_CASE("a provider whose agreement ended is expected back on its demand")
{
    Table table;
    table.wait(1);
    table.decide();
    table.machine.demand_published(1);
    table.machine.offer_arrived(1, "a", 1);
    table.decide();
    table.draft(1, "a");
    table.decide();
    table.machine.agreement_approved("d-a");
    table.machine.agreement_ended(1, "d-a", table.now());
    table.wait(2);
    CHECK(table.decide() == "poll 1");
    table.machine.offer_arrived(1, "a2", 1);
    CHECK(table.decide() == "counter a2");
}

namespace {

/// Providers as the real agent is: one offer a demand, so many agreements at a time.
class Crowd {
public:
    Crowd(std::size_t providers, std::size_t room) : table_(), room_(providers, room) {}

    /// Lets `orders` wait and plays until all run; the number of demands it took. `ghosts` offer and never answer.
    std::size_t place(std::size_t orders, std::size_t ghosts = 0)
    {
        ghosts_ = ghosts;
        for (std::size_t order = 1; order <= orders; ++order)
            table_.wait(order);
        for (int turn = 0; running < orders && turn < 10'000; ++turn) {
            const auto actions = table_.machine.decide(table_.now());
            for (const auto& any : actions)
                play(any);
            most_open = std::max(most_open, table_.machine.open_demands());
            if (actions.empty()) {
                const auto next = table_.machine.deadline();
                if (!next || *next > Instant(2h))
                    break;
                table_.time = next->time_since_epoch();
            }
        }
        return published;
    }

    std::size_t running = 0;
    std::size_t published = 0;
    std::size_t counters = 0;
    std::size_t most_open = 0;

private:
    void play(const Action& any)
    {
        if (const auto* publish = std::get_if<action::Publish>(&any)) {
            ++published;
            table_.machine.demand_published(publish->demand);
            for (std::size_t provider = 0; provider < room_.size(); ++provider)
                table_.machine.offer_arrived(publish->demand, "p" + std::to_string(provider), 1.0);
            for (std::size_t ghost = 0; ghost < ghosts_; ++ghost)
                table_.machine.offer_arrived(publish->demand, "ghost" + std::to_string(ghost), 0.5);
        } else if (const auto* counter = std::get_if<action::Counter>(&any)) {
            ++counters;
            const auto mine = std::to_string(counter->demand) + "/" + counter->proposal;
            table_.machine.countered(counter->demand, counter->proposal, mine, table_.now());
            if (counter->proposal[0] != 'p')
                return;
            if (room_[std::stoul(counter->proposal.substr(1))] > 0)
                table_.machine.draft_arrived(counter->demand, mine, "draft of " + mine, std::nullopt);
            else
                table_.machine.refused(counter->demand, mine, false);
        } else if (const auto* sign = std::get_if<action::Sign>(&any)) {
            auto& room = room_[std::stoul(sign->draft.substr(sign->draft.find("/p") + 2))];
            if (room == 0) {
                table_.machine.agreement_failed(sign->draft, table_.now());
                return;
            }
            --room;
            if (table_.machine.agreement_approved(sign->draft))
                ++running;
        }
    }

    Table table_;
    std::vector<std::size_t> room_;
    std::size_t ghosts_ = 0;
};

} // namespace

TEST_CASE("a hundred providers with room for one need one demand for a hundred orders")
{
    Crowd crowd(100, 1);
    CHECK(crowd.place(100) == 1);
    CHECK(crowd.running == 100);
    CHECK(crowd.counters == 100);
}

TEST_CASE("four providers with room for 25 need a demand for each four orders, one after another")
{
    Crowd crowd(4, 25);
    CHECK(crowd.place(100) == 25);
    CHECK(crowd.running == 100);
    CHECK(crowd.most_open <= 4);
}

TEST_CASE("ghosts cost time, not placement")
{
    Crowd crowd(4, 25);
    crowd.place(100, 3);
    CHECK(crowd.running == 100);
    CHECK(crowd.most_open <= 4);
}

TEST_CASE("more orders than room: what has room is used up, then it is waited")
{
    Crowd crowd(3, 2); // For less than the counters of the full ones stay good.
    CHECK(crowd.place(10) == 3);
    CHECK(crowd.running == 6);
}

TEST_CASE("a full provider does not keep one with room from being used")
{
    // One is full from the start: its refusal keeps the demand alive, but the other has 24 more places.
    Table table;
    for (OrderNumber order = 1; order <= 8; ++order)
        table.wait(order);
    std::size_t signed_count = 0;
    std::size_t most_open = 0;
    for (int turn = 0; turn < 200; ++turn) {
        for (const auto& any : table.machine.decide(table.now())) {
            if (const auto* publish = std::get_if<action::Publish>(&any)) {
                table.machine.demand_published(publish->demand);
                table.machine.offer_arrived(publish->demand, "full", 1);
                table.machine.offer_arrived(publish->demand, "free", 2);
            } else if (const auto* counter = std::get_if<action::Counter>(&any)) {
                const auto mine = std::to_string(counter->demand) + counter->proposal;
                table.machine.countered(counter->demand, counter->proposal, mine, table.now());
                if (counter->proposal == "full")
                    table.machine.refused(counter->demand, mine, false);
                else
                    table.machine.draft_arrived(counter->demand, mine, "d" + mine, std::nullopt);
            } else if (const auto* sign = std::get_if<action::Sign>(&any)) {
                signed_count += table.machine.agreement_approved(sign->draft).has_value();
            }
        }
        most_open = std::max(most_open, table.machine.open_demands());
    }
    CHECK(signed_count == 8);
    CHECK(most_open == 4);
}
