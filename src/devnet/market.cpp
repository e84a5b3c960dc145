#include <golem/devnet/market.hpp>

#include <golem/core/error.hpp>

#include <algorithm>

namespace golem::devnet {

namespace {

constexpr auto subscription_life = std::chrono::hours(1);

std::string subscription_debug(const std::string& id)
{
    const auto dash = id.find('-');
    return "(subscription [Some(SubscriptionId { random_id: \"" + id.substr(0, dash) + "\", hash: \"" +
           (dash == std::string::npos ? "" : id.substr(dash + 1)) + "\" })])";
}

Failure proposal_not_found(const std::string& subscription, const std::string& id, unsigned status)
{
    return Failure(status, "Proposal [" + id + "] not found " + subscription_debug(subscription) + ".");
}

std::string quoted_list(const std::vector<std::string>& names)
{
    std::string text = "[";
    for (const auto& name : names)
        text += (text.size() > 1 ? ", \"" : "\"") + name + "\"";
    return text + "]";
}

// The parser's words.
std::string mistake_in(const std::string& constraints)
{
    try {
        properties::Constraint::parse(constraints);
    } catch (const Error& error) {
        return error.explanation();
    }
    return std::string();
}

} // namespace

std::string_view to_string(ProposalState state) noexcept
{
    switch (state) {
    case ProposalState::initial: return "Initial";
    case ProposalState::draft: return "Draft";
    case ProposalState::rejected: return "Rejected";
    case ProposalState::accepted: return "Accepted";
    }
    return "";
}

std::string Market::publish(Side side, const std::string& node, const Content& content, Timestamp now)
{
    Subscription subscription;
    const auto random_part = random_.hex(32);
    const auto hash_part = random_.hex(64);
    subscription.id = random_part + "-" + hash_part;
    subscription.side = side;
    subscription.node = node;
    subscription.content = std::make_shared<const Content>(content);
    subscription.constraint = properties::Constraint::try_parse(content.constraints);
    subscription.created = now;
    subscription.expires = now + subscription_life;
    subscription.number = published_++;
    const auto id = subscription.id;
    forget_inactive(now);
    const auto& stored = subscriptions_.emplace(id, std::move(subscription)).first->second;
    (side == Side::requestor ? demands_ : offers_).push_back(id);
    if (side == Side::provider)
        touched_.push_back("offers");
    for (const auto& other : side == Side::requestor ? offers_ : demands_) {
        if (side == Side::requestor)
            introduce(stored, subscriptions_.at(other), now);
        else
            introduce(subscriptions_.at(other), stored, now);
    }
    return id;
}

// Their records stay: who asks for one is told that it is over.
void Market::forget_inactive(Timestamp now)
{
    const auto is_over = [this, now](const std::string& id) { return !is_active(subscriptions_.at(id), now); };
    std::erase_if(demands_, is_over);
    std::erase_if(offers_, is_over);
}

bool Market::is_active(const Subscription& subscription, Timestamp now) const
{
    return !subscription.withdrawn && subscription.expires > now;
}

// Makes the initial proposal if demand and offer match and have not met yet.
void Market::introduce(const Subscription& demand, const Subscription& offer, Timestamp now)
{
    if (!is_active(demand, now) || !is_active(offer, now) || demand.node == offer.node)
        return;
    if (!demand.constraint || !offer.constraint || introduced_.contains({demand.id, offer.id}))
        return;
    const properties::Side their_side = {offer.content->properties, *offer.constraint};
    const properties::Side our_side = {demand.content->properties, *demand.constraint};
    if (!properties::match(our_side, their_side))
        return;
    introduced_.emplace(demand.id, offer.id);
    ProposalRecord proposal;
    proposal.hash = random_.hex(64);
    proposal.provider_hash = random_.hex(64);
    proposal.demand = demand.id;
    proposal.offer = offer.id;
    proposal.content = offer.content;
    proposal.created = now;
    QueuedEvent event;
    event.id = proposal.hash;
    by_provider_hash_.emplace(proposal.provider_hash, proposal.hash);
    proposals_.emplace(proposal.hash, std::move(proposal));
    queue(demand.id, std::move(event), now);
}

void Market::queue(const std::string& subscription, QueuedEvent event, Timestamp now)
{
    if (subscriptions_.at(subscription).withdrawn)
        return;
    event.date = std::chrono::floor<std::chrono::milliseconds>(now);
    queues_[subscription].push_back(std::move(event));
    touched_.push_back("subscription/" + subscription);
}

Result<Done> Market::withdraw(Side side, const std::string& node, const std::string& id, Timestamp now)
{
    const auto found = subscriptions_.find(id);
    const bool is_theirs = found != subscriptions_.end() && found->second.side == side && found->second.node == node;
    if (!is_theirs || (side == Side::requestor && !is_active(found->second, now)))
        return Failure(404, (side == Side::requestor ? "Demand [" : "Offer [") + id + "] not found.");
    if (!is_active(found->second, now))
        return Failure(410, "Offer [" + id + "] already unsubscribed.");
    found->second.withdrawn = true;
    queues_.erase(id);
    std::erase(side == Side::requestor ? demands_ : offers_, id);
    touched_.push_back("subscription/" + id);
    return Done();
}

std::vector<Subscription> Market::subscriptions(Side side, const std::string& node, Timestamp now) const
{
    std::vector<Subscription> list;
    for (const auto& id : side == Side::requestor ? demands_ : offers_) {
        const auto& subscription = subscriptions_.at(id);
        if (subscription.node == node && is_active(subscription, now))
            list.push_back(subscription);
    }
    return list;
}

Result<std::size_t> Market::waiting(Side side, const std::string& node, const std::string& id, Timestamp now) const
{
    const auto found = subscriptions_.find(id);
    if (found == subscriptions_.end() || found->second.side != side || found->second.node != node ||
        found->second.withdrawn)
        return Failure(404, "Subscription [" + id + "] not found. Could be unsubscribed.");
    if (found->second.expires <= now)
        return Failure(404, "Subscription [" + id + "] expired.");
    const auto queue = queues_.find(id);
    return queue == queues_.end() ? std::size_t(0) : queue->second.size();
}

std::vector<QueuedEvent> Market::take_events(const std::string& id, std::size_t most)
{
    auto& queue = queues_[id];
    std::vector<QueuedEvent> proposals;
    std::vector<QueuedEvent> taken;
    for (auto& event : queue)
        (event.kind == QueuedEvent::Kind::proposal ? proposals : taken).push_back(std::move(event));
    if (subscriptions_.at(id).side == Side::requestor)
        random_.shuffle(proposals);
    std::move(proposals.begin(), proposals.end(), std::back_inserter(taken));
    queue.clear();
    while (taken.size() > most) {
        queue.push_front(std::move(taken.back()));
        taken.pop_back();
    }
    return taken;
}

std::string Market::id_for(Side side, const ProposalRecord& proposal)
{
    return side == Side::requestor ? "R-" + proposal.hash : "P-" + proposal.provider_hash;
}

const ProposalRecord* Market::find_proposal(Side side, const std::string& subscription, const std::string& id) const
{
    if (id.size() < 2 || id[0] != (side == Side::requestor ? 'R' : 'P'))
        return nullptr;
    auto hash = id.substr(2);
    if (side == Side::provider) {
        const auto translated = by_provider_hash_.find(hash);
        if (translated == by_provider_hash_.end())
            return nullptr;
        hash = translated->second;
    }
    const auto found = proposals_.find(hash);
    if (found == proposals_.end())
        return nullptr;
    const auto& proposal = found->second;
    const bool belongs = (side == Side::requestor ? proposal.demand : proposal.offer) == subscription;
    return belongs || subscription.empty() ? &proposal : nullptr;
}

Result<ProposalView> Market::proposal(Side side, const std::string& subscription, const std::string& id) const
{
    if (const auto* found = find_proposal(side, subscription, id))
        return view(side, found->hash);
    return proposal_not_found(subscription, id, 404);
}

ProposalView Market::view(Side side, const std::string& hash) const
{
    const auto& proposal = proposals_.at(hash);
    ProposalView view;
    view.id = id_for(side, proposal);
    view.issuer = subscriptions_.at(proposal.issuer == Side::requestor ? proposal.demand : proposal.offer).node;
    if (!proposal.previous.empty())
        view.previous = id_for(side, proposals_.at(proposal.previous));
    view.content = proposal.content;
    view.state = proposal.state;
    view.created = proposal.created;
    return view;
}

std::optional<Failure> Market::problem_of(const std::string& id, bool is_own, Timestamp now) const
{
    const auto& subscription = subscriptions_.at(id);
    if (subscription.withdrawn)
        return Failure(400, "Subscription [" + id + (is_own ? "] wasn't found." : "] was already unsubscribed."));
    if (subscription.expires <= now)
        return Failure(410, "Subscription [" + id + "] expired.");
    return std::nullopt;
}

Result<std::string> Market::counter(
    Side side, const std::string& subscription, const std::string& id, const Content& content, Timestamp now)
{
    const auto* found = find_proposal(side, subscription, id);
    if (!found)
        return proposal_not_found(subscription, id, 404);
    auto& previous = proposals_.at(found->hash);
    if (previous.issuer == side)
        return Failure(400, "Can't react to own Proposal [" + id + "].");
    if (const auto problem = problem_of(previous.demand, side == Side::requestor, now))
        return *problem;
    if (const auto problem = problem_of(previous.offer, side == Side::provider, now))
        return *problem;
    if (previous.countered)
        return Failure(410, "Proposal [" + id + "] already has counter proposal. Can't counter for the second time.");

    ProposalRecord next;
    next.hash = random_.hex(64);
    next.provider_hash = next.hash;
    next.demand = previous.demand;
    next.offer = previous.offer;
    next.issuer = side;
    next.previous = previous.hash;
    next.content = std::make_shared<const Content>(content);
    next.state = ProposalState::draft;
    next.created = now;
    const auto next_id = id_for(side, next);

    const auto constraint = properties::Constraint::try_parse(content.constraints);
    const auto other = properties::Constraint::try_parse(previous.content->constraints);
    if (!constraint)
        return Failure(
            400, "Can't match Proposal [" + next_id + "] with previous Proposal [" + id +
                     "]. Error: Prepare error: Error parsing " + (side == Side::requestor ? "Demand" : "Offer") +
                     " constraints: " + mistake_in(content.constraints));
    const properties::Side ours = {content.properties, *constraint};
    const properties::Side theirs = {previous.content->properties, other ? *other : *constraint};
    const auto matched = side == Side::requestor ? properties::match(ours, theirs) : properties::match(theirs, ours);
    if (!other || !matched)
        return Failure(
            400, "Proposal properties [" + next_id + "] doesn't match previous Proposal [" + id +
                     "]. Mismatched constraints - Offer: " + quoted_list(matched.offer) +
                     ", Demand: " + quoted_list(matched.demand));

    previous.countered = true;
    QueuedEvent event;
    event.id = next.hash;
    const auto recipient = side == Side::requestor ? next.offer : next.demand;
    by_provider_hash_.emplace(next.provider_hash, next.hash);
    proposals_.emplace(next.hash, std::move(next));
    queue(recipient, std::move(event), now);
    return next_id;
}

Result<Done> Market::reject(
    Side side, const std::string& subscription, const std::string& id, const std::optional<Reason>& reason,
    Timestamp now)
{
    const auto* found = find_proposal(side, subscription, id);
    if (!found)
        return proposal_not_found(subscription, id, 500);
    auto& proposal = proposals_.at(found->hash);
    if (proposal.issuer == side)
        return Failure(400, "Can't react to own Proposal [" + id + "].");
    for (const auto& party : {proposal.demand, proposal.offer}) {
        const bool is_own = (side == Side::requestor) == (party == proposal.demand);
        if (const auto problem = problem_of(party, is_own, now))
            return Failure(400, problem->text());
    }
    proposal.state = ProposalState::rejected;
    QueuedEvent event;
    event.kind = QueuedEvent::Kind::rejection;
    event.id = proposal.hash;
    event.reason = reason;
    queue(side == Side::requestor ? proposal.offer : proposal.demand, std::move(event), now);
    return Done();
}

std::vector<std::string> Market::take_touched() { return std::exchange(touched_, {}); }

} // namespace golem::devnet
