// What Negotiation makes of what happened; its events are in negotiation.cpp.
#include <golem/market/detail/negotiation.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace golem::detail {

Actions Negotiation::decide(Instant now)
{
    Actions actions;
    if (!changed_ && (!next_ || now < *next_))
        return actions;
    changed_ = false;
    for (auto& objection : std::exchange(objections_, {}))
        actions.push_back(std::move(objection));
    mark_silence(now);
    pass_signings_on(actions);
    assign_drafts(now, actions);
    counter_best(now, actions);
    open_demand(now, actions);
    close_unneeded(now, actions);
    steer_polls(actions);
    next_ = next_moment(now);
    return actions;
}

void Negotiation::mark_silence(Instant now)
{
    for (auto& [number, demand] : demands_) {
        for (auto& talk : demand.talks) {
            ++steps_;
            if (talk.stage == Stage::countered && now - talk.since >= rules_.wave_silence) {
                talk.stage = Stage::silent;
                ++silences_;
            }
        }
    }
}

// An agreement under way whose order has gone is as good as a draft for another one.
void Negotiation::pass_signings_on(Actions& actions)
{
    for (auto& [draft, signing] : signings_) {
        ++steps_;
        if (signing.order || signing.cancelling)
            continue;
        if (const auto heir = next_unassigned(signing.expiration)) {
            signing.order = heir;
            assign(*heir, draft);
        } else {
            signing.cancelling = true;
            actions.push_back(action::CancelSigning{draft});
        }
    }
}

void Negotiation::assign_drafts(Instant now, Actions& actions)
{
    if (unassigned_ == 0)
        return;
    std::map<Duration, std::vector<Place>> drafts;
    for (auto& [number, demand] : demands_) {
        for (auto& talk : demand.talks) {
            ++steps_;
            if (is_usable(talk, talk.expiration, now))
                drafts[talk.expiration].push_back(Place{number, &talk});
        }
    }
    if (drafts.empty())
        return;
    // The best come last, of equal ones the first.
    for (auto& [expiration, places] : drafts) {
        std::sort(places.begin(), places.end(), [](const Place& left, const Place& right) {
            return std::tuple(left.talk->score, left.demand, left.talk->number) >
                   std::tuple(right.talk->score, right.demand, right.talk->number);
        });
    }
    for (const auto& [number, order] : orders_) {
        ++steps_;
        if (order.draft)
            continue;
        const auto found = drafts.find(order.expiration);
        if (found == drafts.end())
            continue;
        const auto best = found->second.back();
        found->second.pop_back();
        if (found->second.empty())
            drafts.erase(found);
        best.talk->stage = Stage::signing;
        ++demands_.at(best.demand).signings;
        signings_.emplace(best.talk->theirs, Signing{best.demand, order.expiration, number});
        assign(number, best.talk->theirs);
        actions.push_back(action::Sign{best.demand, best.talk->theirs, number});
        if (drafts.empty())
            return;
    }
}

Negotiation::UnderWay Negotiation::under_way(Instant now)
{
    UnderWay result;
    for (const auto& [number, demand] : demands_) {
        for (const auto& talk : demand.talks) {
            ++steps_;
            const bool awaited = talk.stage == Stage::sending || talk.stage == Stage::countered;
            if (awaited || is_usable(talk, talk.expiration, now)) {
                ++result.by_expiration[talk.expiration];
                ++result.total;
            }
        }
    }
    for (const auto& [draft, signing] : signings_) {
        ++steps_;
        if (signing.order) {
            ++result.by_expiration[signing.expiration];
            ++result.total;
        }
    }
    return result;
}

// The next counter is for the first order for which no answer is under way, then, up to the surplus, for the first one
// for which nothing is being signed.
void Negotiation::counter_best(Instant now, Actions& actions)
{
    if (unassigned_ == 0)
        return;
    std::vector<Place> candidates;
    for (auto& [number, demand] : demands_) {
        for (auto& talk : demand.talks) {
            ++steps_;
            // A draft that none of the orders can use any more is an offer like any other: countered anew, it becomes
            // one.
            if (talk.stage == Stage::offered || talk.stage == Stage::drafted)
                candidates.push_back(Place{number, &talk});
        }
    }
    if (candidates.empty())
        return;
    const auto is_worse = [](const Place& left, const Place& right) {
        return std::pair(left.talk->score, left.talk->number) > std::pair(right.talk->score, right.talk->number);
    };
    std::make_heap(candidates.begin(), candidates.end(), is_worse);

    auto known = under_way(now);
    const auto counter_next = [&](Duration expiration) {
        std::pop_heap(candidates.begin(), candidates.end(), is_worse);
        const auto best = candidates.back();
        candidates.pop_back();
        auto& talk = *best.talk;
        if (is_usable(talk, talk.expiration, now)) {
            --known.by_expiration[talk.expiration];
            --known.total;
        }
        ++known.by_expiration[expiration];
        ++known.total;
        talk.stage = Stage::sending;
        talk.expiration = expiration;
        talk.sent = now;
        talk.since = now;
        actions.push_back(action::Counter{best.demand, talk.theirs, expiration});
    };

    std::map<Duration, std::size_t> needed;
    std::optional<Duration> first_unassigned;
    for (const auto& [number, order] : orders_) {
        ++steps_;
        if (!order.draft && !first_unassigned)
            first_unassigned = order.expiration;
        if (known.by_expiration[order.expiration] >= ++needed[order.expiration])
            continue;
        counter_next(order.expiration);
        if (candidates.empty())
            return;
    }
    while (!candidates.empty() && known.total < orders_.size() + rules_.surplus)
        counter_next(*first_unassigned);
}

void Negotiation::open_demand(Instant now, Actions& actions)
{
    if (unassigned_ == 0)
        return;
    if (demands_.empty()) {
        publish(actions);
        return;
    }
    if (renew_demands(now, actions))
        return;
    // A provider offers itself once a demand. A further demand makes sense only once nobody here has anything left to
    // say, and if the last demand brought an agreement: then its provider may have room for one more.
    for (const auto& [number, demand] : demands_) {
        if (!demand.published || has_live_talk(demand, now))
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
        if (demand.signings == 0 && std::none_of(talks.begin(), talks.end(), may_still_answer))
            exhausted.push_back(number);
    }
    for (const auto number : exhausted)
        close(number, actions);
    while (demands_.size() >= static_cast<std::size_t>(rules_.max_demands)) {
        // The same providers answer the later demands, so the oldest loses least.
        const auto oldest = std::find_if(
            demands_.begin(), demands_.end(), [](const auto& entry) { return entry.second.signings == 0; });
        if (oldest == demands_.end())
            return;
        close(oldest->first, actions);
    }
    publish(actions);
}

// A counter that was refused for now is answered by a draft once there is room, but for good by a refusal once its end
// has come near: before that its provider is asked anew, on another demand.
bool Negotiation::renew_demands(Instant now, Actions& actions)
{
    std::vector<DemandNumber> stale;
    for (const auto& [number, demand] : demands_) {
        const auto& talks = demand.talks;
        const bool is_stale = std::any_of(talks.begin(), talks.end(), [&](const Talk& talk) {
            ++steps_;
            return talk.stage == Stage::refused && now - talk.sent >= counter_freshness(talk.expiration);
        });
        if (is_stale && demand.signings == 0 && !has_live_talk(demand, now))
            stale.push_back(number);
    }
    if (stale.empty())
        return false;
    // The new one first: no moment without a demand. One does for all, since each provider offers itself on it.
    publish(actions);
    for (const auto number : stale)
        close(number, actions);
    return true;
}

void Negotiation::publish(Actions& actions)
{
    Duration longest{0};
    for (const auto& [number, order] : orders_)
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
        if (demand.signings == 0)
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
    const bool wanted = unassigned_ > 0;
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

std::optional<Instant> Negotiation::next_moment(Instant now)
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
    if (unassigned_ == 0)
        return earliest;
    for (const auto& [number, demand] : demands_) {
        for (const auto& talk : demand.talks) {
            ++steps_;
            if (talk.stage == Stage::countered)
                consider(talk.since + rules_.wave_silence);
            else if (talk.stage == Stage::ended)
                consider(talk.since + rules_.return_grace);
            else if (talk.stage == Stage::failed)
                consider(talk.since + rules_.failure_pause);
            else if (talk.stage == Stage::refused)
                consider(talk.sent + counter_freshness(talk.expiration));
        }
    }
    return earliest;
}

} // namespace golem::detail
