#include <golem/network/network.hpp>

#include "network/network_core.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <boost/asio/dispatch.hpp>

#include <utility>

namespace golem {

namespace {

// A frame of more than 64 KiB makes the daemon drop the connection.
constexpr std::size_t largest_frame = 32u << 10;

} // namespace

namespace detail {

NetworkLink::NetworkLink(
    const Executor& executor, std::string address, std::uint16_t port, std::unique_ptr<http::WebSocket> socket)
    : address_(std::move(address)), port_(port), socket_(std::move(socket)), ended_(executor)
{
}

void NetworkLink::end(std::string why) noexcept
{
    if (ended_.is_set())
        return;
    why_ = std::move(why);
    ended_.set();
}

void NetworkLink::fail(const std::exception_ptr& failure, const char* operation) const
{
    if (is_cancelled(failure))
        std::rethrow_exception(failure);
    Error error(
        Errc::closed, operation,
        "the connection to " + address_ + ":" + std::to_string(port_) +
            " was lost: the machine has reset it, or its network or daemon has gone");
    error.set_their_words(describe(failure));
    throw error;
}

Task<> NetworkLink::receive(std::optional<http::WebSocketMessage>& message) { message = co_await socket_->receive(); }

Task<> NetworkLink::send(const http::WebSocketMessage& message) { co_await socket_->send(message); }

Task<std::optional<std::string>> NetworkLink::read(std::shared_ptr<NetworkLink> link)
{
    std::optional<http::WebSocketMessage> message;
    std::exception_ptr failure;
    std::size_t first = 1;
    // A message may be empty, which is no end.
    while (!link->ended_.is_set()) {
        try {
            auto receiving = link->receive(message);
            auto ended = link->ended_.wait();
            first = co_await first_of(std::move(receiving), std::move(ended));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            link->fail(failure, "read from a service");
        if (first == 1)
            break;
        if (!message)
            co_return std::nullopt;
        if (!message->data().empty())
            co_return std::move(message->data());
    }
    throw Error(Errc::closed, "read from a service", link->why_);
}

Task<> NetworkLink::write(std::shared_ptr<NetworkLink> link, std::string_view bytes)
{
    std::exception_ptr failure;
    std::size_t first = 0;
    while (!bytes.empty() && first == 0 && !link->ended_.is_set()) {
        const http::WebSocketMessage message(std::string(bytes.substr(0, largest_frame)));
        bytes.remove_prefix(message.data().size());
        try {
            auto sending = link->send(message);
            auto ended = link->ended_.wait();
            first = co_await first_of(std::move(sending), std::move(ended));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            link->fail(failure, "write to a service");
    }
    if (link->ended_.is_set())
        throw Error(Errc::closed, "write to a service", link->why_);
}

} // namespace detail

NetworkConnection::NetworkConnection(std::shared_ptr<detail::NetworkLink> link) : link_(std::move(link)) {}

NetworkConnection::~NetworkConnection() = default;

Task<std::optional<std::string>> NetworkConnection::read() { return detail::NetworkLink::read(link_); }

Task<> NetworkConnection::write(std::string_view bytes) { return detail::NetworkLink::write(link_, bytes); }

void NetworkConnection::close() noexcept { link_->end("it was closed by this program"); }

NetworkProxy::NetworkProxy(std::shared_ptr<detail::ProxyCore> core) : core_(std::move(core)) {}

NetworkProxy::~NetworkProxy() { close(); }

std::uint16_t NetworkProxy::port() const noexcept { return core_->port(); }

const std::string& NetworkProxy::address() const noexcept { return core_->address(); }

void NetworkProxy::close() noexcept
{
    boost::asio::dispatch(core_->executor(), [core = core_] { core->close(); });
}

Network::Network(std::shared_ptr<detail::NetworkCore> core) : core_(std::move(core)) {}

std::string Network::address() const { return core_->plan().range().to_string(); }

std::string Network::own_address() const { return core_->plan().own_address(); }

yagna::NetworkId Network::id() const { return core_->id(); }

std::vector<NetworkMember> Network::members() const
{
    std::vector<NetworkMember> members;
    for (const auto& [address, seat] : core_->plan().members())
        members.push_back(NetworkMember{seat.name, address, seat.node});
    return members;
}

std::shared_ptr<NetworkProxy> Network::tcp_proxy(const std::string& member, std::uint16_t port)
{
    return tcp_proxy(member, port, ProxyOptions());
}

std::shared_ptr<NetworkProxy>
Network::tcp_proxy(const std::string& member, std::uint16_t port, const ProxyOptions& options)
{
    return core_->add_proxy(detail::make_tcp_proxy(core_, member, port, options));
}

std::shared_ptr<NetworkProxy> Network::http_proxy(const std::string& member, std::uint16_t port)
{
    return http_proxy(member, port, ProxyOptions());
}

std::shared_ptr<NetworkProxy>
Network::http_proxy(const std::string& member, std::uint16_t port, const ProxyOptions& options)
{
    return core_->add_proxy(detail::make_http_proxy(core_, member, port, options));
}

Task<> Network::ready() { return core_->ready(); }

Task<std::unique_ptr<NetworkConnection>> Network::connect(std::string member, std::uint16_t port)
{
    const auto core = core_;
    auto link = co_await core->connect(std::move(member), port);
    co_return std::make_unique<NetworkConnection>(std::move(link));
}

Task<> Network::remove() { return core_->remove(); }

} // namespace golem
