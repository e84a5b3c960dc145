#include <golem/devnet/networks.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace golem::devnet {

namespace {

constexpr int usual_prefix = 24;

std::string text_of(std::uint32_t address)
{
    return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
           std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

std::uint32_t bits_of(int prefix) noexcept { return prefix == 0 ? 0 : ~std::uint32_t(0) << (32 - prefix); }

Failure no_address(const char* kind)
{
    return Failure(400, std::string("Invalid IP address: invalid ") + kind + " syntax");
}

std::optional<int> read_prefix(std::string_view text) noexcept
{
    int prefix = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
    const bool is_whole = error == std::errc() && end == text.data() + text.size();
    const bool has_zeros = text.size() > 1 && text.front() == '0';
    return is_whole && !has_zeros && prefix >= 0 && prefix <= 32 ? std::optional(prefix) : std::nullopt;
}

} // namespace

std::optional<std::uint32_t> read_ipv4(std::string_view text) noexcept
{
    std::uint32_t address = 0;
    for (int part = 0; part < 4; ++part) {
        const auto end = part < 3 ? text.find('.') : text.size();
        const auto digits = text.substr(0, end);
        unsigned value = 0;
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        const bool is_whole = error == std::errc() && stop == digits.data() + digits.size();
        if (end == std::string_view::npos || !is_whole || value > 255 || (digits.size() > 1 && digits.front() == '0'))
            return std::nullopt;
        address = address << 8 | value;
        text.remove_prefix(std::min(text.size(), digits.size() + 1));
    }
    return address;
}

Result<const PrivateNetwork&> Networks::create(
    const std::string& owner, const std::string& address, const std::optional<std::string>& mask,
    const std::optional<std::string>& gateway)
{
    PrivateNetwork network;
    const auto slash = address.find('/');
    const auto bare = address.substr(0, slash);
    const auto parsed = read_ipv4(bare);
    if (slash != std::string::npos) {
        const auto prefix = read_prefix(std::string_view(address).substr(slash + 1));
        if (!parsed || !prefix)
            return Failure(400, "Invalid network IP address: " + address);
        network.prefix = *prefix;
    } else if (!parsed) {
        return no_address("IP address");
    } else if (mask) {
        const auto bits = read_ipv4(*mask);
        if (!bits)
            return no_address("IPv4 address");
        network.prefix = std::countl_one(*bits);
    } else {
        network.prefix = usual_prefix;
    }
    network.bits = bits_of(network.prefix);
    network.base = *parsed & network.bits;
    network.address = bare + "/" + std::to_string(network.prefix);
    network.mask = text_of(network.bits);
    const auto first = text_of(network.prefix < 31 ? network.base + 1 : network.base);
    if (gateway && !read_ipv4(*gateway))
        return no_address("IP address");
    network.gateway = gateway.value_or(first);
    network.own_addresses = {first + "/" + std::to_string(network.prefix)};
    network.owner = owner;
    network.id = random_.hex(32);
    const auto id = network.id;
    return networks_.emplace(id, std::move(network)).first->second;
}

std::vector<const PrivateNetwork*> Networks::of(const std::string& owner) const
{
    std::vector<const PrivateNetwork*> list;
    for (const auto& [id, network] : networks_) {
        if (network.owner == owner)
            list.push_back(&network);
    }
    return list;
}

Result<const PrivateNetwork&> Networks::find(const std::string& owner, const std::string& id) const
{
    const auto found = networks_.find(id);
    if (found != networks_.end() && found->second.owner == owner)
        return found->second;
    if (of(owner).empty())
        return Failure(404, "Network not found");
    return Failure(403, std::string(), BodyKind::empty);
}

Result<PrivateNetwork&> Networks::get(const std::string& owner, const std::string& id)
{
    const auto found = find(owner, id);
    if (!found)
        return found.failure();
    return networks_.at(id);
}

Result<Done> Networks::remove(const std::string& owner, const std::string& id)
{
    const auto found = find(owner, id);
    if (!found)
        return found.failure();
    touched_.push_back("network/" + id);
    networks_.erase(id);
    return Done();
}

Result<Done> Networks::add_address(const std::string& owner, const std::string& id, const std::string& address)
{
    const auto found = get(owner, id);
    if (!found)
        return found.failure();
    const auto parsed = read_ipv4(address);
    if (!parsed)
        return no_address("IP address");
    if ((*parsed & found->bits) != found->base)
        return Failure(400, "Network not found for IP address: " + address);
    const auto whole = address + "/" + std::to_string(found->prefix);
    auto& own = found->own_addresses;
    if (std::find(own.begin(), own.end(), whole) == own.end())
        own.push_back(whole);
    return Done();
}

Result<Done>
Networks::add_node(const std::string& owner, const std::string& id, const std::string& node, const std::string& address)
{
    const auto found = get(owner, id);
    if (!found)
        return found.failure();
    const auto parsed = read_ipv4(address);
    if (!parsed)
        return no_address("IP address");
    if ((*parsed & found->bits) != found->base)
        return Failure(400, "Invalid network IP address: " + address);
    found->nodes.emplace(address, node);
    return Done();
}

Result<Done> Networks::remove_node(const std::string& owner, const std::string& id, const std::string& node)
{
    const auto found = get(owner, id);
    if (!found)
        return found.failure();
    std::erase_if(found->nodes, [&node](const auto& item) { return item.second == node; });
    return Done();
}

std::vector<std::string> Networks::take_touched() { return std::exchange(touched_, {}); }

} // namespace golem::devnet
