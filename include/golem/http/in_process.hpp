#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>

#include <memory>
#include <string>

namespace golem::http {

/// A transport without sockets: hands each request to `handler`, which runs on `handler_executor`. The sender may run
/// on that executor or on another one. Works in virtual time; `time` belongs to the senders' executor and must outlive
/// the transport.
///
/// It behaves as a connection to a Server does: limits of time and size, cut bodies, close(). Cancellation reaches a
/// handler on the sender's executor at once, on another one by a post; send() ends when the handler has. Unlike a
/// server, it passes on what the handler throws: a defect shows where it happened.
std::shared_ptr<Transport> make_in_process_transport(
    const Executor& handler_executor, TimeSource& time, std::shared_ptr<Handler> handler, std::string origin);

} // namespace golem::http
