#include <golem/http/client.hpp>

#include "connections.hpp"
#include "websocket_client.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <optional>
#include <utility>

namespace golem::http {

namespace {

using namespace connections;
using Parser = beast::http::response_parser<beast::http::string_body>;

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
    attempt.maybe_unread = request.body().size() > surely_read;
    // Through TLS, bytes that come are no sign of an answer yet.
    if (!attempt.maybe_unread || connection.stream.is_secure()) {
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

// How far a response has been read.
struct Reading {
    std::size_t amount = first_read;
    bool answering = false;
    bool ended = false; // Without a length the end of the connection is the end of the body.
};

// Reads once, unless there are bytes already, and parses what came.
template <typename Parser>
Task<> advance(Connection& connection, Parser& parser, Reading& reading, Attempt& attempt)
{
    auto& buffer = connection.buffer;
    if (buffer.size() == 0 || reading.answering) {
        auto space = buffer.prepare(reading.amount);
        auto [error, read] = co_await connection.stream.async_read_some(space, asio::as_tuple(asio::deferred));
        buffer.commit(read);
        if (error == asio::error::eof && reading.answering) {
            error_code parse_error;
            parser.put_eof(parse_error);
            if (parse_error)
                attempt.fail(error, true);
            reading.ended = true;
            co_return;
        }
        if (error) {
            attempt.fail(error, reading.answering);
            co_return;
        }
        if (read == reading.amount)
            reading.amount = std::min(reading.amount * 2, largest_read);
    }
    reading.answering = true;
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
    }
}

template <typename Parser>
void prepare(Parser& parser, const Request& request)
{
    parser.eager(true);
    parser.skip(request.method() == Method::head);
    parser.header_limit(header_limit);
    parser.body_limit(request.response_limit());
}

// False if there is no answer to be expected.
Task<bool>
write_request(State& state, Connection& connection, const Request& request, Instant deadline, Attempt& attempt)
{
    connection.stream.expires_at(deadline);
    co_await send_request(state, connection, request, attempt);
    // A server may have answered and closed before it had read everything: only a request that did not get out at all,
    // or the limit, makes it needless to look for an answer.
    const bool write_failed = attempt.failure != Attempt::Failure::none;
    if (write_failed && (attempt.failure != Attempt::Failure::lost || attempt.written == 0))
        co_return false;
    attempt.failure = Attempt::Failure::none;
    co_return true;
}

template <typename Message>
Response head_of(const Message& message)
{
    Response response(message.result_int());
    for (const auto& field : message)
        response.headers().add(std::string(field.name_string()), std::string(field.value()));
    return response;
}

// Reads until `is_enough(parser)`. 100 Continue and its like come before the answer, and are skipped.
template <typename Parser, typename Enough>
Task<> read_answer(
    Connection& connection, std::optional<Parser>& parser, const Request& request, Reading& reading, Attempt& attempt,
    Enough is_enough)
{
    do {
        parser.emplace();
        prepare(*parser, request);
        const auto amount = reading.amount;
        reading = Reading();
        reading.amount = amount;
        while (!is_enough(*parser) && !reading.ended && attempt.failure == Attempt::Failure::none)
            co_await advance(connection, *parser, reading, attempt);
        if (attempt.failure != Attempt::Failure::none)
            co_return;
    } while (parser->get().result_int() / 100 == 1);
}

template <typename Message>
bool is_reusable(const Connection& connection, const Attempt& attempt, const Message& message)
{
    const bool request_was_read = attempt.all_written && (!attempt.maybe_unread || message.result_int() / 100 == 2);
    return request_was_read && message.keep_alive() && !message.need_eof() && connection.buffer.size() == 0;
}

Task<> try_once(State& state, Connection& connection, const Request& request, Instant deadline, Attempt& attempt)
{
    const bool expecting = co_await write_request(state, connection, request, deadline, attempt);
    if (!expecting)
        co_return;
    std::optional<Parser> parser;
    Reading reading;
    const auto is_done = [](const Parser& one) { return one.is_done(); };
    co_await read_answer(connection, parser, request, reading, attempt, is_done);
    if (attempt.failure != Attempt::Failure::none)
        co_return;
    auto message = parser->release();
    attempt.response = head_of(message);
    attempt.response.body() = std::move(message.body());
    attempt.reusable = is_reusable(connection, attempt, message);
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

// Sends on an idle connection or a new one, and once more on a new one where that is safe, until `attempt_once` got an
// answer: the lease then holds its connection.
template <typename AttemptOnce>
Task<> converse(
    const std::shared_ptr<State>& state, const Request& request, Instant deadline, Lease& lease, Attempt& attempt,
    const AttemptOnce& attempt_once)
{
    bool fresh = false;
    for (;;) {
        if (state->closed)
            fail_closed(request, TransportError::Sent::no);
        fresh = fresh || !lease.take_idle();
        if (fresh)
            co_await connect(state, lease, request, deadline);
        attempt = Attempt();
        co_await attempt_once(lease.connection());
        if (attempt.failure == Attempt::Failure::none)
            co_return;
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
}

// A free function: the transport itself may be gone before its last request has ended.
Task<Response> exchange(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    const auto deadline = state->time.deadline(request.limit());
    Lease lease(*state);
    Attempt attempt;
    const auto once = [&](Connection& connection) { return try_once(*state, connection, request, deadline, attempt); };
    co_await converse(state, request, deadline, lease, attempt, once);
    if (attempt.reusable)
        lease.give_back();
    co_return std::move(attempt.response);
}

// A body that is taken away as it comes.
struct PieceBody {
    using value_type = std::string;

    class reader {
    public:
        template <bool is_request, typename Fields>
        reader(beast::http::header<is_request, Fields>&, value_type& body) : body_(body)
        {
        }

        void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }

        template <typename Buffers>
        std::size_t put(const Buffers& buffers, error_code& error)
        {
            error = {};
            std::size_t total = 0;
            for (const asio::const_buffer part : beast::buffers_range_ref(buffers)) {
                body_.append(static_cast<const char*>(part.data()), part.size());
                total += part.size();
            }
            return total;
        }

        void finish(error_code& error) { error = {}; }

    private:
        value_type& body_;
    };
};

class ClientStream final : public ResponseStream {
public:
    ClientStream(std::shared_ptr<State> state, const Request& request)
        : state_(std::move(state)), request_(request), lease_(*state_)
    {
        request_.set_body(std::string(), std::string());
    }

    // `request` is the whole one.
    Task<> open(const Request& request)
    {
        const auto deadline = state_->time.deadline(request.limit());
        const auto once = [&](Connection& connection) { return try_to_open(connection, request, deadline); };
        co_await converse(state_, request, deadline, lease_, attempt_, once);
        head_ = head_of(parser_->get());
        if (parser_->is_done())
            finish();
    }

    const Response& head() const noexcept override { return head_; }

    Task<std::optional<std::string>> read() override
    {
        std::optional<std::string> piece;
        while (is_open_ && parser_->get().body().empty())
            co_await step();
        if (parser_ && !parser_->get().body().empty())
            piece = std::exchange(parser_->get().body(), std::string());
        co_return piece;
    }

private:
    using PieceParser = beast::http::response_parser<PieceBody>;

    Task<> try_to_open(Connection& connection, const Request& request, Instant deadline)
    {
        const bool expecting = co_await write_request(*state_, connection, request, deadline, attempt_);
        if (!expecting)
            co_return;
        const auto has_head = [](const PieceParser& one) { return one.is_header_done(); };
        co_await read_answer(connection, parser_, request, reading_, attempt_, has_head);
    }

    Task<> step()
    {
        auto& connection = lease_.connection();
        if (request_.idle_limit() == Duration::max())
            connection.stream.expires_never();
        else
            connection.stream.expires_after(request_.idle_limit());
        co_await advance(connection, *parser_, reading_, attempt_);
        if (attempt_.failure == Attempt::Failure::none) {
            if (parser_->is_done())
                finish();
            co_return;
        }
        is_open_ = false;
        parser_.reset();
        lease_.drop();
        if (state_->closed)
            fail_closed(request_, TransportError::Sent::unknown);
        if (attempt_.failure == Attempt::Failure::stopped)
            throw boost::system::system_error(asio::error::operation_aborted);
        if (attempt_.failure == Attempt::Failure::passed)
            fail(
                request_, Errc::timed_out,
                state_->origin + " sent nothing for " + detail::to_text(request_.idle_limit()),
                TransportError::Sent::unknown, true);
        fail_attempt(*state_, request_, attempt_);
    }

    void finish()
    {
        is_open_ = false;
        if (is_reusable(lease_.connection(), attempt_, parser_->get()))
            lease_.give_back();
        else
            lease_.drop();
    }

    std::shared_ptr<State> state_;
    Request request_;
    Lease lease_;
    Attempt attempt_;
    Reading reading_;
    std::optional<PieceParser> parser_;
    Response head_;
    bool is_open_ = true;
};

Task<std::unique_ptr<ResponseStream>> open_stream(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    auto stream = std::make_unique<ClientStream>(state, request);
    co_await stream->open(request);
    co_return stream;
}

class Client final : public Transport {
public:
    Client(const Executor& executor, TimeSource& time, const Url& url, const ClientOptions& options)
        : state_(std::make_shared<State>(executor, time, url, options))
    {
    }

    ~Client() override { close(); }

    Task<Response> send(const Request& request) override { return exchange(state_, request); }

    Task<std::unique_ptr<ResponseStream>> open(const Request& request) override { return open_stream(state_, request); }

    Task<WebSocketAnswer> open_websocket(const Request& request) override
    {
        return connections::open_websocket(state_, request);
    }

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
    if (options.connect_limit <= Duration(0))
        refuse("ClientOptions::connect_limit must be more than zero");
    if (options.idle_limit < Duration(0))
        refuse("ClientOptions::idle_limit must not be negative");
    return std::make_shared<Client>(executor, time, url, options);
}

} // namespace golem::http
