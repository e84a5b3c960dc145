#include <golem/network/detail/address_plan.hpp>

#include <golem/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <utility>

namespace golem::detail {

namespace {

// The daemon could take larger ones, but nobody has so many machines.
constexpr int shortest_prefix = 8;
// Network, broadcast, the daemon and one machine.
constexpr int longest_prefix = 30;
constexpr int usual_prefix = 24;
constexpr std::size_t longest_name = 253;
// So many names are remembered whose members have gone.
constexpr std::size_t remembered_names = 4096;

[[noreturn]] void refuse_options(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "network options", explanation);
}

std::uint32_t mask_of(int prefix) noexcept { return ~std::uint32_t(0) << (32 - prefix); }

int prefix_from(const std::string& address, const std::string& mask, std::string& bare)
{
    const auto slash = address.find('/');
    bare = address.substr(0, slash);
    if (slash != std::string::npos) {
        if (!mask.empty())
            refuse_options("address is " + address + " and mask is " + mask + "; only one of them can tell the size");
        int prefix = -1;
        const auto* end = address.data() + address.size();
        const auto [stop, error] = std::from_chars(address.data() + slash + 1, end, prefix);
        return error == std::errc() && stop == end ? prefix : -1;
    }
    if (mask.empty())
        return usual_prefix;
    const auto bits = parse_ipv4(mask);
    const int ones = bits ? std::countl_one(*bits) : 0;
    if (!bits || ones == 0 || *bits != mask_of(ones))
        refuse_options("mask is \"" + mask + "\"; it must be one such as 255.255.255.0");
    return ones;
}

} // namespace

std::optional<std::uint32_t> parse_ipv4(std::string_view text) noexcept
{
    std::uint32_t address = 0;
    for (int part = 0; part < 4; ++part) {
        if (part > 0) {
            if (!text.starts_with('.'))
                return std::nullopt;
            text.remove_prefix(1);
        }
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const auto digits = static_cast<std::size_t>(end - text.data());
        if (error != std::errc() || value > 255 || digits > 3 || (digits > 1 && text.front() == '0'))
            return std::nullopt;
        text.remove_prefix(digits);
        address = address << 8 | value;
    }
    return text.empty() ? std::optional(address) : std::nullopt;
}

std::string format_ipv4(std::uint32_t address)
{
    return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
           std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

AddressRange::AddressRange(const std::string& address, const std::string& mask)
{
    std::string bare;
    prefix_ = prefix_from(address, mask, bare);
    const auto parsed = parse_ipv4(bare);
    if (!parsed || prefix_ < 0 || prefix_ > 32)
        refuse_options("address is \"" + address + "\"; it must be an IPv4 network such as 192.168.0.0/24");
    if (prefix_ < shortest_prefix || prefix_ > longest_prefix)
        refuse_options(
            "address is " + bare + "/" + std::to_string(prefix_) + "; the prefix must be from /" +
            std::to_string(shortest_prefix) + " to /" + std::to_string(longest_prefix));
    mask_ = mask_of(prefix_);
    base_ = *parsed & mask_;
    if (base_ != *parsed)
        refuse_options("address is " + address + ", a machine's; its network is " + to_string());
    const auto first = base_ >> 24;
    if (first == 0 || first == 127 || first >= 224)
        refuse_options("address is " + address + "; machines cannot have such addresses: 192.168.0.0/24 is the usual");
}

std::string AddressRange::to_string() const { return format_ipv4(base_) + "/" + std::to_string(prefix_); }

AddressPlan::AddressPlan(AddressRange range, const std::string& gateway) : range_(range), last_(range.first_host())
{
    if (gateway.empty())
        return;
    gateway_ = parse_ipv4(gateway);
    if (!gateway_ || !range_.contains(*gateway_) || *gateway_ == range_.base() || *gateway_ == range_.broadcast())
        refuse_options("gateway is \"" + gateway + "\"; it must be a machine's address in " + range_.to_string());
}

std::string AddressPlan::reserve(const std::string& wanted, const std::string& name)
{
    check_name(name);
    std::uint32_t address = 0;
    const auto before = name.empty() ? last_of_name_.end() : last_of_name_.find(name);
    if (!wanted.empty())
        address = check_wanted(wanted);
    else if (before != last_of_name_.end() && is_free(before->second))
        address = before->second;
    else
        address = next_free();
    auto& entry = entries_[address];
    entry.name = name;
    if (!name.empty()) {
        if (last_of_name_.size() >= remembered_names)
            std::erase_if(last_of_name_, [this](const auto& item) { return !entries_.contains(item.second); });
        last_of_name_[name] = address;
    }
    return format_ipv4(address);
}

std::uint32_t AddressPlan::check_wanted(const std::string& wanted) const
{
    const auto address = parse_ipv4(wanted);
    const auto refuse = [&wanted](Errc code, const std::string& why) {
        throw Error(code, "join network", "the address " + wanted + " " + why);
    };
    if (!address || !range_.contains(*address))
        refuse(Errc::invalid_input, "is none of " + range_.to_string());
    if (*address == range_.base() || *address == range_.broadcast())
        refuse(Errc::invalid_input, "stands for all of " + range_.to_string() + ": no machine can have it");
    if (*address == range_.first_host())
        refuse(Errc::invalid_input, "is the daemon's own");
    if (address == gateway_)
        refuse(Errc::invalid_input, "is the gateway's");
    const auto found = entries_.find(*address);
    if (found != entries_.end() && found->second.left)
        refuse(Errc::refused, "was that of a machine which the daemon has not forgotten yet");
    if (found != entries_.end())
        refuse(Errc::refused, "is that of another service");
    return *address;
}

void AddressPlan::check_name(const std::string& name) const
{
    if (name.empty())
        return;
    const auto refuse = [&name](Errc code, const std::string& why) {
        throw Error(code, "join network", "the name \"" + name + "\" " + why);
    };
    const auto allowed = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
    };
    if (name.size() > longest_name || !std::all_of(name.begin(), name.end(), allowed))
        refuse(Errc::invalid_input, "must be letters, digits, '-', '_' and '.', at most 253 of them");
    if (parse_ipv4(name))
        refuse(Errc::invalid_input, "is an address: that has a member of its own");
    for (const auto& [address, entry] : entries_) {
        if (entry.name == name && !entry.left)
            refuse(Errc::refused, "is that of another service");
    }
}

bool AddressPlan::is_free(std::uint32_t address) const { return address != gateway_ && !entries_.contains(address); }

std::uint32_t AddressPlan::next_free()
{
    // The first host is the daemon, so at least one is not free, and a whole round ends.
    auto address = last_;
    do {
        address = address >= range_.last_host() ? range_.first_host() + 1 : address + 1;
        if (is_free(address))
            return last_ = address;
    } while (address != last_ && !(last_ == range_.first_host() && address == range_.last_host()));
    throw Error(
        Errc::refused, "join network",
        "no address is left in " + range_.to_string() + ": end a service, or make the network larger");
}

void AddressPlan::join(const std::string& address, const yagna::NodeId& node)
{
    entries_.at(parse_ipv4(address).value()).node = node;
}

std::optional<yagna::NodeId> AddressPlan::release(const std::string& address)
{
    const auto found = entries_.find(parse_ipv4(address).value());
    if (found == entries_.end() || found->second.left)
        return std::nullopt;
    const auto node = found->second.node;
    if (node.empty()) {
        entries_.erase(found);
        return std::nullopt;
    }
    found->second.left = true;
    for (const auto& [other, entry] : entries_) {
        if (entry.node == node && !entry.left)
            return std::nullopt;
    }
    return node;
}

void AddressPlan::node_removed(const yagna::NodeId& node)
{
    std::erase_if(entries_, [&node](const auto& item) { return item.second.left && item.second.node == node; });
}

std::string AddressPlan::find(const std::string& member) const
{
    std::string known;
    for (const auto& [address, entry] : entries_) {
        if (entry.left)
            continue;
        const auto text = format_ipv4(address);
        if (text == member || (!entry.name.empty() && entry.name == member))
            return text;
        known += (known.empty() ? "" : ", ") + (entry.name.empty() ? text : entry.name + " (" + text + ")");
    }
    throw Error(
        Errc::not_found, "find a service in the network",
        "\"" + member + "\" is nobody here; " + (known.empty() ? "no service has joined" : "there are: " + known));
}

std::map<std::string, std::string> AddressPlan::names() const
{
    std::map<std::string, std::string> names;
    for (const auto& [address, entry] : entries_) {
        if (!entry.left && !entry.name.empty())
            names.emplace(entry.name, format_ipv4(address));
    }
    return names;
}

std::map<std::string, yagna::NodeId> AddressPlan::nodes() const
{
    std::map<std::string, yagna::NodeId> nodes;
    for (const auto& [address, entry] : entries_) {
        if (!entry.left && !entry.node.empty())
            nodes.emplace(format_ipv4(address), entry.node);
    }
    return nodes;
}

std::map<std::string, yagna::NodeId> AddressPlan::nodes_of(const yagna::NodeId& node) const
{
    auto all = nodes();
    std::erase_if(all, [&node](const auto& item) { return item.second != node; });
    return all;
}

std::map<std::string, AddressPlan::Seat> AddressPlan::members() const
{
    std::map<std::string, Seat> members;
    for (const auto& [address, entry] : entries_) {
        if (!entry.left)
            members.emplace(format_ipv4(address), Seat{entry.name, entry.node});
    }
    return members;
}

} // namespace golem::detail
