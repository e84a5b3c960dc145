#include <tests/scenes/deals.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>

namespace golem::test {

namespace {

long long millis(Timestamp when)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

provider::Content offer(Stage& stage, const std::string& name)
{
    using properties::Value;
    provider::Content content;
    content.properties = properties::PropertySet{
        {"golem.com.payment.debit-notes.accept-timeout?", 240},
        {"golem.com.payment.protocol.version", 3},
        {"golem.com.pricing.model", "linear"},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.0001, 0.0002, 0.0}},
        {"golem.com.scheme", "payu"},
        {"golem.com.usage.vector", Value::List{"golem.usage.cpu_sec", "golem.usage.duration_sec"}},
        {"golem.inf.cpu.threads", 2},
        {"golem.inf.mem.gib", 4.0},
        {"golem.node.debug.subnet", "scenes"},
        {"golem.node.id.name", name},
        {"golem.runtime.name", "vm"},
        {"golem.srv.caps.multi-activity", true},
    };
    content.properties.set("golem.com.payment.platform." + platform + ".address", stage.provider().node_id());
    content.constraints = "(&\n  (golem.srv.comp.expiration>" + std::to_string(millis(stage.time().utc())) +
                          ")\n  (golem.node.debug.subnet=scenes)\n)";
    return content;
}

Json demand(Stage& stage, const std::string& name)
{
    Json json;
    auto& properties = json["properties"];
    properties["golem.srv.caps.multi-activity"] = true;
    properties["golem.node.debug.subnet"] = "scenes";
    properties["golem.srv.comp.expiration"] = millis(stage.time().utc() + std::chrono::minutes(30));
    properties["golem.srv.comp.task_package"] = "hash:sha3:22e08b990b6c6685c7e8:http://127.0.0.1:8001/alpine.gvmi";
    properties["golem.com.payment.platform." + platform + ".address"] = stage.requestor();
    properties["golem.com.payment.protocol.version"] = "3";
    properties["golem.com.payment.debit-notes.accept-timeout?"] = 120;
    json["constraints"] =
        "(&(golem.com.pricing.model=linear)\n\t(golem.node.debug.subnet=scenes)\n\t(golem.inf.mem.gib>=0.5)\n"
        "\t(golem.node.id.name=" +
        name + ")\n\t(golem.com.payment.platform." + platform +
        ".address=*)\n\t(golem.com.payment.protocol.version>1))";
    return json;
}

// Sleeps in the stage's time; echoes what it is told to.
Task<provider::RunOutput> perform(TimeSource& time, std::string command, std::vector<std::string> arguments)
{
    provider::RunOutput output;
    const auto first = arguments.empty() ? std::string() : arguments[0];
    if (command == "/bin/sleep") {
        const auto duration = std::chrono::duration<double>(std::stod(first));
        co_await time.sleep_for(std::chrono::duration_cast<Duration>(duration), "a command that sleeps");
    } else if (command == "/bin/echo") {
        for (const auto& argument : arguments)
            output.out += (output.out.empty() ? "" : " ") + argument;
        output.out += "\n";
    } else if (command == "/bin/bytes") {
        output.out = std::string(
            "a\xff"
            "b\0c",
            5);
    } else {
        output.exit_code = first.empty() ? 127 : std::stoi(first);
        output.err = command + " fails\n";
    }
    co_return output;
}

} // namespace

Json reason(const std::string& message)
{
    Json json;
    json["message"] = message;
    return json;
}

Json proposal_and_validity(Stage& stage, const std::string& proposal, Duration validity)
{
    Json json;
    json["proposalId"] = proposal;
    json["validTo"] = format_timestamp(stage.time().utc() + validity, 3);
    return json;
}

Deal new_deal(Stage& stage)
{
    Deal deal;
    deal.name = stage.new_name();
    deal.offered = offer(stage, deal.name);
    deal.wanted = demand(stage, deal.name);
    return deal;
}

Task<> meet(Stage& stage, Deal& deal)
{
    auto publish = stage.provider().publish_offer(deal.offered);
    deal.offer = co_await stage.tell("publish", std::move(publish));
    const auto published = co_await stage.post(market + "/demands", deal.wanted);
    deal.demand = published.text();
    const auto events = co_await stage.collect(deal.demand_path() + "/events?timeout=10", 1);
    deal.initial = events.body[0]["proposal"]["proposalId"].get<std::string>();
}

Task<> counter(Stage& stage, Deal& deal)
{
    deal.wanted["properties"]["golem.com.payment.chosen-platform"] = platform;
    const auto made = co_await stage.post(deal.proposal_path(deal.initial), deal.wanted);
    deal.counter = made.text();
    const auto seen = co_await stage.market_events(deal.offer, 1);
    deal.countered = std::get<provider::ProposalArrived>(seen[0]).proposal;
}

Task<> draft(Stage& stage, Deal& deal)
{
    auto answer = stage.provider().counter(deal.offer, deal.countered, deal.offered);
    co_await stage.tell("counter", std::move(answer));
    const auto events = co_await stage.collect(deal.demand_path() + "/events?timeout=10", 1);
    deal.draft = events.body[0]["proposal"]["proposalId"].get<std::string>();
}

Task<> make_agreement(Stage& stage, Deal& deal, Duration validity)
{
    const auto body = proposal_and_validity(stage, deal.draft, validity);
    const auto made = co_await stage.post(market + "/agreements", body);
    deal.agreement = made.text();
}

Task<> confirm(Stage& stage, Deal& deal)
{
    co_await stage.post(deal.agreement_path() + "/confirm?appSessionId=" + stage.tag());
    co_await stage.market_events(deal.offer, 1);
}

Task<> approve(Stage& stage, Deal& deal)
{
    auto approval = stage.provider().approve_agreement(deal.agreement);
    co_await stage.tell("approve", std::move(approval));
    co_await stage.post(deal.agreement_path() + "/wait?timeout=10");
}

Task<> sign(Stage& stage, Deal& deal)
{
    co_await meet(stage, deal);
    co_await counter(stage, deal);
    co_await draft(stage, deal);
    co_await make_agreement(stage, deal);
    co_await confirm(stage, deal);
    co_await approve(stage, deal);
}

Task<> forget(Stage& stage, Deal& deal)
{
    co_await stage.del(deal.demand_path());
    auto withdraw = stage.provider().withdraw_offer(deal.offer);
    co_await stage.tell("withdraw", std::move(withdraw));
}

Task<> start(Stage& stage, const Deal& deal, Running& running)
{
    Json body;
    body["agreementId"] = deal.agreement;
    const std::function<Task<>()> background = [&stage, body]() -> Task<> { co_await stage.post(activities, body); };
    co_await stage.meanwhile(background);
    const auto event = co_await stage.activity_event(deal.agreement);
    running.activity = event.activity;
    provider::ScriptedBehaviour behaviour;
    auto& time = stage.time();
    behaviour.slow_reply = [&time](const provider::RunRequest& request) {
        return perform(time, request.entry_point, request.args);
    };
    provider::ScriptedRuntimeFactory factory(stage.executor(), time, behaviour);
    running.unit = std::make_shared<provider::ScriptUnit>(
        stage.executor(), time, factory.make(running.activity), provider::UnitOptions());
    auto attach = stage.provider().attach(running.activity, running.unit);
    co_await stage.tell("attach", std::move(attach));
    co_await stage.settle();
}

Task<> destroy(Stage& stage, const Deal& deal, Running& running)
{
    const auto target = running.path() + "?timeout=10";
    const std::function<Task<>()> background = [&stage, target]() -> Task<> { co_await stage.del(target); };
    co_await stage.meanwhile(background);
    co_await stage.activity_event(deal.agreement);
    co_await running.unit->stop();
    const std::string nothing;
    auto detach = stage.provider().detach(running.activity, nothing, nothing);
    co_await stage.tell("detach", std::move(detach));
    co_await stage.settle();
}

} // namespace golem::test
