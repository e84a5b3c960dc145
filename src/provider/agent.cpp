#include <golem/provider/agent.hpp>

#include "provider/deal.hpp"
#include "provider/failures.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::provider {

namespace {

constexpr auto poll_time = std::chrono::seconds(20);
constexpr auto call_limit = std::chrono::seconds(30);
constexpr auto retry_delay = std::chrono::seconds(5);
constexpr auto longest_retry_delay = std::chrono::minutes(5);
constexpr auto insistence = std::chrono::hours(24);
// For the last words of a stop.
constexpr auto leave_limit = std::chrono::seconds(10);

void require(bool condition, const char* member, const std::string& value, const char* range)
{
    if (!condition)
        throw Error(
            Errc::invalid_input, "make a provider",
            std::string("ProviderOptions::") + member + " is " + value + ", but must be " + range);
}

void require_at_least(Duration value, Duration least, const char* member, const char* range)
{
    require(value >= least, member, std::to_string(std::chrono::duration<double>(value).count()) + " s", range);
}

void validate(const ProviderOptions& options)
{
    using namespace std::chrono_literals;
    require(options.capacity >= 1, "capacity", std::to_string(options.capacity), "at least 1");
    require(options.cpu_threads >= 1, "cpu_threads", std::to_string(options.cpu_threads), "at least 1");
    require(options.memory_gib > 0.0, "memory_gib", std::to_string(options.memory_gib), "more than 0");
    require(options.storage_gib > 0.0, "storage_gib", std::to_string(options.storage_gib), "more than 0");
    require(options.cpu_price >= 0.0, "cpu_price", std::to_string(options.cpu_price), "at least 0");
    require(options.duration_price >= 0.0, "duration_price", std::to_string(options.duration_price), "at least 0");
    require(options.start_price >= 0.0, "start_price", std::to_string(options.start_price), "at least 0");
    require(!options.subnet.empty(), "subnet", "empty", "a name");
    require(!options.runtime.empty(), "runtime", "empty", "a name");
    require_at_least(options.negotiation_latency, 0s, "negotiation_latency", "at least 0");
    require_at_least(options.activity_latency, 0s, "activity_latency", "at least 0");
    require_at_least(options.command_latency, 0s, "command_latency", "at least 0");
    require_at_least(options.debit_note_interval, 1s, "debit_note_interval", "at least 1 s");
    require_at_least(options.accept_timeout, 1s, "accept_timeout", "at least 1 s");
    require_at_least(options.payment_timeout, 1s, "payment_timeout", "at least 1 s");
    require_at_least(options.idle_limit, 1ms, "idle_limit", "at least 1 ms");
    require_at_least(options.offer_lifetime, 1s, "offer_lifetime", "at least 1 s");
}

} // namespace

Agent::Agent(
    const Executor& executor, TimeSource& time, Port& port, std::shared_ptr<RuntimeFactory> runtimes,
    const ProviderOptions& options, Logger log)
    : executor_(executor), time_(time), port_(port), runtimes_(std::move(runtimes)), options_(options),
      log_(log.with_tag("provider " + options.name)), deals_changed_(executor), finishing_(executor),
      leaving_(executor), stopping_(executor),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& failure) {
          log_.error(name, " failed: ", golem::describe(failure));
      })
{
    validate(options_);
    // What the port brings with it is offered, unless somebody chose otherwise.
    if (options_.transfer_protocols.empty() && port_.files())
        options_.transfer_protocols.emplace_back("gftp");
}

Agent::~Agent() = default;

// Reads one of the port's feeds for ever.
template <typename Item>
Task<> Agent::follow(std::string_view what, Task<std::vector<Item>> (Port::*read)(Duration))
{
    for (;;) {
        std::vector<Item> events;
        std::exception_ptr failure;
        try {
            events = co_await (port_.*read)(poll_time);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            note_failure(what, failure);
            co_await time_.sleep_for(retry_delay, "another look at a feed");
        }
        for (const auto& event : events)
            handle(event);
    }
}

Task<> Agent::run()
{
    is_offering_ = true;
    tasks_.spawn("offers", [this] { return offer_until_finished(); });
    tasks_.spawn("agreement events", [this] { return follow("read agreement events", &Port::agreement_events); });
    tasks_.spawn("activity events", [this] { return follow("read activity events", &Port::activity_events); });
    tasks_.spawn("payment events", [this] { return follow("read payment events", &Port::payment_events); });
    std::exception_ptr failure;
    try {
        co_await leaving_.wait();
        if (vanishes_) {
            tasks_.cancel();
            co_await tasks_.join();
            co_await stopping_.wait();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    co_await ignore_cancellation();
    auto leaving = leave();
    co_await shield(std::move(leaving));
    if (failure)
        std::rethrow_exception(failure);
}

void Agent::finish(Duration limit)
{
    if (finishing_.is_set())
        return;
    finishing_.set();
    tasks_.spawn("the end", [this, limit] { return wind_up(limit); });
}

Task<> Agent::wind_up(Duration limit)
{
    const auto until = time_.deadline(limit);
    while (time_.now() < until && (!deals_.empty() || under_way_ > 0 || is_offering_)) {
        for (const auto& [id, deal] : deals_)
            if (!deal->ended && !deal->broken)
                terminate_agreement(id, Deal::shutdown());
        auto change = deals_changed_.wait();
        co_await with_timeout(time_, until - time_.now(), std::move(change), "the ends of a provider's agreements");
    }
    if (!deals_.empty())
        log_.warning("leaves ", deals_.size(), " agreements without an invoice");
    if (under_way_ > 0)
        log_.warning("leaves ", under_way_, " calls of the daemon unfinished");
    leaving_.set();
}

void Agent::stop()
{
    stopping_.set();
    leaving_.set();
}

void Agent::vanish()
{
    vanishes_ = true;
    leaving_.set();
}

// Nobody is told; only the units' ends show.
Task<> Agent::leave()
{
    tasks_.cancel();
    co_await tasks_.join();
    const auto until = time_.deadline(leave_limit);
    TaskGroup ends(executor_, [this](const std::string& name, const std::exception_ptr& failure) {
        log_.error(name, " failed: ", golem::describe(failure));
    });
    for (const auto& [id, deal] : deals_)
        for (const auto& activity : deal->activities)
            ends.spawn("end of activity " + activity->id, [this, activity, until] { return kill(activity, until); });
    co_await ends.join();
    deals_.clear();
    if (!vanishes_ && !offer_.empty()) {
        auto withdraw = port_.withdraw_offer(offer_);
        co_await attempt("withdraw the offer", std::move(withdraw));
        offer_.clear();
    }
}

Task<> Agent::kill(std::shared_ptr<Activity> activity, Instant until)
{
    if (!activity->unit)
        co_return;
    co_await stop_unit(activity);
    if (vanishes_ || activity->killed.is_set())
        co_return;
    const auto reason = activity->interruption();
    const std::string message;
    auto detach = port_.detach(activity->id, reason, message);
    auto detaching = attempt("detach an activity", std::move(detach));
    const auto told =
        co_await with_timeout(time_, until - time_.now(), std::move(detaching), "the last words of a provider");
    if (!told)
        log_.warning("could not tell of the end of activity ", activity->id, " in time");
}

void Agent::note_failure(std::string_view what, const std::exception_ptr& failure) const
{
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    log_.warning("could not ", what, ": ", golem::describe(failure));
}

Task<Agent::Outcome> Agent::call(std::string_view what, Task<> task)
{
    std::exception_ptr failure;
    try {
        const bool in_time =
            co_await with_timeout(time_, call_limit, std::move(task), "a call of the provider's daemon");
        if (in_time)
            co_return Outcome::done;
        log_.warning("could not ", what, ": no answer in time");
        co_return Outcome::unknown;
    } catch (...) {
        failure = std::current_exception();
    }
    note_failure(what, failure);
    co_return is_final(failure) ? Outcome::refused : Outcome::failed;
}

Task<bool> Agent::attempt(std::string_view what, Task<> task)
{
    const auto outcome = co_await call(what, std::move(task));
    co_return outcome == Outcome::done;
}

Task<bool> Agent::insist(std::string_view what, std::function<Task<>()> make)
{
    const auto until = time_.deadline(insistence);
    for (Duration delay = retry_delay; time_.now() < until;
         delay = std::min<Duration>(2 * delay, longest_retry_delay)) {
        auto task = make();
        const auto outcome = co_await call(what, std::move(task));
        if (outcome != Outcome::failed)
            co_return outcome == Outcome::done;
        co_await time_.sleep_for(delay, "a repeated call of the provider's daemon");
    }
    co_return false;
}

void Agent::see_through(const std::string& name, std::function<Task<>()> make)
{
    ++under_way_;
    tasks_.spawn(name, [this, made = std::move(make)] { return count_out(made); });
}

Task<> Agent::count_out(std::function<Task<>()> make)
{
    std::exception_ptr failure;
    try {
        auto task = make();
        co_await std::move(task);
    } catch (...) {
        failure = std::current_exception();
    }
    --under_way_;
    deals_changed_.pulse();
    if (failure)
        std::rethrow_exception(failure);
}

void Agent::owe(const std::string& what, std::function<Task<>()> make)
{
    see_through(what, [this, what, call = std::move(make)] { return repeat(what, call); });
}

Task<> Agent::repeat(std::string what, std::function<Task<>()> make)
{
    co_await time_.sleep_for(retry_delay, "another try of what failed");
    co_await insist(what, make);
}

// Calls are never broken off: of a publication without an answer nobody would know what to withdraw.
Task<> Agent::offer_until_finished()
{
    while (!finishing_.is_set()) {
        offer_content_ = detail::make_offer(options_, port_.node_id(), time_.utc());
        const auto until = time_.deadline(options_.offer_lifetime);
        auto publish = [this]() -> Task<> { offer_ = co_await port_.publish_offer(offer_content_); };
        auto published = publish();
        const bool is_published = co_await attempt("publish the offer", std::move(published));
        if (is_published) {
            const auto offer = offer_;
            log_.debug("published offer ", offer);
            if (!finishing_.is_set()) {
                auto following = follow_offer(offer, until);
                auto finish = finishing_.wait();
                co_await first_of(std::move(following), std::move(finish));
            }
            std::erase_if(waiting_, [&](const Waiting& each) { return each.offer == offer; });
            auto withdraw = port_.withdraw_offer(offer);
            co_await attempt("withdraw the offer", std::move(withdraw));
            offer_.clear();
        }
        if (!is_published || time_.now() < until) {
            auto finish = finishing_.wait();
            co_await with_timeout(time_, retry_delay, std::move(finish), "another offer");
        }
    }
    is_offering_ = false;
    deals_changed_.pulse();
}

// Until it expires, or the daemon does not know it any more.
Task<> Agent::follow_offer(const std::string& offer, Instant until)
{
    while (time_.now() < until) {
        const auto wait = std::min<Duration>(poll_time, until - time_.now());
        std::vector<MarketEvent> events;
        std::exception_ptr failure;
        try {
            events = co_await port_.market_events(offer, wait);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            note_failure("read market events", failure);
            if (is_any_of(failure, {Errc::not_found, Errc::refused}))
                co_return;
            co_await time_.sleep_for(retry_delay, "another look at market events");
        }
        for (const auto& event : events)
            handle(offer, event);
    }
}

int Agent::taken_slots() const noexcept
{
    return static_cast<int>(
        std::count_if(deals_.begin(), deals_.end(), [](const auto& entry) { return !entry.second->over; }));
}

void Agent::handle(const std::string& offer, const MarketEvent& event)
{
    if (silent_)
        return;
    if (const auto* proposal = std::get_if<ProposalArrived>(&event)) {
        tasks_.spawn(
            "answer a proposal", [this, offer, arrived = *proposal] { return answer_proposal(offer, arrived); });
    } else if (const auto* agreement = std::get_if<AgreementArrived>(&event)) {
        see_through("answer an agreement", [this, arrived = *agreement] { return answer_agreement(arrived); });
    } else {
        log_.debug("proposal ", std::get<ProposalRefused>(event).proposal, " was refused");
    }
}

Task<> Agent::answer_proposal(std::string offer, ProposalArrived proposal)
{
    co_await time_.sleep_for(options_.negotiation_latency, "a provider's negotiation");
    const auto decision = detail::negotiate(proposal.demand, offer_content_, time_.utc(), taken_slots(), options_);
    if (const auto* accept = std::get_if<detail::Accept>(&decision)) {
        auto counter = [&]() -> Task<> { co_await port_.counter(offer, proposal.proposal, accept->content); };
        auto countered = counter();
        co_await attempt("counter a proposal", std::move(countered));
    } else if (const auto* refuse = std::get_if<detail::Refuse>(&decision)) {
        if (refuse->for_capacity)
            waiting_.push_back(Waiting{offer, proposal.proposal, proposal.demand});
        const auto reason = refuse->reason();
        auto reject = port_.reject(offer, proposal.proposal, reason);
        co_await attempt("reject a proposal", std::move(reject));
    } else {
        log_.info("no answer to proposal ", proposal.proposal, ": ", std::get<detail::Silence>(decision).why);
    }
}

// A slot is free: counters that were refused for want of one are answered after all.
Task<> Agent::answer_waiting()
{
    const auto waiting = std::exchange(waiting_, {});
    for (const auto& each : waiting) {
        if (each.offer != offer_)
            continue;
        const auto decision = detail::negotiate(each.demand, offer_content_, time_.utc(), taken_slots(), options_);
        if (const auto* accept = std::get_if<detail::Accept>(&decision)) {
            auto counter = [&]() -> Task<> { co_await port_.counter(each.offer, each.proposal, accept->content); };
            auto countered = counter();
            co_await attempt("counter a proposal", std::move(countered));
        } else if (const auto* refuse = std::get_if<detail::Refuse>(&decision); refuse && refuse->for_capacity) {
            waiting_.push_back(each);
        }
    }
}

Task<> Agent::answer_agreement(AgreementArrived agreement)
{
    co_await time_.sleep_for(options_.negotiation_latency, "a provider's negotiation");
    if (finishing_.is_set()) {
        const auto reason = Deal::shutdown();
        auto reject = port_.reject_agreement(agreement.agreement, reason);
        co_await attempt("reject an agreement", std::move(reject));
        co_return;
    }
    const auto decision = detail::negotiate(agreement.demand, agreement.offer, time_.utc(), taken_slots(), options_);
    if (const auto* refuse = std::get_if<detail::Refuse>(&decision)) {
        const auto reason = refuse->reason();
        auto reject = port_.reject_agreement(agreement.agreement, reason);
        co_await attempt("reject an agreement", std::move(reject));
        co_return;
    }
    if (const auto* silence = std::get_if<detail::Silence>(&decision)) {
        log_.info("no answer to agreement ", agreement.agreement, ": ", silence->why);
        co_return;
    }
    detail::Deadlines deadlines(detail::read_terms(agreement, options_), time_.utc());
    const auto deal = std::make_shared<Deal>(executor_, agreement.agreement, std::move(deadlines));
    deals_[deal->id] = deal;
    auto approve = port_.approve_agreement(deal->id);
    const bool approved = co_await attempt("approve an agreement", std::move(approve));
    if ((!approved && !deal->confirmed) || deal->cancelled) {
        deals_.erase(deal->id);
        deals_changed_.pulse();
        co_await answer_waiting();
        co_return;
    }
    deal->approved = true;
    deals_changed_.pulse();
    log_.info("agreement ", deal->id, " is approved");
    tasks_.spawn("agreement " + deal->id, [this, deal] { return drive(deal); });
}

std::vector<std::string> Agent::agreements() const
{
    std::vector<std::string> ids;
    for (const auto& [id, deal] : deals_)
        if (!deal->over)
            ids.push_back(id);
    return ids;
}

std::vector<std::string> Agent::activities() const
{
    std::vector<std::string> ids;
    for (const auto& [id, deal] : deals_)
        for (const auto& activity : deal->activities)
            if (activity->unit && !activity->unit->has_ended())
                ids.push_back(activity->id);
    return ids;
}

} // namespace golem::provider
