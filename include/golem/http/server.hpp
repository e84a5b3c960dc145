#pragma once

#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace golem::http {

struct ServerOptions {
    /// Loopback only unless the address says otherwise.
    std::string address = "127.0.0.1";
    /// 0: the system chooses one, see Server::port().
    std::uint16_t port = 0;
    /// Idle connections are closed after this time, as the daemon does.
    Duration idle_limit = std::chrono::seconds(60);
    /// Pings go to the client of a websocket after half of this, and it is dropped if it is silent for this long, as
    /// the daemon does.
    Duration websocket_idle_limit = std::chrono::seconds(10);
    /// Larger request bodies reach the handler cut, with header `X-Golem-Body-Size` naming the true size.
    std::size_t body_limit = 2u << 20;
};

/// Listens on a port and passes requests to a handler, keep-alive, one coroutine a connection. When a client closes its
/// connection while its request is being handled, the handler is cancelled. What a handler throws is logged and
/// answered with 500; but after a TransportError or a cancellation of its own the connection is closed without answer.
/// Streamed answers (Response::set_source) are sent in chunks, with no limit of time; if their source fails, the
/// connection is closed without the last chunk.
/// An answer with Response::set_websocket() makes a websocket of its connection.
/// One executor. run() must have completed before the server is destroyed, if it was started.
class Server {
public:
    /// Binds at once; Error invalid_input if the address is not usable or the port is taken.
    Server(
        const Executor& executor, TimeSource& time, std::shared_ptr<Handler> handler, const ServerOptions& options,
        Logger log);
    ~Server();

    std::uint16_t port() const noexcept;

    /// Serves until closed or cancelled (terminal). Completes when every connection has ended; call it once.
    Task<> run();
    /// Stops accepting, cancels the handlers and ends the connections. Idempotent.
    void close();

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace golem::http
