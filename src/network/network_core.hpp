// What a Network holds, and what its services do with it.
#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/websocket.hpp>
#include <golem/network/detail/address_plan.hpp>
#include <golem/network/detail/seat.hpp>
#include <golem/network/network.hpp>
#include <golem/yagna/client.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace golem::detail {

/// One connection, held by who reads it, and known to the network, which may end it.
class NetworkLink {
public:
    NetworkLink(
        const Executor& executor, std::string address, std::uint16_t port, std::unique_ptr<http::WebSocket> socket);

    static Task<std::optional<std::string>> read(std::shared_ptr<NetworkLink> link);
    static Task<> write(std::shared_ptr<NetworkLink> link, std::string_view bytes);
    /// The first reason counts.
    void end(std::string why) noexcept;

    const std::string& address() const noexcept { return address_; }

private:
    Task<> receive(std::optional<http::WebSocketMessage>& message);
    Task<> send(const http::WebSocketMessage& message);
    [[noreturn]] void fail(const std::exception_ptr& failure, const char* operation) const;

    const std::string address_;
    const std::uint16_t port_;
    std::unique_ptr<http::WebSocket> socket_;
    Event ended_;
    std::string why_;
};

/// What a proxy does behind its handle. The executor, but for what says otherwise.
class ProxyCore {
public:
    virtual ~ProxyCore() = default;

    // Any thread.
    virtual std::uint16_t port() const noexcept = 0;
    virtual const std::string& address() const noexcept = 0;
    virtual const Executor& executor() const noexcept = 0;

    /// Until closed or cancelled.
    virtual Task<> run() = 0;
    virtual void close() noexcept = 0;
};

class NetworkCore : public std::enable_shared_from_this<NetworkCore> {
public:
    NetworkCore(const NetworkSetting& setting, const NetworkOptions& options);

    // Any thread.
    std::shared_ptr<NetworkSeat> reserve(const std::string& wanted, const std::string& name);
    AddressPlan plan() const;
    yagna::NetworkId id() const;
    std::shared_ptr<NetworkProxy> add_proxy(std::shared_ptr<ProxyCore> proxy);

    const Executor& executor() const noexcept { return executor_; }
    TimeSource& time() noexcept { return time_; }
    const Logger& log() const noexcept { return log_; }
    /// Keeps what this needs: nothing once the manager has gone.
    const std::shared_ptr<void>& owner() const noexcept { return owner_; }

    // The executor.
    void begin();
    Task<> ready();
    Task<std::shared_ptr<NetworkLink>> connect(std::string member, std::uint16_t port);
    Task<> remove();
    /// Within `limit`; tells what is left over.
    Task<std::vector<std::string>> close(Duration limit);

private:
    friend class NetworkSeat;
    class Turn;

    Task<> make();
    Task<> make_within();
    Task<> join(const std::string& address, const yagna::NodeId& node);
    Task<> leave(const std::string& address);
    Task<> announce(const std::map<std::string, yagna::NodeId>& known);
    void free(const std::string& address) noexcept;
    NetworkPlace place(const std::string& address) const;
    void end_links(const std::string& address, const std::string& why) noexcept;
    Task<> wait_for_turn();
    void check_open(const char* operation) const;
    Task<> end_tasks();
    Task<> remove_at_daemon();

    const std::shared_ptr<void> owner_;
    const Executor executor_;
    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    const NetworkOptions options_;

    mutable std::mutex mutex_; // Guards what follows, up to the events.
    AddressPlan plan_;
    yagna::NetworkId id_;
    bool closed_ = false;

    yagna::NodeId own_node_;
    Event made_;
    std::exception_ptr failure_;
    bool may_exist_ = false; // The daemon was asked, and its answer is not known.
    bool begun_ = false;
    bool changing_ = false; // Nodes are being told: one after the other.
    Event changed_;
    std::vector<std::weak_ptr<NetworkLink>> links_;
    std::vector<std::weak_ptr<ProxyCore>> proxies_;
    TaskGroup tasks_;
};

std::shared_ptr<ProxyCore> make_tcp_proxy(
    const std::shared_ptr<NetworkCore>& network, const std::string& member, std::uint16_t port,
    const ProxyOptions& options);
std::shared_ptr<ProxyCore> make_http_proxy(
    const std::shared_ptr<NetworkCore>& network, const std::string& member, std::uint16_t port,
    const ProxyOptions& options);

} // namespace golem::detail
