// Negotiations, agreements, and what matches.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

#include <golem/core/timestamp.hpp>

namespace golem::test {

namespace {

const Json nothing = nullptr;

Json with_property(Json content, const std::string& name, const Json& value)
{
    content["properties"][name] = value;
    return content;
}

Json with_constraints(Json content, const std::string& constraints)
{
    content["constraints"] = constraints;
    return content;
}

provider::Reason provider_reason(const std::string& message)
{
    provider::Reason said;
    said.message = message;
    said.extra.set("golem.proposal.rejection.is-final", true);
    said.extra.set("golem.provider.code", "Because");
    return said;
}

// What both sides say of an agreement.
Task<> look_at(Stage& stage, const Deal& deal)
{
    co_await stage.get(deal.agreement_path());
    co_await stage.get(deal.agreement_path() + "/terminate/reason");
    co_await stage.post(deal.agreement_path() + "/wait?timeout=0");
    const auto body = reason("too late");
    co_await stage.post(deal.agreement_path() + "/terminate", body);
    co_await stage.post(deal.agreement_path() + "/cancel", body);
    co_await stage.post(deal.agreement_path() + "/confirm");
    auto approve = stage.provider().approve_agreement(deal.agreement);
    co_await stage.tell("approve what is over", std::move(approve));
    const auto said = provider_reason("refused what is over");
    auto refuse = stage.provider().reject_agreement(deal.agreement, said);
    co_await stage.tell("reject what is over", std::move(refuse));
    std::set<std::string> own;
    own.insert(deal.agreement);
    const auto events = market + "/agreementEvents?timeout=0&maxEvents=100&appSessionId=" + stage.tag();
    co_await stage.get_own(events + "&afterTimestamp=" + stage.began(), "agreementId", own);
    co_await stage.get_own(market + "/agreements?appSessionId=" + stage.tag(), "id", own);
}

// As far as an agreement that waits for the provider's answer.
Task<> pend(Stage& stage, Deal& deal, Duration validity)
{
    co_await meet(stage, deal);
    co_await counter(stage, deal);
    co_await draft(stage, deal);
    co_await make_agreement(stage, deal, validity);
    co_await confirm(stage, deal);
}

} // namespace

Task<> scene_negotiation(Stage& stage)
{
    auto deal = new_deal(stage);
    auto stranger = new_deal(stage);
    co_await meet(stage, deal);
    std::set<std::string> own;
    own.insert(deal.demand);
    co_await stage.get_own(market + "/demands", "demandId", own);
    co_await stage.get(deal.demand_path() + "/events?timeout=0.5");
    co_await stage.get(deal.proposal_path(deal.initial));
    co_await stage.get(deal.proposal_path("P-" + deal.initial.substr(2)));
    co_await stage.get(deal.proposal_path("R-" + no_agreement));
    const auto early = proposal_and_validity(stage, deal.initial);
    co_await stage.post(market + "/agreements", early);

    for (const std::string constraints :
         {"(golem.inf.mem.gib>=100)", "(&(a=1", "", "(", "(&", "(a", "x", "(missing=1)", "(|)", "()x"}) {
        const auto wrong = with_constraints(deal.wanted, constraints);
        co_await stage.post(deal.proposal_path(deal.initial), wrong);
        if (constraints == "()x")
            break;
    }
    const auto seen = co_await stage.market_events(deal.offer, 1);
    deal.countered = std::get<provider::ProposalArrived>(seen[0]).proposal;
    co_await stage.post(deal.proposal_path(deal.initial), deal.wanted);

    // A second negotiation, countered as it should be.
    co_await meet(stage, stranger);
    auto expired = stranger.wanted;
    expired["properties"].erase("golem.srv.comp.expiration");
    co_await stage.post(stranger.proposal_path(stranger.initial), expired);
    const auto foreign = stranger.demand_path() + "/proposals/" + deal.initial;
    co_await stage.get(foreign);
    co_await stage.post(foreign, stranger.wanted);
    co_await counter(stage, stranger);
    co_await stage.get(stranger.proposal_path(stranger.counter));
    co_await stage.post(stranger.proposal_path(stranger.counter), stranger.wanted);
    co_await stage.post(stranger.proposal_path(stranger.counter) + "/reject", nothing);
    const auto mine = proposal_and_validity(stage, stranger.counter);
    co_await stage.post(market + "/agreements", mine);
    co_await draft(stage, stranger);
    auto twice = stage.provider().counter(stranger.offer, stranger.countered, stranger.offered);
    co_await stage.tell("counter for the second time", std::move(twice));
    co_await stage.get(stranger.proposal_path(stranger.draft));

    // Another round.
    const auto again = with_property(stranger.wanted, "golem.com.payment.debit-notes.accept-timeout?", 60);
    const auto countered = co_await stage.post(stranger.proposal_path(stranger.draft), again);
    const auto second = co_await stage.market_events(stranger.offer, 1);
    stranger.countered = std::get<provider::ProposalArrived>(second[0]).proposal;
    const auto spent = proposal_and_validity(stage, stranger.draft);
    co_await stage.post(market + "/agreements", spent);
    co_await draft(stage, stranger);
    co_await stage.get(stranger.proposal_path(countered.text()));

    // Polls: one ends with its demand, and one does not swallow what comes later.
    const std::function<Task<>()> background = [&stage, &deal]() -> Task<> {
        co_await stage.get(deal.demand_path() + "/events?timeout=20");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(300));
    co_await stage.del(deal.demand_path());
    co_await stage.settle();
    co_await stage.del(deal.demand_path());
    co_await stage.get(deal.demand_path() + "/events?timeout=0");
    co_await stage.post(deal.proposal_path(deal.initial), deal.wanted);
    co_await stage.post(deal.proposal_path(deal.initial) + "/reject", nothing);
    co_await stage.get(deal.proposal_path(deal.initial));
    auto withdraw = stage.provider().withdraw_offer(deal.offer);
    co_await stage.tell("withdraw", std::move(withdraw));
    co_await forget(stage, stranger);
}

Task<> scene_refusals(Stage& stage)
{
    // The provider refuses a counter, with and without words; the requestor may not sign it, nor counter it again.
    auto deal = new_deal(stage);
    co_await meet(stage, deal);
    co_await counter(stage, deal);
    auto said = provider_reason("No capacity available. Reached Agreements limit: 1");
    auto refuse = stage.provider().reject(deal.offer, deal.countered, said);
    co_await stage.tell("reject", std::move(refuse));
    co_await stage.collect(deal.demand_path() + "/events?timeout=10", 1);
    co_await stage.get(deal.proposal_path(deal.counter));
    co_await stage.get(deal.proposal_path(deal.initial));
    co_await stage.post(deal.proposal_path(deal.initial), deal.wanted);
    const auto refused = proposal_and_validity(stage, deal.counter);
    co_await stage.post(market + "/agreements", refused);
    // It reconsiders.
    co_await draft(stage, deal);
    co_await stage.get(deal.proposal_path(deal.draft));

    // The requestor refuses the draft, twice, and then reconsiders.
    const auto body = reason("too expensive");
    co_await stage.post(deal.proposal_path(deal.draft) + "/reject", body);
    co_await stage.market_events(deal.offer, 1);
    co_await stage.get(deal.proposal_path(deal.draft));
    co_await stage.post(deal.proposal_path(deal.draft) + "/reject", nothing);
    co_await stage.market_events(deal.offer, 1);
    const auto unsigned_draft = proposal_and_validity(stage, deal.draft);
    co_await stage.post(market + "/agreements", unsigned_draft);
    co_await stage.post(deal.proposal_path(deal.draft), deal.wanted);
    co_await stage.market_events(deal.offer, 1);
    const Json silent = Json::object();
    co_await stage.post(deal.proposal_path(deal.draft) + "/reject", silent);
    co_await stage.post(deal.proposal_path("R-" + no_agreement) + "/reject", nothing);
    co_await forget(stage, deal);

    // The requestor refuses an Initial.
    auto other = new_deal(stage);
    co_await meet(stage, other);
    co_await stage.post(other.proposal_path(other.initial) + "/reject", body);
    co_await stage.get(other.proposal_path(other.initial));
    co_await forget(stage, other);
}

Task<> scene_agreements(Stage& stage)
{
    auto deal = new_deal(stage);
    co_await meet(stage, deal);
    co_await counter(stage, deal);
    co_await draft(stage, deal);
    co_await make_agreement(stage, deal);
    const auto second = proposal_and_validity(stage, deal.draft);
    co_await stage.post(market + "/agreements", second);
    co_await stage.get(deal.proposal_path(deal.draft));
    co_await stage.get(deal.agreement_path());
    co_await stage.post(deal.agreement_path() + "/wait?timeout=0");
    const auto body = reason("too early");
    co_await stage.post(deal.agreement_path() + "/terminate", body);
    co_await stage.post(deal.agreement_path() + "/cancel", body);
    auto early = stage.provider().approve_agreement(deal.agreement);
    co_await stage.tell("approve before it is confirmed", std::move(early));
    co_await confirm(stage, deal);
    co_await stage.post(deal.agreement_path() + "/confirm");
    co_await stage.get(deal.agreement_path());
    co_await stage.post(deal.agreement_path() + "/wait?timeout=0");
    co_await stage.post(deal.agreement_path() + "/wait?timeout=1");
    co_await stage.post(deal.agreement_path() + "/terminate", body);
    Json activity;
    activity["agreementId"] = deal.agreement;
    co_await stage.post(activities, activity);
    const auto said = provider_reason("early");
    auto terminate = stage.provider().terminate_agreement(deal.agreement, said);
    co_await stage.tell("terminate before it is approved", std::move(terminate));

    // Approved while somebody waits.
    const std::function<Task<>()> background = [&stage, &deal]() -> Task<> {
        co_await stage.post(deal.agreement_path() + "/wait?timeout=20");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(300));
    auto approval = stage.provider().approve_agreement(deal.agreement);
    co_await stage.tell("approve", std::move(approval));
    co_await stage.settle();
    co_await stage.post(deal.agreement_path() + "/wait?timeout=1");
    co_await stage.get(deal.agreement_path());
    co_await stage.get(deal.agreement_path() + "/terminate/reason");
    co_await stage.post(deal.agreement_path() + "/cancel", body);
    std::set<std::string> own;
    own.insert(deal.agreement);
    const auto events = market + "/agreementEvents?afterTimestamp=" + stage.began();
    co_await stage.get_own(events + "&timeout=0&maxEvents=100", "agreementId", own);
    co_await stage.get(events + "&timeout=1&appSessionId=nobodys");
    for (const std::string state : {"Approved", "Pending", "nonsense"})
        co_await stage.get_own(market + "/agreements?appSessionId=" + stage.tag() + "&state=" + state, "id", own);

    // Its demand goes, the agreement stays; then the requestor ends it.
    co_await forget(stage, deal);
    co_await stage.get(deal.agreement_path());
    co_await stage.post_text(deal.agreement_path() + "/terminate", R"({"text":"no message"})");
    co_await stage.post_text(deal.agreement_path() + "/terminate", R"("just text")");
    Json finished = reason("Finished");
    finished["golem.requestor.code"] = "Success";
    finished["extra"] = 1.0;
    co_await stage.post(deal.agreement_path() + "/terminate", finished);
    co_await stage.agreement_events(deal.agreement, 2);
    co_await look_at(stage, deal);
}

Task<> scene_ends_of_agreements(Stage& stage)
{
    const auto hour = std::chrono::hours(1);
    // Rejected, with somebody who waits.
    auto rejected = new_deal(stage);
    co_await pend(stage, rejected, hour);
    const std::function<Task<>()> background = [&stage, &rejected]() -> Task<> {
        co_await stage.post(rejected.agreement_path() + "/wait?timeout=20");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(300));
    const auto said = provider_reason("No capacity available. Reached Agreements limit: 1");
    auto refuse = stage.provider().reject_agreement(rejected.agreement, said);
    co_await stage.tell("reject", std::move(refuse));
    co_await stage.settle();
    co_await look_at(stage, rejected);
    co_await stage.get(rejected.demand_path() + "/events?timeout=1");
    co_await forget(stage, rejected);

    // Cancelled.
    auto cancelled = new_deal(stage);
    co_await pend(stage, cancelled, hour);
    const auto body = reason("changed my mind");
    co_await stage.post(cancelled.agreement_path() + "/cancel", body);
    co_await look_at(stage, cancelled);
    co_await stage.agreement_events_so_far(cancelled.agreement);
    co_await forget(stage, cancelled);

    // Expired, and nobody was told.
    auto expired = new_deal(stage);
    co_await pend(stage, expired, std::chrono::seconds(2));
    co_await stage.post(expired.agreement_path() + "/wait?timeout=3");
    co_await look_at(stage, expired);
    co_await forget(stage, expired);

    // Terminated by the provider: the two may meet again.
    auto ended = new_deal(stage);
    co_await pend(stage, ended, std::chrono::seconds(2));
    co_await approve(stage, ended);
    co_await stage.pass(std::chrono::milliseconds(2200));
    co_await stage.get(ended.agreement_path());
    const auto idle = provider_reason("No activity created within 90s");
    auto end = stage.provider().terminate_agreement(ended.agreement, idle);
    co_await stage.tell("terminate", std::move(end));
    co_await stage.agreement_events(ended.agreement, 2);
    co_await look_at(stage, ended);
    auto again = stage.provider().terminate_agreement(ended.agreement, said);
    co_await stage.tell("terminate again", std::move(again));
    co_await stage.collect(ended.demand_path() + "/events?timeout=10", 1);
    co_await forget(stage, ended);

    // Terminated by the requestor without a word, which has to be said.
    auto silent = new_deal(stage);
    co_await sign(stage, silent);
    co_await stage.post(silent.agreement_path() + "/terminate");
    const Json empty = Json::object();
    co_await stage.post(silent.agreement_path() + "/terminate", empty);
    co_await stage.post(silent.agreement_path() + "/terminate", nothing);
    co_await stage.agreement_events(silent.agreement, 2);
    co_await look_at(stage, silent);
    co_await forget(stage, silent);
}

Task<> scene_matching(Stage& stage)
{
    using properties::Value;
    auto deal = new_deal(stage);
    deal.offered.properties = properties::PropertySet{
        {"golem.node.id.name", deal.name},
        {"s", "abc"},
        {"e", ""},
        {"n", 2},
        {"f", 2.5},
        {"t", true},
        {"l", Value::List{"vpn", "inet"}},
        {"nums", Value::List{1, 2}},
        {"v", "0.3.0"},
        {"d", "2026-01-01T00:00:00Z"},
        {"sp ace", "x y"},
        {"uni", "zażółć"},
        {"esc", "a\"b"},
        {"paren", "a)b"},
        {"o.i", 1},
        {"num", "5"},
        {"dec", "10.5"},
        {"nul", Value()}};
    deal.offered.constraints = "()";
    static const std::vector<std::string> constraints = {
        "(s=abc)",
        "(s=ABC)",
        "(s=a*)",
        "(s=*c)",
        "(s=a*c)",
        "(s=*)",
        "(s=a.c)",
        "(s=a.*)",
        "(s=a[b]*)",
        "(s=A*)",
        "(missing=*)",
        "(!(missing=*))",
        "(missing=1)",
        "(!(missing=1))",
        "(e=*)",
        "(e=)",
        "(!(e=*))",
        "(n=2)",
        "(n=2.0)",
        "(n>1)",
        "(n>=2)",
        "(n<2)",
        "(n=two)",
        "(!(n=two))",
        "(f=2.5)",
        "(f<2.6)",
        "(t=true)",
        "(t=false)",
        "(t=True)",
        "(t>false)",
        "(l=vpn)",
        "(l=[vpn,inet])",
        "(l=[inet,vpn])",
        "(l=[vpn])",
        "(l=*)",
        "(l=v*)",
        "(nums=1)",
        "(nums=[1,2])",
        "(nul=*)",
        "(v$v>=0.3.0)",
        "(v$v>=0.10.0)",
        "(v>=0.10.0)",
        "(v$v=0.3.0)",
        "(s$v>=0.1.0)",
        "(!(s$v>=0.1.0))",
        "(d$t>2025-01-01T00:00:00Z)",
        "(d$t<2025-01-01T00:00:00Z)",
        "(num$d>4)",
        "(dec$d>9)",
        "(num>4)",
        "(num>40)",
        "(sp ace=x y)",
        "(s =abc)",
        "( s=abc)",
        "(s= abc)",
        "(uni=zażółć)",
        "(uni=*)",
        "(esc=*)",
        "(esc=a\"b)",
        "(esc=a\\\"b)",
        "(paren=*)",
        "(o.i=1)",
        "(o=*)",
        "(|(s=abc)(missing=1))",
        "(|(s=x)(missing=1))",
        "(!(|(s=x)(missing=1)))",
        "(&(s=x)(missing=1))",
        "(!(&(s=x)(missing=1)))",
        "(s<>b)",
        "(s!=abc)",
        "(s~=abc)",
        "(s>=abc)",
        "(s>abb)",
        "(s<abd)",
        "(s[a]=abc)",
        "(=abc)",
        "(s==abc)",
        "(s=)",
        "(&)",
        "(|)"};
    // All demands first: once the last one has met the offer, the others have had their turn.
    const auto name = "(golem.node.id.name=" + deal.name + ")";
    std::vector<std::string> demands;
    for (const auto& constraint : constraints) {
        const auto body = with_constraints(deal.wanted, "(&" + name + constraint + ")");
        const auto made = co_await stage.post(market + "/demands", body);
        demands.push_back(made.text());
    }
    deal.wanted["constraints"] = name;
    co_await meet(stage, deal);
    co_await stage.pass(std::chrono::milliseconds(500));
    for (const auto& demand : demands)
        co_await stage.get(market + "/demands/" + demand + "/events?timeout=0");
    for (const auto& demand : demands)
        co_await stage.del(market + "/demands/" + demand);
    co_await forget(stage, deal);
}

} // namespace golem::test
