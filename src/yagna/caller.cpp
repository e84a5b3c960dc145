#include <golem/yagna/caller.hpp>

#include <golem/core/race.hpp>
#include <golem/yagna/detail/call_policy.hpp>
#include <golem/yagna/detail/error_mapping.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

namespace golem::yagna {

namespace {

/// From this failed attempt on the log tells about it: one or two are everyday life.
constexpr int noteworthy_attempts = 3;

/// For an answer that any daemon has at once.
constexpr Duration probe_limit = std::chrono::seconds(3);

std::string seconds_text(Duration duration)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g s", std::chrono::duration<double>(duration).count());
    return text;
}

/// The app key must not come back in an error, whatever the other side echoes.
std::string without(std::string text, const std::string& secret)
{
    constexpr std::size_t shortest_secret = 4;
    if (secret.size() < shortest_secret)
        return text;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at))
        text.replace(at, secret.size(), "***");
    return text;
}

std::string sentence(const http::TransportError& failure, const std::string& origin, bool contacted, Duration limit)
{
    // A transport that names the place has said it all.
    if (failure.explanation().find(origin) != std::string::npos)
        return failure.explanation();
    const auto theirs = " (" + failure.explanation() + ")";
    switch (failure.errc()) {
    case Errc::unreachable:
        if (contacted)
            return "the daemon at " + origin + " no longer answers" + theirs;
        return "no daemon answers at " + origin + theirs +
               ": start one with `yagna service run`, or set YAGNA_API_URL to where it listens";
    case Errc::timed_out: return "the daemon at " + origin + " did not answer within " + seconds_text(limit) + theirs;
    default: return failure.explanation();
    }
}

/// A failed attempt: the exception that it becomes if it was the last one, and what the decision needs to know.
class Failure {
public:
    Failure(http::TransportError error) : error_(std::move(error))
    {
        const auto& failure = std::get<http::TransportError>(error_);
        facts_.code = failure.errc();
        facts_.transient = failure.is_transient();
        facts_.may_have_been_executed = failure.sent() != http::TransportError::Sent::no;
    }

    Failure(Error error, unsigned status) : error_(std::move(error))
    {
        const auto& failure = std::get<Error>(error_);
        facts_.code = failure.errc();
        facts_.transient = failure.is_transient();
        facts_.answered = true;
        facts_.status = status;
    }

    const detail::AttemptFailure& facts() const noexcept { return facts_; }

    std::string text() const
    {
        return std::visit([](const auto& error) { return std::string(error.what()); }, error_);
    }

    [[noreturn]] void raise(const RetryDecision& decision)
    {
        std::visit(
            [&](auto& error) {
                error.set_gave_up(decision.reason, decision.detail);
                throw error;
            },
            error_);
        std::abort(); // One of the two was thrown.
    }

private:
    std::variant<http::TransportError, Error> error_;
    detail::AttemptFailure facts_;
};

} // namespace

Caller::Caller(
    std::shared_ptr<http::Transport> transport, std::string app_key, TimeSource& time, Random random, Logger log,
    const CallerOptions& options)
    : transport_(std::move(transport)), app_key_(std::move(app_key)), time_(time), random_(random),
      log_(std::move(log)), options_(options)
{
    log_.add_secret(app_key_);
}

Caller::~Caller() = default;

Task<Answer> Caller::call(const CallClass& call, http::Request& request)
{
    static const std::vector<unsigned> none;
    return this->call(call, request, none);
}

Task<Answer> Caller::call(const CallClass& call, http::Request& request, const std::vector<unsigned>& expected)
{
    const auto transport = transport_;
    const std::string operation(call.operation);
    request.headers().set("Authorization", "Bearer " + app_key_);
    request.set_response_limit(call.response_limit > 0 ? call.response_limit : options_.response_limit);

    const auto start = time_.now();
    detail::CallProgress progress;
    std::optional<Backoff> backoff;
    auto sent = http::TransportError::Sent::no;
    std::optional<Instant> unanswered_since;
    for (;;) {
        progress.contacted = contacted_;
        const auto limit = detail::attempt_limit(call, options_, progress);
        request.set_limit(limit);
        const auto asked = time_.now();

        Answer answer;
        std::optional<http::TransportError> unanswered;
        try {
            answer = co_await send(*transport, request);
        } catch (const http::TransportError& failure) {
            unanswered.emplace(failure);
        }

        ++progress.attempts;
        progress.elapsed = time_.now() - start;
        if (!unanswered) {
            contacted_ = true;
            ++progress.answered;
            if (const auto since = std::exchange(silent_since_, std::nullopt))
                log_.info(operation, ": the daemon answers again, after ", seconds_text(time_.now() - *since));
            if (answer.is_success() || std::ranges::find(expected, answer.status()) != expected.end())
                co_return answer;
        }
        progress.contacted = contacted_;

        std::optional<Failure> failure;
        if (unanswered) {
            unanswered_since = unanswered_since.value_or(time_.now());
            if (unanswered->sent() != http::TransportError::Sent::no)
                sent = unanswered->sent();
            const auto waited = std::min(limit, time_.now() - asked);
            failure.emplace(explain(*unanswered, operation, sent, contacted_, waited));
        } else {
            failure.emplace(explain(answer, operation, request.target()), answer.status());
        }
        const auto decision = detail::decide_call(call, options_, progress, failure->facts());
        if (!decision)
            failure->raise(decision);

        if (!backoff)
            backoff.emplace(RetryPolicy(), Random(random_.next()));
        const auto delay = detail::pause(call, options_, progress, backoff->next());
        if (progress.attempts >= noteworthy_attempts) {
            log_.warning(
                failure->text(), "; attempt ", progress.attempts, " failed, the next one follows in ",
                seconds_text(delay));
            if (unanswered && !silent_since_)
                silent_since_ = unanswered_since;
        }
        co_await time_.sleep_for(delay, "before calling the daemon again");
        progress.elapsed = time_.now() - start;
    }
}

Task<std::unique_ptr<http::ResponseStream>> Caller::open(const CallClass& call, http::Request& request)
{
    const auto transport = transport_;
    const std::string operation(call.operation);
    const auto limit = call.limit > Duration::zero() ? call.limit : options_.call_limit;
    request.headers().set("Authorization", "Bearer " + app_key_);
    request.set_limit(limit).set_idle_limit(Duration::max());
    request.set_response_limit(std::numeric_limits<std::size_t>::max());
    std::unique_ptr<http::ResponseStream> stream;
    std::optional<http::TransportError> unanswered;
    try {
        stream = co_await transport->open(request);
    } catch (const http::TransportError& failure) {
        unanswered.emplace(failure);
    }
    if (unanswered)
        throw explain(*unanswered, operation, unanswered->sent(), contacted_, limit);
    contacted_ = true;
    if (stream->head().is_success())
        co_return stream;
    Answer answer = stream->head();
    std::optional<std::string> words;
    try {
        auto reading = http::read_all(*stream, options_.response_limit);
        words = co_await with_timeout(time_, limit, std::move(reading), "the words of a refusal");
    } catch (const http::TransportError&) { // The status says enough.
    }
    answer.body() = std::move(words).value_or(std::string());
    throw explain(answer, operation, request.target());
}

Task<std::unique_ptr<http::WebSocket>> Caller::open_websocket(const CallClass& call, http::Request& request)
{
    const auto transport = transport_;
    const std::string operation(call.operation);
    const auto limit = call.limit > Duration::zero() ? call.limit : options_.call_limit;
    request.headers().set("Authorization", "Bearer " + app_key_);
    request.set_limit(limit);
    http::WebSocketAnswer answer;
    std::optional<http::TransportError> unanswered;
    try {
        answer = co_await transport->open_websocket(request);
    } catch (const http::TransportError& failure) {
        unanswered.emplace(failure);
    }
    if (unanswered)
        throw explain(*unanswered, operation, unanswered->sent(), contacted_, limit);
    contacted_ = true;
    if (!answer.socket)
        throw explain(answer.response, operation, request.target());
    co_return std::move(answer.socket);
}

// A call that may take long, an allocation say, is not what shows that nobody is there: that is asked meanwhile.
Task<Answer> Caller::send(http::Transport& transport, const http::Request& request)
{
    if (contacted_ || request.limit() <= options_.first_contact) {
        auto plain = co_await transport.send(request);
        co_return plain;
    }
    std::optional<Answer> answer;
    auto sent = exchange(transport, request, answer);
    auto watch = watch_first_contact(transport, options_.first_contact);
    co_await first_of(std::move(sent), std::move(watch));
    if (!answer)
        throw http::TransportError(
            Errc::timed_out, "send", "it accepts connections, but does not even tell its version",
            http::TransportError::Sent::unknown);
    co_return std::move(*answer);
}

Task<> Caller::exchange(http::Transport& transport, const http::Request& request, std::optional<Answer>& answer)
{
    answer = co_await transport.send(request);
}

// Completes only if the daemon is silent.
Task<> Caller::watch_first_contact(http::Transport& transport, Duration patience)
{
    co_await time_.sleep_for(patience, "first contact with the daemon");
    http::Request probe(http::Method::get, "/version/get");
    probe.set_limit(probe_limit);
    try {
        co_await transport.send(probe);
        contacted_ = true;
    } catch (const http::TransportError&) {
    }
    if (contacted_)
        co_await time_.sleep_until(Instant::max(), "a daemon that takes its time");
}

http::TransportError Caller::explain(
    const http::TransportError& failure, const std::string& operation, http::TransportError::Sent sent, bool contacted,
    Duration limit) const
{
    auto text = sentence(failure, transport_->origin(), contacted, limit);
    http::TransportError error(failure.errc(), operation, without(std::move(text), app_key_), sent);
    error.set_transient(
        failure.errc() == Errc::unreachable || failure.errc() == Errc::timed_out || failure.is_transient());
    return error;
}

Error Caller::explain(const Answer& answer, const std::string& operation, const std::string& target) const
{
    const auto content_type = answer.content_type();
    detail::FailedAnswer failed;
    failed.operation = operation;
    failed.target = target;
    failed.status = answer.status();
    failed.content_type = content_type;
    failed.body = answer.body();
    auto error = detail::to_error(failed);
    error.set_their_words(without(error.their_words(), app_key_));
    return error;
}

} // namespace golem::yagna
