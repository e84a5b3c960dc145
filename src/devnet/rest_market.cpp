// Demands and proposals.
#include <devnet/rest_call.hpp>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);

std::size_t max_events(const Call& call)
{
    const auto wanted = call.query.integer("maxEvents").value_or(20);
    if (wanted < 1 || wanted > 100)
        refuse(Failure(400, "Invalid maxEvents '" + std::to_string(wanted) + "', should be between 1 and 100."));
    return static_cast<std::size_t>(wanted);
}

Content content_of(const Call& call)
{
    static const Shape shape{"DemandOfferBase", 2, {"properties", "constraints"}};
    const auto body = body_of(call, shape);
    Content content;
    content.properties = properties_from_json(body.at("properties"));
    content.constraints = string_member(call, body, "constraints");
    return content;
}

Json content_to_json(const Content& content)
{
    Json json;
    json["properties"] = properties_to_json(content.properties);
    json["constraints"] = content.constraints;
    return json;
}

Json proposal_to_json(const ProposalView& proposal)
{
    auto json = content_to_json(*proposal.content);
    json["proposalId"] = proposal.id;
    json["issuerId"] = proposal.issuer;
    json["state"] = to_string(proposal.state);
    json["timestamp"] = date(proposal.created);
    if (proposal.previous)
        json["prevProposalId"] = *proposal.previous;
    return json;
}

http::Response publish(const Call& call)
{
    const auto content = content_of(call);
    return answer(201, call.host.world().market().publish(Side::requestor, call.node, content, call.host.now()));
}

http::Response list(const Call& call)
{
    Json body = Json::array();
    for (const auto& demand : call.host.world().market().subscriptions(Side::requestor, call.node, call.host.now())) {
        auto json = content_to_json(*demand.content);
        json["demandId"] = demand.id;
        json["requestorId"] = demand.node;
        json["timestamp"] = date(demand.created);
        body.push_back(std::move(json));
    }
    return answer(200, body);
}

http::Response withdraw(const Call& call)
{
    const auto& id = subscription_id(call, 0);
    unwrap(call.host.world().market().withdraw(Side::requestor, call.node, id, call.host.now()));
    return answer_nothing(204);
}

Json event_to_json(const Market& market, const QueuedEvent& event)
{
    Json json;
    const bool is_rejection = event.kind == QueuedEvent::Kind::rejection;
    json["eventType"] = is_rejection ? "ProposalRejectedEvent" : "ProposalEvent";
    json["eventDate"] = date_in_millis(event.date);
    if (!is_rejection)
        json["proposal"] = proposal_to_json(market.view(Side::requestor, event.id));
    if (is_rejection) {
        json["proposalId"] = "R-" + event.id;
        if (event.reason)
            json["reason"] = reason_to_json(*event.reason);
    }
    return json;
}

Task<http::Response> events(const Call& call)
{
    auto& market = call.host.world().market();
    const auto& id = subscription_id(call, 0);
    const auto most = max_events(call);
    const auto until = call.host.time().deadline(call.query.seconds("timeout", default_wait));
    const std::string topic = "subscription/" + id;
    for (;;) {
        const auto waiting = unwrap(market.waiting(Side::requestor, call.node, id, call.host.now()));
        if (waiting > 0)
            break;
        const bool changed = co_await call.host.wait(topic, until);
        if (!changed)
            co_return answer(200, Json::array());
    }
    Json body = Json::array();
    for (const auto& event : market.take_events(id, most))
        body.push_back(event_to_json(market, event));
    co_return answer(200, body);
}

http::Response proposal(const Call& call)
{
    const auto& demand = subscription_id(call, 0);
    const auto& id = proposal_id(call, 1);
    return answer(200, proposal_to_json(unwrap(call.host.world().market().proposal(Side::requestor, demand, id))));
}

http::Response counter(const Call& call)
{
    const auto& demand = subscription_id(call, 0);
    const auto& id = proposal_id(call, 1);
    const auto content = content_of(call);
    auto& market = call.host.world().market();
    return answer(200, unwrap(market.counter(Side::requestor, demand, id, content, call.host.now())));
}

http::Response reject(const Call& call)
{
    const auto& demand = subscription_id(call, 0);
    const auto& id = proposal_id(call, 1);
    const auto reason = reason_of(call);
    unwrap(call.host.world().market().reject(Side::requestor, demand, id, reason, call.host.now()));
    return answer_nothing(204);
}

} // namespace

void add_market_routes(Routes& routes)
{
    using http::Method;
    routes.add(Method::post, "/market-api/v1/demands", publish);
    routes.add(Method::get, "/market-api/v1/demands", list);
    routes.add(Method::del, "/market-api/v1/demands/*", withdraw);
    routes.add_waiting(Method::get, "/market-api/v1/demands/*/events", events);
    routes.add(Method::get, "/market-api/v1/demands/*/proposals/*", proposal);
    routes.add(Method::post, "/market-api/v1/demands/*/proposals/*", counter);
    routes.add(Method::post, "/market-api/v1/demands/*/proposals/*/reject", reject);
    add_scan_routes(routes);
}

} // namespace golem::devnet::detail
