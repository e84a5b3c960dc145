#pragma once

#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/retry.hpp>
#include <golem/core/task.hpp>
#include <golem/http/transport.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::yagna {

struct CallerOptions {
    /// How long the very first call goes on trying to reach a daemon. Later a silent daemon is an outage.
    Duration first_contact = std::chrono::seconds(10);
    /// How long a repeatable call waits out an outage before it fails; clean-up sets limits of its own around it.
    Duration outage_patience = std::chrono::minutes(5);
    /// From request to answer, for calls that do not wait on purpose.
    Duration call_limit = std::chrono::seconds(30);
    /// The largest answer accepted, in bytes.
    std::size_t response_limit = 8u << 20;
};

/// How a call may be treated when it fails; written beside each call of the API classes.
struct CallClass {
    /// Shown in errors: "create agreement".
    std::string_view operation;
    Idempotency idempotency = Idempotency::repeatable;
    /// How long the daemon itself may hold the request; the limit is this plus a margin (5 s), or call_limit if zero.
    Duration server_wait{0};
    /// Overrides the limit altogether if more than zero; such a call is not repeated after its limit passed.
    Duration limit{0};
    /// Overrides CallerOptions::response_limit if more than zero.
    std::size_t response_limit = 0;
};

/// The answer to an API call. Not every status is an error: the API classes decide by one table.
using Answer = http::Response;

/// Adds the app key, bounds, repeats where that is safe, and turns failures into golem::Error:
/// unreachable, unauthorized (401), invalid_input (400), not_found (404), refused (409, 410), timed_out (408, 504 and
/// limits), insufficient_funds, activity_lost (500 "GSB error … endpoint address not found" and its kin),
/// daemon_failed (5xx), protocol (an answer that cannot be understood). The daemon's words are in Error::their_words().
class Caller {
public:
    Caller(
        std::shared_ptr<http::Transport> transport, std::string app_key, TimeSource& time, Random random, Logger log,
        const CallerOptions& options);
    ~Caller();

    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    /// Sends, repeats as `call` allows, returns a success (2xx) or throws. `request` and `call` outlive the await.
    Task<Answer> call(const CallClass& call, http::Request& request);
    /// The same, but hands a status for which `expected` is listed (e.g. {408, 410}) back instead of throwing.
    Task<Answer> call(const CallClass& call, http::Request& request, const std::vector<unsigned>& expected);

    /// Opens an answer that comes in pieces and never ends, once: who reads it knows how to go on after a failure. Its
    /// head may come as late as CallClass::limit (0: within call_limit); then silence has no limit. A status that is no
    /// success throws. `call` and `request` outlive the await, not the stream.
    Task<std::unique_ptr<http::ResponseStream>> open(const CallClass& call, http::Request& request);

    /// Asks for a websocket, once. Whatever the daemon answers instead throws, as an answer that is no success does.
    /// CallClass::limit (0: call_limit) holds until then. `call` and `request` outlive the await, not the websocket.
    Task<std::unique_ptr<http::WebSocket>> open_websocket(const CallClass& call, http::Request& request);

    /// True once the daemon has answered anything.
    bool contacted() const noexcept { return contacted_; }
    void close() noexcept { transport_->close(); }
    http::Transport& transport() noexcept { return *transport_; }
    TimeSource& time() noexcept { return time_; }
    const Logger& log() const noexcept { return log_; }

private:
    Task<Answer> send(http::Transport& transport, const http::Request& request);
    Task<> exchange(http::Transport& transport, const http::Request& request, std::optional<Answer>& answer);
    Task<> watch_first_contact(http::Transport& transport, Duration patience);
    http::TransportError explain(
        const http::TransportError& failure, const std::string& operation, http::TransportError::Sent sent,
        bool contacted, Duration limit) const;
    Error explain(const Answer& answer, const std::string& operation, const std::string& target) const;

    std::shared_ptr<http::Transport> transport_;
    std::string app_key_;
    TimeSource& time_;
    Random random_;
    Logger log_;
    CallerOptions options_;
    bool contacted_ = false;
    // The log has told that the daemon is silent. Any call's answer shows the end of it, a long poll's comes late.
    std::optional<Instant> silent_since_;
};

} // namespace golem::yagna
