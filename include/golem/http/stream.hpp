#pragma once

#include <golem/core/task.hpp>
#include <golem/http/message.hpp>

#include <memory>
#include <optional>
#include <string>

namespace golem::http {

/// Makes the body of an answer piece by piece, see Response::set_source(). It belongs to the handler's executor, where
/// it is destroyed as well, and outlives the request it answers.
class BodySource {
public:
    virtual ~BodySource() = default;

    /// The next piece; nothing at the end. It is asked for when the piece before has gone out, so a reader who does not
    /// read holds the source up. The head of the answer goes out with the first piece; an empty
    /// first piece sends it alone.
    ///
    /// Cancellation (terminal) means that the reader went away. Whatever it throws cuts the answer off.
    virtual Task<std::optional<std::string>> next() = 0;
};

/// An answer whose body comes as it is made. Destroying it drops the connection, unless the end has been read. One
/// executor, the transport's; it may outlive the transport.
class ResponseStream {
public:
    virtual ~ResponseStream() = default;

    /// Status and header fields; without a body.
    virtual const Response& head() const noexcept = 0;

    /// The next piece as it came, at least one byte; nothing at the end. Nothing is read ahead: at most one piece, and
    /// what the system buffers, waits here while nobody asks. One call at a time.
    ///
    /// Errors: TransportError with protocol (malformed, cut off, in all larger than the request's response limit),
    /// timed_out (the request's idle limit), closed. Cancellation (terminal) drops the connection. After a failure
    /// there is nothing more to read.
    virtual Task<std::optional<std::string>> read() = 0;
};

/// A complete answer, read as if it came in pieces: its body is the only one.
std::unique_ptr<ResponseStream> make_stream(Response response);

/// Reads a stream to its end, at most `limit` bytes; more is Error protocol.
Task<std::string> read_all(ResponseStream& stream, std::size_t limit);

} // namespace golem::http
