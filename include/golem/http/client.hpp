#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>
#include <golem/http/url.hpp>

#include <memory>

namespace golem::http {

struct ClientOptions {
    /// Limit of a connection attempt, all addresses of a name together. More than zero.
    Duration connect_limit = std::chrono::seconds(5);
    /// An idle connection is not used again after this time. Below the daemon's own 60 s (`--max-rest-timeout`).
    Duration idle_limit = std::chrono::seconds(50);
    /// Idle connections kept. Requests under way are not limited: each long poll needs one.
    std::size_t max_idle = 16;
};

/// A transport over TCP with pooled keep-alive connections, on Beast. Refuses virtual time (Error invalid_input).
std::shared_ptr<Transport>
make_transport(const Executor& executor, TimeSource& time, const Url& url, const ClientOptions& options = ClientOptions());

} // namespace golem::http
