#include "net_codec.hpp"

#include "json_codec.hpp"

#include <limits>

namespace golem::yagna::codec {

namespace {

NetworkInfo network_from(const Node& node)
{
    NetworkInfo network;
    const auto id = node.at("id");
    network.id = id.string();
    if (network.id.empty())
        id.refuse("an id");
    network.address = node.at("ip").string();
    network.mask = node.string_or("mask", {});
    network.gateway = node.string_or("gateway", {});
    return network;
}

} // namespace

std::string encode_new_network(const std::string& address, const std::string& mask, const std::string& gateway)
{
    auto json = Json::object();
    json["ip"] = address;
    if (!mask.empty())
        json["mask"] = mask;
    if (!gateway.empty())
        json["gateway"] = gateway;
    return encode(json);
}

std::string encode_address(const std::string& address)
{
    auto json = Json::object();
    json["ip"] = address;
    return encode(json);
}

std::string encode_network_node(const NodeId& node, const std::string& address)
{
    auto json = Json::object();
    json["id"] = node;
    json["ip"] = address;
    return encode(json);
}

NetworkInfo decode_network(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    return network_from(document.root());
}

std::vector<NetworkInfo> decode_networks(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<NetworkInfo> result;
    for (const auto& item : document.root().items())
        result.push_back(network_from(item));
    return result;
}

std::vector<std::string> decode_addresses(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<std::string> result;
    for (const auto& item : document.root().items())
        result.push_back(item.at("ip").string());
    return result;
}

std::vector<NetworkNode> decode_network_nodes(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<NetworkNode> result;
    for (const auto& item : document.root().items())
        result.push_back(NetworkNode{item.at("id").string(), item.at("ip").string()});
    return result;
}

NetStatus decode_net_status(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    NetStatus status;
    status.node = root.at("nodeId").string();
    status.listens_at = root.string_or("listenIp", {});
    status.public_address = root.string_or("publicIp", {});
    const auto sessions = root.at("sessions");
    const auto count = sessions.integer();
    if (count < 0 || count > std::numeric_limits<int>::max())
        sessions.refuse("a number of sessions");
    status.sessions = static_cast<int>(count);
    return status;
}

} // namespace golem::yagna::codec
