#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace golem::bus::detail {

/// Where a bus listens: a port of an IP address, or a path.
struct BusUrl {
    std::string address; // empty for a path
    std::uint16_t port = 0;
    std::string path;
    bool operator==(const BusUrl&) const = default;
};

/// Reads what GSB_URL may hold: "tcp://IP:PORT", "IP:PORT", "unix:PATH", "unix://PATH". Error invalid_input otherwise.
BusUrl parse_bus_url(std::string_view text);

} // namespace golem::bus::detail
