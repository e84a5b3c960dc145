// The agreements of the market.
#include <golem/devnet/market.hpp>

#include <algorithm>

namespace golem::devnet {

namespace {

Failure not_found(const std::string& id) { return Failure(404, "Agreement [" + id + "] not found."); }

Failure wrong_state(AgreementState from, std::string_view to, unsigned status = 410)
{
    return Failure(
        status, "Can't update Agreement state from " + std::string(to_string(from)) + " to " + std::string(to) + ".");
}

} // namespace

std::string_view to_string(AgreementState state) noexcept
{
    switch (state) {
    case AgreementState::proposal: return "Proposal";
    case AgreementState::pending: return "Pending";
    case AgreementState::cancelled: return "Cancelled";
    case AgreementState::rejected: return "Rejected";
    case AgreementState::approved: return "Approved";
    case AgreementState::expired: return "Expired";
    case AgreementState::terminated: return "Terminated";
    }
    return "";
}

AgreementRecord* Market::find_agreement(const std::string& id)
{
    const auto found = agreements_.find(id);
    return found == agreements_.end() ? nullptr : &found->second;
}

void Market::notice_expiry(AgreementRecord& agreement, Timestamp now)
{
    const bool is_open = agreement.state == AgreementState::proposal || agreement.state == AgreementState::pending;
    if (is_open && agreement.valid_to <= now)
        agreement.state = AgreementState::expired;
}

Result<std::string>
Market::create_agreement(const std::string& requestor, const std::string& id, Timestamp valid_to, Timestamp now)
{
    const auto* found = find_proposal(Side::requestor, "", id);
    if (!found || subscriptions_.at(found->demand).node != requestor)
        return Failure(400, "Can't create Agreement for Proposal [" + id + "]. Proposal [" + id + "] not found.");
    auto& proposal = proposals_.at(found->hash);
    if (proposal.issuer == Side::requestor)
        return Failure(
            400, "Can't create Agreement for an own Proposal [" + id +
                     "]. You can promote only provider's Proposals to Agreement.");
    if (proposal.state == ProposalState::initial)
        return Failure(
            400, "Can't create Agreement for Proposal [" + id +
                     "]. No negotiation with Provider took place. (You should counter Proposal at least one time)");
    if (proposal.state == ProposalState::rejected)
        return Failure(400, "Can't create Agreement for rejected Proposal [" + id + "].");
    if (proposal.has_agreement)
        return Failure(409, "Can't create second Agreement for Proposal [" + id + "].");
    if (proposal.countered)
        return Failure(400, "Can't create Agreement for already countered Proposal [" + id + "].");
    proposal.has_agreement = true;
    proposal.state = ProposalState::accepted;

    AgreementRecord agreement;
    agreement.id = random_.hex(64);
    agreement.demand_id = proposal.demand;
    agreement.offer_id = proposal.offer;
    agreement.requestor = requestor;
    agreement.provider = subscriptions_.at(proposal.offer).node;
    agreement.demand = proposals_.at(proposal.previous).content;
    agreement.offer = proposal.content;
    agreement.created = now;
    agreement.valid_to = valid_to;
    const auto agreement_id = agreement.id;
    agreements_.emplace(agreement_id, std::move(agreement));
    agreement_order_.push_back(agreement_id);
    return agreement_id;
}

Result<Done> Market::confirm(
    const std::string& requestor, const std::string& id, const std::optional<std::string>& session, Timestamp now)
{
    auto* agreement = find_agreement(id);
    if (!agreement || agreement->requestor != requestor)
        return not_found("R-" + id);
    notice_expiry(*agreement, now);
    if (agreement->state != AgreementState::proposal)
        return wrong_state(agreement->state, "Pending");
    agreement->state = AgreementState::pending;
    agreement->confirmed = true;
    if (session) {
        agreement->requestor_session = *session;
        agreement->has_session = true;
    }
    QueuedEvent event;
    event.kind = QueuedEvent::Kind::agreement;
    event.id = id;
    queue(agreement->offer_id, std::move(event), now);
    touched_.push_back("agreement/" + id);
    return Done();
}

Result<AgreementState>
Market::await_state(const std::string& requestor, const std::string& id, bool with_expiry, Timestamp now)
{
    auto* agreement = find_agreement(id);
    if (!agreement || agreement->requestor != requestor)
        return not_found("R-" + id);
    if (with_expiry)
        notice_expiry(*agreement, now);
    return agreement->state;
}

Result<Done>
Market::cancel(const std::string& requestor, const std::string& id, const std::optional<Reason>& reason, Timestamp now)
{
    auto* agreement = find_agreement(id);
    if (!agreement || agreement->requestor != requestor)
        return not_found("R-" + id);
    notice_expiry(*agreement, now);
    // The provider does not know it yet, and that is what the daemon stumbles over.
    if (agreement->state == AgreementState::proposal)
        return Failure(
            500,
            "Protocol error while approving: Remote failed to approve. Error: Agreement [P-" + id + "] not found.");
    if (agreement->state != AgreementState::pending)
        return wrong_state(agreement->state, "Cancelled");
    agreement->state = AgreementState::cancelled;
    tell(*agreement, AgreementLogEntry::Kind::cancelled, reason, Side::requestor, now);
    return Done();
}

Result<Done>
Market::approve(const std::string& provider, const std::string& id, const std::string& session, Timestamp now)
{
    auto* agreement = find_agreement(id);
    if (!agreement || agreement->provider != provider || !agreement->confirmed)
        return not_found("P-" + id);
    notice_expiry(*agreement, now);
    if (agreement->state == AgreementState::cancelled)
        return Failure(410, "Cancelled");
    if (agreement->state != AgreementState::pending)
        return wrong_state(agreement->state, "Approving");
    agreement->state = AgreementState::approved;
    agreement->approved = now;
    agreement->provider_session = session;
    tell(*agreement, AgreementLogEntry::Kind::approved, std::nullopt, Side::provider, now);
    return Done();
}

Result<Done>
Market::refuse(const std::string& provider, const std::string& id, const std::optional<Reason>& reason, Timestamp now)
{
    auto* agreement = find_agreement(id);
    if (!agreement || agreement->provider != provider || !agreement->confirmed)
        return not_found("P-" + id);
    notice_expiry(*agreement, now);
    if (agreement->state != AgreementState::pending)
        return wrong_state(agreement->state, "Rejected");
    agreement->state = AgreementState::rejected;
    tell(*agreement, AgreementLogEntry::Kind::rejected, reason, Side::provider, now);
    return Done();
}

Result<Done> Market::terminate(
    Side side, const std::string& node, const std::string& id, const std::optional<Reason>& reason, Timestamp now)
{
    auto* agreement = find_agreement(id);
    const bool is_party = agreement && (side == Side::requestor ? agreement->requestor : agreement->provider) == node;
    if (!is_party || (side == Side::provider && !agreement->confirmed))
        return not_found(id);
    notice_expiry(*agreement, now);
    if (agreement->state == AgreementState::proposal)
        return wrong_state(agreement->state, "Terminated", 409);
    if (agreement->state != AgreementState::approved)
        return wrong_state(agreement->state, "Terminated");
    agreement->state = AgreementState::terminated;
    tell(*agreement, AgreementLogEntry::Kind::terminated, reason, side, now);
    // Demand and offer get a second chance with each other.
    introduced_.erase({agreement->demand_id, agreement->offer_id});
    introduce(subscriptions_.at(agreement->demand_id), subscriptions_.at(agreement->offer_id), now);
    return Done();
}

void Market::tell(
    const AgreementRecord& agreement, AgreementLogEntry::Kind kind, const std::optional<Reason>& reason, Side by,
    Timestamp now)
{
    AgreementLogEntry entry;
    entry.kind = kind;
    entry.agreement = agreement.id;
    entry.reason = reason;
    entry.by = by;
    entry.date = stamps_.next(now);
    entry.session = agreement.requestor_session;
    logs_[agreement.requestor].push_back(entry);
    entry.date = stamps_.next(now);
    entry.session = agreement.provider_session;
    logs_[agreement.provider].push_back(std::move(entry));
    touched_.push_back("agreement/" + agreement.id);
    touched_.push_back("agreements/" + agreement.requestor);
    touched_.push_back("agreements/" + agreement.provider);
}

Result<const AgreementRecord&> Market::agreement(const std::string& node, const std::string& id, Timestamp now)
{
    auto* agreement = find_agreement(id);
    const bool may_know =
        agreement && (agreement->requestor == node || (agreement->provider == node && agreement->confirmed));
    if (!may_know)
        return not_found(id);
    notice_expiry(*agreement, now);
    return *agreement;
}

std::vector<AgreementRecord> Market::agreements(const std::string& node, const AgreementQuery& query, Timestamp now)
{
    std::vector<AgreementRecord> list;
    for (const auto& id : agreement_order_) {
        const auto found = agreement(node, id, now);
        if (!found)
            continue;
        const auto& session = found->requestor == node ? found->requestor_session : found->provider_session;
        const bool wanted =
            (!query.state || found->state == *query.state) && (!query.before || found->created < *query.before) &&
            (!query.after || found->created > *query.after) && (!query.session || session == *query.session);
        if (wanted)
            list.push_back(*found);
    }
    return list;
}

Result<AgreementLogEntry> Market::termination(const std::string& node, const std::string& id, Timestamp now)
{
    const auto found = agreement(node, id, now);
    if (!found)
        return found.failure();
    for (const auto& entry : logs_[node]) {
        if (entry.agreement == id && entry.kind == AgreementLogEntry::Kind::terminated)
            return entry;
    }
    return Failure(400, "Agreement [R-" + id + "] not terminated yet.");
}

std::vector<AgreementLogEntry> Market::agreement_events(
    const std::string& node, Timestamp after, const std::optional<std::string>& session, std::size_t most) const
{
    std::vector<AgreementLogEntry> found;
    const auto log = logs_.find(node);
    if (log == logs_.end())
        return found;
    const auto& entries = log->second;
    const auto limit = std::chrono::floor<std::chrono::microseconds>(after);
    auto entry =
        std::upper_bound(entries.begin(), entries.end(), limit, [](const auto& left, const AgreementLogEntry& one) {
            return left < one.date;
        });
    for (; entry != entries.end() && found.size() < most; ++entry) {
        if (!session || entry->session == *session)
            found.push_back(*entry);
    }
    return found;
}

} // namespace golem::devnet
