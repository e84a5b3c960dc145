#pragma once

#include <golem/yagna/types.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// Who has which address in a private network: decisions without I/O.
namespace golem::detail {

/// "192.168.0.1" in its only form: four numbers without leading zeros.
std::optional<std::uint32_t> parse_ipv4(std::string_view text) noexcept;
std::string format_ipv4(std::uint32_t address);

/// An IPv4 network, such as 192.168.0.0/24.
class AddressRange {
public:
    /// `address` is "192.168.0.0/24", or without a prefix: then `mask` counts ("255.255.0.0"), else /24. Throws Error
    /// invalid_input, with the right form, for what is no network of 4 to 16777216 addresses that machines can have.
    AddressRange(const std::string& address, const std::string& mask);

    bool contains(std::uint32_t address) const noexcept { return (address & mask_) == base_; }
    std::uint32_t base() const noexcept { return base_; }
    std::uint32_t mask() const noexcept { return mask_; }
    int prefix() const noexcept { return prefix_; }
    std::uint32_t first_host() const noexcept { return base_ + 1; }
    std::uint32_t last_host() const noexcept { return broadcast() - 1; }
    std::uint32_t broadcast() const noexcept { return base_ | ~mask_; }
    /// "192.168.0.0/24"
    std::string to_string() const;

private:
    std::uint32_t base_ = 0;
    std::uint32_t mask_ = 0;
    int prefix_ = 0;
};

/// Gives the addresses of one network to its members and takes them back.
///
/// An address is a member's from reserve() to release(). If the daemon was told of it (join), it is nobody's until the
/// daemon has forgotten its node (node_removed): to give it to another node before would change nothing there. And a
/// node can only be forgotten with all of its addresses, so not before its last member has gone.
class AddressPlan {
public:
    /// The daemon's address is the first host's. `gateway` is reserved too if it is one of the network's; empty: none.
    /// Throws Error invalid_input if it is no address.
    AddressPlan(AddressRange range, const std::string& gateway);

    /// Takes an address: `wanted`, else the one that the last member of this `name` had, else the next free one in
    /// turn, so that one that was given back is used again as late as possible. Throws Error invalid_input (`wanted` is
    /// no address of a machine here; `name` is none, or looks like an address) and refused (either is another member's;
    /// no address is left).
    std::string reserve(const std::string& wanted, const std::string& name);
    /// The daemon is told that `node` has it.
    void join(const std::string& address, const yagna::NodeId& node);
    /// The member has gone. Returns the node that the daemon can forget now, if any.
    std::optional<yagna::NodeId> release(const std::string& address);
    /// The daemon has forgotten it. What members joined meanwhile keep.
    void node_removed(const yagna::NodeId& node);

    /// The address of a member by its name, or by itself. Throws Error not_found, with the members there are.
    std::string find(const std::string& member) const;
    /// Names and addresses of members.
    std::map<std::string, std::string> names() const;
    /// Addresses and nodes of members that have joined.
    std::map<std::string, yagna::NodeId> nodes() const;
    /// Members that have joined on this node.
    std::map<std::string, yagna::NodeId> nodes_of(const yagna::NodeId& node) const;
    struct Seat {
        std::string name;
        yagna::NodeId node; ///< Empty: not joined yet.
    };
    /// By address, those of members only.
    std::map<std::string, Seat> members() const;

    std::string own_address() const { return format_ipv4(range_.first_host()); }
    const AddressRange& range() const noexcept { return range_; }

private:
    struct Entry {
        std::string name;
        yagna::NodeId node;
        bool left = false;
    };

    std::uint32_t check_wanted(const std::string& wanted) const;
    void check_name(const std::string& name) const;
    std::uint32_t next_free();
    bool is_free(std::uint32_t address) const;

    AddressRange range_;
    std::optional<std::uint32_t> gateway_;
    std::uint32_t last_;
    std::map<std::uint32_t, Entry> entries_;
    std::map<std::string, std::uint32_t> last_of_name_;
};

} // namespace golem::detail
