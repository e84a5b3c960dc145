#pragma once

#include <golem/core/event.hpp>
#include <golem/devnet/faults.hpp>
#include <golem/devnet/host.hpp>
#include <golem/http/transport.hpp>

#include <cstddef>
#include <memory>

namespace golem::devnet {

namespace detail {
class Routes;
}

/// The REST API of the daemon, as its requestors see it: to be put behind an http::Server or an in-process transport.
/// One executor, the host's.
class RestFace final : public http::Handler {
public:
    /// `host` must outlive the face.
    explicit RestFace(Host& host);
    ~RestFace() override;

    /// A poll that is cancelled has taken no event.
    Task<http::Response> handle(const http::Request& request) override;

    /// What goes wrong, for tests.
    Faults& faults() noexcept { return faults_; }

    /// Completes when no request is being handled.
    Task<> wait_until_idle();

private:
    class Active;

    Host& host_;
    Faults faults_;
    std::unique_ptr<detail::Routes> routes_;
    std::size_t active_ = 0;
    Event idle_;
};

} // namespace golem::devnet
