#include <golem/market/detail/negotiation.hpp>

#include <utility>

namespace golem::detail {

// --- what happened ---------------------------------------------------------------------------------------------------

void Negotiation::order_withdrawn(OrderNumber order)
{
    const auto place =
        std::find_if(orders_.begin(), orders_.end(), [&](const Order& waiting) { return waiting.number == order; });
    if (place == orders_.end())
        return;
    orders_.erase(place);
    for (auto& [draft, signing] : signings_) {
        if (signing.order == order)
            signing.order.reset();
    }
}

void Negotiation::demand_published(DemandNumber demand)
{
    const auto found = demands_.find(demand);
    if (found != demands_.end())
        found->second.published = true;
}

void Negotiation::offer_arrived(DemandNumber demand, const yagna::ProposalId& proposal, double score)
{
    const auto found = demands_.find(demand);
    if (found == demands_.end())
        return;
    auto& talk = found->second.talks.emplace_back();
    talk.number = next_talk_++;
    talk.score = score;
    talk.theirs = proposal;
}

void Negotiation::countered(
    DemandNumber demand, const yagna::ProposalId& proposal, const yagna::ProposalId& counter, Instant now)
{
    auto* talk = with_proposal(demand, proposal);
    if (!talk || talk->stage != Stage::sending)
        return;
    talk->stage = Stage::countered;
    talk->ours = counter;
    talk->since = now;
}

void Negotiation::counter_failed(
    DemandNumber demand, const yagna::ProposalId& proposal, bool may_have_arrived, Instant now)
{
    auto* talk = with_proposal(demand, proposal);
    if (!talk || talk->stage != Stage::sending)
        return;
    talk->stage = may_have_arrived ? Stage::failed : Stage::dead;
    talk->since = now;
}

void Negotiation::draft_arrived(
    DemandNumber demand, const yagna::ProposalId& counter, const yagna::ProposalId& draft,
    const std::optional<std::string>& objection)
{
    auto* talk = with_counter(demand, counter);
    const bool is_awaited =
        talk && (talk->stage == Stage::countered || talk->stage == Stage::silent || talk->stage == Stage::refused);
    if (!is_awaited)
        return;
    talk->theirs = draft;
    talk->is_draft = true;
    talk->stage = objection ? Stage::dead : Stage::drafted;
    if (objection)
        objections_.push_back(action::Reject{demand, draft, *objection});
}

void Negotiation::refused(DemandNumber demand, const yagna::ProposalId& counter, bool is_final)
{
    auto* talk = with_counter(demand, counter);
    if (talk && (talk->stage == Stage::countered || talk->stage == Stage::silent))
        talk->stage = is_final ? Stage::dead : Stage::refused;
}

std::optional<OrderNumber> Negotiation::agreement_approved(const yagna::ProposalId& draft)
{
    const auto found = signings_.find(draft);
    if (found == signings_.end())
        return std::nullopt;
    const auto signing = found->second;
    signings_.erase(found);
    if (auto* talk = with_proposal(signing.demand, draft))
        talk->stage = Stage::spent;
    auto order = signing.order;
    if (!order) {
        const auto* heir = next_unassigned(signing.expiration);
        if (!heir)
            return std::nullopt;
        order = heir->number;
    }
    const auto place =
        std::find_if(orders_.begin(), orders_.end(), [&](const Order& waiting) { return waiting.number == *order; });
    orders_.erase(place);
    return order;
}

void Negotiation::agreement_failed(const yagna::ProposalId& draft, Instant now)
{
    const auto found = signings_.find(draft);
    if (found == signings_.end())
        return;
    if (found->second.order) {
        if (auto* order = find_order(*found->second.order))
            order->assigned = false;
    }
    if (auto* talk = with_proposal(found->second.demand, draft)) {
        talk->stage = Stage::failed;
        talk->since = now;
    }
    signings_.erase(found);
}

void Negotiation::agreement_ended(DemandNumber demand, const yagna::ProposalId& draft, Instant now)
{
    auto* talk = with_proposal(demand, draft);
    if (!talk || talk->stage != Stage::spent)
        return;
    talk->stage = Stage::ended;
    talk->since = now;
}

// --- what to do ------------------------------------------------------------------------------------------------------

Actions Negotiation::decide(Instant now)
{
    Actions actions;
    for (auto& objection : std::exchange(objections_, {}))
        actions.push_back(std::move(objection));
    mark_silence(now);
    assign_drafts(now, actions);
    counter_best(now, actions);
    open_demand(now, actions);
    close_unneeded(now, actions);
    steer_polls(actions);
    return actions;
}

void Negotiation::mark_silence(Instant now)
{
    for (auto& [number, demand] : demands_) {
        for (auto& talk : demand.talks) {
            if (talk.stage == Stage::countered && now - talk.since >= rules_.wave_silence) {
                talk.stage = Stage::silent;
                ++silences_;
            }
        }
    }
}

void Negotiation::assign_drafts(Instant now, Actions& actions)
{
    // An agreement under way whose order has gone is as good as a draft for another one.
    for (auto& [draft, signing] : signings_) {
        if (signing.order || signing.cancelling)
            continue;
        if (auto* heir = next_unassigned(signing.expiration)) {
            heir->assigned = true;
            signing.order = heir->number;
        } else {
            signing.cancelling = true;
            actions.push_back(action::CancelSigning{draft});
        }
    }
    for (auto& order : orders_) {
        if (order.assigned)
            continue;
        Talk* best = nullptr;
        DemandNumber place = 0;
        for (auto& [number, demand] : demands_) {
            for (auto& talk : demand.talks) {
                if (is_usable(talk, order.expiration, now) && (!best || talk.score < best->score)) {
                    best = &talk;
                    place = number;
                }
            }
        }
        if (!best)
            continue;
        best->stage = Stage::signing;
        order.assigned = true;
        signings_.emplace(best->theirs, Signing{place, order.expiration, order.number});
        actions.push_back(action::Sign{place, best->theirs, order.number});
    }
}

// The expiration that the next counter should be for: that of the first order for which no answer is under way, then
// that of the head of the queue. Nothing if enough is under way.
std::optional<Duration> Negotiation::expiration_to_counter(Instant now) const
{
    std::map<Duration, std::size_t> under_way;
    std::size_t total = 0;
    for (const auto& [number, demand] : demands_) {
        for (const auto& talk : demand.talks) {
            const bool awaited = talk.stage == Stage::sending || talk.stage == Stage::countered;
            if (awaited || is_usable(talk, talk.expiration, now)) {
                ++under_way[talk.expiration];
                ++total;
            }
        }
    }
    for (const auto& [draft, signing] : signings_) {
        if (signing.order) {
            ++under_way[signing.expiration];
            ++total;
        }
    }
    std::map<Duration, std::size_t> needed;
    for (const auto& order : orders_) {
        if (under_way[order.expiration] < ++needed[order.expiration])
            return order.expiration;
    }
    if (total < orders_.size() + rules_.surplus) {
        for (const auto& order : orders_) {
            if (!order.assigned)
                return order.expiration;
        }
    }
    return std::nullopt;
}

void Negotiation::counter_best(Instant now, Actions& actions)
{
    if (!somebody_is_unassigned())
        return;
    struct Candidate {
        DemandNumber demand;
        Talk* talk;
    };
    std::vector<Candidate> candidates;
    for (auto& [number, demand] : demands_) {
        for (auto& talk : demand.talks) {
            // A draft that none of the orders can use any more is an offer like any other: countered anew, it becomes
            // one.
            if (talk.stage == Stage::offered || talk.stage == Stage::drafted)
                candidates.push_back(Candidate{number, &talk});
        }
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& left, const Candidate& right) {
        return std::pair(left.talk->score, left.talk->number) < std::pair(right.talk->score, right.talk->number);
    });
    for (const auto& candidate : candidates) {
        const auto expiration = expiration_to_counter(now);
        if (!expiration)
            return;
        candidate.talk->stage = Stage::sending;
        candidate.talk->expiration = *expiration;
        candidate.talk->since = now;
        actions.push_back(action::Counter{candidate.demand, candidate.talk->theirs, *expiration});
    }
}

void Negotiation::open_demand(Instant now, Actions& actions)
{
    if (!somebody_is_unassigned())
        return;
    if (demands_.empty()) {
        publish(actions);
        return;
    }
    // A provider offers itself once a demand. A further demand makes sense only once nobody here has anything left to
    // say, and if the last demand brought an agreement: then its provider may have room for one more.
    for (const auto& [number, demand] : demands_) {
        const auto& talks = demand.talks;
        if (!demand.published ||
            std::any_of(talks.begin(), talks.end(), [&](const Talk& talk) { return is_live(talk, now); }))
            return;
    }
    const auto& latest = demands_.rbegin()->second.talks;
    const bool is_fruitful = std::any_of(latest.begin(), latest.end(), [&](const Talk& talk) {
        return talk.stage == Stage::spent || (talk.stage == Stage::failed && now - talk.since >= rules_.failure_pause);
    });
    if (!is_fruitful)
        return;

    const auto may_still_answer = [](const Talk& talk) {
        return talk.stage == Stage::silent || talk.stage == Stage::refused;
    };
    std::vector<DemandNumber> exhausted;
    for (const auto& [number, demand] : demands_) {
        const auto& talks = demand.talks;
        if (!is_signing(number) && std::none_of(talks.begin(), talks.end(), may_still_answer))
            exhausted.push_back(number);
    }
    for (const auto number : exhausted)
        close(number, actions);
    while (demands_.size() >= static_cast<std::size_t>(rules_.max_demands)) {
        // The same providers answer the later demands, so the oldest loses least.
        const auto oldest =
            std::find_if(demands_.begin(), demands_.end(), [&](const auto& entry) { return !is_signing(entry.first); });
        if (oldest == demands_.end())
            return;
        close(oldest->first, actions);
    }
    publish(actions);
}

void Negotiation::publish(Actions& actions)
{
    Duration longest{0};
    for (const auto& order : orders_)
        longest = std::max(longest, order.expiration);
    const auto number = next_demand_++;
    demands_.emplace(number, Demand());
    actions.push_back(action::Publish{number, longest});
}

void Negotiation::close_unneeded(Instant now, Actions& actions)
{
    if (!orders_.empty()) {
        idle_since_.reset();
        return;
    }
    if (!idle_since_)
        idle_since_ = now;
    if (now - *idle_since_ < rules_.demand_linger)
        return;
    std::vector<DemandNumber> unneeded;
    for (const auto& [number, demand] : demands_) {
        if (!is_signing(number))
            unneeded.push_back(number);
    }
    for (const auto number : unneeded)
        close(number, actions);
}

void Negotiation::close(DemandNumber number, Actions& actions)
{
    const auto& demand = demands_.at(number);
    if (demand.polling)
        actions.push_back(action::StopPolling{number});
    for (const auto& talk : demand.talks) {
        if (talk.stage == Stage::drafted)
            actions.push_back(action::Reject{number, talk.theirs, "No longer needed"});
    }
    actions.push_back(action::Delete{number});
    demands_.erase(number);
}

void Negotiation::steer_polls(Actions& actions)
{
    const bool wanted = somebody_is_unassigned();
    for (auto& [number, demand] : demands_) {
        if (!demand.published || demand.polling == wanted)
            continue;
        demand.polling = wanted;
        if (wanted)
            actions.push_back(action::StartPolling{number});
        else
            actions.push_back(action::StopPolling{number});
    }
}

std::optional<Instant> Negotiation::deadline(Instant now) const
{
    std::optional<Instant> earliest;
    const auto consider = [&](Instant when) {
        if (when > now && (!earliest || when < *earliest))
            earliest = when;
    };
    if (orders_.empty()) {
        if (idle_since_ && !demands_.empty())
            consider(*idle_since_ + rules_.demand_linger);
        return earliest;
    }
    if (!somebody_is_unassigned())
        return earliest;
    for (const auto& [number, demand] : demands_) {
        for (const auto& talk : demand.talks) {
            if (talk.stage == Stage::countered)
                consider(talk.since + rules_.wave_silence);
            else if (talk.stage == Stage::ended)
                consider(talk.since + rules_.return_grace);
            else if (talk.stage == Stage::failed)
                consider(talk.since + rules_.failure_pause);
        }
    }
    return earliest;
}

// --- looking up ------------------------------------------------------------------------------------------------------

template <typename Matches>
Negotiation::Talk* Negotiation::find(DemandNumber demand, Matches matches)
{
    const auto found = demands_.find(demand);
    if (found == demands_.end())
        return nullptr;
    auto& talks = found->second.talks;
    const auto talk = std::find_if(talks.begin(), talks.end(), matches);
    return talk == talks.end() ? nullptr : &*talk;
}

Negotiation::Talk* Negotiation::with_counter(DemandNumber demand, const yagna::ProposalId& counter)
{
    return find(demand, [&](const Talk& talk) { return talk.ours == counter; });
}

Negotiation::Talk* Negotiation::with_proposal(DemandNumber demand, const yagna::ProposalId& proposal)
{
    return find(demand, [&](const Talk& talk) { return talk.theirs == proposal; });
}

Negotiation::Order* Negotiation::find_order(OrderNumber number)
{
    const auto place =
        std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) { return order.number == number; });
    return place == orders_.end() ? nullptr : &*place;
}

Negotiation::Order* Negotiation::next_unassigned(std::optional<Duration> expiration)
{
    const auto place = std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) {
        return !order.assigned && (!expiration || order.expiration == *expiration);
    });
    return place == orders_.end() ? nullptr : &*place;
}

bool Negotiation::somebody_is_unassigned() const
{
    return std::any_of(orders_.begin(), orders_.end(), [](const Order& order) { return !order.assigned; });
}

bool Negotiation::is_live(const Talk& talk, Instant now) const
{
    switch (talk.stage) {
    case Stage::offered:
    case Stage::sending:
    case Stage::countered:
    case Stage::drafted:
    case Stage::signing: return true;
    case Stage::ended: return now - talk.since < rules_.return_grace;
    case Stage::silent:
    case Stage::refused:
    case Stage::spent:
    case Stage::failed:
    case Stage::dead: break;
    }
    return false;
}

bool Negotiation::is_usable(const Talk& talk, Duration expiration, Instant now) const
{
    return talk.stage == Stage::drafted && talk.expiration == expiration &&
           now - talk.since <= draft_freshness(expiration);
}

bool Negotiation::is_signing(DemandNumber demand) const
{
    return std::any_of(
        signings_.begin(), signings_.end(), [&](const auto& entry) { return entry.second.demand == demand; });
}

} // namespace golem::detail
