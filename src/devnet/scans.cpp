// Looks at the offers that there are, without a demand.
#include <golem/devnet/market.hpp>

#include <golem/core/error.hpp>

namespace golem::devnet {

Result<std::string> Market::begin_scan(
    const std::string& node, bool finds_offers, const std::optional<std::string>& constraints, Duration patience,
    Timestamp now)
{
    auto id = std::to_string(begun_scans_++); // Also for one that is refused.
    std::erase_if(scans_, [now](const auto& entry) { return entry.second.is_forgotten(now); });
    Scan scan;
    scan.node = node;
    scan.finds_offers = finds_offers;
    scan.patience = patience;
    scan.asked = now;
    try {
        if (constraints)
            scan.constraint = properties::Constraint::parse(*constraints);
    } catch (const Error& error) {
        return Failure(400, "Invalid constraint. " + error.explanation());
    }
    scans_.emplace(id, std::move(scan));
    return id;
}

Scan* Market::find_scan(const std::string& node, const std::string& id, Timestamp now)
{
    const auto found = scans_.find(id);
    // Each node has a daemon of its own, which knows nothing of the others' scans.
    if (found == scans_.end() || found->second.node != node)
        return nullptr;
    if (!found->second.is_forgotten(now))
        return &found->second;
    scans_.erase(found);
    return nullptr;
}

Result<std::vector<Subscription>>
Market::scan(const std::string& node, const std::string& id, std::size_t most, Timestamp now)
{
    auto* scan = find_scan(node, id, now);
    if (!scan)
        return Failure(404, "Iterator with id \"" + id + "\" not found");
    scan->asked = now;
    std::vector<Subscription> found;
    for (const auto& name : offers_) {
        const auto& offer = subscriptions_.at(name);
        if (found.size() >= most)
            break;
        if (offer.number < scan->next)
            continue;
        scan->next = offer.number + 1;
        const bool fits =
            !scan->constraint || scan->constraint->evaluate(offer.content->properties) == properties::Truth::yes;
        if (scan->finds_offers && fits && is_active(offer, now))
            found.push_back(offer);
    }
    return found;
}

Result<std::shared_ptr<void>> Market::hold_scan(const std::string& node, const std::string& id, Timestamp now)
{
    auto* scan = find_scan(node, id, now);
    if (!scan)
        return Failure(404, "Iterator with id \"" + id + "\" not found");
    auto token = scan->held.lock();
    if (!token)
        token = std::make_shared<int>();
    scan->held = token;
    return token;
}

Result<Done> Market::end_scan(const std::string& node, const std::string& id, Timestamp now)
{
    if (!find_scan(node, id, now))
        return Failure(404, "Iterator with id \"" + id + "\" not found");
    scans_.erase(id);
    return Done();
}

} // namespace golem::devnet
