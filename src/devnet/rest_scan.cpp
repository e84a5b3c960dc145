// Scans: what is offered, without a demand.
#include <devnet/rest_call.hpp>

#include <golem/http/stream.hpp>

#include <algorithm>

namespace golem::devnet::detail {

namespace {

constexpr auto default_wait = std::chrono::seconds(5);
constexpr std::uint64_t default_patience = 300;
constexpr std::uint64_t longest_patience = 365ULL * 24 * 3600;
constexpr long long default_most = 500;
const std::string offers_topic = "offers";

Json offer_to_json(const Subscription& offer)
{
    Json json;
    json["properties"] = properties_to_json(offer.content->properties);
    json["constraints"] = offer.content->constraints;
    json["offerId"] = offer.id;
    json["providerId"] = offer.node;
    json["timestamp"] = date(offer.created);
    return json;
}

http::Response begin(const Call& call)
{
    static const Shape shape{"NewScan", 3, {"type"}};
    const auto body = body_of(call, shape);
    const auto type = choice_member(call, body, "type", {"offer", "demand"});
    const auto seconds = unsigned_member(call, body, "timeout").value_or(default_patience);
    std::optional<std::string> constraints;
    if (body.contains("constraints") && !body.at("constraints").is_null())
        constraints = string_member(call, body, "constraints");
    const auto patience = std::chrono::seconds(std::min(seconds, longest_patience));
    auto& market = call.host.world().market();
    return answer(201, unwrap(market.begin_scan(call.node, type == "offer", constraints, patience, call.host.now())));
}

// Offers as they come, for ever, be the scan ended or not.
class OfferSource final : public http::BodySource {
public:
    OfferSource(Host& host, std::string node, std::string id, std::shared_ptr<void> token)
        : host_(host), node_(std::move(node)), id_(std::move(id)), token_(std::move(token))
    {
    }

    Task<std::optional<std::string>> next() override
    {
        std::string piece;
        for (;;) {
            const auto found = host_.world().market().scan(node_, id_, default_most, host_.now());
            if (found) {
                for (const auto& offer : found.value())
                    piece += "event: offer\ndata: " + offer_to_json(offer).dump() + "\n\n";
            }
            if (!piece.empty())
                co_return piece;
            co_await host_.wait(offers_topic, Instant::max());
        }
    }

private:
    Host& host_;
    std::string node_;
    std::string id_;
    std::shared_ptr<void> token_;
};

http::Response stream(const Call& call, const std::string& id)
{
    http::Response response(200, std::string(), "text/event-stream");
    response.headers().set("cache-control", "no-cache");
    auto token = unwrap(call.host.world().market().hold_scan(call.node, id, call.host.now()));
    response.set_source(std::make_shared<OfferSource>(call.host, call.node, id, std::move(token)));
    return response;
}

Task<http::Response> events(const Call& call)
{
    auto& market = call.host.world().market();
    const auto& id = call.ids.at(0);
    const auto wait = call.query.seconds("timeout", default_wait);
    const auto most = static_cast<std::size_t>(std::max(0LL, call.query.integer("maxEvents").value_or(default_most)));
    const auto until = call.host.time().deadline(wait);
    unwrap(market.scan(call.node, id, 0, call.host.now()));
    if (wants_events(call))
        co_return stream(call, id);
    Json body = Json::array();
    // Without time it is a matter of luck whether the daemon finds anything.
    bool is_waiting = wait > Duration(0) && most > 0;
    while (is_waiting) {
        // One that is ended meanwhile finds nothing more, and the poll sits out its time.
        const auto found = market.scan(call.node, id, most, call.host.now());
        if (found) {
            for (const auto& offer : found.value())
                body.push_back(offer_to_json(offer));
        }
        if (!body.empty())
            break;
        is_waiting = co_await call.host.wait(offers_topic, until);
    }
    co_return answer(200, body);
}

http::Response end(const Call& call)
{
    unwrap(call.host.world().market().end_scan(call.node, call.ids.at(0), call.host.now()));
    return answer_nothing(204);
}

} // namespace

void add_scan_routes(Routes& routes)
{
    using http::Method;
    routes.add(Method::post, "/market-api/v1/scan", begin);
    routes.add_waiting(Method::get, "/market-api/v1/scan/*/events", events);
    routes.add(Method::del, "/market-api/v1/scan/*", end);
}

} // namespace golem::devnet::detail
