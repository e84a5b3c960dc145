// One end of a connection that speaks the protocol of the service bus.
#pragma once

#include <golem/bus/detail/wire.hpp>
#include <golem/core/event.hpp>
#include <golem/core/task.hpp>

#include <boost/asio/generic/stream_protocol.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace golem::bus {

// What we say of ourselves in greetings.
inline constexpr const char* library_version = "0.1.0";

/// One executor. A reader and a writer run beside each other; both end once it is closed.
class Link {
public:
    using Socket = boost::asio::generic::stream_protocol::socket;

    Link(Socket socket, std::size_t largest_message, std::size_t most_unsent);

    /// The next message; nothing at an orderly end. Throws system_error, and Error protocol.
    Task<std::optional<detail::Message>> read();

    /// Sends what was given to send(), until the link is closed. Throws system_error.
    Task<> write();

    /// Queues a message; drops it once the link is closed.
    void send(const detail::Message& message);

    std::size_t unsent() const noexcept { return unsent_; }
    /// Completes when less than `most_unsent` bytes are unsent, or the link is closed.
    Task<> room() { return room_.wait(); }
    /// Completes when all is sent, or the link is closed.
    Task<> drained() { return drained_.wait(); }

    bool is_closed() const noexcept { return closed_; }
    void close();

private:
    Socket socket_;
    detail::FrameReader frames_;
    std::size_t most_unsent_;
    std::string input_;
    std::string queue_;
    std::size_t unsent_ = 0; // the queue, and what is being written
    bool closed_ = false;
    Event output_;
    Event room_;
    Event drained_;
};

} // namespace golem::bus
