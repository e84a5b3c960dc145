// What needs no provider: http itself, malformed input, allocations.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

#include <golem/core/timestamp.hpp>

namespace golem::test {

namespace {

using http::Method;
using http::Request;

const std::string nowhere = "/market-api/v1/nowhere";

Request with(Method method, const std::string& target, const std::string& name, const std::string& value)
{
    Request request(method, target);
    request.headers().set(name, value);
    return request;
}

Request preflight(const std::string& target, const std::string& origin)
{
    auto request = with(Method::options, target, "Origin", origin);
    request.headers().set("Access-Control-Request-Method", "POST");
    request.headers().set("Access-Control-Request-Headers", "authorization,content-type");
    return request;
}

Task<> authorisation(Stage& stage)
{
    for (const std::string target : {"/me", "/market-api/v1/demands", "/nowhere"}) {
        Request plain(Method::get, target);
        co_await stage.send_without_key(plain);
        const auto stranger = with(Method::get, target, "Authorization", "Bearer no-such-key");
        co_await stage.send_without_key(stranger);
    }
    for (const std::string value : {"bearer x", "Basic x", "Bearer", "Bearer ", "x"}) {
        const auto odd = with(Method::get, "/me", "Authorization", value);
        co_await stage.send_without_key(odd);
    }
    Request in_query(Method::get, "/me?authToken=no-such-key");
    co_await stage.send_without_key(in_query);
    co_await stage.send(in_query);
    const auto both = with(Method::get, "/me?authToken=neither", "Authorization", "Bearer no-such-key");
    co_await stage.send_without_key(both);
    co_await stage.get("/me");
}

Task<> paths_and_methods(Stage& stage)
{
    for (const std::string target :
         {"/", "/nowhere", "/market-api/v1", "/market-api/v1/", "/market-api/v1/nowhere", "/payment-api/v1/nowhere",
          "/activity-api/v1/nowhere", "/market-api/v2/demands", "/me/", "/dashboard"})
        co_await stage.get(target);
    const Json nothing = Json::object();
    co_await stage.put(market + "/demands", nothing);
    co_await stage.put("/me", nothing);
    co_await stage.del("/me");
    co_await stage.del(market + "/demands");
    co_await stage.post("/version/get", nothing);
    Request head(Method::head, "/me");
    co_await stage.send(head);
    Request options(Method::options, "/me");
    co_await stage.send(options);
    co_await stage.send_without_key(options);
}

Task<> origins(Stage& stage)
{
    for (const std::string target : {"/market-api/v1/demands", "/nowhere"}) {
        const auto request = preflight(target, "http://elsewhere.example");
        co_await stage.send_without_key(request);
    }
    const auto nobodys = with(Method::options, "/me", "Access-Control-Request-Method", "GET");
    co_await stage.send_without_key(nobodys);
    const auto ordinary = with(Method::get, "/me", "Origin", "http://elsewhere.example");
    co_await stage.send(ordinary);
    co_await stage.send_without_key(ordinary);
}

Task<> sizes(Stage& stage)
{
    const auto demand_of = [](std::size_t size) {
        return R"({"constraints":"x","properties":{"a":")" + std::string(size, '1') + R"("}})";
    };
    const auto large = co_await stage.post_text(market + "/demands", demand_of(1U << 20U));
    co_await stage.del(market + "/demands/" + large.text());
    // More than the daemon takes, by little and by much; and then something ordinary.
    for (const std::size_t size : {2U << 20U, 3U << 20U, 20U << 20U})
        co_await stage.post_text(market + "/demands", demand_of(size));
    const std::string script = R"({"text":")" + std::string(3U << 20U, '1') + R"("})";
    co_await stage.post_text(activities + "/" + no_activity + "/exec", script);
    co_await stage.get("/me");
}

Task<> malformed_bodies(Stage& stage, const std::string& target)
{
    co_await stage.post(target);
    Request text(Method::post, target);
    text.set_body("{}", "text/plain");
    co_await stage.send(text);
    Request untyped(Method::post, target);
    untyped.set_body("{}");
    untyped.headers().remove("Content-Type");
    co_await stage.send(untyped);
    Request charset(Method::post, target);
    charset.set_body("{", "application/json; charset=utf-8");
    co_await stage.send(charset);
    for (const std::string body :
         {"{nonsense", "{", "null", "[]", "17", "\"text\"", "{}", "{\"properties\":{}}", "{\"a\":1}}", "\xff\xfe"})
        co_await stage.post_text(target, body);
}

} // namespace

Task<> scene_http(Stage& stage)
{
    co_await authorisation(stage);
    co_await paths_and_methods(stage);
    co_await origins(stage);
    co_await sizes(stage);
}

Task<> scene_malformed(Stage& stage)
{
    const auto hash = no_agreement;
    const auto subscription = no_activity + "-" + hash;
    co_await malformed_bodies(stage, market + "/demands");
    co_await malformed_bodies(stage, market + "/agreements");
    co_await malformed_bodies(stage, market + "/agreements/" + hash + "/terminate");
    co_await malformed_bodies(stage, market + "/demands/" + subscription + "/proposals/R-" + hash);
    co_await malformed_bodies(stage, market + "/demands/" + subscription + "/proposals/R-" + hash + "/reject");
    co_await malformed_bodies(stage, activities);
    co_await malformed_bodies(stage, activities + "/" + no_activity + "/exec");
    co_await malformed_bodies(stage, payment + "/allocations");
    co_await malformed_bodies(stage, payment + "/invoices/" + no_document + "/accept");
    co_await malformed_bodies(stage, payment + "/invoices/" + no_document + "/reject");
    co_await malformed_bodies(stage, payment + "/debitNotes/" + no_document + "/accept");

    for (const std::string id : {"xyz", "0", "-", "0-0", "%20", "00"}) {
        co_await stage.get(market + "/demands/" + id + "/events?timeout=0");
        co_await stage.del(market + "/demands/" + id);
        co_await stage.get(market + "/demands/" + subscription + "/proposals/" + id);
        co_await stage.get(market + "/agreements/" + id);
        co_await stage.post(market + "/agreements/" + id + "/confirm");
        co_await stage.post(market + "/agreements/" + id + "/wait?timeout=0");
        const auto body = proposal_and_validity(stage, id);
        co_await stage.post(market + "/agreements", body);
        co_await stage.get(activities + "/" + id + "/state");
        const Json agreement = id;
        co_await stage.post(activities, agreement);
        co_await stage.get(payment + "/invoices/" + id);
        co_await stage.get(payment + "/allocations/" + id);
        co_await stage.del(payment + "/allocations/" + id);
    }
    for (const std::string query :
         {"timeout=abc", "timeout=-3", "timeout=", "timeout=0&timeout=0", "timeout=nan", "maxEvents=0", "maxEvents=101",
          "maxEvents=-1", "maxEvents=1.5", "maxEvents=", "other=1"}) {
        co_await stage.get(market + "/demands/" + subscription + "/events?" + query);
        co_await stage.get(market + "/agreementEvents?appSessionId=none&timeout=0&" + query);
        co_await stage.get(payment + "/invoiceEvents?appSessionId=none&timeout=0&" + query);
    }
    for (const std::string date :
         {"yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00%2B00:00", ""}) {
        co_await stage.get(market + "/agreementEvents?appSessionId=none&timeout=0&afterTimestamp=" + date);
        co_await stage.get(payment + "/debitNoteEvents?appSessionId=none&timeout=0&afterTimestamp=" + date);
    }
    co_await stage.get(market + "/agreements/" + hash);
    co_await stage.get(market + "/agreements/" + hash + "/terminate/reason");
    co_await stage.post(market + "/agreements/" + hash + "/confirm");
    co_await stage.post(market + "/agreements/" + hash + "/wait?timeout=0");
    const Json nothing = nullptr;
    co_await stage.post(market + "/agreements/" + hash + "/terminate", nothing);
    co_await stage.post(market + "/agreements/" + hash + "/cancel", nothing);
    const auto body = proposal_and_validity(stage, "R-" + hash);
    co_await stage.post(market + "/agreements", body);
    const Json unknown = hash;
    co_await stage.post(activities, unknown);
    co_await stage.get(activities);
    co_await stage.get(activities + "?agreementId=" + hash);
    for (const std::string what : {"/state", "/usage", "/agreement", "/command", "/exec/x"})
        co_await stage.get(activities + "/" + no_activity + what);
    co_await stage.del(activities + "/" + no_activity);
}

Task<> scene_allocations(Stage& stage)
{
    const auto path = payment + "/allocations";
    Json wish;
    wish["totalAmount"] = "1";
    wish["paymentPlatform"] = platform;
    wish["address"] = stage.requestor();
    wish["timeout"] = format_timestamp(stage.time().utc() + std::chrono::hours(1), 3);
    wish["makeDeposit"] = false;
    for (const char* name : {"allocationId", "spentAmount", "remainingAmount", "timestamp"})
        wish[name] = "";
    const auto made = co_await stage.post(path, wish);
    std::set<std::string> own;
    own.insert(made.body.value("allocationId", ""));
    std::vector<std::string> others;
    const auto first = made.body.value("allocationId", "");
    for (const std::string text :
         {R"({"totalAmount":"1"})",
          R"({"totalAmount":1.5,"paymentPlatform":{"network":"hoodi"}})",
          R"({"totalAmount":"1","paymentPlatform":{}})",
          R"({"totalAmount":"0"})",
          R"({"totalAmount":"-1"})",
          R"({"totalAmount":"1e-3"})",
          R"({"totalAmount":1})",
          R"({"totalAmount":"1","paymentPlatform":{"token":"glm"}})",
          R"({"totalAmount":"1","paymentPlatform":"erc20-HOODI-tglm"})",
          R"({"totalAmount":"1","paymentPlatform":{"token":"GLM"}})",
          R"({"totalAmount":"1","paymentPlatform":{"token":"x"}})",
          R"({"totalAmount":"1","paymentPlatform":{"network":"hoodi","token":"tGLM"}})",
          R"({"totalAmount":"1","paymentPlatform":{"driver":"erc20","token":"GLM"}})",
          R"({"totalAmount":"1","paymentPlatform":{"driver":"zksync","network":"nowhere","token":"GLM"}})",
          R"({"totalAmount":"1","paymentPlatform":"erc20-hoodi-GLM"})",
          R"({"totalAmount":"1","paymentPlatform":"ERC20-HOODI-TGLM"})",
          R"({"totalAmount":"1","paymentPlatform":{"network":"nowhere"}})",
          R"({"totalAmount":"1","paymentPlatform":{"driver":"zksync"}})",
          R"({"totalAmount":"1","paymentPlatform":"nonsense"})",
          R"({"totalAmount":"1","paymentPlatform":"erc20-nowhere-tglm"})",
          R"({"totalAmount":"1","paymentPlatform":"zksync-hoodi-tglm"})",
          R"({"totalAmount":"1","paymentPlatform":"erc20-hoodi-glm"})",
          R"({"totalAmount":"1","paymentPlatform":"a-b-c-d"})",
          R"({"totalAmount":"1","paymentPlatform":{"network":"hoodi","token":"glm"}})",
          R"({"totalAmount":"1","paymentPlatform":17})",
          R"({"totalAmount":"1","timeout":"2020-01-01T00:00:00Z"})",
          R"({"totalAmount":"1","timeout":"soon"})",
          R"({"totalAmount":"1","timeout":"2036-01-01T00:00:00+02:00"})",
          R"({"totalAmount":"abc"})",
          R"({"totalAmount":null})",
          R"({"totalAmount":"1","address":"0x1111111111111111111111111111111111111111"})",
          R"({"totalAmount":"1","address":"xyz"})",
          R"({"totalAmount":"1","extendTimeout":60})",
          R"({"totalAmount":"1","makeDeposit":"yes"})",
          R"({"totalAmount":"1","unknown":[1]})"}) {
        const auto answer = co_await stage.post_text(path, text);
        if (answer.status != 201)
            continue;
        others.push_back(answer.body["allocationId"].get<std::string>());
        own.insert(others.back());
    }
    co_await stage.get_own(path, "allocationId", own);
    co_await stage.get(path + "/" + first);
    co_await stage.get(path + "/" + no_document);
    for (const std::string text :
         {R"({"totalAmount":"2"})", R"({"totalAmount":"2.50"})", R"({"timeout":"2037-01-01T00:00:00Z"})",
          R"({"timeout":"2020-01-01T00:00:00Z"})", R"({"totalAmount":"-5"})", R"({})", R"({"totalAmount":"x"})",
          R"({"deposit":{"id":"0x1","contract":"0x2"}})"}) {
        Request request(Method::put, path + "/" + first);
        request.set_body(text);
        co_await stage.send(request);
    }
    const auto amended = Json::parse(R"({"totalAmount":"2"})");
    co_await stage.put(path + "/" + no_document, amended);
    co_await stage.get(path + "/" + first);
    const auto decorations = payment + "/demandDecorations";
    co_await stage.get(decorations + "?allocationIds=" + first);
    co_await stage.get(decorations + "?allocationIds=" + first + "," + first);
    co_await stage.get(decorations + "?allocationIds=" + no_document);
    co_await stage.get(decorations + "?allocationIds=" + first + "," + no_document);
    co_await stage.get(decorations + "?allocationIds=" + first + "&allocationIds=" + first);
    co_await stage.get(decorations + "?allocationIds=");
    co_await stage.get(decorations + "?allocationIds=xyz");
    co_await stage.get(decorations);
    co_await stage.del(path + "/" + first);
    co_await stage.del(path + "/" + first);
    co_await stage.get(path + "/" + first);
    co_await stage.put(path + "/" + first, amended);
    co_await stage.get(decorations + "?allocationIds=" + first);
    co_await stage.del(path + "/" + no_document);
    for (const auto& id : others)
        co_await stage.del(path + "/" + id);
    co_await stage.get_own(path, "allocationId", own);
    // More decimals than money has; it is released by its own end.
    Json fine;
    fine["totalAmount"] = "0.1234567890123456789";
    fine["timeout"] = format_timestamp(stage.time().utc() + std::chrono::seconds(2), 3);
    co_await stage.post(path, fine);
    co_await stage.get(payment + "/payments/status?network=nope");
    co_await stage.get(payment + "/payments/status?driver=nope");
}

} // namespace golem::test
