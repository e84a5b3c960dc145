#include "market_pool.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/retry.hpp>
#include <golem/http/transport.hpp>
#include <golem/yagna/outcome.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

constexpr std::size_t most_early_answers = 100;

NegotiationRules rules_of(const MarketOptions& options)
{
    NegotiationRules rules;
    rules.wave_silence = options.wave_silence;
    rules.demand_linger = options.demand_linger;
    rules.max_demands = options.max_demands;
    return rules;
}

} // namespace

MarketPool::MarketPool(MarketShared& shared, Payload payload)
    : shared_(shared), payload_(std::move(payload)), log_(shared.log.with_tag(payload_.runtime())),
      negotiation_(rules_of(shared.options)), changed_(shared.executor)
{
}

void MarketPool::start()
{
    shared_.tasks.spawn("pool", [self = shared_from_this()] { return self->run(); });
}

// The pool lives as long as its tasks: each closure holds it.
void MarketPool::spawn(std::string name, std::function<Task<>()> make)
{
    struct Count {
        std::shared_ptr<MarketPool> pool;
        explicit Count(std::shared_ptr<MarketPool> counted) : pool(std::move(counted)) { ++pool->tasks_; }
        Count(const Count&) = delete;
        Count& operator=(const Count&) = delete;
        ~Count()
        {
            --pool->tasks_;
            pool->changed_.set();
        }
    };
    auto count = std::make_shared<Count>(shared_from_this());
    shared_.tasks.spawn(std::move(name), [count, make = std::move(make)] { return make(); });
}

// --- orders ----------------------------------------------------------------------------------------------------------

void MarketPool::add(Waiter& waiter)
{
    if (waiters_.empty()) {
        report_at_ = shared_.time.deadline(shared_.options.report_after);
        MarketReport fresh;
        fresh.constraints = report_.constraints;
        report_ = std::move(fresh);
        earlier_silences_ = negotiation_.silences();
    }
    waiters_.emplace(waiter.number, &waiter);
    negotiation_.order_waits(waiter.number, waiter.expiration);
    tell(waiter.number, "waiting for offers");
    decide_soon();
}

void MarketPool::withdraw(Waiter& waiter)
{
    waiters_.erase(waiter.number);
    negotiation_.order_withdrawn(waiter.number);
    if (waiter.agreement) {
        const auto agreement = std::make_shared<yagna::Agreement>(*waiter.agreement);
        spawn("terminate agreement", [this, agreement] { return give_back(agreement); });
    }
    decide_soon();
}

Task<> MarketPool::give_back(std::shared_ptr<yagna::Agreement> agreement)
{
    co_await shared_.desk.terminate(*agreement);
    shared_.agreement_over(agreement->id);
}

void MarketPool::fail(const std::exception_ptr& failure)
{
    for (const auto& [number, waiter] : std::exchange(waiters_, {})) {
        negotiation_.order_withdrawn(number);
        waiter->failure = failure;
        waiter->done.set();
    }
    decide_soon();
}

void MarketPool::close()
{
    negotiation_.hurry();
    decide_soon();
}

void MarketPool::agreement_ended(DemandNumber demand, const yagna::ProposalId& draft)
{
    negotiation_.agreement_ended(demand, draft, shared_.time.now());
    decide_soon();
}

// --- the loop of decisions -------------------------------------------------------------------------------------------

void MarketPool::decide()
{
    const auto actions = negotiation_.decide(shared_.time.now());
    perform(actions);
}

void MarketPool::perform(const Actions& actions)
{
    std::map<DemandNumber, std::vector<action::Reject>> rejections;
    for (const auto& any : actions) {
        if (const auto* publish_it = std::get_if<action::Publish>(&any)) {
            auto demand = std::make_shared<Demand>(shared_.executor, publish_it->demand);
            demands_.emplace(demand->number, demand);
            spawn("publish demand", [this, demand, expiration = publish_it->expiration] {
                return publish(demand, expiration);
            });
        } else if (const auto* start_poll = std::get_if<action::StartPolling>(&any)) {
            const auto demand = demands_.at(start_poll->demand);
            const auto stop = std::make_shared<Event>(shared_.executor);
            demand->stop_poll = stop;
            spawn("poll demand", [this, demand, stop] { return poll(demand, stop); });
        } else if (const auto* stop_poll = std::get_if<action::StopPolling>(&any)) {
            demands_.at(stop_poll->demand)->stop_poll->set();
        } else if (const auto* counter_it = std::get_if<action::Counter>(&any)) {
            const auto demand = demands_.at(counter_it->demand);
            spawn("counter", [this, demand, what = *counter_it] {
                return counter(demand, what.proposal, what.expiration);
            });
        } else if (const auto* sign_it = std::get_if<action::Sign>(&any)) {
            const auto demand = demands_.at(sign_it->demand);
            const auto& drafted = demand->drafts.at(sign_it->draft);
            auto signing = std::make_shared<SigningCase>(shared_.executor);
            signing->draft = sign_it->draft;
            signing->demand = demand->id;
            signing->provider = drafted.draft.issuer;
            signing->provider_name = drafted.provider_name;
            signing->ours = drafted.ours;
            signing->theirs = drafted.draft.content;
            signings_.emplace(signing->draft, signing);
            tell(sign_it->order, "signing with " + signing->provider_name + " (" + signing->provider + ")");
            spawn("sign", [this, number = demand->number, signing] { return sign(number, signing); });
        } else if (const auto* cancel = std::get_if<action::CancelSigning>(&any)) {
            if (const auto found = signings_.find(cancel->draft); found != signings_.end())
                found->second->withdrawn.set();
        } else if (const auto* rejection = std::get_if<action::Reject>(&any)) {
            rejections[rejection->demand].push_back(*rejection);
        } else if (const auto* removal = std::get_if<action::Delete>(&any)) {
            const auto demand = demands_.at(removal->demand);
            demands_.erase(removal->demand);
            demand->gone.set();
            spawn("delete demand", [this, demand, refused = std::move(rejections[removal->demand])] {
                return remove(demand, refused);
            });
            rejections.erase(removal->demand);
        }
    }
    for (const auto& [number, refused] : rejections) {
        const auto found = demands_.find(number);
        if (found == demands_.end())
            continue;
        for (const auto& rejection : refused)
            spawn("reject draft", [this, demand = found->second, rejection] { return reject(demand, rejection); });
    }
}

Task<> MarketPool::run()
{
    for (;;) {
        changed_.reset();
        decide();
        report_if_due();
        tell_what_is_due();
        if (is_finished()) {
            shared_.pool_is_idle(*this);
            co_return;
        }
        // While there is nothing to wait for, an order, an answer or the end of a task wakes it.
        const auto next = next_moment();
        auto sleep = shared_.time.sleep_until(next, "market: the next decision");
        auto change = changed_.wait();
        co_await first_of(std::move(sleep), std::move(change));
    }
}

Instant MarketPool::next_moment() const
{
    auto earliest = negotiation_.deadline().value_or(Instant::max());
    if (report_at_)
        earliest = std::min(earliest, *report_at_);
    if (words_at_)
        earliest = std::min(earliest, *words_at_);
    return earliest;
}

bool MarketPool::is_finished() const
{
    return waiters_.empty() && tasks_ == 0 && demands_.empty() && negotiation_.is_idle();
}

// --- demands ---------------------------------------------------------------------------------------------------------

Task<> MarketPool::publish(DemandPointer demand, Duration expiration)
{
    const bool has_terms = co_await shared_.obtain_terms();
    if (!has_terms) {
        lose(*demand);
        decide_soon(); // Somebody may have come since the others were told.
        co_return;
    }
    Backoff pause(RetryPolicy(), Random(shared_.random.next()));
    while (!demand->gone.is_set()) {
        const auto content = published_demand(payload_, *shared_.proposing, shared_.time.utc(), expiration);
        report_.constraints = content.constraints;
        std::exception_ptr failure;
        try {
            demand->id = co_await shared_.client.market().publish_demand(content);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) {
            shared_.open_demands[demand->id] = "it was not deleted";
            log_.debug("published demand ", demand->id);
            break;
        }
        if (is_cancelled(failure) || yagna::may_have_happened(failure))
            shared_.doubtful_demands.push_back(shared_.time.now());
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        if (is_fatal(failure)) {
            lose(*demand);
            shared_.fail_everybody(failure);
            co_return;
        }
        log_.warning("could not publish a demand: ", describe(failure));
        tell("the demand could not be published, trying again: " + describe(failure));
        auto sleep = shared_.time.sleep_for(pause.next(), "before publishing a demand again");
        auto end = demand->gone.wait();
        co_await first_of(std::move(sleep), std::move(end));
    }
    if (demand->gone.is_set()) {
        // It was given up while it was being published.
        if (!demand->id.empty()) {
            const std::vector<action::Reject> none;
            co_await remove(demand, none);
        }
        co_return;
    }
    negotiation_.demand_published(demand->number);
    decide_soon();
}

/// The demand is not there any more, or never was.
void MarketPool::lose(Demand& demand)
{
    shared_.open_demands.erase(demand.id);
    demand.gone.set();
    if (demand.stop_poll)
        demand.stop_poll->set();
    demands_.erase(demand.number);
    negotiation_.demand_lost(demand.number);
}

Task<> MarketPool::remove(DemandPointer demand, const std::vector<action::Reject>& rejections)
{
    if (demand->id.empty())
        co_return; // publish() sees to it.
    for (const auto& rejection : rejections)
        co_await reject(demand, rejection);
    std::exception_ptr failure;
    try {
        co_await shared_.client.market().delete_demand(demand->id);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) {
        shared_.open_demands.erase(demand->id);
        co_return;
    }
    shared_.open_demands[demand->id] = describe(failure);
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    log_.warning("demand ", demand->id, " could not be deleted, it will expire: ", describe(failure));
}

Task<> MarketPool::reject(DemandPointer demand, const action::Reject& rejection)
{
    log_.info("refusing a draft: ", rejection.reason);
    const yagna::Reason reason(rejection.reason);
    std::exception_ptr failure;
    try {
        // A courtesy: it must not hold up anything for long.
        auto attempt = shared_.client.market().reject(demand->id, rejection.draft, reason);
        co_await with_timeout(shared_.time, std::chrono::seconds(10), std::move(attempt), "rejecting a draft");
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.debug("a draft could not be refused: ", describe(failure));
}

// --- events ----------------------------------------------------------------------------------------------------------

Task<> MarketPool::poll(DemandPointer demand, std::shared_ptr<Event> stop)
{
    Backoff pause(RetryPolicy(), Random(shared_.random.next()));
    while (!stop->is_set()) {
        std::exception_ptr failure;
        auto question = poll_once(demand, failure);
        auto end = stop->wait();
        co_await first_of(std::move(question), std::move(end));
        if (stop->is_set())
            co_return;
        if (!failure) {
            pause.reset();
            continue;
        }
        if (is_fatal(failure)) {
            shared_.fail_everybody(failure);
            co_return;
        }
        log_.warning("demand ", demand->id, ": ", describe(failure));
        tell("the daemon tells of no offers, asking again: " + describe(failure));
        auto sleep = shared_.time.sleep_for(pause.next(), "before polling a demand again");
        auto interruption = stop->wait();
        co_await first_of(std::move(sleep), std::move(interruption));
    }
}

// Hands on what came before it ends, so that no event is lost to a stop at the same moment.
Task<> MarketPool::poll_once(DemandPointer demand, std::exception_ptr& failure)
{
    std::vector<yagna::DemandEvent> events;
    try {
        events = co_await shared_.client.market().demand_events(demand->id, shared_.options.poll, 100);
    } catch (const Error& error) {
        if (error.errc() != Errc::not_found) {
            failure = std::current_exception();
            co_return;
        }
        log_.debug("demand ", demand->id, " has expired");
        lose(*demand);
    } catch (...) {
        failure = std::current_exception();
        co_return;
    }
    for (const auto& event : events)
        handle(*demand, event);
    decide();      // Before it is asked again: what came may have been enough.
    decide_soon(); // The next deadline may be another one.
}

void MarketPool::handle(Demand& demand, const yagna::DemandEvent& event)
{
    const auto* proposal = std::get_if<yagna::Proposal>(&event);
    if (proposal && !proposal->previous) {
        handle_offer(demand, *proposal);
        return;
    }
    const auto& answered = proposal ? *proposal->previous : std::get<yagna::ProposalRejected>(event).proposal;
    const auto countered = demand.counters.find(answered);
    if (countered != demand.counters.end())
        handle_answer(demand, countered->second, event);
    else if (demand.early.size() < most_early_answers)
        demand.early.insert_or_assign(answered, event);
}

void MarketPool::handle_offer(Demand& demand, const yagna::Proposal& offer)
{
    ++report_.proposals;
    report_.survey.reset();
    auto reading = read_offer(offer);
    std::string refusal = reading.problem;
    std::optional<double> score;
    if (reading.facts) {
        refusal = above_caps(*reading.facts, shared_.options.caps).value_or(std::string());
        if (refusal.empty()) {
            auto appraisal = appraise(shared_.options.strategy, *reading.facts);
            score = appraisal.score;
            refusal = std::move(appraisal.problem);
            if (appraisal.is_failure)
                log_.error("offer of ", offer.issuer, ": ", refusal);
        }
    }
    if (!score) {
        ++report_.not_answered;
        log_.debug("the offer of ", offer.issuer, " is not answered: ", refusal);
        return;
    }
    auto talk = std::make_shared<Talk>();
    talk->provider_name = reading.facts->provider_name;
    talk->offer = offer.content;
    demand.offers.emplace(offer.id, talk);
    negotiation_.offer_arrived(demand.number, offer.id, *score);
}

void MarketPool::handle_answer(Demand& demand, const Countered& countered, const yagna::DemandEvent& event)
{
    if (const auto* rejected = std::get_if<yagna::ProposalRejected>(&event)) {
        ++report_.refusals;
        report_.last_refusal = rejected->reason ? rejected->reason->message() : std::string("no reason given");
        tell("refused by " + countered.talk->provider_name + ": " + report_.last_refusal);
        negotiation_.refused(demand.number, rejected->proposal, rejected->is_final);
        return;
    }
    const auto& draft = std::get<yagna::Proposal>(event);
    const auto objection =
        objection_to_draft(countered.talk->offer.properties, countered.ours, draft.content.properties);
    demand.offers.emplace(draft.id, countered.talk);
    demand.drafts.emplace(draft.id, Drafted{draft, countered.ours, countered.talk->provider_name});
    negotiation_.draft_arrived(demand.number, *draft.previous, draft.id, objection);
}

Task<> MarketPool::counter(DemandPointer demand, yagna::ProposalId proposal, Duration expiration)
{
    const auto talk = demand->offers.at(proposal);
    const auto ours =
        counter_proposal(payload_, *shared_.proposing, shared_.time.utc(), expiration, talk->offer.properties);
    yagna::ProposalId id;
    std::exception_ptr failure;
    try {
        id = co_await shared_.client.market().counter(demand->id, proposal, ours);
    } catch (...) {
        failure = std::current_exception();
    }
    const auto now = shared_.time.now();
    if (failure) {
        if (is_cancelled(failure))
            std::rethrow_exception(failure);
        if (is_fatal(failure)) {
            shared_.fail_everybody(failure);
            co_return;
        }
        log_.info("the offer of ", talk->provider_name, " could not be answered: ", describe(failure));
        negotiation_.counter_failed(demand->number, proposal, !is_definite(failure), now);
    } else {
        const auto& countered = demand->counters.emplace(id, Countered{talk, ours}).first->second;
        negotiation_.countered(demand->number, proposal, id, now);
        if (const auto early = demand->early.find(id); early != demand->early.end()) {
            const auto event = std::move(early->second);
            demand->early.erase(early);
            handle_answer(*demand, countered, event);
        }
    }
    decide_soon();
}

// --- agreements ------------------------------------------------------------------------------------------------------

Task<> MarketPool::sign(DemandNumber demand, std::shared_ptr<SigningCase> signing)
{
    const bool approved = co_await shared_.desk.sign(signing);
    signings_.erase(signing->draft);
    if (!approved) {
        ++report_.failed_agreements;
        log_.info("no agreement with ", signing->provider_name, ": ", signing->why_not);
        tell("no agreement with " + signing->provider_name + ": " + signing->why_not);
        negotiation_.agreement_failed(signing->draft, shared_.time.now());
        decide_soon();
        co_return;
    }
    const auto order = negotiation_.agreement_approved(signing->draft);
    if (order) {
        hand_over(*order, demand, *signing);
        decide_soon();
        co_return;
    }
    log_.info("agreement ", signing->agreement, " was approved when nobody needed it any more");
    decide_soon();
    const auto agreement = signing->to_agreement(shared_.time.utc());
    co_await shared_.desk.terminate(agreement);
    negotiation_.agreement_ended(demand, signing->draft, shared_.time.now());
    decide_soon();
}

void MarketPool::hand_over(OrderNumber order, DemandNumber demand, const SigningCase& signing)
{
    auto* waiter = waiters_.at(order);
    waiters_.erase(order);
    report_at_ = shared_.time.deadline(shared_.options.report_after);

    auto agreement = signing.to_agreement(shared_.time.utc());
    shared_.agreement_made(agreement.id, weak_from_this(), demand, signing.draft);
    waiter->agreement = std::move(agreement);
    waiter->done.set();
}

// --- failures --------------------------------------------------------------------------------------------------------

bool MarketPool::is_fatal(const std::exception_ptr& failure) const
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        switch (error.errc()) {
        case Errc::unauthorized: return true;
        // By us, unless the connection broke under this request: then the next one will tell.
        case Errc::closed: {
            const auto* broken = dynamic_cast<const http::TransportError*>(&error);
            return !broken || broken->sent() == http::TransportError::Sent::no;
        }
        case Errc::unreachable: return !shared_.client.caller().contacted();
        default: return false;
        }
    } catch (...) {
        return false;
    }
}

bool MarketPool::is_definite(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.errc() == Errc::invalid_input || error.errc() == Errc::not_found || error.errc() == Errc::refused;
    } catch (...) {
        return false;
    }
}

} // namespace golem::detail
