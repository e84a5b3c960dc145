#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task.hpp>
#include <golem/http/message.hpp>
#include <golem/http/stream.hpp>
#include <golem/http/websocket.hpp>

#include <memory>
#include <string>

namespace golem::http {

/// A request got no answer. Whether it reached the other side decides if it may be sent again.
class TransportError : public Error {
public:
    enum class Sent {
        no,      ///< Not one byte left us, or the connection was refused: the request had no effect.
        unknown, ///< It may have been executed.
    };

    TransportError(Errc code, std::string operation, std::string explanation, Sent sent);

    Sent sent() const noexcept { return sent_; }

private:
    Sent sent_;
};

/// The only way out of the process: requests to one origin (scheme, host, port). Implementations: make_transport
/// (client.hpp; pooled keep-alive connections) and make_in_process_transport (in_process.hpp).
///
/// One executor; members are used from coroutines of that executor.
class Transport {
public:
    virtual ~Transport() = default;

    /// Completes with the answer, whatever its status. `request` must outlive the await.
    ///
    /// Cancellation (terminal) withdraws the request: the connection is dropped, so the other side does not take
    /// events for a caller who has gone; operation_aborted is thrown. Errors: TransportError with unreachable (no
    /// connection, or it ended before an answer began), timed_out (the request's limit), protocol (malformed, cut off,
    /// larger than the request's response limit), closed; Error invalid_input for a request that cannot be written.
    virtual Task<Response> send(const Request& request) = 0;

    /// Completes with the head of the answer, whatever its status; its body is read piece by piece. `request` must
    /// outlive the await, not the stream. Cancellation and errors as in send(). A transport that does not know streams
    /// (the default) sends the request and hands out the whole answer.
    virtual Task<std::unique_ptr<ResponseStream>> open(const Request& request);

    /// Asks for a websocket (GET; the fields of the handshake are added, `Sec-WebSocket-Protocol` is the caller's) and
    /// completes with it, or with what the server answered instead. `request` must outlive the await, not the
    /// websocket. Its limit holds until the answer. Cancellation and errors as in send(). The default refuses: Error
    /// invalid_input.
    virtual Task<WebSocketAnswer> open_websocket(const Request& request);

    /// Ends idle connections and refuses new requests. Requests under way, streams and
    /// websockets end with closed. Idempotent.
    virtual void close() noexcept = 0;

    /// Where requests go, for messages: "http://127.0.0.1:7465".
    virtual const std::string& origin() const noexcept = 0;
};

/// Answers requests: the devnet's REST face, tests. Cancellation (terminal) means that the caller went away.
class Handler {
public:
    virtual ~Handler() = default;
    /// `request` outlives the task.
    virtual Task<Response> handle(const Request& request) = 0;
};

} // namespace golem::http
