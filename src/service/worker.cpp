#include "service/worker.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/market/detail/expirations.hpp>

#include "service/engine.hpp"

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// When the manager insists, each step gets no more than this.
constexpr Duration hurried = 3s;
// But these two, which are of less use than the end of the agreement: all together must fit into what the engine
// grants.
constexpr Duration hurried_destroy = 1s;
constexpr Duration hurried_question = 1s;
// How long somebody's reason for an end that showed already is waited for.
constexpr Duration reason_patience = 2s;
// To tell the daemon that a machine has left its network.
constexpr Duration leave_limit = 5s;
// To ask what became of an agreement whose end nobody confirmed.
constexpr Duration question_limit = 5s;

// What tells why no provider was found.
constexpr Duration survey_limit = 10s;

std::string in_words(Duration duration)
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds > 0 && seconds % 60 == 0)
        return std::to_string(seconds / 60) + " min";
    if (seconds > 0)
        return std::to_string(seconds) + " s";
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

std::string explain(const yagna::AgreementEvent& event)
{
    std::string text = "the agreement was ";
    switch (event.kind) {
    case yagna::AgreementEvent::Kind::cancelled: text += "cancelled"; break;
    case yagna::AgreementEvent::Kind::rejected: text += "rejected"; break;
    default: text += "terminated"; break;
    }
    if (event.terminator == yagna::Terminator::provider)
        text += " by the provider";
    else if (event.terminator == yagna::Terminator::requestor)
        text += " by the requestor";
    if (!event.reason)
        return text;
    if (!event.reason->message().empty())
        text += ": " + event.reason->message();
    const auto code = event.reason->extra().get_string("golem.provider.code");
    return code ? text + " (" + *code + ")" : text;
}

} // namespace

Worker::Worker(
    std::shared_ptr<Engine> engine, std::shared_ptr<ServiceRecord> record, std::shared_ptr<ServiceWrapper> wrapper,
    ServiceOptions options, std::shared_ptr<NetworkSeat> seat, ServiceManager::ServiceFactory make_service)
    : engine_(std::move(engine)), record_(std::move(record)), wrapper_(std::move(wrapper)),
      options_(std::move(options)), seat_(std::move(seat)), make_service_(std::move(make_service)),
      log_(engine_->log().with_tag("service " + record_->id().substr(0, 8))), wake_(engine_->executor()),
      changed_(engine_->executor()), agreement_over_(engine_->executor()), insisted_(engine_->executor()),
      timers_(engine_->executor(), [this](const std::string& name, std::exception_ptr failure) {
          log_.error(name, " failed: ", describe(failure));
      })
{
}

Task<> Worker::drive()
{
    std::exception_ptr failure;
    try {
        if (manager_failure_)
            tell(*manager_failure_);
        else
            co_await begin("hire", &Worker::hire);
        while (life_.phase() != Phase::ended) {
            while (events_.empty()) {
                wake_.reset();
                co_await wake_.wait();
            }
            const auto told = std::move(events_.front());
            events_.pop_front();
            if (is_stale(told))
                continue;
            note_failure(told.event.kind(), told.failure);
            const auto before = life_.phase();
            const auto hurry = life_.in_a_hurry();
            const auto actions = life_.next(told.event);
            if (before == Phase::hiring && life_.phase() == Phase::creating)
                record_->set_service(service_);
            // The last status is published when nothing goes on any more.
            if (life_.phase() != Phase::ended) {
                publish();
                if (life_.phase() != Phase::hiring && life_.phase() != Phase::cancelling)
                    answer_manager();
            }
            if (life_.phase() != before || life_.in_a_hurry() != hurry)
                arm();
            for (const auto action : actions)
                co_await carry_out(action);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        give_up(is_cancelled(failure) ? "the manager's time for closing was over" : describe(failure));
    timers_.cancel();
    if (agreement_ && !life_.agreement_is_over())
        may_be_open("its end is not known");
    let_go();
    seat_.reset();                  // Its address is free before its end is known.
    auto self = shared_from_this(); // The record may hold the last reference but this one.
    service_.reset();
    publish();
    record_->detach();
    changed_.pulse();
    wrapper_.reset();
    answer_manager();
    engine_->service_ended();
}

void Worker::tell(LifeEvent event)
{
    if (event.kind() == EventKind::insisted)
        insisted_.set();
    events_.push_back(Told{std::move(event), nullptr});
    wake_.set();
}

void Worker::step_ended(unsigned long number, LifeEvent event, const std::exception_ptr& failure)
{
    events_.push_back(Told{std::move(event), failure, number, 0});
    wake_.set();
}

// What was told may have been overtaken by what was told before it.
bool Worker::is_stale(const Told& told) const noexcept
{
    const bool left_behind = told.step != 0 && told.step != step_number_;
    if (left_behind)
        log_.info("a step that was left behind has ended");
    return left_behind || (told.alarm != 0 && told.alarm != alarm_serial_);
}

bool Worker::fail_while_waiting(const std::exception_ptr& failure)
{
    if (life_.phase() != Phase::hiring || manager_failure_)
        return false;
    manager_failure_.emplace(EventKind::hire_failed, describe(failure));
    owes_answer_ = true;
    if (step_)
        step_->cancel();
    return true;
}

void Worker::answer_manager()
{
    if (std::exchange(owes_answer_, false))
        engine_->service_answered();
}

Task<> Worker::wait_for_change() { return changed_.wait(); }

Task<> Worker::carry_out(Action action)
{
    switch (action) {
    case Action::create_activity: co_await begin("create activity", &Worker::create_activity); break;
    case Action::start: co_await begin("start", &Worker::start); break;
    case Action::run: co_await begin("run", &Worker::run); break;
    case Action::shut_down: co_await begin("shutdown", &Worker::shut_down); break;
    case Action::clean_up: co_await begin("clean-up", &Worker::clean_up); break;
    case Action::cancel_step:
        if (step_)
            step_->cancel();
        break;
    case Action::abandon_step: abandon_step(); break;
    case Action::finish: co_await end_of_step(); break;
    }
}

Task<> Worker::begin(std::string name, Step step)
{
    co_await end_of_step();
    step_ = std::make_unique<TaskGroup>(engine_->executor());
    auto self = shared_from_this();
    const auto number = ++step_number_;
    step_->spawn(std::move(name), [self, step, number] { return ((*self).*step)(number); });
}

Task<> Worker::end_of_step()
{
    if (!step_)
        co_return;
    // Its event has been taken, so it is over but for its last turn.
    co_await step_->join();
    step_.reset();
}

void Worker::abandon_step()
{
    if (!step_)
        return;
    ++step_number_; // Whatever it still does, it tells nothing any more.
    step_->cancel();
    for (const auto& name : step_->names())
        left_over(name + " did not end in time");
    abandoned_.push_back(std::move(step_));
}

void Worker::give_up(const std::string& why)
{
    abandon_step();
    life_.give_up(why);
    log_.error("gave up: ", why);
}

void Worker::publish()
{
    const auto status = life_.status();
    const auto cause = life_.cause();
    const auto before = record_->report();
    if (before.status == status && before.cause == cause)
        return;
    record_->publish(status, cause, engine_->time().utc());
    if (before.status != status)
        log_.info(to_string(before.status), " -> ", to_string(status), cause.empty() ? "" : ": ", cause);
    changed_.pulse();
}

void Worker::arm()
{
    const auto& limits = engine_->options().limits;
    const auto serial = ++alarm_serial_;
    Duration limit{0};
    std::string text;
    switch (life_.alarm()) {
    case Alarm::none: return;
    case Alarm::start:
        limit = limits.start;
        text = "start did not end within " + in_words(limit);
        break;
    case Alarm::cancel: limit = shortened(limits.cancel); break;
    case Alarm::shutdown: limit = shortened(limits.shutdown); break;
    case Alarm::clean_up:
        // Its parts have limits of their own; this one is for the case that they fail.
        limit = life_.in_a_hurry()
                    ? 3 * hurried
                    : limits.activity_destroy + limits.terminate + reason_patience + 2 * question_limit + leave_limit;
        break;
    }
    auto self = shared_from_this();
    timers_.spawn("limit", [self, serial, limit, text] { return self->ring(serial, limit, text); });
}

Task<> Worker::ring(unsigned long serial, Duration limit, std::string text)
{
    co_await engine_->time().sleep_for(limit, "limit of a service's step");
    events_.push_back(Told{LifeEvent(EventKind::alarm, std::move(text)), nullptr, 0, serial});
    wake_.set();
}

Task<> Worker::wait_for_expiration(Timestamp end)
{
    co_await engine_->time().sleep_for(end - engine_->time().utc(), "end of an agreement");
    tell(LifeEvent(EventKind::expiration_passed));
}

// The exceptions of the user's code reach the exception handler, unless they are the answer to our cancelling it.
void Worker::note_failure(EventKind kind, const std::exception_ptr& failure)
{
    if (!failure)
        return;
    const bool counts = (kind == EventKind::start_failed && life_.phase() == Phase::starting) ||
                        (kind == EventKind::run_failed && life_.phase() == Phase::running);
    if (counts)
        engine_->service_failed(record_->id(), failure);
    else if (!is_cancelled(failure))
        log_.info("while ending: ", describe(failure));
}

Task<> Worker::hire(unsigned long number)
{
    std::exception_ptr failure;
    bool is_own_affair = false;
    try {
        service_ = make_service_();
        if (!service_)
            throw Error(Errc::invalid_input, "create service", "the factory returned no service");
        const auto seat = seat_;
        if (seat)
            co_await seat->ready(); // Nobody is hired for a network that there will not be.
        auto payload = options_.payload ? *options_.payload : service_->payload();
        if (seat)
            payload.capability("vpn");
        is_own_affair = true; // The registry is not the daemon.
        auto resolution = engine_->registry().resolve(payload);
        auto resolved = co_await std::move(resolution);
        const Order order(std::move(resolved), options_.expiration);
        is_own_affair = false;
        Market::Progress progress = [self = weak_from_this()](const std::string& why) {
            if (const auto worker = self.lock())
                worker->tell(LifeEvent(EventKind::waiting, why));
        };
        auto hiring = engine_->market().hire(order, std::move(progress));
        if (options_.find_limit > Duration::zero()) {
            auto found =
                co_await with_timeout(engine_->time(), options_.find_limit, std::move(hiring), "finding a provider");
            agreement_ = std::move(found);
        } else {
            auto agreement = co_await std::move(hiring);
            agreement_.emplace(std::move(agreement));
        }
        if (!agreement_) {
            is_own_affair = true;
            const auto why = co_await why_no_provider(order);
            const auto limit = in_words(options_.find_limit);
            throw Error(Errc::timed_out, "find a provider", "none was found within " + limit + ": " + why);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) {
        agreement_signed();
        // Nobody waits for it any more: it must not be left without an owner.
        if (number != step_number_) {
            co_await ignore_cancellation();
            co_await end_agreement();
            let_go();
        }
        step_ended(number, LifeEvent(EventKind::hired));
    } else if (manager_failure_) {
        step_ended(number, *manager_failure_);
    } else {
        step_ended(number, LifeEvent(EventKind::hire_failed, describe(failure)));
        if (!is_own_affair && engine_->concerns_all(failure))
            engine_->manager_failed(failure);
    }
}

// What it was told last, unless the market can tell more.
Task<std::string> Worker::why_no_provider(const Order& order)
{
    auto why = life_.cause();
    std::optional<OfferSurvey> survey;
    try {
        auto look = engine_->market().survey(order);
        survey = co_await with_timeout(engine_->time(), survey_limit, std::move(look), "a look at all offers");
    } catch (const Error& error) {
        log_.info("could not look at the offers: ", error.what());
    }
    if (!survey)
        co_return why;
    const auto told = survey->to_string();
    if (why.find(told) != std::string::npos)
        co_return why;
    co_return survey->fitting == 0 ? told : why + " (" + told + ")";
}

void Worker::agreement_signed()
{
    engine_->payments().agreement_approved(*agreement_);
    engine_->feed().listen(agreement_->id, [self = weak_from_this()](const yagna::AgreementEvent& event) {
        if (const auto worker = self.lock())
            worker->agreement_event(event);
    });
    log_.info("agreement ", agreement_->id, " with ", agreement_->provider);
    if (const auto end = expiration_of(*agreement_)) {
        auto self = shared_from_this();
        timers_.spawn("expiration", [self, end] { return self->wait_for_expiration(*end); });
    }
}

void Worker::agreement_event(const yagna::AgreementEvent& event)
{
    if (event.kind == yagna::AgreementEvent::Kind::approved || event.kind == yagna::AgreementEvent::Kind::other)
        return;
    agreement_over_.set();
    // Our own doing: there is a verdict already, and this tells nothing of its cause.
    if (ending_agreement_ && event.terminator != yagna::Terminator::provider)
        return;
    const auto code = event.reason ? event.reason->extra().get_string("golem.provider.code") : std::nullopt;
    if (code && *code == "Expired")
        tell(LifeEvent(EventKind::agreement_expired));
    else
        tell(LifeEvent(EventKind::agreement_ended, explain(event)));
}

Task<> Worker::create_activity(unsigned long number)
{
    std::exception_ptr failure;
    yagna::ActivityId activity;
    try {
        activity =
            co_await engine_->client().activity().create(agreement_->id, engine_->options().limits.activity_create);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        step_ended(number, LifeEvent(EventKind::activity_failed, describe(failure)));
        co_return;
    }
    engine_->payments().activity_created(agreement_->id, activity);
    if (number != step_number_)
        co_return; // Nobody waits for it any more; the end of its agreement ends it.
    activity_.emplace(std::move(activity));
    watched_ = engine_->health().watch(*activity_, [self = weak_from_this()](const LifeEvent& event) {
        if (const auto worker = self.lock())
            worker->tell(event);
    });
    WorkHooks hooks;
    hooks.on_alive = [self = weak_from_this()] {
        const auto worker = self.lock();
        if (worker && worker->watched_)
            worker->engine_->health().alive(*worker->watched_);
    };
    hooks.on_lost = [self = weak_from_this()](const Error& error) {
        if (const auto worker = self.lock())
            worker->tell(LifeEvent(EventKind::activity_lost, error.what()));
    };
    hooks.receive = [record = record_] { return ServiceRecord::receive(record); };
    work_ = std::make_shared<WorkContext>(
        engine_->client(), engine_->time(), *agreement_, *activity_, options_.start_args, engine_->options().work,
        std::move(hooks));
    step_ended(number, LifeEvent(EventKind::activity_created));
}

Task<> Worker::start(unsigned long number)
{
    const auto service = service_;
    const auto work = work_;
    const auto seat = seat_;
    std::exception_ptr failure;
    try {
        if (seat)
            co_await join_network();
        co_await service->start(*work);
        if (seat)
            co_await seat->announce();
    } catch (...) {
        failure = std::current_exception();
    }
    LifeEvent event(EventKind::start_done);
    if (failure)
        event = LifeEvent(EventKind::start_failed, describe(failure));
    step_ended(number, std::move(event), failure);
}

Task<> Worker::join_network()
{
    const auto seat = seat_;
    co_await seat->join(agreement_->provider);
    const auto place = seat->place();
    DeployNetwork network;
    network.id = place.id;
    network.address = place.address;
    network.mask = place.mask;
    network.gateway = place.gateway;
    network.node_address = place.node_address;
    network.nodes = place.nodes;
    DeployOptions options;
    options.networks.push_back(std::move(network));
    options.hosts = place.names;
    work_->set_deploy_options(std::move(options));
}

// Its network is removed at the end in any case, so that nothing depends on it.
Task<> Worker::leave_network()
{
    const auto seat = seat_;
    std::string problem = "no answer in time";
    try {
        auto left = seat->leave();
        const auto done = co_await within(leave_limit, hurried_question, std::move(left));
        if (done)
            problem.clear();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    if (!problem.empty())
        log_.warning("the daemon was not told that ", seat->address(), " has left its network: ", problem);
}

Task<> Worker::run(unsigned long number)
{
    const auto service = service_;
    const auto work = work_;
    std::exception_ptr failure;
    try {
        co_await service->run(*work);
    } catch (...) {
        failure = std::current_exception();
    }
    LifeEvent event(EventKind::run_returned);
    if (failure)
        event = LifeEvent(EventKind::run_failed, describe(failure));
    step_ended(number, std::move(event), failure);
}

Task<> Worker::shut_down(unsigned long number)
{
    const auto service = service_;
    const auto work = work_;
    std::exception_ptr failure;
    try {
        co_await service->shutdown(*work);
    } catch (...) {
        failure = std::current_exception();
    }
    step_ended(number, LifeEvent(EventKind::shutdown_done), failure);
}

// Its parts have limits of their own, which give way when somebody insists: whatever is cancelled, the provider is told
// of the end.
Task<> Worker::clean_up(unsigned long number)
{
    co_await ignore_cancellation();
    if (watched_)
        engine_->health().forget(*std::exchange(watched_, std::nullopt));
    if (life_.must_destroy_activity())
        co_await destroy_activity();
    if (!life_.agreement_is_over())
        co_await end_agreement();
    if (ended_by_others_ && life_.lacks_reason())
        co_await wait_for_reason();
    if (seat_)
        co_await leave_network();
    let_go();
    step_ended(number, LifeEvent(EventKind::cleaned));
}

// What others keep for this service.
void Worker::let_go()
{
    if (watched_)
        engine_->health().forget(*std::exchange(watched_, std::nullopt));
    if (!agreement_ || std::exchange(let_go_, true))
        return;
    engine_->feed().forget(agreement_->id);
    if (handed_over_)
        return;
    engine_->market().agreement_ended(agreement_->id);
    engine_->payments().agreement_ended(agreement_->id);
}

Task<> Worker::destroy_activity()
{
    const auto limit = shortened(engine_->options().limits.activity_destroy);
    std::string problem = "no answer in time";
    try {
        auto destroyed = engine_->client().activity().destroy(*activity_, limit);
        const auto done = co_await within(limit, hurried_destroy, std::move(destroyed));
        if (done)
            problem.clear();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    // No more than that: the end of the agreement ends it as well.
    if (!problem.empty())
        log_.warning("activity ", *activity_, " was not destroyed: ", problem);
}

Task<> Worker::end_agreement()
{
    const auto limit = shortened(engine_->options().limits.terminate);
    std::string problem = "no answer in time";
    ending_agreement_ = true;
    std::optional<yagna::EndOutcome> outcome;
    try {
        auto terminated = terminate(limit, outcome);
        co_await within(limit, hurried, std::move(terminated));
        if (outcome)
            problem = "it is in another state";
    } catch (const std::exception& error) {
        problem = error.what();
    }
    ended_by_others_ = outcome && *outcome == yagna::EndOutcome::already;
    agreement_settled_ = outcome && *outcome != yagna::EndOutcome::wrong_state;
    if (agreement_settled_)
        co_return;
    const auto ended = co_await has_ended();
    if (ended)
        agreement_settled_ = true;
    else
        may_be_open(problem);
}

yagna::Reason Worker::farewell() const
{
    const auto words = life_.farewell();
    return yagna::Reason(words.message, "golem.requestor.code", words.code);
}

Task<> Worker::terminate(Duration limit, std::optional<yagna::EndOutcome>& outcome)
{
    const auto reason = farewell();
    const auto result = co_await engine_->client().market().terminate(agreement_->id, reason, limit);
    outcome = result;
}

Task<bool> Worker::has_ended()
{
    if (life_.agreement_is_over() || agreement_over_.is_set())
        co_return true;
    std::optional<yagna::AgreementState> state;
    try {
        auto question = ask_for_state(state);
        co_await within(question_limit, hurried_question, std::move(question));
    } catch (const std::exception& error) {
        log_.info("what became of agreement ", agreement_->id, " is not known: ", error.what());
    }
    co_return state && *state != yagna::AgreementState::approved && *state != yagna::AgreementState::pending &&
        *state != yagna::AgreementState::unknown;
}

Task<> Worker::ask_for_state(std::optional<yagna::AgreementState>& state)
{
    const auto agreement = co_await engine_->client().market().agreement(agreement_->id);
    state = agreement.state;
}

// An activity that died usually died of the agreement's end: the event that says why is on its way.
Task<> Worker::wait_for_reason()
{
    try {
        auto over = agreement_over_.wait();
        co_await within(reason_patience, hurried_question, std::move(over));
    } catch (const std::exception& error) {
        log_.debug("no reason: ", error.what());
    }
}

// False if the task was cut off: after `limit`, or `in_a_hurry` after somebody insisted.
Task<bool> Worker::within(Duration limit, Duration in_a_hurry, Task<> task)
{
    auto over = limit_passes(limit, in_a_hurry);
    const auto first = co_await first_of(std::move(task), std::move(over));
    co_return first == 0;
}

Task<> Worker::limit_passes(Duration limit, Duration in_a_hurry)
{
    auto insisted = insisted_.wait();
    const auto hurry = co_await with_timeout(engine_->time(), limit, std::move(insisted), "limit of clean-up");
    if (hurry)
        co_await engine_->time().sleep_for(std::min(limit, in_a_hurry), "limit of clean-up in a hurry");
}

Duration Worker::shortened(Duration limit) const { return insisted_.is_set() ? std::min(limit, hurried) : limit; }

// The market goes on ending it; meanwhile its provider may charge for it. Once there is no market, people have to know.
void Worker::may_be_open(const std::string& problem)
{
    if (std::exchange(agreement_settled_, true))
        return;
    auto settle = [engine = engine_.get(), id = agreement_->id] { engine->payments().agreement_ended(id); };
    handed_over_ = engine_->market().take_over(*agreement_, farewell(), problem, std::move(settle));
    if (handed_over_)
        log_.warning("agreement ", agreement_->id, " could not be ended yet: ", problem);
    else
        left_over("agreement " + agreement_->id + " with " + agreement_->provider + " may still be open: " + problem);
}

void Worker::left_over(const std::string& what) { engine_->left_over("service " + record_->id() + ": " + what); }

} // namespace golem::detail
