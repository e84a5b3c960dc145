#include <golem/yagna/net.hpp>

#include <golem/core/error.hpp>
#include <golem/yagna/caller.hpp>

#include "net_codec.hpp"
#include "targets.hpp"

namespace golem::yagna {

namespace {

constexpr std::string_view networks_path = "/net-api/v1/net";

Target network_target(const NetworkId& id) { return Target(networks_path).segment(id); }

} // namespace

Task<NetworkInfo> NetApi::create(const std::string& address, const std::string& mask, const std::string& gateway)
{
    const CallClass call{"create network", Idempotency::once};
    http::Request request(http::Method::post, Target(networks_path).text());
    request.set_body(codec::encode_new_network(address, mask, gateway));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_network(call.operation, answer.body());
}

Task<std::vector<NetworkInfo>> NetApi::networks()
{
    const CallClass call{"list networks"};
    http::Request request(http::Method::get, Target(networks_path).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_networks(call.operation, answer.body());
}

Task<NetworkInfo> NetApi::network(const NetworkId& id)
{
    const CallClass call{"read network"};
    http::Request request(http::Method::get, network_target(id).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_network(call.operation, answer.body());
}

Task<> NetApi::remove(const NetworkId& id)
{
    const CallClass call{"remove network"};
    http::Request request(http::Method::del, network_target(id).text());
    try {
        co_await caller_.call(call, request);
    } catch (const Error& error) {
        if (error.errc() != Errc::not_found)
            throw;
    }
}

Task<std::vector<std::string>> NetApi::addresses(const NetworkId& id)
{
    const CallClass call{"list addresses"};
    http::Request request(http::Method::get, network_target(id).literal("/addresses").text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_addresses(call.operation, answer.body());
}

Task<> NetApi::add_address(const NetworkId& id, const std::string& address)
{
    const CallClass call{"add address to network"};
    http::Request request(http::Method::post, network_target(id).literal("/addresses").text());
    request.set_body(codec::encode_address(address));
    co_await caller_.call(call, request);
}

Task<std::vector<NetworkNode>> NetApi::nodes(const NetworkId& id)
{
    const CallClass call{"list nodes"};
    http::Request request(http::Method::get, network_target(id).literal("/nodes").text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_network_nodes(call.operation, answer.body());
}

Task<> NetApi::add_node(const NetworkId& id, const NodeId& node, const std::string& address)
{
    const CallClass call{"add node to network"};
    http::Request request(http::Method::post, network_target(id).literal("/nodes").text());
    request.set_body(codec::encode_network_node(node, address));
    co_await caller_.call(call, request);
}

Task<> NetApi::remove_node(const NetworkId& id, const NodeId& node)
{
    const CallClass call{"remove node from network"};
    http::Request request(http::Method::del, network_target(id).literal("/nodes").segment(node).text());
    co_await caller_.call(call, request);
}

Task<std::unique_ptr<http::WebSocket>>
NetApi::connect(const NetworkId& id, const std::string& address, std::uint16_t port)
{
    const CallClass call{"connect to machine", Idempotency::once};
    const auto target = network_target(id).literal("/tcp").segment(address).segment(std::to_string(port));
    http::Request request(http::Method::get, target.text());
    auto socket = co_await caller_.open_websocket(call, request);
    co_return socket;
}

Task<NetStatus> NetApi::status()
{
    const CallClass call{"read net status"};
    http::Request request(http::Method::get, "/net-api/v2/net/status");
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_net_status(call.operation, answer.body());
}

} // namespace golem::yagna
