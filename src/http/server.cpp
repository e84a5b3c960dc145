#include <golem/http/server.hpp>

#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/detail/websocket_frames.hpp>
#include <golem/http/detail/wire.hpp>
#include <golem/http/stream.hpp>

#include "websocket_driver.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>

#include <array>
#include <cstdio>
#include <optional>
#include <utility>

namespace golem::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::size_t first_read = 512;
constexpr std::size_t largest_read = 64 * 1024;
constexpr std::size_t header_limit = 32 * 1024;
// Bodies are read to their end, so that clients which only write get to read the refusal; up to here.
constexpr std::uint64_t most_read = 256u << 20;
constexpr Duration accept_pause = std::chrono::milliseconds(100);

// A body of which only the beginning is kept.
struct CutBody {
    struct value_type {
        std::string data;
        std::uint64_t size = 0;
        std::size_t limit = 0;
    };

    class reader {
    public:
        template <bool is_request, typename Fields>
        reader(beast::http::header<is_request, Fields>&, value_type& body) : body_(body)
        {
        }

        void init(const boost::optional<std::uint64_t>& length, error_code& error)
        {
            error = {};
            if (length)
                body_.data.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, body_.limit)));
        }

        template <typename Buffers>
        std::size_t put(const Buffers& buffers, error_code& error)
        {
            error = {};
            std::size_t total = 0;
            for (const asio::const_buffer part : beast::buffers_range_ref(buffers)) {
                const auto room = body_.limit - body_.data.size();
                body_.data.append(static_cast<const char*>(part.data()), std::min(room, part.size()));
                total += part.size();
            }
            body_.size += total;
            return total;
        }

        void finish(error_code& error) { error = {}; }

    private:
        value_type& body_;
    };
};

using Parser = beast::http::request_parser<CutBody>;

struct Connection : std::enable_shared_from_this<Connection> {
    explicit Connection(Tcp::socket socket) : stream(std::move(socket)) {}

    beast::tcp_stream stream;
    beast::flat_buffer buffer;
};

std::optional<Method> to_method(beast::http::verb verb)
{
    switch (verb) {
    case beast::http::verb::get: return Method::get;
    case beast::http::verb::post: return Method::post;
    case beast::http::verb::put: return Method::put;
    case beast::http::verb::delete_: return Method::del;
    case beast::http::verb::head: return Method::head;
    case beast::http::verb::options: return Method::options;
    default: return std::nullopt;
    }
}

Request to_request(Method method, Parser::value_type message)
{
    Request request(method, std::string(message.target()));
    auto& body = message.body();
    const bool cut = body.size > body.data.size();
    if (body.size > 0)
        request.set_body(std::move(body.data), std::string());
    for (const auto& field : message)
        request.headers().add(std::string(field.name_string()), std::string(field.value()));
    request.headers().remove(detail::body_size_header);
    if (cut)
        request.headers().add(std::string(detail::body_size_header), std::to_string(body.size));
    return request;
}

// What reading a request came to: nothing to refuse, or the status of the refusal; 0 if nobody is there to hear it.
struct Reading {
    bool complete = false;
    unsigned refusal = 0;
};

struct Handled {
    std::optional<Response> response;
    std::exception_ptr failure;
};

Task<> handle_into(Handler& handler, const Request& request, Handled& handled)
{
    try {
        auto response = co_await handler.handle(request);
        handled.response = std::move(response);
    } catch (...) {
        handled.failure = std::current_exception();
    }
}

struct Pulled {
    std::optional<std::string> piece;
    std::exception_ptr failure;
};

Task<> pull_into(BodySource& source, Pulled& pulled)
{
    try {
        auto piece = co_await source.next();
        pulled.piece = std::move(piece);
    } catch (...) {
        pulled.failure = std::current_exception();
    }
}

// A chunk as chunked transfer coding has it; no piece is the last chunk.
void append_chunk(std::string& text, const std::optional<std::string>& piece)
{
    if (piece && piece->empty())
        return;
    const auto size = piece ? piece->size() : 0;
    char digits[2 * sizeof size + 1];
    std::snprintf(digits, sizeof digits, "%zX", size);
    text += digits;
    text += "\r\n";
    if (piece)
        text += *piece;
    text += "\r\n";
}

// The handler wants no answer to be given: its connection is broken, or its own side is closing.
bool is_broken(const std::exception_ptr& failure)
{
    if (!failure)
        return false;
    try {
        std::rethrow_exception(failure);
    } catch (const TransportError&) {
        return true;
    } catch (...) {
        return is_cancelled(failure);
    }
}

// Completes when the client has closed its connection or lost it. A client that has sent its next request already is
// not watched any more: its bytes stand before the end.
Task<> departure(Connection& connection)
{
    auto& socket = connection.stream.socket();
    bool watching = connection.buffer.size() == 0;
    while (watching) {
        auto [failure] = co_await socket.async_wait(Tcp::socket::wait_read, asio::as_tuple(asio::deferred));
        if (failure)
            co_return;
        char byte = 0;
        error_code error;
        socket.receive(asio::buffer(&byte, 1), Tcp::socket::message_peek, error);
        if (error && error != asio::error::would_block && error != asio::error::try_again)
            co_return;
        watching = static_cast<bool>(error);
    }
    const auto executor = co_await asio::this_coro::executor;
    Event never(executor);
    co_await never.wait();
}

bool is_fit_for_websocket(const Request& request)
{
    return wants_websocket(request) && request.headers().get("Sec-WebSocket-Key") &&
           request.headers().get("Sec-WebSocket-Version") == "13";
}

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "start HTTP server", explanation);
}

} // namespace

class Server::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, std::shared_ptr<Handler> handler, const ServerOptions& options,
        Logger log)
        : executor_(executor), time_(time), handler_(std::move(handler)), options_(options), log_(std::move(log)),
          acceptor_(executor), group_(executor, [this](const std::string& name, std::exception_ptr failure) {
              log_.error("http server: ", name, " ended: ", describe(failure));
          })
    {
        if (time.is_virtual())
            refuse("sockets take real time: use RealTime, or the in-process transport in virtual time");
        if (options_.idle_limit <= Duration(0))
            refuse("ServerOptions::idle_limit must be more than zero");
        if (options_.websocket_idle_limit <= Duration(0))
            refuse("ServerOptions::websocket_idle_limit must be more than zero");
        listen();
    }

    std::uint16_t port() const noexcept { return port_; }

    void close()
    {
        if (std::exchange(closed_, true))
            return;
        error_code ignored; // There is nobody to tell, and nothing to do about it.
        acceptor_.close(ignored);
        group_.cancel();
    }

    Task<> run()
    {
        std::exception_ptr failure;
        try {
            co_await accept();
        } catch (...) {
            failure = std::current_exception();
        }
        // Also if the caller was cancelled: no connection outlives this.
        close();
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await ignore_cancellation();
        auto rest = group_.join();
        co_await shield(std::move(rest));
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (failure)
            std::rethrow_exception(failure);
    }

private:
    void listen()
    {
        const std::string place = options_.address + " port " + std::to_string(options_.port);
        error_code error;
        const auto address = asio::ip::make_address(options_.address, error);
        if (error)
            refuse("ServerOptions::address \"" + options_.address + "\" is not an IP address");
        const Tcp::endpoint endpoint(address, options_.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error)
            acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
        if (!error)
            acceptor_.bind(endpoint, error);
        if (!error)
            acceptor_.listen(Tcp::acceptor::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            refuse(place + " is taken: choose another ServerOptions::port, or 0");
        if (error)
            refuse("cannot listen on " + place + " (" + error.message() + ")");
        port_ = acceptor_.local_endpoint().port();
    }

    Task<> accept()
    {
        while (!closed_) {
            auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::deferred));
            if (closed_)
                co_return;
            if (error == asio::error::operation_aborted)
                throw boost::system::system_error(error);
            if (error == asio::error::connection_aborted)
                continue;
            if (error) {
                // Too many open files, as a rule: connections that end make room.
                log_.warning("http server: cannot accept a connection: ", error.message());
                co_await time_.sleep_for(accept_pause, "room for a connection");
                continue;
            }
            error_code failure;
            socket.non_blocking(true, failure); // For the look at departing clients.
            error_code ignored;                 // Without it answers are only slower.
            socket.set_option(Tcp::no_delay(true), ignored);
            if (!failure)
                start(std::move(socket));
        }
    }

    void start(Tcp::socket socket)
    {
        auto connection = std::make_shared<Connection>(std::move(socket));
        group_.spawn("connection", [this, connection] { return serve(*connection); });
    }

    Task<> serve(Connection& connection)
    {
        for (bool open = true; open;) {
            Parser parser;
            prepare(parser);
            Reading reading;
            co_await read(connection, parser, reading);
            const bool old = parser.is_header_done() && parser.get().version() < 11;
            const bool keep = reading.complete && parser.get().keep_alive();
            const auto method = reading.complete ? to_method(parser.get().method()) : std::nullopt;
            if (reading.complete && !method)
                reading.refusal = 501;

            Response response(reading.refusal);
            std::optional<Request> request;
            detail::AnswerForm form;
            form.old = old;
            form.keep_alive = keep;
            if (reading.complete && method) {
                request.emplace(to_request(*method, parser.release()));
                bool answered = false;
                co_await answer(connection, *request, response, answered);
                if (!answered)
                    co_return;
                form.body = *method != Method::head;
            } else if (reading.refusal == 0) {
                co_return;
            }
            open = false;
            if (response.websocket()) {
                co_await serve_websocket(connection, *request, response);
                co_return;
            }
            if (response.source() && form.body && detail::may_have_body(response.status()))
                co_await write_stream(connection, *request, response, form, open);
            else
                co_await write(connection, response, form, open);
        }
        error_code ignored; // The client may be gone already.
        connection.stream.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    }

    void prepare(Parser& parser) const
    {
        parser.eager(true);
        parser.header_limit(header_limit);
        parser.body_limit(most_read);
        parser.get().body().limit = options_.body_limit;
    }

    Task<> read(Connection& connection, Parser& parser, Reading& reading)
    {
        auto& buffer = connection.buffer;
        auto& stream = connection.stream;
        std::size_t amount = first_read;
        bool hungry = buffer.size() == 0;
        bool promised = false;
        while (!parser.is_done()) {
            if (hungry) {
                stream.expires_after(options_.idle_limit);
                auto space = buffer.prepare(amount);
                auto [error, count] = co_await stream.async_read_some(space, asio::as_tuple(asio::deferred));
                buffer.commit(count);
                if (error)
                    co_return;
                if (count == amount)
                    amount = std::min(amount * 2, largest_read);
            }
            hungry = true;
            error_code error;
            buffer.consume(parser.put(buffer.data(), error));
            if (buffer.size() > header_limit + largest_read)
                error = beast::http::error::header_limit;
            if (error && error != beast::http::error::need_more) {
                reading.refusal = error == beast::http::error::body_limit     ? 413
                                  : error == beast::http::error::header_limit ? 431
                                                                              : 400;
                co_return;
            }
            if (parser.is_header_done() && !parser.is_done() && !promised) {
                promised = true;
                if (beast::iequals(parser.get()[beast::http::field::expect], "100-continue")) {
                    constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
                    const auto line = asio::buffer(text);
                    co_await asio::async_write(stream, line, asio::as_tuple(asio::deferred));
                }
            }
        }
        reading.complete = true;
    }

    // Runs the handler; false in `answered` if there is nobody to answer any more, or nothing.
    Task<> answer(Connection& connection, const Request& request, Response& response, bool& answered)
    {
        connection.stream.expires_never();
        Handled handled;
        auto handling = handle_into(*handler_, request, handled);
        auto watching = departure(connection);
        const auto first = co_await first_of(std::move(handling), std::move(watching));
        if (closed_ || first == 1)
            co_return;
        if (is_broken(handled.failure)) {
            log_.trace("http server: ", detail::describe(request), " ended without an answer");
            co_return;
        }
        answered = true;
        const bool upgrades = handled.response && handled.response->websocket() != nullptr;
        if (upgrades && !is_fit_for_websocket(request)) {
            response = Response(400, "WebSocket upgrade is expected", "text/plain");
            co_return;
        }
        if (handled.response && detail::is_writable(handled.response->headers()) &&
            handled.response->status() >= (upgrades ? 101u : 200u) && handled.response->status() <= 999) {
            response = std::move(*handled.response);
            log_.trace("http server: ", detail::describe(request), " ", response.status());
            co_return;
        }
        const auto reason = handled.failure ? describe(handled.failure) : "the answer is not fit for HTTP";
        log_.error("http server: the handler failed at ", detail::describe(request), ": ", reason);
        response = Response(500);
    }

    Task<> write(Connection& connection, const Response& response, const detail::AnswerForm& form, bool& open)
    {
        const auto wish = response.headers().get("connection");
        detail::AnswerForm actual = form;
        if (wish && beast::iequals(beast::string_view(wish->data(), wish->size()), "close"))
            actual.keep_alive = false;
        const std::string head = detail::response_head(response, actual, date());
        const bool body = actual.body && detail::may_have_body(response.status());
        const std::array<asio::const_buffer, 2> buffers = {
            asio::buffer(head), asio::buffer(response.body().data(), body ? response.body().size() : 0)};
        connection.stream.expires_after(options_.idle_limit);
        auto [error, count] = co_await asio::async_write(connection.stream, buffers, asio::as_tuple(asio::deferred));
        open = !error && actual.keep_alive;
    }

    Task<> serve_websocket(Connection& connection, const Request& request, const Response& response)
    {
        const auto accept = detail::accept_of(request.headers().get("Sec-WebSocket-Key").value_or(""));
        const auto head = detail::websocket_answer_head(response, accept, date());
        connection.stream.expires_after(options_.idle_limit);
        const auto bytes = asio::buffer(head);
        auto [error, count] = co_await asio::async_write(connection.stream, bytes, asio::as_tuple(asio::deferred));
        if (error)
            co_return;
        const auto service = response.websocket();
        websockets::Settings settings;
        settings.message_limit = service->message_limit();
        settings.idle_limit = options_.websocket_idle_limit;
        settings.protocol = std::string(response.headers().get("Sec-WebSocket-Protocol").value_or(""));
        settings.operation = detail::describe(request);
        settings.origin = "the client";
        settings.is_closed = [this] { return closed_; };
        // The connection outlives this function; the tasks of a websocket may outlive its end by a moment.
        auto keeper = connection.shared_from_this();
        auto wire = std::make_unique<websockets::ConnectionWire<Connection, std::shared_ptr<Connection>>>(
            connection, std::move(keeper));
        websockets::DrivenSocket socket(executor_, time_, std::move(wire), std::move(settings));
        const auto failure = co_await websockets::serve_socket(*service, socket, time_);
        if (failure && !is_broken(failure))
            log_.error("http server: the websocket of ", detail::describe(request), " failed: ", describe(failure));
    }

    // Writes a body as its source makes it. A reader who does not read is waited for, as the daemon does.
    Task<> write_stream(
        Connection& connection, const Request& request, Response& response, const detail::AnswerForm& form, bool& open)
    {
        const auto source = response.source();
        detail::AnswerForm actual = form;
        actual.chunked = !form.old;
        actual.keep_alive = form.keep_alive && actual.chunked;
        std::string text = detail::response_head(response, actual, date());
        for (bool more = true; more;) {
            Pulled pulled;
            auto pulling = pull_into(*source, pulled);
            auto watching = departure(connection);
            const auto first = co_await first_of(std::move(pulling), std::move(watching));
            if (closed_ || first == 1)
                co_return;
            more = pulled.piece.has_value();
            if (pulled.failure && !is_broken(pulled.failure))
                log_.error(
                    "http server: the handler failed within the answer to ", detail::describe(request), ": ",
                    describe(pulled.failure));
            if (actual.chunked && !pulled.failure)
                append_chunk(text, pulled.piece);
            else if (pulled.piece)
                text += *pulled.piece;
            connection.stream.expires_never();
            const auto buffer = asio::buffer(text);
            auto [error, count] = co_await asio::async_write(connection.stream, buffer, asio::as_tuple(asio::deferred));
            if (error || pulled.failure)
                co_return;
            text.clear();
        }
        open = actual.keep_alive;
    }

    // Made once a second.
    const std::string& date()
    {
        const auto now = std::chrono::floor<std::chrono::seconds>(time_.utc());
        if (date_.empty() || now != dated_) {
            dated_ = now;
            date_ = detail::http_date(now);
        }
        return date_;
    }

    Executor executor_;
    TimeSource& time_;
    std::shared_ptr<Handler> handler_;
    ServerOptions options_;
    Logger log_;
    Tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    bool closed_ = false;
    std::chrono::sys_seconds dated_;
    std::string date_;
    TaskGroup group_;
};

Server::Server(
    const Executor& executor, TimeSource& time, std::shared_ptr<Handler> handler, const ServerOptions& options,
    Logger log)
    : implementation_(std::make_unique<Implementation>(executor, time, std::move(handler), options, std::move(log)))
{
}

Server::~Server() = default;

std::uint16_t Server::port() const noexcept { return implementation_->port(); }

Task<> Server::run() { return implementation_->run(); }

void Server::close() { implementation_->close(); }

} // namespace golem::http
