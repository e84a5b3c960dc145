#pragma once

#include <golem/yagna/net.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The net API's JSON; see market_codec.hpp for the rules.
namespace golem::yagna::codec {

std::string encode_new_network(const std::string& address, const std::string& mask, const std::string& gateway);
std::string encode_address(const std::string& address);
std::string encode_network_node(const NodeId& node, const std::string& address);

NetworkInfo decode_network(std::string_view operation, const std::string& body);
std::vector<NetworkInfo> decode_networks(std::string_view operation, const std::string& body);
std::vector<std::string> decode_addresses(std::string_view operation, const std::string& body);
std::vector<NetworkNode> decode_network_nodes(std::string_view operation, const std::string& body);
NetStatus decode_net_status(std::string_view operation, const std::string& body);

} // namespace golem::yagna::codec
