#include <golem/provider/yagna_port.hpp>

#include "provider/failures.hpp"
#include "provider/yagna_calls.hpp"
#include "provider/yagna_codec.hpp"
#include "provider/yagna_units.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/http/url.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::provider {

namespace {

using http::Method;
using http::Request;
using http::Response;

constexpr auto repeat_delay = std::chrono::seconds(1);
constexpr auto longest_name = std::size_t(60);

constexpr auto market = "/market-api/v1/";
constexpr auto activity_api = "/activity-api/v1/";

std::string brief(const std::string& id) { return id.substr(0, longest_name); }

Error error_of(const std::string& operation, const Response& response)
{
    auto code = Errc::daemon_failed;
    const char* explanation = "the daemon reports a failure of its own";
    bool transient = false;
    switch (response.status()) {
    case 400:
        code = Errc::invalid_input;
        explanation = "the daemon refuses the request";
        break;
    case 401:
        code = Errc::unauthorized;
        explanation = "the daemon does not know this app key: `yagna app-key list` shows the keys it knows";
        break;
    case 403:
    case 409:
    case 410:
        code = Errc::refused;
        explanation = "the state of things does not allow it";
        break;
    case 404:
        code = Errc::not_found;
        explanation = "the daemon does not know it (any more)";
        break;
    case 408:
    case 504:
        code = Errc::timed_out;
        explanation = "the daemon, or the requestor's node behind it, did not answer in time";
        transient = true;
        break;
    default: transient = true; break;
    }
    Error error(code, operation, explanation);
    error.set_their_words(detail::words_of(response.body()));
    error.set_transient(transient);
    return error;
}

// May a request that got no answer be sent again at once, or is it known not to have arrived?
bool has_no_effect(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError& error) {
        return error.sent() == http::TransportError::Sent::no && error.errc() == Errc::unreachable;
    } catch (...) {
        return false;
    }
}

bool is_outage(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError& error) {
        return error.errc() == Errc::unreachable || error.errc() == Errc::timed_out;
    } catch (...) {
        return false;
    }
}

void require(bool condition, const char* member, const char* range)
{
    if (!condition)
        throw Error(
            Errc::invalid_input, "make a provider's port",
            std::string("YagnaPortOptions::") + member + " must be " + range);
}

} // namespace

YagnaPort::YagnaPort(
    const Executor& executor, TimeSource& time, std::shared_ptr<http::Transport> daemon,
    const YagnaPortOptions& options, const Random& random, Logger log)
    : time_(time), daemon_(std::move(daemon)), options_(options), log_(log.with_tag("port"))
{
    using namespace std::chrono_literals;
    require(!options.app_key.empty(), "app_key", "an app key of the daemon");
    require(options.usage_interval >= 100ms && options.usage_interval <= 3s, "usage_interval", "100 ms to 3 s");
    require(options.patience >= 0s && options.patience <= 8s, "patience", "0 to 8 s");
    require(options.first_contact >= 1s, "first_contact", "at least 1 s");
    log_.add_secret(options.app_key);
    auto ids = random.sub_stream("session");
    session_ = "golem-provider-" + ids.hex(16);
    // The clock of the daemon need not be ours. Sessions are new, so nothing old is told again.
    const auto past = time_.utc() - std::chrono::hours(24);
    agreements_read_ = past;
    activities_read_ = past;
    payments_read_ = {{PaymentEvent::Document::debit_note, past}, {PaymentEvent::Document::invoice, past}};
    const auto tell = [this](const std::string& activity, const UnitStatePair& state) -> Task<> {
        const std::string nothing;
        co_await set_state(activity, state, nothing, nothing);
    };
    const auto report = [this](const std::string& activity, const std::vector<double>& usage) -> Task<> {
        Request request(Method::post, "/_gsb/local/activity/SetActivityUsage");
        request.set_body(detail::write_usage(activity, usage, time_.utc())).set_limit(std::chrono::seconds(3));
        const std::string operation = "report usage";
        co_await succeed(operation, request);
    };
    units_ = std::make_unique<Units>(executor, time, options_, random, log_, tell, report);
}

YagnaPort::~YagnaPort() = default;

Task<Response> YagnaPort::exchange(const std::string& operation, const Request& request)
{
    Request signed_request(request);
    signed_request.headers().set("Authorization", "Bearer " + options_.app_key);
    auto response = co_await daemon_->send(signed_request);
    if (response.status() == 401)
        throw error_of(operation, response);
    co_return response;
}

Task<Response> YagnaPort::insist(const std::string& operation, const Request& request)
{
    const auto until = time_.deadline(options_.patience);
    for (;;) {
        std::exception_ptr failure;
        Response response;
        try {
            response = co_await exchange(operation, request);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure && response.is_success())
            co_return response;
        if (!failure)
            throw error_of(operation, response);
        const bool may_repeat = has_no_effect(failure) || (request.method() != Method::post && is_outage(failure));
        if (!may_repeat || time_.now() + repeat_delay > until)
            std::rethrow_exception(failure);
        co_await time_.sleep_for(repeat_delay, "a provider's daemon that is away");
    }
}

Task<Response> YagnaPort::succeed(const std::string& operation, const Request& request)
{
    auto response = co_await exchange(operation, request);
    if (!response.is_success())
        throw error_of(operation, response);
    co_return response;
}

Task<std::string> YagnaPort::poll(const std::string& operation, const std::string& target, Duration wait)
{
    Request request(Method::get, target);
    request.set_limit(wait + poll_margin).set_response_limit(64u << 20);
    const auto halfway = time_.deadline(wait / 2);
    const auto response = co_await exchange(operation, request);
    // The activity API's way of saying that nothing happened. A daemon that is too busy says it early.
    if (response.status() == 408 && time_.now() >= halfway)
        co_return std::string();
    if (!response.is_success())
        throw error_of(operation, response);
    co_return response.body();
}

void YagnaPort::note_left_out(const std::string& what, std::size_t count) const
{
    if (count > 0)
        log_.warning("did not understand ", count, " ", what);
}

Task<> YagnaPort::open()
{
    const auto until = time_.deadline(options_.first_contact);
    const std::string operation = "ask the daemon who we are";
    for (bool answered = false; !answered;) {
        Request request(Method::get, "/me");
        request.set_limit(std::max<Duration>(until - time_.now(), std::chrono::milliseconds(100)));
        std::exception_ptr failure;
        try {
            const auto response = co_await succeed(operation, request);
            node_id_ = detail::read_identity(response.body());
            answered = true;
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            continue;
        if (!is_outage(failure) || time_.now() + repeat_delay > until)
            std::rethrow_exception(failure);
        co_await time_.sleep_for(repeat_delay, "a daemon that is not there yet");
    }
    co_await units_->open(until);
}

Task<> YagnaPort::close() { co_await units_->close(); }

Task<std::string> YagnaPort::publish_offer(const Content& offer)
{
    Request request(Method::post, std::string(market) + "offers");
    request.set_body(detail::write_content(offer)).set_limit(call_limit);
    const std::string operation = "publish an offer";
    const auto response = co_await insist(operation, request);
    co_return detail::read_id(response.body());
}

Task<> YagnaPort::withdraw_offer(const std::string& offer)
{
    Request request(Method::del, std::string(market) + "offers/" + http::percent_encode(offer));
    request.set_limit(call_limit);
    const std::string operation = "withdraw offer " + brief(offer);
    bool gone = false;
    std::exception_ptr failure;
    try {
        co_await insist(operation, request);
    } catch (const http::TransportError&) {
        failure = std::current_exception();
    } catch (const Error& error) {
        // Withdrawn or expired before.
        gone = error.errc() == Errc::refused || error.errc() == Errc::not_found;
        failure = std::current_exception();
    }
    if (failure && !gone)
        std::rethrow_exception(failure);
}

Task<std::vector<MarketEvent>> YagnaPort::market_events(const std::string& offer, Duration wait)
{
    const auto target = std::string(market) + "offers/" + http::percent_encode(offer) +
                        "/events?maxEvents=100&timeout=" + seconds_text(wait);
    const std::string operation = "collect market events";
    const auto text = co_await poll(operation, target, wait);
    std::vector<MarketEvent> events;
    if (text.empty())
        co_return events;
    auto page = detail::read_market_events(text);
    note_left_out("market events", page.left_out);
    co_return std::move(page.events);
}

Task<std::string> YagnaPort::counter(const std::string& offer, const std::string& proposal, const Content& content)
{
    Request request(
        Method::post,
        std::string(market) + "offers/" + http::percent_encode(offer) + "/proposals/" + http::percent_encode(proposal));
    request.set_body(detail::write_content(content)).set_limit(peer_limit);
    const std::string operation = "counter proposal " + brief(proposal);
    const auto response = co_await insist(operation, request);
    co_return detail::read_id(response.body());
}

Task<> YagnaPort::reject(const std::string& offer, const std::string& proposal, const Reason& reason)
{
    Request request(
        Method::post, std::string(market) + "offers/" + http::percent_encode(offer) + "/proposals/" +
                          http::percent_encode(proposal) + "/reject");
    request.set_body(detail::write_reason(reason)).set_limit(peer_limit);
    const std::string operation = "reject proposal " + brief(proposal);
    co_await insist(operation, request);
}

// An approval without an answer may have been heard: the agreement itself tells.
Task<> YagnaPort::approve_agreement(const std::string& agreement)
{
    const auto path = std::string(market) + "agreements/" + http::percent_encode(agreement);
    Request request(
        Method::post,
        path + "/approve?timeout=" + seconds_text(peer_timeout) + "&appSessionId=" + http::percent_encode(session_));
    request.set_limit(peer_limit);
    const std::string operation = "approve agreement " + agreement;
    std::exception_ptr failure;
    try {
        co_await insist(operation, request);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure)
        co_return;
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    Request question(Method::get, path);
    question.set_limit(std::chrono::seconds(5));
    const std::string reading = "read agreement " + agreement;
    std::string state;
    std::exception_ptr unread;
    try {
        const auto response = co_await exchange(reading, question);
        if (response.is_success())
            state = detail::read_member(response.body(), "state");
    } catch (...) {
        unread = std::current_exception();
    }
    if (unread && is_cancelled(unread))
        std::rethrow_exception(unread);
    if (state != "Approved")
        std::rethrow_exception(failure);
}

Task<> YagnaPort::reject_agreement(const std::string& agreement, const Reason& reason)
{
    Request request(
        Method::post, std::string(market) + "agreements/" + http::percent_encode(agreement) +
                          "/reject?timeout=" + seconds_text(peer_timeout));
    request.set_body(detail::write_reason(reason)).set_limit(peer_limit);
    const std::string operation = "reject agreement " + agreement;
    co_await insist(operation, request);
}

Task<> YagnaPort::terminate_agreement(const std::string& agreement, const Reason& reason)
{
    Request request(Method::post, std::string(market) + "agreements/" + http::percent_encode(agreement) + "/terminate");
    request.set_body(detail::write_reason(reason)).set_limit(peer_limit);
    const std::string operation = "terminate agreement " + agreement;
    co_await insist(operation, request);
}

std::string YagnaPort::log_query(Timestamp after) const
{
    return "&appSessionId=" + http::percent_encode(session_) +
           "&afterTimestamp=" + http::percent_encode(format_timestamp(after));
}

// One of the daemon's logs, from where it was read last.
template <typename Event>
Task<std::vector<Event>> YagnaPort::read_log(
    const std::string& what, const std::string& path, Timestamp& read, Duration wait,
    detail::Page<Event> (*decode)(std::string_view))
{
    const auto target = path + "?timeout=" + seconds_text(wait) + log_query(read);
    const auto operation = "collect " + what;
    const auto text = co_await poll(operation, target, wait);
    std::vector<Event> events;
    if (text.empty())
        co_return events;
    auto page = decode(text);
    note_left_out(what, page.left_out);
    go_on(read, page, operation);
    co_return std::move(page.events);
}

Task<std::vector<AgreementEvent>> YagnaPort::agreement_events(Duration wait)
{
    const std::string what = "agreement events";
    const auto path = std::string(market) + "agreementEvents";
    auto events = co_await read_log(what, path, agreements_read_, wait, &detail::read_agreement_events);
    co_return events;
}

Task<std::vector<ActivityEvent>> YagnaPort::activity_events(Duration wait)
{
    const std::string what = "activity events";
    const auto path = std::string(activity_api) + "events";
    auto events = co_await read_log(what, path, activities_read_, wait, &detail::read_activity_events);
    co_return events;
}

Task<> YagnaPort::set_state(
    const std::string& activity, const UnitStatePair& state, const std::string& reason, const std::string& message)
{
    Request request(Method::put, std::string(activity_api) + "activity/" + http::percent_encode(activity) + "/state");
    request.set_body(detail::write_state(state, reason, message)).set_limit(std::chrono::seconds(5));
    const std::string operation = "tell the state of activity " + activity;
    co_await insist(operation, request);
}

Task<> YagnaPort::attach(const std::string& activity, std::shared_ptr<ExeUnit> unit)
{
    co_await units_->add(activity, std::move(unit));
}

Task<> YagnaPort::detach(const std::string& activity, const std::string& reason, const std::string& message)
{
    co_await units_->remove(activity);
    const UnitStatePair terminated{UnitState::terminated, std::nullopt};
    co_await set_state(activity, terminated, reason, message);
}

} // namespace golem::provider
