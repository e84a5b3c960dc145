#pragma once

#include <golem/core/task.hpp>
#include <golem/http/websocket.hpp>
#include <golem/yagna/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace golem::yagna {

class Caller;

/// A private network of ours, as the daemon keeps it.
struct NetworkInfo {
    NetworkId id;
    /// With the length of its prefix: "192.168.0.0/24".
    std::string address;
    std::string mask;
    std::string gateway;
};

struct NetworkNode {
    NodeId node;
    std::string address;
};

/// How the daemon itself is connected.
struct NetStatus {
    NodeId node;
    /// Where it listens, and how others see it; empty if it does not say.
    std::string listens_at;
    std::string public_address;
    int sessions = 0;
};

/// The net API (v1; v2's `vpn` is the same by another name): private networks of virtual machines, and the daemon's own
/// connection. Errors as in Caller, cancellation terminal; one executor.
///
/// The daemon checks little: it takes any node id, and an address that somebody has already changes nothing, whoever
/// asks. To decide who gets which is up to us.
class NetApi {
public:
    explicit NetApi(Caller& caller) : caller_(caller) {}

    /// `POST /net`. `address` is "192.168.0.0/24", or without a prefix (then `mask` counts, else /24); `mask` and
    /// `gateway` may be empty. The first host's address is ours. Not repeatable.
    Task<NetworkInfo> create(const std::string& address, const std::string& mask, const std::string& gateway);
    /// `GET /net`. Repeatable, as all that follow.
    Task<std::vector<NetworkInfo>> networks();
    /// `GET /net/{id}`. Error not_found if it is not ours, or no longer.
    Task<NetworkInfo> network(const NetworkId& id);
    /// `DELETE /net/{id}`: tells its nodes. One that does not exist counts as removed.
    Task<> remove(const NetworkId& id);
    /// `GET /net/{id}/addresses`: ours in it, with the length of the prefix.
    Task<std::vector<std::string>> addresses(const NetworkId& id);
    Task<> add_address(const NetworkId& id, const std::string& address);
    /// `GET /net/{id}/nodes`, in no order.
    Task<std::vector<NetworkNode>> nodes(const NetworkId& id);
    /// `POST /net/{id}/nodes`: tells the other nodes; again does so again. A node may have several addresses.
    Task<> add_node(const NetworkId& id, const NodeId& node, const std::string& address);
    /// `DELETE /net/{id}/nodes/{node}`: with all of its addresses. An unknown one counts as removed, not so the
    /// network.
    Task<> remove_node(const NetworkId& id, const NodeId& node);
    /// `GET …/tcp/{address}/{port}`: a TCP connection to a node, as the messages of a websocket, which must not be
    /// larger than 64 KiB. Once. Error refused if nobody listens there, unreachable if nobody answers for 5 s,
    /// not_found for an unknown network. An IPv6 address in a network without any would end the network.
    Task<std::unique_ptr<http::WebSocket>> connect(const NetworkId& id, const std::string& address, std::uint16_t port);
    /// `GET /net-api/v2/net/status`.
    Task<NetStatus> status();

private:
    Caller& caller_;
};

} // namespace golem::yagna
