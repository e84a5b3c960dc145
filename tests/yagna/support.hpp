// A daemon that follows a script, and a client that speaks to it in virtual time.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/virtual_time.hpp>
#include <golem/http/transport.hpp>
#include <golem/yagna/client.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace golem::yagna::test {

using Sent = http::TransportError::Sent;

/// What the scripted daemon does about one request.
struct Reply {
    std::optional<http::Response> response;
    std::optional<http::TransportError> failure;
    Duration delay{0}; ///< Before either; longer than the request's limit ends in timed_out.
};

inline Reply answer(unsigned status, std::string body = {}, std::string content_type = "application/json")
{
    Reply reply;
    reply.response =
        body.empty() ? http::Response(status) : http::Response(status, std::move(body), std::move(content_type));
    return reply;
}

inline Reply refused_connection()
{
    Reply reply;
    reply.failure.emplace(Errc::unreachable, "connect", "connection refused", Sent::no);
    return reply;
}

inline Reply cut_off()
{
    Reply reply;
    reply.failure.emplace(Errc::unreachable, "receive", "the connection was closed", Sent::unknown);
    return reply;
}

inline Reply hang()
{
    Reply reply;
    reply.delay = Duration::max();
    return reply;
}

class ScriptedTransport final : public http::Transport {
public:
    explicit ScriptedTransport(VirtualTime& time) : time_(time) {}

    /// The next request gets `reply`.
    void expect(Reply reply) { script_.push_back(std::move(reply)); }
    /// Requests beyond the script get it, for ever.
    void always(Reply reply) { rest_ = std::move(reply); }

    Task<http::Response> send(const http::Request& request) override
    {
        requests.push_back(request);
        times.push_back(time_.elapsed());
        if (script_.empty() && !rest_)
            throw std::logic_error("no answer to " + request.target());
        Reply reply = script_.empty() ? *rest_ : script_.front();
        if (!script_.empty())
            script_.pop_front();
        const bool in_time = reply.delay <= request.limit();
        const Duration delay = std::min(reply.delay, request.limit());
        if (delay > Duration::zero())
            co_await time_.sleep_for(delay, "the daemon takes its time");
        if (!in_time)
            throw http::TransportError(Errc::timed_out, "receive", "no answer came", Sent::unknown);
        if (reply.failure)
            throw *reply.failure;
        co_return *std::move(reply.response);
    }

    void close() noexcept override {}
    const std::string& origin() const noexcept override { return origin_; }

    std::vector<http::Request> requests;
    std::vector<Duration> times;

private:
    VirtualTime& time_;
    std::deque<Reply> script_;
    std::optional<Reply> rest_;
    std::string origin_ = "http://127.0.0.1:7465";
};

/// What a call ended in.
struct Outcome {
    std::optional<Errc> code; ///< Nothing: it succeeded.
    std::string text;
    std::string their_words;
    bool transient = false;
    GaveUp gave_up = GaveUp::not_tried_again;
    std::optional<Sent> sent;
    Duration took{0};
    std::vector<http::Request> requests;
    std::vector<Duration> times;
    std::vector<std::string> log;
    bool contacted = false;
};

using Script = std::function<void(ScriptedTransport&)>;
using Call = std::function<Task<>(Client&)>;

constexpr const char* app_key = "secret-app-key-0123";

/// Makes one call to a scripted daemon. `options` are those of the caller.
inline Outcome make_call(const Script& script, const Call& call, const CallerOptions& options = CallerOptions())
{
    Outcome outcome;
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        auto transport = std::make_shared<ScriptedTransport>(time);
        script(*transport);
        Logger log([&](LogLevel level, std::string_view line) {
            outcome.log.push_back(std::string(to_string(level)) + ": " + std::string(line));
        });
        Client client(transport, app_key, time, Random(1), log, options);
        try {
            co_await call(client);
        } catch (const Error& error) {
            outcome.code = error.errc();
            outcome.text = error.what();
            outcome.their_words = error.their_words();
            outcome.transient = error.is_transient();
            outcome.gave_up = error.gave_up();
            if (const auto* unanswered = dynamic_cast<const http::TransportError*>(&error))
                outcome.sent = unanswered->sent();
        }
        outcome.took = time.elapsed();
        outcome.requests = transport->requests;
        outcome.times = transport->times;
        outcome.contacted = client.caller().contacted();
    });
    return outcome;
}

/// The same for a daemon that gives one answer.
inline Outcome make_call(const Reply& reply, const Call& call)
{
    return make_call([&](ScriptedTransport& daemon) { daemon.expect(reply); }, call);
}

inline std::string read_file(const std::string& name)
{
    std::ifstream file(std::string(GOLEM_TEST_DATA) + "/yagna/" + name);
    if (!file)
        throw std::runtime_error("no test data " + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A header of a request, or empty.
inline std::string header(const http::Request& request, std::string_view name)
{
    return std::string(request.headers().get(name).value_or(""));
}

} // namespace golem::yagna::test
