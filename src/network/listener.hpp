// What both proxies need: a socket that listens.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>
#include <golem/network/network.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <string>

namespace golem::detail {

/// Throws Error invalid_input for options out of range, and for virtual time.
inline void check_proxy(const TimeSource& time, std::uint16_t port, const ProxyOptions& options)
{
    const auto refuse = [](const std::string& explanation) {
        throw Error(Errc::invalid_input, "proxy options", explanation);
    };
    if (time.is_virtual())
        refuse("a proxy's sockets are real: it does not work in virtual time; use Network::connect()");
    if (port == 0)
        refuse("the service's port is 0; it must be 1 to 65535");
    if (options.max_connections == 0)
        refuse("max_connections is 0; it must be at least 1");
    if (options.idle_limit <= Duration::zero())
        refuse("idle_limit must be more than zero");
    if (options.linger <= Duration::zero())
        refuse("linger must be more than zero");
}

inline std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint)
{
    const auto address = endpoint.address();
    const auto host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(endpoint.port());
}

} // namespace golem::detail
