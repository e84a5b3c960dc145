#include <golem/yagna/scan.hpp>

#include <golem/yagna/caller.hpp>

#include "json_codec.hpp"
#include "targets.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <utility>

namespace golem::yagna {

namespace {

constexpr std::string_view scan_path = "/market-api/v1/scan";
// The daemon's own default for one answer: some hundred offers of three kilobytes.
constexpr int page = 500;
// For what is known already: the daemon answers at once, but to "no time at all" it answers that there is nothing.
constexpr Duration first_wait = std::chrono::milliseconds(500);

std::string encode_scan(const std::string& constraints, Duration lifetime)
{
    auto json = codec::Json::object();
    json["type"] = "offer";
    json["timeout"] = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(lifetime).count());
    if (!constraints.empty())
        json["constraints"] = constraints;
    return codec::encode(json);
}

std::vector<ScannedOffer> decode_offers(std::string_view operation, const std::string& body)
{
    const codec::Document document(operation, body);
    std::vector<ScannedOffer> result;
    for (const auto& item : document.root().items()) {
        ScannedOffer offer;
        offer.id = item.at("offerId").string();
        offer.provider = item.at("providerId").string();
        offer.content = item.content();
        offer.timestamp = item.at("timestamp").timestamp();
        result.push_back(std::move(offer));
    }
    return result;
}

} // namespace

Task<ScanId> ScanApi::begin(const std::string& constraints, Duration lifetime)
{
    const CallClass call{"begin scan", Idempotency::once};
    http::Request request(http::Method::post, std::string(scan_path));
    request.set_body(encode_scan(constraints, lifetime));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_id(call.operation, answer.body());
}

Task<std::vector<ScannedOffer>> ScanApi::offers(const ScanId& scan, Duration wait, int max_offers)
{
    const CallClass call{"read scan", Idempotency::once, wait};
    Target target(scan_path);
    target.segment(scan).literal("/events").query("timeout", wait).query("maxEvents", max_offers);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return decode_offers(call.operation, answer.body());
}

Task<> ScanApi::end(const ScanId& scan)
{
    const CallClass call{"end scan"};
    const std::vector<unsigned> gone_already{404};
    http::Request request(http::Method::del, Target(scan_path).segment(scan).text());
    co_await caller_.call(call, request, gone_already);
}

Task<std::vector<ScannedOffer>> ScanApi::look(const std::string& constraints, std::size_t limit)
{
    // The daemon forgets it by itself if we are interrupted.
    const auto scan = co_await begin(constraints, std::chrono::seconds(60));
    std::vector<ScannedOffer> found;
    bool may_be_more = true;
    while (may_be_more && found.size() < limit) {
        const int most = static_cast<int>(std::min<std::size_t>(page, limit - found.size()));
        auto some = co_await offers(scan, first_wait, most);
        may_be_more = some.size() == static_cast<std::size_t>(most);
        std::move(some.begin(), some.end(), std::back_inserter(found));
    }
    co_await end(scan);
    co_return found;
}

} // namespace golem::yagna
