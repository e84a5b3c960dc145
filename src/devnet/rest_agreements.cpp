// Agreements and their events.
#include <devnet/rest_call.hpp>

#include <golem/core/timestamp.hpp>

#include <array>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);

http::Response create(const Call& call)
{
    static const Shape shape{"AgreementProposal", 2, {"proposalId", "validTo"}};
    const auto body = body_of(call, shape);
    const auto proposal = string_member(call, body, "proposalId");
    const auto valid_to = time_member(call, body, "validTo");
    if (!valid_to)
        string_member(call, body, "validTo");
    if (const auto complaint = proposal_complaint(proposal))
        refuse(Failure(400, "Invalid Agreement id. " + *complaint));
    auto& market = call.host.world().market();
    return answer(200, unwrap(market.create_agreement(call.node, proposal, *valid_to, call.host.now())));
}

http::Response confirm(const Call& call)
{
    const auto& id = agreement_id(call, 0);
    const auto session = call.query.text("appSessionId");
    unwrap(call.host.world().market().confirm(call.node, id, session, call.host.now()));
    return answer_nothing(204);
}

// The answer to who waits for a decision; nothing while there is none.
std::optional<http::Response> decided(AgreementState state, const std::string& id)
{
    switch (state) {
    case AgreementState::approved: return answer_nothing(204);
    case AgreementState::rejected: refuse(Failure(410, "Rejected"));
    case AgreementState::cancelled: refuse(Failure(410, "Cancelled"));
    case AgreementState::expired: refuse(Failure(410, "Agreement [R-" + id + "] expired."));
    case AgreementState::terminated: refuse(Failure(400, "Agreement [R-" + id + "] terminated."));
    case AgreementState::proposal:
        refuse(Failure(400, "Agreement [R-" + id + "] should be confirmed, before waiting for approval."));
    case AgreementState::pending: break;
    }
    return std::nullopt;
}

Task<http::Response> wait(const Call& call)
{
    auto& market = call.host.world().market();
    const auto& id = call.ids.at(0);
    // Here alone the daemon writes "agreement" small.
    if (const auto complaint = hash_complaint(id))
        refuse(Failure(400, "Invalid agreement id. " + *complaint));
    const auto until = call.host.time().deadline(call.query.seconds("timeout", default_wait));
    const std::string topic = "agreement/" + id;
    // One who waits does not notice that the agreement expires meanwhile.
    bool notice_expiry = true;
    for (;;) {
        const auto state = unwrap(market.await_state(call.node, id, notice_expiry, call.host.now()));
        auto response = decided(state, id);
        if (response)
            co_return std::move(*response);
        notice_expiry = false;
        const bool changed = co_await call.host.wait(topic, until);
        if (!changed)
            refuse(Failure(408, "Timeout while waiting for Agreement [R-" + id + "] approval."));
    }
}

http::Response cancel(const Call& call)
{
    const auto& id = agreement_id(call, 0);
    const auto reason = reason_of(call);
    unwrap(call.host.world().market().cancel(call.node, id, reason, call.host.now()));
    return answer_nothing(200);
}

Task<http::Response> terminate(const Call& call)
{
    auto& world = call.host.world();
    const auto& id = agreement_id(call, 0);
    const auto reason = reason_of(call);
    const auto agreement = world.market().agreement(call.node, id, call.host.now());
    const auto closed = agreement ? world.lost(agreement->provider) : std::nullopt;
    if (closed && agreement->state == AgreementState::approved) {
        // As long as it is not noticed there is no answer.
        const auto left = *closed - call.host.now();
        if (left > Duration(0))
            co_await call.host.sleep_until(call.host.time().deadline(left));
        refuse(Failure(
            500, "Protocol error while terminating: Terminate Agreement [R-" + id +
                     "] GSB error: " + session_closed(call) + ".."));
    }
    unwrap(world.market().terminate(Side::requestor, call.node, id, reason, call.host.now()));
    co_return answer_nothing(200);
}

Json event_to_json(const AgreementLogEntry& event)
{
    constexpr std::array types = {
        "AgreementApprovedEvent", "AgreementRejectedEvent", "AgreementCancelledEvent", "AgreementTerminatedEvent"};
    Json json;
    json["eventDate"] = date_in_micros(event.date);
    json["agreementId"] = event.agreement;
    json["eventType"] = types.at(static_cast<std::size_t>(event.kind));
    if (event.kind == AgreementLogEntry::Kind::terminated) {
        json["terminator"] = event.by == Side::requestor ? "Requestor" : "Provider";
        json["signature"] = "";
    }
    if (event.reason)
        json["reason"] = reason_to_json(*event.reason);
    return json;
}

http::Response termination(const Call& call)
{
    const auto& id = agreement_id(call, 0);
    return answer(200, event_to_json(unwrap(call.host.world().market().termination(call.node, id, call.host.now()))));
}

http::Response get(const Call& call)
{
    const auto& id = agreement_id(call, 0);
    const auto agreement = unwrap(call.host.world().market().agreement(call.node, id, call.host.now()));
    Json demand;
    demand["properties"] = properties_to_json(agreement.demand->properties);
    demand["constraints"] = agreement.demand->constraints;
    demand["demandId"] = agreement.demand_id;
    demand["requestorId"] = agreement.requestor;
    demand["timestamp"] = date(agreement.created);
    Json offer;
    offer["properties"] = properties_to_json(agreement.offer->properties);
    offer["constraints"] = agreement.offer->constraints;
    offer["offerId"] = agreement.offer_id;
    offer["providerId"] = agreement.provider;
    offer["timestamp"] = date(agreement.created);
    Json body;
    body["agreementId"] = agreement.id;
    body["demand"] = std::move(demand);
    body["offer"] = std::move(offer);
    body["validTo"] = date(agreement.valid_to);
    if (agreement.approved)
        body["approvedDate"] = date(*agreement.approved);
    body["state"] = to_string(agreement.state);
    body["timestamp"] = date(agreement.created);
    if (agreement.has_session)
        body["appSessionId"] = agreement.requestor_session;
    if (agreement.confirmed)
        body["proposedSignature"] = "NoSignature";
    if (agreement.approved) {
        body["approvedSignature"] = "NoSignature";
        body["committedSignature"] = "NoSignature";
    }
    return answer(200, body);
}

http::Response list(const Call& call)
{
    AgreementQuery query;
    query.before = call.query.time("beforeDate");
    query.after = call.query.time("afterDate");
    query.session = call.query.text("appSessionId");
    if (const auto state = call.query.text("state")) {
        for (auto one :
             {AgreementState::proposal, AgreementState::pending, AgreementState::cancelled, AgreementState::rejected,
              AgreementState::approved, AgreementState::expired, AgreementState::terminated}) {
            if (to_string(one) == *state)
                query.state = one;
        }
        if (!query.state)
            refuse(Failure(
                400,
                "Query deserialize error: unknown variant `" + *state +
                    "`, expected one of `Proposal`, `Pending`, `Cancelled`, `Rejected`, `Approved`, `Expired`, "
                    "`Terminated`",
                BodyKind::text));
    }
    Json body = Json::array();
    for (const auto& agreement : call.host.world().market().agreements(call.node, query, call.host.now())) {
        Json json;
        json["id"] = agreement.id;
        json["timestamp"] = date(agreement.created);
        json["approvedDate"] = nullptr;
        if (agreement.approved)
            json["approvedDate"] = date(*agreement.approved);
        json["role"] = agreement.requestor == call.node ? "Requestor" : "Provider";
        body.push_back(std::move(json));
    }
    return answer(200, body);
}

Task<http::Response> events(const Call& call)
{
    const auto& market = call.host.world().market();
    const auto after = call.query.time("afterTimestamp").value_or(Timestamp());
    const auto session = call.query.text("appSessionId");
    const auto most = call.query.integer("maxEvents").value_or(20);
    if (most < 1 || most > 100)
        refuse(Failure(400, "Invalid maxEvents '" + std::to_string(most) + "', should be between 1 and 100."));
    const auto until = call.host.time().deadline(call.query.seconds("timeout", default_wait));
    const std::string topic = "agreements/" + call.node;
    Json body = Json::array();
    for (;;) {
        for (const auto& event : market.agreement_events(call.node, after, session, static_cast<std::size_t>(most)))
            body.push_back(event_to_json(event));
        if (!body.empty())
            break;
        const bool changed = co_await call.host.wait(topic, until);
        if (!changed)
            break;
    }
    co_return answer(200, body);
}

} // namespace

void add_agreement_routes(Routes& routes)
{
    using http::Method;
    routes.add(Method::post, "/market-api/v1/agreements", create);
    routes.add(Method::get, "/market-api/v1/agreements", list);
    routes.add(Method::get, "/market-api/v1/agreements/*", get);
    routes.add(Method::post, "/market-api/v1/agreements/*/confirm", confirm);
    routes.add_waiting(Method::post, "/market-api/v1/agreements/*/wait", wait);
    routes.add(Method::post, "/market-api/v1/agreements/*/cancel", cancel);
    routes.add_waiting(Method::post, "/market-api/v1/agreements/*/terminate", terminate);
    routes.add(Method::get, "/market-api/v1/agreements/*/terminate/reason", termination);
    routes.add_waiting(Method::get, "/market-api/v1/agreementEvents", events);
}

} // namespace golem::devnet::detail
