#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace golem::http {

/// A class with constructors, not an aggregate, as Request is.
class WebSocketMessage {
public:
    enum class Kind { binary, text };

    WebSocketMessage() = default;
    explicit WebSocketMessage(std::string data, Kind kind = Kind::binary) : data_(std::move(data)), kind_(kind) {}

    Kind kind() const noexcept { return kind_; }
    bool is_text() const noexcept { return kind_ == Kind::text; }
    const std::string& data() const noexcept { return data_; }
    std::string& data() noexcept { return data_; }

private:
    std::string data_;
    Kind kind_ = Kind::binary;
};

/// How the other side said farewell.
struct WebSocketEnd {
    std::uint16_t code = 1005; ///< RFC 6455, 7.4; 1005 if none was given.
    std::string reason;
};

/// One end of a websocket (RFC 6455), the client's or the server's. Destroying it drops the connection without a word;
/// close() says farewell. One executor, the transport's or the handler's; it may outlive the transport.
///
/// Messages are read ahead, and pings of the other side answered, while nobody asks; but only as long as less than
/// `read_ahead` bytes wait: from then on a reader who does not read holds the writer up. Pings of our own notice
/// a peer that is gone (Request::set_idle_limit, ServerOptions::websocket_idle_limit).
class WebSocket {
public:
    static constexpr std::size_t read_ahead = 256 * 1024;

    virtual ~WebSocket() = default;

    /// The subprotocol that both agreed on (`Sec-WebSocket-Protocol`); empty if there is none.
    virtual const std::string& protocol() const noexcept = 0;

    /// Completes once the system has taken the message. Several may wait; they go out whole, in the order of the calls.
    /// `message` outlives the await. Cancelled (terminal) it only waits no longer: the message may still go out.
    ///
    /// Errors: TransportError with closed (by either side, or by the transport), protocol (cut off, or the other side
    /// broke the rules), timed_out (the idle limit).
    virtual Task<> send(const WebSocketMessage& message) = 0;

    /// The next message; nothing once the other side has closed, as it should, and all was read. One call at a time, in
    /// one place, and not inside a race: a message that comes at the moment of a cancellation is lost.
    ///
    /// Errors as in send(); one message larger than the request's response limit is protocol. What came before is read
    /// first. Nothing comes after a close() of ours.
    virtual Task<std::optional<WebSocketMessage>> receive() = 0;

    /// Says farewell, waits a second at most for the other side to do the same (the daemon does not) and drops the
    /// connection. Idempotent. `reason` has 123 bytes at most, the rest is cut off.
    virtual Task<> close(std::uint16_t code, std::string_view reason) = 0;
    Task<> close() { return close(1000, std::string_view()); }

    /// What the other side said as it closed; nothing before, and after a loss.
    virtual const std::optional<WebSocketEnd>& end() const noexcept = 0;
};

/// An answer to a request for a websocket: the websocket, or what the server said instead.
struct WebSocketAnswer {
    Response response;                 ///< Status 101 with a socket; else the whole answer.
    std::unique_ptr<WebSocket> socket; ///< Null if the server refused.
};

/// The server's side of websockets, see Response::set_websocket(). It belongs to the handler's executor.
class WebSocketService {
public:
    virtual ~WebSocketService() = default;

    /// Serves one connection, which ends when this returns: with a farewell (1000) unless close() was called, and
    /// without a word if it throws a TransportError. Whatever else it throws is logged as a defect.
    ///
    /// Cancelled (terminal) when the connection is lost, when the server closes, and some seconds after the other side
    /// has closed: be receiving to be told.
    virtual Task<> serve(WebSocket& socket) = 0;

    /// The most bytes of a message from the client; more ends the connection (1009).
    virtual std::size_t message_limit() const noexcept { return 16u << 20; }
};

/// Whether a request asks for a websocket.
bool wants_websocket(const Request& request) noexcept;

/// Whether the client can speak this subprotocol.
bool offers_protocol(const Request& request, std::string_view protocol) noexcept;

/// The handler's agreement: status 101, with the subprotocol unless it is empty.
Response make_websocket_answer(std::shared_ptr<WebSocketService> service, std::string_view protocol = {});

} // namespace golem::http
