#pragma once

#include <golem/core/random.hpp>
#include <golem/devnet/failure.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::devnet {

/// One private network, as its requestor's daemon keeps it. IPv4 only, unlike the real one's.
struct PrivateNetwork {
    std::string id;
    std::string owner;
    /// With the length of its prefix; what stands before it need not be the network's own address.
    std::string address;
    std::string mask;
    std::string gateway;
    std::uint32_t base = 0;
    std::uint32_t bits = 0;
    int prefix = 0;
    /// The owner's.
    std::vector<std::string> own_addresses;
    /// Nodes by their addresses.
    std::map<std::string, std::string> nodes;
};

/// The private networks of all requestors. No I/O. It checks what the real daemon checks, which is little: addresses
/// are taken by who comes first, and nodes may be anything.
class Networks {
public:
    explicit Networks(Random random) : random_(random) {}

    /// `address` with a prefix, or without: then the mask counts, else it is /24. Absent ones are nullopt.
    Result<const PrivateNetwork&> create(
        const std::string& owner, const std::string& address, const std::optional<std::string>& mask,
        const std::optional<std::string>& gateway);
    /// By id.
    std::vector<const PrivateNetwork*> of(const std::string& owner) const;
    /// 404 if the owner has no network at all, else 403 without a body.
    Result<const PrivateNetwork&> find(const std::string& owner, const std::string& id) const;
    Result<Done> remove(const std::string& owner, const std::string& id);
    Result<Done> add_address(const std::string& owner, const std::string& id, const std::string& address);
    Result<Done>
    add_node(const std::string& owner, const std::string& id, const std::string& node, const std::string& address);
    /// With all of its addresses; an unknown one is fine.
    Result<Done> remove_node(const std::string& owner, const std::string& id, const std::string& node);

    bool exists(const std::string& id) const { return networks_.contains(id); }
    std::size_t size() const noexcept { return networks_.size(); }

    /// Names of what changed: "network/" and an id.
    std::vector<std::string> take_touched();

private:
    Result<PrivateNetwork&> get(const std::string& owner, const std::string& id);

    Random random_;
    std::map<std::string, PrivateNetwork> networks_;
    std::vector<std::string> touched_;
};

/// Four numbers without leading zeros.
std::optional<std::uint32_t> read_ipv4(std::string_view text) noexcept;

} // namespace golem::devnet
