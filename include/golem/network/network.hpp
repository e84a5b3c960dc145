#pragma once

#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/yagna/types.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem {

namespace yagna {
class Client;
}
namespace detail {
class NetworkCore;
class NetworkLink;
class NetworkSeat;
class ProxyCore;
} // namespace detail

/// How a private network is made. A value.
struct NetworkOptions {
    /// The network's IPv4 addresses: "192.168.0.0/24", from /8 to /30; without a prefix `mask` counts, else it is /24.
    /// The first host's is the daemon's own. Several networks may have the same ones.
    std::string address = "192.168.0.0/24";
    /// "255.255.0.0"
    std::string mask{};
    /// A way out of the network for its machines, one of the network's addresses; empty: there is none.
    std::string gateway{};
};

/// A connection to a port of a service's machine: bytes both ways. Destroying it drops the connection. One executor,
/// the manager's; it may outlive network and manager, and fails then.
///
/// **The daemon does not tell that the other side has said its last word** (TCP's FIN): what it sent arrives, and then
/// read() waits. The end has to be known from what is spoken: a length, a farewell, a line. A reset is told, as an
/// error. The other way round there is no last word either; the machine sees the end of the connection once this is
/// destroyed.
class NetworkConnection {
public:
    explicit NetworkConnection(std::shared_ptr<detail::NetworkLink> link);
    ~NetworkConnection();

    NetworkConnection(const NetworkConnection&) = delete;
    NetworkConnection& operator=(const NetworkConnection&) = delete;

    /// The next bytes as they come, at least one and at most some 36 KiB; nothing once the daemon has closed. While
    /// nobody reads at most 256 KiB wait here, and the machine is held up.
    ///
    /// Error closed if the connection was lost (a reset, the network removed), or its service has ended. One call at a
    /// time. Cancellation (terminal) may lose what comes at that moment: not in a race after which reading goes on.
    Task<std::optional<std::string>> read();

    /// Completes once the system has taken the bytes, which outlive the await. Errors as in read(). Cancelled it may
    /// have sent a part.
    Task<> write(std::string_view bytes);

    /// Ends it: whoever reads or writes gets Error closed. Idempotent.
    void close() noexcept;

private:
    std::shared_ptr<detail::NetworkLink> link_;
};

/// How a proxy listens.
struct ProxyOptions {
    /// Only this machine, unless it says otherwise: whoever reaches it reaches the service.
    std::string address = "127.0.0.1";
    /// 0: the system chooses one, see NetworkProxy::port().
    std::uint16_t port = 0;
    /// Of a TCP proxy: more wait until one has ended. At least 1.
    std::size_t max_connections = 64;
    /// A connection on which nothing was said for so long, either way, is closed; for an HTTP proxy the longest silence
    /// in an answer. More than zero.
    Duration idle_limit = std::chrono::hours(1);
    /// Of a TCP proxy: a client has said its last word and still gets what comes, until there was silence for so long.
    /// More than zero.
    Duration linger = std::chrono::seconds(5);
};

/// A port of this machine that leads to one of a service. Closes when it is destroyed, and with its network. Any
/// thread.
class NetworkProxy {
public:
    explicit NetworkProxy(std::shared_ptr<detail::ProxyCore> core);
    ~NetworkProxy();

    NetworkProxy(const NetworkProxy&) = delete;
    NetworkProxy& operator=(const NetworkProxy&) = delete;

    std::uint16_t port() const noexcept;
    /// "127.0.0.1:8080"
    const std::string& address() const noexcept;
    /// Stops listening and ends the connections. Idempotent.
    void close() noexcept;

private:
    std::shared_ptr<detail::ProxyCore> core_;
};

/// One that has joined a network.
struct NetworkMember {
    std::string name;
    std::string address;
    /// Empty until its service has an agreement.
    yagna::NodeId node;
};

/// A private network between services, and between them and this program. Made by ServiceManager::create_network();
/// services join it by ServiceOptions::network.
///
/// The handle is there at once, while the daemon is being asked. The manager removes its networks when it closes. A
/// service's address and name are its own from create_service() to its end; then another one may get them, one of the
/// same name preferably the same address. It may be kept longer than the manager, but not than its executor's context.
class Network {
public:
    explicit Network(std::shared_ptr<detail::NetworkCore> core);

    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    // Any thread.

    /// "192.168.0.0/24"
    std::string address() const;
    /// The daemon's, so this program's, in it.
    std::string own_address() const;
    /// The daemon's id of it; empty until ready() and after remove().
    yagna::NetworkId id() const;
    /// By address; services that have ended are none.
    std::vector<NetworkMember> members() const;

    /// A port of this machine, each connection to which becomes one to `port` of `member`: a name, or an address. It is
    /// looked up for each connection, so that one service may take the place of another. Where the end of a stream is
    /// told by nothing but TCP, linger and idle limits end it (see NetworkConnection). Throws Error invalid_input for
    /// bad options, an address that cannot be listened on, and virtual time (sockets are real); closed.
    std::shared_ptr<NetworkProxy> tcp_proxy(const std::string& member, std::uint16_t port);
    std::shared_ptr<NetworkProxy> tcp_proxy(const std::string& member, std::uint16_t port, const ProxyOptions& options);
    /// The same for a web server: knows from HTTP where an answer ends, so that clients wait for nothing. Each request
    /// has a connection of its own; if the service cannot be asked, the answer is 502 or 504 and says why. No upgrades,
    /// and request bodies of at most 16 MiB. An answer that ends by nothing but TCP ends after ProxyOptions::linger.
    std::shared_ptr<NetworkProxy> http_proxy(const std::string& member, std::uint16_t port);
    std::shared_ptr<NetworkProxy>
    http_proxy(const std::string& member, std::uint16_t port, const ProxyOptions& options);

    // The manager's executor.

    /// Completes when the daemon has made the network. Throws why it has not.
    Task<> ready();

    /// Connects to a port of a member: its name, or its address. Errors: not_found (no such member), refused (its
    /// service has no machine yet; nobody listens at the port, which may change), unreachable (the machine does not
    /// answer, after 5 s), closed, and those of the daemon. Cancellation: terminal.
    Task<std::unique_ptr<NetworkConnection>> connect(std::string member, std::uint16_t port);

    /// Ends proxies and connections and has the daemon remove it; services that join later fail. Otherwise the manager
    /// does so as it closes. Idempotent. Errors of the daemon; then the manager tries again.
    Task<> remove();

    const std::shared_ptr<detail::NetworkCore>& core() const noexcept { return core_; }

private:
    std::shared_ptr<detail::NetworkCore> core_;
};

} // namespace golem
