#pragma once

#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace golem::yagna {

class Caller;

using ScanId = std::string;

/// An offer as a scan finds it: nothing was agreed upon, and its provider does not know that we look.
struct ScannedOffer {
    std::string id;
    NodeId provider;
    DemandOfferBase content;
    Timestamp timestamp{};
};

/// Looks at the offers on the market without a demand. Every call: Errors as in Caller, cancellation terminal; one
/// executor. The daemon knows offers of others only once it has published any demand of ours since its start.
class ScanApi {
public:
    explicit ScanApi(Caller& caller) : caller_(caller) {}

    /// `POST /scan`: offers that match `constraints`, all of them if it is empty; ours are among them. Not repeatable.
    /// The daemon forgets the scan when nobody has asked for `lifetime` (1 s at least).
    Task<ScanId> begin(const std::string& constraints, Duration lifetime);
    /// `GET /scan/{id}/events`: up to `max_offers` that were not told yet, all known ones first, waiting for the first
    /// up to `wait` (more than zero). Reading consumes: not repeated by itself. Error not_found for a forgotten scan.
    Task<std::vector<ScannedOffer>> offers(const ScanId& scan, Duration wait, int max_offers);
    /// `DELETE /scan/{id}`. Repeatable; an unknown scan counts as ended.
    Task<> end(const ScanId& scan);

    /// All three: what is known now, up to about `limit` offers, in as few calls as that takes.
    Task<std::vector<ScannedOffer>> look(const std::string& constraints, std::size_t limit);

private:
    Caller& caller_;
};

} // namespace golem::yagna
