#include "provider/yagna_units.hpp"

#include "provider/failures.hpp"
#include "provider/yagna_unit_codec.hpp"

#include <golem/bus/detail/bus_url.hpp>
#include <golem/bus/words.hpp>
#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::provider {

namespace {

constexpr auto first_delay = std::chrono::milliseconds(250);
constexpr auto longest_delay = std::chrono::seconds(5);
// Half of the daemon's patience with silent exe-units.
constexpr auto retry_delay = std::chrono::milliseconds(500);
// A daemon that refuses reports will not like the next ones better, unless it learns of the activity.
constexpr auto refused_delay = std::chrono::seconds(5);
constexpr auto bus_wait = std::chrono::seconds(10);
constexpr auto report_wait = std::chrono::seconds(3);
constexpr auto last_words = std::chrono::seconds(1);
constexpr auto stream_wait = std::chrono::seconds(60);

std::string address_of(const std::string& activity) { return "/public/exeunit/" + activity; }

} // namespace

struct YagnaPort::Units::Hosted {
    Hosted(const Executor& executor, std::string activity_id, std::shared_ptr<ExeUnit> exe_unit)
        : activity(std::move(activity_id)), unit(std::move(exe_unit)), reported_change(executor), wish(executor),
          leaving(executor), gone(executor), idle(executor)
    {
        idle.set();
    }

    std::string activity;
    std::shared_ptr<ExeUnit> unit;
    // What the daemon was told last.
    std::optional<UnitStatePair> reported;
    Event reported_change;
    // Its address was given to the bus.
    bool placed = false;
    // The daemon refuses its reports, and somebody was told so.
    bool refused = false;
    // Something is to be told at once.
    Event wish;
    Event leaving;
    // Nothing is told any more.
    Event gone;
    // Calls under way.
    int calls = 0;
    Event idle;
};

YagnaPort::Units::Units(
    const Executor& executor, TimeSource& time, const YagnaPortOptions& options, const Random& random, Logger log,
    TellState tell_state, ReportUsage report_usage)
    : executor_(executor), time_(time), options_(options), random_(random.sub_stream("bus")), log_(std::move(log)),
      tell_state_(std::move(tell_state)), report_usage_(std::move(report_usage)), connected_(executor),
      closed_(executor), tasks_(executor, [this](const std::string& name, const std::exception_ptr& failure) {
          log_.error(name, " failed: ", golem::describe(failure));
      })
{
    // Refuses a wrong URL before anything is done.
    bus::detail::parse_bus_url(options_.bus_url);
}

std::shared_ptr<bus::Connection> YagnaPort::Units::make_connection(Duration connect_limit)
{
    bus::ConnectionOptions options;
    options.url = options_.bus_url;
    options.connect_limit = connect_limit;
    // A part of the time that agents wait for a call.
    options.reply_limit = std::chrono::seconds(5);
    // Each connection is a client of its own to the bus.
    const Random random(random_.next());
    return std::make_shared<bus::Connection>(executor_, time_, options, random, log_);
}

Task<> YagnaPort::Units::open(Instant until)
{
    while (!connection_) {
        auto connection = make_connection(std::max<Duration>(until - time_.now(), first_delay));
        std::exception_ptr failure;
        try {
            co_await connection->open();
            connection_ = std::move(connection);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            continue;
        if (!is_any_of(failure, {Errc::unreachable}) || time_.now() + first_delay >= until)
            std::rethrow_exception(failure);
        co_await time_.sleep_for(first_delay, "a bus that is not there yet");
    }
    connected_.set();
    tasks_.spawn("the way to the bus", [this] { return stay_connected(); });
}

Task<> YagnaPort::Units::close()
{
    namespace this_coro = boost::asio::this_coro;
    const bool throws = co_await this_coro::throw_if_cancelled();
    co_await this_coro::throw_if_cancelled(false);
    auto rest = finish();
    co_await shield(std::move(rest));
    co_await this_coro::throw_if_cancelled(throws);
}

Task<> YagnaPort::Units::finish()
{
    if (std::exchange(closing_, true)) {
        co_await closed_.wait();
        co_return;
    }
    for (const auto& [activity, hosted] : hosted_)
        hosted->leaving.set();
    tasks_.cancel();
    co_await tasks_.join();
    connected_.reset();
    if (connection_)
        co_await connection_->close();
    connection_.reset();
    hosted_.clear();
    closed_.set();
}

// A daemon that was away has forgotten who can be reached where.
Task<> YagnaPort::Units::stay_connected()
{
    for (;;) {
        co_await connection_->ended().wait();
        connected_.reset();
        log_.warning("lost the service bus: ", golem::describe(connection_->failure()));
        co_await connection_->close();
        for (Duration delay = first_delay; !connected_.is_set(); delay = std::min<Duration>(2 * delay, longest_delay)) {
            co_await time_.sleep_for(delay, "another connection to the bus");
            std::exception_ptr failure;
            try {
                connection_ = make_connection(options_.first_contact);
                co_await connection_->open();
                co_await register_all();
            } catch (...) {
                failure = std::current_exception();
            }
            if (!failure) {
                connected_.set();
                log_.warning("is on the service bus again");
                continue;
            }
            co_await connection_->close();
            if (is_cancelled(failure))
                std::rethrow_exception(failure);
            log_.debug("no way to the service bus yet: ", golem::describe(failure));
        }
    }
}

Task<> YagnaPort::Units::register_all()
{
    const auto hosted = hosted_;
    for (const auto& [activity, each] : hosted) {
        if (!each->placed || each->leaving.is_set() || each->gone.is_set())
            continue;
        std::exception_ptr failure;
        try {
            co_await put_on_bus(each);
        } catch (...) {
            failure = std::current_exception();
        }
        // One address that somebody else has must not keep the others off the bus.
        if (failure && !is_any_of(failure, {Errc::refused}))
            std::rethrow_exception(failure);
        if (failure) {
            log_.error("activity ", activity, " is off the bus: ", golem::describe(failure));
            continue;
        }
        // It was told to leave meanwhile, when there was nothing to leave.
        if (each->leaving.is_set() || each->gone.is_set()) {
            co_await take_off_bus(activity);
            continue;
        }
        each->reported.reset();
        each->wish.set();
    }
}

Task<> YagnaPort::Units::put_on_bus(std::shared_ptr<Hosted> hosted)
{
    const auto address = address_of(hosted->activity);
    const bus::Handler handler = [this, hosted](const bus::Call& call, bus::Answer& answer) {
        return serve(hosted, call, answer);
    };
    // Held: another one may take its place meanwhile.
    const auto connection = connection_;
    co_await connection->add_service(address, handler);
    hosted->placed = true;
}

Task<> YagnaPort::Units::take_off_bus(const std::string& activity)
{
    const auto address = address_of(activity);
    const auto connection = connection_;
    std::exception_ptr failure;
    try {
        co_await connection->remove_service(address);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.warning("could not take activity ", activity, " off the bus: ", golem::describe(failure));
}

// Until there is one, or the unit is not wanted any more.
Task<> YagnaPort::Units::wait_for_way(std::shared_ptr<Hosted> hosted)
{
    auto way = connected_.wait();
    auto leaving = hosted->leaving.wait();
    co_await first_of(std::move(way), std::move(leaving));
}

Task<> YagnaPort::Units::add(const std::string& activity, std::shared_ptr<ExeUnit> unit)
{
    const std::string operation = "put an exe-unit on the bus";
    // From now on it can be removed.
    const auto hosted = std::make_shared<Hosted>(executor_, activity, std::move(unit));
    hosted_[activity] = hosted;
    std::exception_ptr failure;
    try {
        auto way = wait_for_way(hosted);
        const bool decided = co_await with_timeout(time_, bus_wait, std::move(way), "the way to the bus");
        if (!decided)
            throw Error(Errc::unreachable, operation, "there is no connection to the daemon's service bus")
                .set_transient(true);
        if (!hosted->leaving.is_set())
            co_await put_on_bus(hosted);
        if (!hosted->leaving.is_set()) {
            const auto state = hosted->unit->state();
            co_await tell_state_(activity, state);
            hosted->reported = state;
        }
        if (hosted->leaving.is_set())
            throw Error(Errc::closed, operation, "its activity has ended meanwhile");
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        if (hosted->placed && hosted->leaving.is_set() && connected_.is_set() && !is_cancelled(failure))
            co_await take_off_bus(activity);
        hosted->gone.set();
        std::rethrow_exception(failure);
    }
    tasks_.spawn("reports of activity " + activity, [this, hosted] { return report(hosted); });
}

Task<> YagnaPort::Units::remove(const std::string& activity)
{
    const auto found = hosted_.find(activity);
    if (found == hosted_.end())
        co_return;
    const auto hosted = found->second;
    hosted->leaving.set();
    hosted->wish.set();
    auto quiet = hosted->idle.wait();
    co_await with_timeout(time_, last_words, std::move(quiet), "the last words of an exe-unit");
    if (connected_.is_set())
        co_await take_off_bus(activity);
    // A report that is late must not come after the end.
    auto end = hosted->gone.wait();
    co_await with_timeout(time_, report_wait, std::move(end), "the last report of an exe-unit");
    hosted_.erase(activity);
}

// Tells states as soon as they change, and usage all the time. Ends with a last report.
Task<> YagnaPort::Units::report(std::shared_ptr<Hosted> hosted)
{
    const auto& activity = hosted->activity;
    auto next_usage = time_.now();
    for (bool is_last = false; !is_last;) {
        is_last = hosted->leaving.is_set();
        hosted->wish.reset();
        std::exception_ptr failure;
        try {
            const auto state = hosted->unit->state();
            // The end is told with its reason, by others.
            if (state != hosted->reported && state.now != UnitState::terminated) {
                co_await tell_state_(activity, state);
                hosted->reported = state;
                hosted->reported_change.pulse();
            }
            const auto usage = hosted->unit->usage();
            if (usage && (is_last || time_.now() >= next_usage)) {
                next_usage = time_.deadline(options_.usage_interval);
                co_await report_usage_(activity, *usage);
            } else if (!usage) {
                next_usage = time_.now();
            }
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        const bool is_refused = failure && is_final(failure);
        if (is_refused && !std::exchange(hosted->refused, true))
            log_.warning("the daemon refuses reports of activity ", activity, ": ", golem::describe(failure));
        else if (failure)
            log_.debug("could not report activity ", activity, ": ", golem::describe(failure));
        else
            hosted->refused = false;
        if (is_last || hosted->leaving.is_set())
            continue;
        if (failure) {
            auto leaving = hosted->leaving.wait();
            const Duration delay = is_refused ? Duration(refused_delay) : Duration(retry_delay);
            co_await with_timeout(time_, delay, std::move(leaving), "another report of an exe-unit");
            next_usage = time_.now();
            continue;
        }
        // Until the first report there is nothing to tell.
        const auto most = std::max<Duration>(next_usage - time_.now(), std::chrono::milliseconds(100));
        const auto reported = hosted->reported.value_or(hosted->unit->state());
        if (reported.now == UnitState::terminated || hosted->unit->state().now == UnitState::terminated) {
            auto wish = hosted->wish.wait();
            co_await with_timeout(time_, most, std::move(wish), "the end of an exe-unit");
            continue;
        }
        auto change = hosted->unit->state_leaves(reported);
        auto wish = hosted->wish.wait();
        auto sleep = time_.sleep_for(most, "the next report of an exe-unit");
        co_await first_of(std::move(change), std::move(wish), std::move(sleep));
    }
    hosted->gone.set();
    hosted->reported_change.pulse();
}

// What a requestor has read of its commands it may ask the daemon about.
Task<> YagnaPort::Units::wait_for_report(std::shared_ptr<Hosted> hosted)
{
    const auto until = time_.deadline(report_wait);
    while (hosted->unit->state() != hosted->reported && hosted->unit->state().now != UnitState::terminated &&
           !hosted->gone.is_set() && time_.now() < until) {
        auto change = hosted->reported_change.wait();
        co_await with_timeout(time_, until - time_.now(), std::move(change), "a report of an exe-unit's state");
    }
}

Task<> YagnaPort::Units::serve(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer)
{
    ++hosted->calls;
    hosted->idle.reset();
    std::exception_ptr failure;
    try {
        co_await dispatch(hosted, call, answer);
    } catch (...) {
        failure = std::current_exception();
    }
    if (--hosted->calls == 0)
        hosted->idle.set();
    if (failure)
        std::rethrow_exception(failure);
}

Task<> YagnaPort::Units::dispatch(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer)
{
    const std::string component(call.component());
    try {
        if (component == "Exec")
            execute(*hosted, call, answer);
        else if (component == "GetExecBatchResults")
            co_await answer_results(hosted, call, answer);
        else if (component == "StreamExecBatchResults")
            co_await answer_stream(hosted, call, answer);
        else
            answer.finish(detail::error_body("badRequest", "this exe-unit does not know " + component));
    } catch (const Error& error) {
        switch (error.errc()) {
        case Errc::not_found: answer.finish(detail::error_body("notFound", error.their_words())); break;
        // The unit is gone already, and its address soon.
        case Errc::activity_lost: answer.fail(std::string(bus::address_not_found)); break;
        case Errc::protocol: answer.finish(detail::error_body("badRequest", error.explanation())); break;
        case Errc::invalid_input: answer.finish(detail::error_body("badRequest", error.their_words())); break;
        default: throw;
        }
    }
}

void YagnaPort::Units::execute(Hosted& hosted, const bus::Call& call, bus::Answer& answer)
{
    const auto exec = detail::read_exec(bus::decode(call.body()));
    hosted.unit->exec(exec.batch, exec.script);
    log_.debug("activity ", hosted.activity, " executes batch ", exec.batch);
    answer.finish(detail::ok_body(exec.batch));
}

Task<> YagnaPort::Units::answer_results(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer)
{
    const auto question = detail::read_results(bus::decode(call.body()));
    const auto outcomes = co_await hosted->unit->results(question.batch, question.wait, question.index);
    co_await wait_for_report(hosted);
    if (outcomes)
        answer.finish(detail::results_body(*outcomes));
    else
        answer.finish(detail::error_body("timeout", std::nullopt));
}

Task<> YagnaPort::Units::answer_stream(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer)
{
    const auto batch = detail::read_stream(bus::decode(call.body()));
    auto place = hosted->unit->follow(batch);
    for (bool is_over = false; !is_over;) {
        const auto news = co_await hosted->unit->events(batch, *place, stream_wait);
        for (const auto& event : news.events) {
            // The first command has always begun before a subscription takes effect.
            if (event.kind == BatchEvent::Kind::started && event.index == 0)
                continue;
            const auto body = detail::ok_body(detail::write_event(batch, event));
            co_await answer.part(body);
        }
        *place = news.next;
        is_over = news.is_over;
    }
    place.reset();
    // Without a word, as the stream of a real exe-unit: after its end the daemon tells its reader all the time.
    for (auto state = hosted->unit->state(); state.now != UnitState::terminated; state = hosted->unit->state())
        co_await hosted->unit->state_leaves(state);
    answer.finish();
}

} // namespace golem::provider
