// Activities and their exe-scripts.
#include <devnet/rest_call.hpp>

#include <golem/core/error.hpp>
#include <golem/provider/script.hpp>

#include <algorithm>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);

struct Wanted {
    std::string agreement;
    // The form of the answer follows that of the question.
    bool as_object = false;
};

Wanted wanted_by(const Call& call)
{
    const std::string neither =
        "Json deserialize error: data did not match any variant of untagged enum CreateActivityJson";
    const auto body = any_body_of(call, neither);
    Wanted wanted;
    wanted.as_object = body.is_object() && body.contains("agreementId") && body["agreementId"].is_string();
    if (!wanted.as_object && !body.is_string())
        refuse_body(call, neither);
    wanted.agreement = wanted.as_object ? body["agreementId"].get<std::string>() : body.get<std::string>();
    if (wanted.as_object && body.contains("requestorPubKey") && body["requestorPubKey"].is_string()) {
        const auto key = body["requestorPubKey"].get<std::string>();
        const auto odd = key.find_first_not_of("0123456789abcdefABCDEF");
        if (odd != std::string::npos)
            refuse(Failure(
                400, std::string("Bad request: Invalid requestor pub key: Invalid character '") + key[odd] +
                         "' at position " + std::to_string(odd)));
    }
    if (const auto complaint = hash_complaint(wanted.agreement))
        refuse(Failure(500, "Service error: " + *complaint));
    return wanted;
}

// On to the provider's node, which may be gone.
Task<> cross(const Call& call, Duration wait)
{
    const auto& world = call.host.world();
    const auto activity = unwrap(world.activities().find(call.node, call.ids.at(0)));
    const auto closed = world.lost(activity.provider);
    if (!closed)
        co_return;
    if (call.host.now() < *closed) {
        co_await call.host.sleep_until(call.host.time().deadline(wait + std::chrono::seconds(1)));
        refuse(Failure(408, "Timeout"));
    }
    refuse(Failure(500, "GSB error: " + session_closed(call)));
}

Task<http::Response> create(const Call& call)
{
    auto& world = call.host.world();
    const auto until = call.host.time().deadline(call.query.seconds("timeout", default_wait));
    const auto wanted = wanted_by(call);
    const auto id = unwrap(world.create_activity(call.node, wanted.agreement, call.host.now()));
    call.host.settle();
    const std::string topic = "activity/" + id;
    while (world.activities().creation(id) == Creation::under_way) {
        const bool changed = co_await call.host.wait(topic, until);
        if (!changed) {
            world.activities().give_up(id, call.host.now());
            refuse(Failure(408, "Timeout"));
        }
    }
    if (world.activities().creation(id) == Creation::refused)
        refuse(world.activities().refusal(id));
    Json body = id;
    if (wanted.as_object) {
        body = Json::object();
        body["activityId"] = id;
    }
    co_return answer(200, body);
}

Task<http::Response> destroy(const Call& call)
{
    auto& activities = call.host.world().activities();
    const auto& id = call.ids.at(0);
    const auto wait = call.query.seconds("timeout", default_wait);
    const auto until = call.host.time().deadline(wait);
    co_await cross(call, wait);
    const std::string topic = "activity/" + id;
    bool ended = activities.destroy(id, call.host.now());
    call.host.settle();
    while (!ended) {
        const bool changed = co_await call.host.wait(topic, until);
        ended = activities.all().at(id).ended;
        if (!changed && !ended)
            refuse(Failure(408, "Timeout"));
    }
    activities.forget_reason(id);
    co_return answer(200, nullptr);
}

constexpr auto exec_service = "Exec";
constexpr auto results_service = "GetExecBatchResults";

// The unit ended before the daemon heard of it: to the caller it is gone already.
[[noreturn]] void refuse_ended(const Call& call, const std::string& service)
{
    const auto& activities = call.host.world().activities();
    const auto& id = call.ids.at(0);
    refuse(activities.no_such_service(unwrap(activities.find(call.node, id)), "exeunit/" + id + "/" + service));
}

Task<http::Response> exec(const Call& call)
{
    auto& activities = call.host.world().activities();
    static const Shape shape{"ExeScriptRequest", 1, {"text"}};
    const auto body = body_of(call, shape);
    const auto script = string_member(call, body, "text");
    const auto& id = call.ids.at(0);
    unwrap(activities.find(call.node, id));
    try {
        provider::parse_script(script);
    } catch (const Error& error) {
        refuse(Failure(400, "Bad request: " + error.their_words()));
    }
    co_await cross(call, call.query.seconds("timeout", default_wait));
    auto unit = unwrap(activities.reach(call.node, id, exec_service));
    const auto batch = activities.new_batch();
    try {
        unit->exec(batch, script);
    } catch (const Error& error) {
        if (error.errc() == Errc::activity_lost)
            refuse_ended(call, exec_service);
        throw;
    }
    co_return answer(200, batch);
}

Json outcome_to_json(const provider::CommandOutcome& outcome)
{
    Json json;
    json["index"] = outcome.index;
    json["result"] = outcome.ok ? "Ok" : "Error";
    json["stdout"] = output_to_json(outcome.out.value_or(""), outcome.out_is_binary);
    json["stderr"] = output_to_json(outcome.err.value_or(""), outcome.err_is_binary);
    json["message"] = nullptr;
    if (outcome.message)
        json["message"] = *outcome.message;
    json["isBatchFinished"] = outcome.is_batch_finished;
    json["eventDate"] = date(outcome.date);
    return json;
}

Task<http::Response> results(const Call& call)
{
    if (wants_events(call))
        co_return results_as_events(call);
    const auto& id = call.ids.at(0);
    const auto& batch = call.ids.at(1);
    const auto limit = call.query.seconds("timeout", Duration(0));
    std::optional<int> index;
    if (const auto wanted = call.query.integer("commandIndex")) {
        if (*wanted < 0)
            refuse(Failure(400, "Query deserialize error: invalid digit found in string", BodyKind::text));
        index = static_cast<int>(std::min<long long>(*wanted, 1'000'000));
    }
    co_await cross(call, limit);
    // Held here: the activity may lose its unit while this waits.
    const auto unit = unwrap(call.host.world().activities().reach(call.node, id, results_service));
    std::optional<std::vector<provider::CommandOutcome>> outcomes;
    try {
        outcomes = co_await unit->results(batch, limit, index);
    } catch (const Error& error) {
        if (error.errc() == Errc::not_found)
            refuse(Failure(404, "Not found: batch_id = " + batch));
        if (error.errc() == Errc::activity_lost)
            refuse_ended(call, results_service);
        throw;
    }
    if (!outcomes)
        refuse(Failure(408, "Timeout"));
    Json body = Json::array();
    for (const auto& outcome : *outcomes)
        body.push_back(outcome_to_json(outcome));
    co_return answer(200, body);
}

Json state_to_json(provider::UnitState state)
{
    switch (state) {
    case provider::UnitState::initialized: return "Initialized";
    case provider::UnitState::deployed: return "Deployed";
    case provider::UnitState::ready: return "Ready";
    case provider::UnitState::unresponsive: return "Unresponsive";
    case provider::UnitState::terminated: return "Terminated";
    }
    return nullptr;
}

Task<http::Response> state(const Call& call)
{
    co_await cross(call, call.query.seconds("timeout", default_wait));
    const auto& activities = call.host.world().activities();
    const auto found = activities.state(unwrap(activities.find(call.node, call.ids.at(0))));
    Json pair = Json::array();
    pair.push_back(state_to_json(found.pair.now));
    pair.push_back(nullptr);
    if (found.pair.entering)
        pair[1] = state_to_json(*found.pair.entering);
    Json body;
    body["state"] = std::move(pair);
    if (!found.reason.empty())
        body["reason"] = found.reason;
    if (!found.error_message.empty())
        body["errorMessage"] = found.error_message;
    co_return answer(200, body);
}

Task<http::Response> usage(const Call& call)
{
    co_await cross(call, call.query.seconds("timeout", default_wait));
    auto& activities = call.host.world().activities();
    const auto found = unwrap(activities.usage(call.ids.at(0), call.host.now()));
    Json body;
    if (found.usage)
        body["currentUsage"] = *found.usage;
    body["timestamp"] = std::chrono::floor<std::chrono::seconds>(found.timestamp).time_since_epoch().count();
    co_return answer(200, body);
}

http::Response agreement(const Call& call)
{
    return answer(200, unwrap(call.host.world().activities().find(call.node, call.ids.at(0))).agreement);
}

http::Response command(const Call& call)
{
    const auto& activities = call.host.world().activities();
    const auto found = unwrap(activities.find(call.node, call.ids.at(0)));
    refuse(activities.no_such_service(found, "activity/GetRunningCommand"));
}

http::Response list(const Call& call)
{
    const auto id = call.query.required("agreementId");
    if (!call.host.world().market().agreement(call.node, id, call.host.now()))
        refuse(Failure(404, "Not found: " + id));
    return answer(200, call.host.world().activities().of_agreement(call.node, id));
}

} // namespace

void add_activity_routes(Routes& routes)
{
    using http::Method;
    routes.add_waiting(Method::post, "/activity-api/v1/activity", create);
    routes.add(Method::get, "/activity-api/v1/activity", list);
    routes.add_waiting(Method::del, "/activity-api/v1/activity/*", destroy);
    routes.add_waiting(Method::post, "/activity-api/v1/activity/*/exec", exec);
    routes.add_waiting(Method::get, "/activity-api/v1/activity/*/exec/*", results);
    routes.add_waiting(Method::get, "/activity-api/v1/activity/*/state", state);
    routes.add_waiting(Method::get, "/activity-api/v1/activity/*/usage", usage);
    routes.add(Method::get, "/activity-api/v1/activity/*/agreement", agreement);
    routes.add(Method::get, "/activity-api/v1/activity/*/command", command);
}

} // namespace golem::devnet::detail
