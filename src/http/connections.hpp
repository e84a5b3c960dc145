// Connections of a client: which there are, which are idle, and how one is made.
#pragma once

#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/http/client.hpp>
#include <golem/http/detail/wire.hpp>

#include "secure_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace golem::http::connections {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

// A waiting long poll should cost little: buffers start small, and grow while they come back full.
constexpr std::size_t first_read = 512;
constexpr std::size_t largest_read = 64 * 1024;
constexpr std::size_t header_limit = 16 * 1024;
// What the buffers of a socket surely take, and a server surely reads. The daemon refuses a larger body (no or a wrong
// key, more than 2 MiB of JSON) without having read it, keeps the connection, and never reads on.
constexpr std::size_t surely_read = 64 * 1024;

struct Connection {
    explicit Connection(const Executor& executor) : stream(executor) {}

    SecureStream stream;
    beast::flat_buffer buffer;
    Instant idle_since;
};

// The end of one attempt over one connection.
struct Attempt {
    enum class Failure {
        none,
        lost,    // The connection ended before the first byte of an answer.
        cut_off, // It ended within the answer.
        malformed,
        too_large,
        passed,  // The limit.
        stopped, // By cancellation or close().
    };

    Failure failure = Failure::none;
    error_code error;
    std::size_t written = 0;
    bool all_written = false;
    bool maybe_unread = false; // The answer to a large body may be one to its head alone.
    bool reusable = false;
    Response response;

    void fail(const error_code& code, bool answering)
    {
        error = code;
        if (code == beast::error::timeout)
            failure = Failure::passed;
        else if (code == asio::error::operation_aborted || code == asio::error::bad_descriptor)
            failure = Failure::stopped;
        else
            failure = answering ? Failure::cut_off : Failure::lost;
    }
};

// Outlives the transport while requests are under way.
struct State {
    State(const Executor& the_executor, TimeSource& the_time, const Url& url, const ClientOptions& the_options)
        : executor(the_executor), time(the_time), options(the_options), origin(url.to_string()),
          authority(origin.substr(origin.find("://") + 3)), host(url.host()), port(url.port()),
          tls(make_tls_context(url, options.tls)), resolver(executor), resolved(executor)
    {
        error_code error;
        const auto address = asio::ip::make_address(host, error);
        if (!error) {
            numeric = true;
            addresses.emplace_back(address, port);
        }
    }

    Executor executor;
    TimeSource& time;
    ClientOptions options;
    std::string origin;
    std::string authority;
    std::string host;
    std::uint16_t port;
    std::unique_ptr<asio::ssl::context> tls; // Null for http.

    // One lookup serves all who wait for it: it runs on a thread of asio's and cannot be interrupted.
    Tcp::resolver resolver;
    Event resolved;
    bool numeric = false;
    bool resolving = false;
    error_code resolve_error;
    std::vector<Tcp::endpoint> addresses;

    std::deque<std::unique_ptr<Connection>> idle; // The longest idle first.
    std::unordered_set<Connection*> active;
    bool closed = false;
};

// A connection during one request: dropped at the end unless it was given back.
class Lease {
public:
    explicit Lease(State& state) : state_(state) {}

    ~Lease() { drop(); }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Connection& connection() noexcept { return *connection_; }

    void open()
    {
        drop();
        connection_ = std::make_unique<Connection>(state_.executor);
        state_.active.insert(connection_.get());
    }

    // Takes the connection that was used last, if it is still good.
    bool take_idle()
    {
        drop();
        while (!state_.idle.empty()) {
            auto candidate = std::move(state_.idle.back());
            state_.idle.pop_back();
            if (state_.time.now() - candidate->idle_since > state_.options.idle_limit) {
                state_.idle.clear(); // The others are older still.
                return false;
            }
            // The other side may have closed it; bytes that nobody asked for spoil it as well.
            char byte = 0;
            error_code error;
            candidate->stream.socket().receive(asio::buffer(&byte, 1), Tcp::socket::message_peek, error);
            if (error == asio::error::would_block || error == asio::error::try_again) {
                connection_ = std::move(candidate);
                state_.active.insert(connection_.get());
                return true;
            }
        }
        return false;
    }

    void give_back()
    {
        state_.active.erase(connection_.get());
        if (state_.closed || state_.options.max_idle == 0) {
            connection_.reset();
            return;
        }
        if (connection_->buffer.capacity() > 8 * first_read)
            connection_->buffer.shrink_to_fit();
        connection_->idle_since = state_.time.now();
        state_.idle.push_back(std::move(connection_));
        if (state_.idle.size() > state_.options.max_idle)
            state_.idle.pop_front();
    }

    void drop()
    {
        if (connection_)
            state_.active.erase(connection_.get());
        connection_.reset();
    }

private:
    State& state_;
    std::unique_ptr<Connection> connection_;
};

[[noreturn]] inline void
fail(const Request& request, Errc code, std::string explanation, TransportError::Sent sent, bool transient)
{
    TransportError error(code, detail::describe(request), std::move(explanation), sent);
    error.set_transient(transient);
    throw error;
}

[[noreturn]] inline void fail_closed(const Request& request, TransportError::Sent sent)
{
    fail(request, Errc::closed, "the connection to the daemon was closed by this program", sent, false);
}

[[noreturn]] inline void fail_limit(const Request& request, const std::string& what, TransportError::Sent sent)
{
    fail(request, Errc::timed_out, what + " within " + detail::to_text(request.limit()), sent, true);
}

[[noreturn]] inline void fail_connecting(const State& state, const Request& request, const error_code& error)
{
    const std::string advice = "start the daemon (yagna service run) or correct YAGNA_API_URL";
    std::string text;
    if (error == asio::error::connection_refused)
        text = "nothing listens at " + state.origin + ": " + advice;
    else if (error == beast::error::timeout)
        text = "no connection to " + state.origin + " within " + detail::to_text(state.options.connect_limit) + ": " +
               advice;
    else
        text = "no connection to " + state.origin + " (" + error.message() + "): " + advice;
    fail(request, Errc::unreachable, std::move(text), TransportError::Sent::no, true);
}

// Both are of use and no more: nothing is lost if the system refuses.
inline void tune(Tcp::socket& socket)
{
    error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    // A stream may be silent for hours; one whose other side vanished without a word is noticed within a minute.
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    const auto set = [&](int option, int value) {
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
    };
    set(TCP_KEEPIDLE, 20);
    set(TCP_KEEPINTVL, 10);
    set(TCP_KEEPCNT, 4);
}

inline void start_lookup(const std::shared_ptr<State>& state)
{
    state->resolving = true;
    state->resolved.reset();
    state->resolver.async_resolve(
        state->host, std::to_string(state->port), Tcp::resolver::numeric_service,
        [state](const error_code& error, const Tcp::resolver::results_type& results) {
            state->resolving = false;
            state->resolve_error = error;
            state->addresses.clear();
            for (const auto& entry : results)
                state->addresses.push_back(entry.endpoint());
            state->resolved.set();
        });
}

// Refreshes the addresses of a name.
inline Task<> look_up(const std::shared_ptr<State>& state, const Request& request, Instant until)
{
    if (!state->resolving)
        start_lookup(state);
    auto wait = state->resolved.wait();
    const auto limit = until - state->time.now();
    const bool done = co_await with_timeout(state->time, limit, std::move(wait), "name lookup");
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    if (!done)
        fail_connecting(*state, request, beast::error::timeout);
    if (state->resolve_error || state->addresses.empty())
        fail(
            request, Errc::unreachable,
            "the name " + state->host + " cannot be resolved (" + state->resolve_error.message() +
                "): correct YAGNA_API_URL",
            TransportError::Sent::no, true);
}

inline Task<> connect(const std::shared_ptr<State>& state, Lease& lease, const Request& request, Instant deadline)
{
    const auto connect_deadline = state->time.deadline(state->options.connect_limit);
    const auto until = std::min(deadline, connect_deadline);
    if (!state->numeric)
        co_await look_up(state, request, until);

    const auto addresses = state->addresses;
    error_code error = asio::error::host_not_found;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        // One address that swallows packets must not use up the time of the others.
        const auto left = std::max(Duration(0), Duration(until - state->time.now()));
        const auto share = left / static_cast<long>(addresses.size() - i);
        lease.open();
        auto& stream = lease.connection().stream;
        stream.expires_at(std::min(until, state->time.deadline(share)));
        auto [outcome] = co_await stream.async_connect(addresses[i], asio::as_tuple(asio::deferred));
        error = outcome;
        if (state->closed)
            fail_closed(request, TransportError::Sent::no);
        if (!error) {
            stream.socket().non_blocking(true, error); // For the look at idle connections.
            tune(stream.socket());
        }
        if (!error && state->tls) {
            auto proof = shake_hands(stream, *state->tls, state->host, state->origin);
            const auto handshake = co_await std::move(proof);
            if (state->closed)
                fail_closed(request, TransportError::Sent::no);
            // No other address would prove more.
            if (!handshake.explanation.empty())
                fail(request, Errc::protocol, handshake.explanation, TransportError::Sent::no, false);
            error = handshake.error;
        }
        if (!error)
            co_return;
        if (error == asio::error::operation_aborted)
            throw boost::system::system_error(error);
    }
    if (error == beast::error::timeout && deadline <= connect_deadline)
        fail_limit(request, "no connection to " + state->origin, TransportError::Sent::no);
    fail_connecting(*state, request, error);
}

} // namespace golem::http::connections
