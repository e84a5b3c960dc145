#include <golem/http/client.hpp>

#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/http/detail/wire.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <deque>
#include <optional>
#include <unordered_set>
#include <utility>

namespace golem::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Parser = beast::http::response_parser<beast::http::string_body>;

// A waiting long poll should cost little: buffers start small, and grow while they come back full.
constexpr std::size_t first_read = 512;
constexpr std::size_t largest_read = 64 * 1024;
constexpr std::size_t header_limit = 16 * 1024;
// What the buffers of a socket surely take. A larger body may meet a server that answers and does not read on.
constexpr std::size_t surely_written = 64 * 1024;

struct Connection {
    explicit Connection(const Executor& executor) : stream(executor) {}

    beast::tcp_stream stream;
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
          authority(origin.substr(origin.find("://") + 3)), host(url.host()), port(url.port()), resolver(executor),
          resolved(executor)
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

private:
    void drop()
    {
        if (connection_)
            state_.active.erase(connection_.get());
        connection_.reset();
    }

    State& state_;
    std::unique_ptr<Connection> connection_;
};

[[noreturn]] void
fail(const Request& request, Errc code, std::string explanation, TransportError::Sent sent, bool transient)
{
    TransportError error(code, detail::describe(request), std::move(explanation), sent);
    error.set_transient(transient);
    throw error;
}

[[noreturn]] void fail_closed(const Request& request, TransportError::Sent sent)
{
    fail(request, Errc::closed, "the connection to the daemon was closed by this program", sent, false);
}

[[noreturn]] void fail_limit(const Request& request, const std::string& what, TransportError::Sent sent)
{
    fail(request, Errc::timed_out, what + " within " + detail::to_text(request.limit()), sent, true);
}

[[noreturn]] void fail_connecting(const State& state, const Request& request, const error_code& error)
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

void start_lookup(const std::shared_ptr<State>& state)
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
Task<> look_up(const std::shared_ptr<State>& state, const Request& request, Instant until)
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

Task<> connect(const std::shared_ptr<State>& state, Lease& lease, const Request& request, Instant deadline)
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
            error_code ignored;                        // Without it requests are only slower.
            stream.socket().set_option(Tcp::no_delay(true), ignored);
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

Task<> write(Connection& connection, const std::string& head, const std::string& body, Attempt& attempt)
{
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head), asio::buffer(body)};
    auto [error, written] = co_await asio::async_write(connection.stream, buffers, asio::as_tuple(asio::deferred));
    attempt.written = written;
    attempt.all_written = !error;
    if (error)
        attempt.fail(error, false);
}

Task<> answer_begins(Connection& connection)
{
    auto [error] =
        co_await connection.stream.socket().async_wait(Tcp::socket::wait_read, asio::as_tuple(asio::deferred));
    static_cast<void>(error); // The read that follows meets it again.
}

Task<> send_request(State& state, Connection& connection, const Request& request, Attempt& attempt)
{
    const std::string head = detail::request_head(request, state.authority);
    if (request.body().size() <= surely_written) {
        co_await write(connection, head, request.body(), attempt);
        co_return;
    }
    // A server that refuses a large body answers before it has read it, and reads no further.
    auto writing = write(connection, head, request.body(), attempt);
    auto watching = answer_begins(connection);
    co_await first_of(std::move(writing), std::move(watching));
    // An interrupted write is no failure then: the answer tells. After the caller's own cancellation the next await
    // throws.
    if (attempt.failure == Attempt::Failure::stopped && !state.closed)
        attempt.failure = Attempt::Failure::none;
}

// Reads one response; the parser is new.
Task<> read_response(Connection& connection, Parser& parser, Attempt& attempt)
{
    auto& buffer = connection.buffer;
    std::size_t amount = first_read;
    bool answering = false;
    while (!parser.is_done()) {
        if (buffer.size() == 0 || answering) {
            auto space = buffer.prepare(amount);
            auto [error, read] = co_await connection.stream.async_read_some(space, asio::as_tuple(asio::deferred));
            buffer.commit(read);
            if (error == asio::error::eof && answering) {
                error_code parse_error;
                parser.put_eof(parse_error);
                if (parse_error)
                    attempt.fail(error, true);
                co_return; // Without a length the end of the connection is the end of the body.
            }
            if (error) {
                attempt.fail(error, answering);
                co_return;
            }
            if (read == amount)
                amount = std::min(amount * 2, largest_read);
        }
        answering = true;
        error_code parse_error;
        buffer.consume(parser.put(buffer.data(), parse_error));
        // The body leaves the buffer at once; what stays and grows is a line without end.
        if (buffer.size() > header_limit + largest_read)
            parse_error = beast::http::error::header_limit;
        if (parse_error && parse_error != beast::http::error::need_more) {
            const bool large =
                parse_error == beast::http::error::body_limit || parse_error == beast::http::error::header_limit;
            attempt.error = parse_error;
            attempt.failure = large ? Attempt::Failure::too_large : Attempt::Failure::malformed;
            co_return;
        }
    }
}

Task<> try_once(State& state, Connection& connection, const Request& request, Instant deadline, Attempt& attempt)
{
    connection.stream.expires_at(deadline);
    co_await send_request(state, connection, request, attempt);
    // A server may have answered and closed before it had read everything: only a request that did not get out at all,
    // or the limit, makes it needless to look for an answer.
    const bool write_failed = attempt.failure != Attempt::Failure::none;
    if (write_failed && (attempt.failure != Attempt::Failure::lost || attempt.written == 0))
        co_return;
    attempt.failure = Attempt::Failure::none;

    std::optional<Parser> parser;
    do {
        parser.emplace();
        parser->eager(true);
        parser->skip(request.method() == Method::head);
        parser->header_limit(header_limit);
        parser->body_limit(request.response_limit());
        co_await read_response(connection, *parser, attempt);
        if (attempt.failure != Attempt::Failure::none)
            co_return;
    } while (parser->get().result_int() / 100 == 1); // 100 Continue and its like come before the answer.

    auto message = parser->release();
    Response response(message.result_int());
    for (const auto& field : message)
        response.headers().add(std::string(field.name_string()), std::string(field.value()));
    response.body() = std::move(message.body());
    attempt.response = std::move(response);
    attempt.reusable =
        attempt.all_written && message.keep_alive() && !message.need_eof() && connection.buffer.size() == 0;
}

[[noreturn]] void fail_attempt(const State& state, const Request& request, const Attempt& attempt)
{
    using Failure = Attempt::Failure;
    const auto sent = attempt.written == 0 ? TransportError::Sent::no : TransportError::Sent::unknown;
    switch (attempt.failure) {
    case Failure::passed: fail_limit(request, "no answer from " + state.origin, sent);
    case Failure::cut_off:
        fail(
            request, Errc::protocol, "the answer of " + state.origin + " was cut off (" + attempt.error.message() + ")",
            sent, true);
    case Failure::malformed:
        fail(
            request, Errc::protocol,
            state.origin + " does not answer in HTTP (" + attempt.error.message() +
                "): is it the daemon's REST port (YAGNA_API_URL)?",
            sent, false);
    case Failure::too_large:
        fail(
            request, Errc::protocol,
            "the answer of " + state.origin + " is larger than allowed (" + attempt.error.message() + ")", sent, false);
    case Failure::none:
    case Failure::lost:
    case Failure::stopped: break;
    }
    fail(
        request, Errc::unreachable,
        state.origin + " closed the connection without an answer (" + attempt.error.message() + ")", sent, true);
}

// A free function: the transport itself may be gone before its last request has ended.
Task<Response> exchange(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    const auto deadline = state->time.deadline(request.limit());
    Lease lease(*state);
    Attempt attempt;
    bool fresh = false;
    for (;;) {
        if (state->closed)
            fail_closed(request, TransportError::Sent::no);
        fresh = fresh || !lease.take_idle();
        if (fresh)
            co_await connect(state, lease, request, deadline);
        attempt = Attempt();
        co_await try_once(*state, lease.connection(), request, deadline, attempt);
        if (attempt.failure == Attempt::Failure::none)
            break;
        const auto sent = attempt.written == 0 ? TransportError::Sent::no : TransportError::Sent::unknown;
        if (state->closed)
            fail_closed(request, sent);
        if (attempt.failure == Attempt::Failure::stopped)
            throw boost::system::system_error(asio::error::operation_aborted);
        // A connection that was used before may have been closed by the other side at this very moment.
        const bool safe = attempt.written == 0 || detail::is_repeatable(request.method());
        if (fresh || attempt.failure != Attempt::Failure::lost || !safe)
            fail_attempt(*state, request, attempt);
        fresh = true;
    }
    if (attempt.reusable)
        lease.give_back();
    co_return std::move(attempt.response);
}

class Client final : public Transport {
public:
    Client(const Executor& executor, TimeSource& time, const Url& url, const ClientOptions& options)
        : state_(std::make_shared<State>(executor, time, url, options))
    {
    }

    ~Client() override { close(); }

    Task<Response> send(const Request& request) override { return exchange(state_, request); }

    void close() noexcept override
    {
        if (std::exchange(state_->closed, true))
            return;
        state_->idle.clear();
        for (auto* connection : state_->active)
            connection->stream.close();
        if (!state_->numeric) {
            state_->resolver.cancel();
            state_->resolved.pulse();
        }
    }

    const std::string& origin() const noexcept override { return state_->origin; }

private:
    std::shared_ptr<State> state_;
};

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "make HTTP transport", explanation);
}

} // namespace

std::shared_ptr<Transport>
make_transport(const Executor& executor, TimeSource& time, const Url& url, const ClientOptions& options)
{
    if (time.is_virtual())
        refuse("sockets take real time: use RealTime, or the in-process transport in virtual time");
    if (url.is_tls())
        refuse("https is not supported yet: use http:// (the daemon listens on loopback without TLS)");
    if (options.connect_limit <= Duration(0))
        refuse("ClientOptions::connect_limit must be more than zero");
    if (options.idle_limit < Duration(0))
        refuse("ClientOptions::idle_limit must not be negative");
    return std::make_shared<Client>(executor, time, url, options);
}

} // namespace golem::http
