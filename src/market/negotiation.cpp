#include <golem/market/detail/negotiation.hpp>

#include <algorithm>

namespace golem::detail {

// --- what happened ---------------------------------------------------------------------------------------------------

void Negotiation::order_waits(OrderNumber order, Duration expiration)
{
    changed_ = true;
    orders_.emplace(order, Order{expiration, std::nullopt});
    ++unassigned_;
}

void Negotiation::order_withdrawn(OrderNumber order)
{
    const auto place = orders_.find(order);
    if (place == orders_.end())
        return;
    changed_ = true;
    if (const auto& draft = place->second.draft)
        signings_.at(*draft).order.reset();
    erase_order(order);
}

void Negotiation::demand_published(DemandNumber demand)
{
    const auto found = demands_.find(demand);
    if (found == demands_.end())
        return;
    changed_ = true;
    found->second.published = true;
}

void Negotiation::demand_lost(DemandNumber demand)
{
    changed_ = true;
    demands_.erase(demand);
}

void Negotiation::hurry() noexcept
{
    changed_ = true;
    rules_.demand_linger = Duration(0);
}

void Negotiation::offer_arrived(DemandNumber demand, const yagna::ProposalId& proposal, double score)
{
    const auto found = demands_.find(demand);
    if (found == demands_.end())
        return;
    changed_ = true;
    auto& talks = found->second.talks;
    found->second.places.insert_or_assign(proposal, talks.size());
    auto& talk = talks.emplace_back();
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
    auto& known = demands_.at(demand);
    known.places.insert_or_assign(counter, static_cast<std::size_t>(talk - known.talks.data()));
    // Nothing is to be decided now that was not when the counter was sent.
    const auto silence = now + rules_.wave_silence;
    if (unassigned_ > 0 && (!next_ || silence < *next_))
        next_ = silence;
}

void Negotiation::counter_failed(
    DemandNumber demand, const yagna::ProposalId& proposal, bool may_have_arrived, Instant now)
{
    auto* talk = with_proposal(demand, proposal);
    if (!talk || talk->stage != Stage::sending)
        return;
    changed_ = true;
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
    changed_ = true;
    auto& known = demands_.at(demand);
    known.places.insert_or_assign(draft, static_cast<std::size_t>(talk - known.talks.data()));
    talk->theirs = draft;
    talk->is_draft = true;
    talk->stage = objection ? Stage::dead : Stage::drafted;
    if (objection)
        objections_.push_back(action::Reject{demand, draft, *objection});
}

void Negotiation::refused(DemandNumber demand, const yagna::ProposalId& counter, bool is_final)
{
    auto* talk = with_counter(demand, counter);
    if (!talk || (talk->stage != Stage::countered && talk->stage != Stage::silent))
        return;
    changed_ = true;
    talk->stage = is_final ? Stage::dead : Stage::refused;
}

std::optional<OrderNumber> Negotiation::agreement_approved(const yagna::ProposalId& draft)
{
    const auto found = signings_.find(draft);
    if (found == signings_.end())
        return std::nullopt;
    changed_ = true;
    const auto signing = found->second;
    erase_signing(found);
    if (auto* talk = with_proposal(signing.demand, draft))
        talk->stage = Stage::spent;
    const auto order = signing.order ? signing.order : next_unassigned(signing.expiration);
    if (order)
        erase_order(*order);
    return order;
}

void Negotiation::agreement_failed(const yagna::ProposalId& draft, Instant now)
{
    const auto found = signings_.find(draft);
    if (found == signings_.end())
        return;
    changed_ = true;
    if (found->second.order)
        unassign(*found->second.order);
    if (auto* talk = with_proposal(found->second.demand, draft)) {
        talk->stage = Stage::failed;
        talk->since = now;
    }
    erase_signing(found);
}

void Negotiation::agreement_ended(DemandNumber demand, const yagna::ProposalId& draft, Instant now)
{
    auto* talk = with_proposal(demand, draft);
    if (!talk || talk->stage != Stage::spent)
        return;
    changed_ = true;
    talk->stage = Stage::ended;
    talk->since = now;
}

// --- looking up ------------------------------------------------------------------------------------------------------

Negotiation::Talk* Negotiation::find(DemandNumber demand, const yagna::ProposalId& id)
{
    const auto found = demands_.find(demand);
    if (found == demands_.end())
        return nullptr;
    const auto place = found->second.places.find(id);
    return place == found->second.places.end() ? nullptr : &found->second.talks[place->second];
}

Negotiation::Talk* Negotiation::with_counter(DemandNumber demand, const yagna::ProposalId& counter)
{
    auto* talk = find(demand, counter);
    return talk && talk->ours == counter ? talk : nullptr;
}

Negotiation::Talk* Negotiation::with_proposal(DemandNumber demand, const yagna::ProposalId& proposal)
{
    auto* talk = find(demand, proposal);
    return talk && talk->theirs == proposal ? talk : nullptr;
}

std::optional<OrderNumber> Negotiation::next_unassigned(Duration expiration)
{
    if (unassigned_ == 0)
        return std::nullopt;
    for (const auto& [number, order] : orders_) {
        ++steps_;
        if (!order.draft && order.expiration == expiration)
            return number;
    }
    return std::nullopt;
}

void Negotiation::assign(OrderNumber number, const yagna::ProposalId& draft)
{
    orders_.at(number).draft = draft;
    --unassigned_;
}

void Negotiation::unassign(OrderNumber number)
{
    orders_.at(number).draft.reset();
    ++unassigned_;
}

void Negotiation::erase_order(OrderNumber number)
{
    const auto place = orders_.find(number);
    if (!place->second.draft)
        --unassigned_;
    orders_.erase(place);
}

void Negotiation::erase_signing(std::map<yagna::ProposalId, Signing>::iterator signing)
{
    if (const auto demand = demands_.find(signing->second.demand); demand != demands_.end())
        --demand->second.signings;
    signings_.erase(signing);
}

bool Negotiation::has_live_talk(const Demand& demand, Instant now)
{
    return std::any_of(demand.talks.begin(), demand.talks.end(), [&](const Talk& talk) {
        ++steps_;
        return is_live(talk, now);
    });
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

} // namespace golem::detail
