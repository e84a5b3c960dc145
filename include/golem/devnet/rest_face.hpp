#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
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
///
/// It answers as daemon 0.17.6 does, but does not have all of it. Private networks are IPv4, and lead to programs of
/// this machine only (provider::ExeUnit::connect). Beside the daemon it is a registry of images (`GET /v1/image/info`).
/// Not served, so 404 with an empty body: messages to the service bus (`/_gsb`), the proxy
/// to a machine's web server (`proxy-http`), `orders` and `expenditures` of allocations, the identity API beyond `/me`,
/// the provider's side of every API, metrics, and the dashboard.
class RestFace final : public http::Handler {
public:
    /// `host` must outlive the face.
    /// What goes wrong inside is logged, and answered with 500.
    explicit RestFace(Host& host, Logger log = Logger());
    ~RestFace() override;

    /// A poll that is cancelled has taken no event.
    Task<http::Response> handle(const http::Request& request) override;

    /// What goes wrong, for tests.
    Faults& faults() noexcept { return faults_; }

    /// Completes when no request is being handled.
    Task<> wait_until_idle();

private:
    class Active;
    class CountedSource;
    class CountedService;

    Host& host_;
    Logger log_;
    Faults faults_;
    std::unique_ptr<detail::Routes> routes_;
    std::size_t active_ = 0;
    Event idle_;
};

} // namespace golem::devnet
