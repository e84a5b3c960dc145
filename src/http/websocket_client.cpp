#include "websocket_client.hpp"

#include "connections.hpp"
#include "websocket_driver.hpp"

#include <golem/http/detail/websocket_frames.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <optional>

namespace golem::http::connections {

namespace {

using Parser = beast::http::response_parser<beast::http::string_body>;

// The connection of a websocket: nobody else uses it, before or after.
struct Keeper {
    std::shared_ptr<State> state;
    std::unique_ptr<Lease> lease;
};

[[noreturn]] void fail_handshake(const State& state, const Request& request, const Attempt& attempt, bool wrote)
{
    const auto sent = wrote ? TransportError::Sent::unknown : TransportError::Sent::no;
    if (state.closed)
        fail_closed(request, sent);
    switch (attempt.failure) {
    case Attempt::Failure::stopped: throw boost::system::system_error(asio::error::operation_aborted);
    case Attempt::Failure::passed: fail_limit(request, "no answer from " + state.origin, sent);
    case Attempt::Failure::lost:
        fail(
            request, Errc::unreachable,
            state.origin + " closed the connection without an answer (" + attempt.error.message() + ")", sent, true);
    default:
        fail(
            request, Errc::protocol,
            "the answer of " + state.origin + " is cut off or malformed (" + attempt.error.message() + ")", sent,
            false);
    }
}

// Reads a head, and the body of anything but an agreement; what follows an agreement stays in the buffer.
Task<> read_answer(Connection& connection, Parser& parser, Attempt& attempt)
{
    bool answering = connection.buffer.size() > 0;
    parser.header_limit(header_limit);
    for (;;) {
        error_code error;
        if (connection.buffer.size() > 0) {
            connection.buffer.consume(parser.put(connection.buffer.data(), error));
            const bool agreed = parser.is_header_done() && parser.get().result_int() == 101;
            if (agreed || parser.is_done())
                co_return;
            if (error && error != beast::http::error::need_more) {
                attempt.error = error;
                attempt.failure = Attempt::Failure::malformed;
                co_return;
            }
            if (!error && connection.buffer.size() > 0)
                continue;
        }
        auto space = connection.buffer.prepare(largest_read);
        auto [failure, read] = co_await connection.stream.async_read_some(space, asio::as_tuple(asio::deferred));
        connection.buffer.commit(read);
        if (failure == asio::error::eof && parser.is_header_done()) {
            parser.put_eof(error);
            if (!error)
                co_return;
        }
        if (failure) {
            attempt.fail(failure, answering);
            co_return;
        }
        answering = true;
    }
}

bool is_agreement(const Parser::value_type& message, const std::string& key)
{
    return beast::iequals(message[beast::http::field::upgrade], "websocket") &&
           message[beast::http::field::sec_websocket_accept] == detail::accept_of(key);
}

} // namespace

Task<WebSocketAnswer> open_websocket(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    if (request.method() != Method::get)
        throw Error(Errc::invalid_input, detail::describe(request), "a websocket is asked for by GET");
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    const auto deadline = state->time.deadline(request.limit());
    Keeper keeper{state, std::make_unique<Lease>(*state)};
    co_await connect(state, *keeper.lease, request, deadline);
    auto& connection = keeper.lease->connection();

    const auto key = detail::websocket_key(websockets::random_bytes(16));
    const auto head = detail::websocket_head(request, state->authority, key);
    connection.stream.expires_at(deadline);
    Attempt attempt;
    const auto bytes = asio::buffer(head);
    auto [error, written] = co_await asio::async_write(connection.stream, bytes, asio::as_tuple(asio::deferred));
    if (error)
        attempt.fail(error, false);
    Parser parser;
    parser.body_limit(request.response_limit());
    if (!error)
        co_await read_answer(connection, parser, attempt);
    if (attempt.failure != Attempt::Failure::none || state->closed)
        fail_handshake(*state, request, attempt, written > 0);

    WebSocketAnswer answer;
    auto& message = parser.get();
    answer.response = Response(message.result_int());
    for (const auto& field : message)
        answer.response.headers().add(std::string(field.name_string()), std::string(field.value()));
    answer.response.body() = std::move(message.body());
    if (answer.response.status() != 101)
        co_return answer;
    if (!is_agreement(message, key))
        fail(
            request, Errc::protocol, state->origin + " agreed to something else than a websocket",
            TransportError::Sent::unknown, false);
    websockets::Settings settings;
    settings.is_client = true;
    settings.message_limit = request.response_limit();
    settings.idle_limit = request.idle_limit();
    settings.protocol = std::string(answer.response.headers().get("Sec-WebSocket-Protocol").value_or(""));
    settings.operation = detail::describe(request);
    settings.origin = state->origin;
    settings.is_closed = [state] { return state->closed; };
    auto wire = std::make_unique<websockets::ConnectionWire<Connection, Keeper>>(connection, std::move(keeper));
    const auto executor = state->executor;
    answer.socket =
        std::make_unique<websockets::DrivenSocket>(executor, state->time, std::move(wire), std::move(settings));
    co_return answer;
}

} // namespace golem::http::connections
