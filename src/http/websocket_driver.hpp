// A websocket over a connection: one machine for both sides and for any kind of connection.
#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/websocket.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace golem::http::websockets {

// The connection under a websocket.
class Wire {
public:
    virtual ~Wire() = default;
    virtual Task<std::size_t> read_some(char* data, std::size_t size, boost::system::error_code& error) = 0;
    virtual Task<> write(const std::string& bytes, boost::system::error_code& error) = 0;
    // What is waiting ends with an error.
    virtual void close() noexcept = 0;
};

// `Connection` has a stream, and a buffer with what came behind the handshake. `Keeper` owns it.
template <typename Connection, typename Keeper>
class ConnectionWire final : public Wire {
public:
    ConnectionWire(Connection& connection, Keeper keeper) : connection_(connection), keeper_(std::move(keeper))
    {
        connection_.stream.expires_never();
    }

    Task<std::size_t> read_some(char* data, std::size_t size, boost::system::error_code& error) override
    {
        namespace asio = boost::asio;
        if (connection_.buffer.size() > 0) {
            const auto count = asio::buffer_copy(asio::buffer(data, size), connection_.buffer.data());
            connection_.buffer.consume(count);
            co_return count;
        }
        const auto space = asio::buffer(data, size);
        auto [failure, count] = co_await connection_.stream.async_read_some(space, asio::as_tuple(asio::deferred));
        error = failure;
        co_return count;
    }

    Task<> write(const std::string& bytes, boost::system::error_code& error) override
    {
        namespace asio = boost::asio;
        const auto buffer = asio::buffer(bytes);
        auto [failure, count] = co_await asio::async_write(connection_.stream, buffer, asio::as_tuple(asio::deferred));
        error = failure;
    }

    void close() noexcept override { connection_.stream.close(); }

private:
    Connection& connection_;
    Keeper keeper_;
};

struct Settings {
    bool is_client = false;
    std::size_t message_limit = 0;
    Duration idle_limit{0};
    std::string protocol;
    std::string operation;           // For errors: "GET /gsb-api/v1/services/…".
    std::string origin;              // For errors: who is at the other end.
    std::function<bool()> is_closed; // Whether our own side has closed the transport.
};

class Machine;

// Its tasks run until it is destroyed or the connection ends; they own what they need.
class DrivenSocket final : public WebSocket {
public:
    DrivenSocket(const Executor& executor, TimeSource& time, std::unique_ptr<Wire> wire, Settings settings);
    ~DrivenSocket() override;

    const std::string& protocol() const noexcept override;
    Task<> send(const WebSocketMessage& message) override;
    Task<std::optional<WebSocketMessage>> receive() override;
    using WebSocket::close;
    Task<> close(std::uint16_t code, std::string_view reason) override;
    const std::optional<WebSocketEnd>& end() const noexcept override;

    // Completes when the connection has ended; true if by a farewell.
    Task<bool> ended();

private:
    std::shared_ptr<Machine> machine_;
};

// For a frame's mask, or the nonce of a handshake: its only use is to be unlike what a page's author could foresee.
std::string random_bytes(std::size_t size);

// What a handler's websocket and a farewell in time make of `serve`: the failure of the service, null if it ended well
// or because of the connection.
Task<std::exception_ptr> serve_socket(WebSocketService& service, DrivenSocket& socket, TimeSource& time);

} // namespace golem::http::websockets
