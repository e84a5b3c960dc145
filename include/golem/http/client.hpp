#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/tls.hpp>
#include <golem/http/transport.hpp>
#include <golem/http/url.hpp>

#include <memory>

namespace golem::http {

struct ClientOptions {
    /// Limit of a connection attempt, all addresses of a name together (Error unreachable). More than zero.
    Duration connect_limit = std::chrono::seconds(5);
    /// An idle connection is not used again after this time. Below the daemon's own 60 s (`--max-rest-timeout`).
    Duration idle_limit = std::chrono::seconds(50);
    /// Idle connections kept; 0: each request has a connection of its own. Requests under way are not limited: each
    /// long poll needs one.
    std::size_t max_idle = 16;
    /// For https.
    TlsOptions tls{};
};

/// A transport over TCP, or TLS for https, with pooled keep-alive connections. Numeric hosts are used as they are; the addresses of a name
/// are tried in turn. `time` must outlive it.
///
/// A request that fails on a connection that had been used before is sent once more on a new one, if that is safe: not
/// one byte had left, or the method is repeatable and no byte of an answer had come. All else is left to the caller.
/// A certificate that proves nothing is Error protocol (not transient), which says what is wrong with it; no byte of a
/// request has left then. Throws Error invalid_input for virtual time, for options out of range and for a file of
/// authorities that cannot be used.
std::shared_ptr<Transport> make_transport(
    const Executor& executor, TimeSource& time, const Url& url, const ClientOptions& options = ClientOptions());

} // namespace golem::http
