#pragma once

#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/yagna/types.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

/// What a manager and its services need of networks.
namespace golem {

class Network;
struct NetworkOptions;

namespace yagna {
class Client;
}

namespace detail {

class NetworkCore;

/// What a network is made of, beside its options. The owner keeps the rest alive.
struct NetworkSetting {
    std::shared_ptr<void> owner;
    Executor executor;
    TimeSource& time;
    yagna::Client& client;
    Logger log;
};

/// What a machine is told of the network as it is deployed.
struct NetworkPlace {
    yagna::NetworkId id;
    std::string address; ///< Of the network, without the prefix.
    std::string mask;
    std::string gateway;
    std::string node_address;
    std::map<std::string, yagna::NodeId> nodes;
    std::map<std::string, std::string> names;
};

/// A service's place in a network: its address and name are reserved as long as it lives. The executor, but for the
/// destructor: any thread.
class NetworkSeat {
public:
    NetworkSeat(std::shared_ptr<NetworkCore> network, std::string address);
    ~NetworkSeat();

    NetworkSeat(const NetworkSeat&) = delete;
    NetworkSeat& operator=(const NetworkSeat&) = delete;

    const std::string& address() const noexcept { return address_; }

    /// Completes when the daemon has made the network. Throws why it has not.
    Task<> ready();
    /// The daemon is told that the machine on `node` has the address.
    Task<> join(yagna::NodeId node);
    /// What the machine is to be told now.
    NetworkPlace place();
    /// The machine has started: what happened since place() is told again, since it may not have heard it.
    Task<> announce();
    /// Connections to it end, and the daemon forgets it. The address is free again unless the daemon cannot be asked.
    Task<> leave();

private:
    const std::shared_ptr<NetworkCore> network_;
    const std::string address_;
    std::map<std::string, yagna::NodeId> told_;
    bool left_ = false;
};

/// Throws Error invalid_input for bad options.
std::shared_ptr<Network> make_network(const NetworkSetting& setting, const NetworkOptions& options);
/// The daemon is asked from now on. The executor, as are the following.
void begin(Network& network);
/// Reserves a place; see AddressPlan::reserve(). Any thread. `owner` is who makes the service: only networks of the
/// same manager will do.
std::shared_ptr<NetworkSeat> reserve(
    const Network& network, const std::shared_ptr<void>& owner, const std::string& address, const std::string& name);
/// Ends connections and proxies, and removes it within `limit`. Tells what is left over.
Task<std::vector<std::string>> close(const Network& network, Duration limit);

} // namespace detail
} // namespace golem
