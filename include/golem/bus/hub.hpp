#pragma once

#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace golem::bus {

struct HubOptions {
    /// Loopback only unless the address says otherwise: whoever reaches a hub can call and be called by all its peers.
    std::string address = "127.0.0.1";
    /// 0: the system chooses one, see Hub::port(). A daemon reads no more than four digits of it.
    std::uint16_t port = 0;
    /// Bytes of one message; a longer one ends its peer's connection.
    std::size_t largest_message = 64u << 20;
    /// Bytes that wait for one peer; a slower one is disconnected.
    std::size_t most_unsent = 256u << 20;
};

/// A service bus of its own: the meeting point of daemons with `YA_NET_TYPE=central`, in place of a network.
///
/// Peers register prefixes; a call goes to the peer with the longest prefix of its address, and an address that nobody
/// has is answered at once with "endpoint address not found". Broadcasts go to all who subscribed to their topic. A
/// peer that leaves fails the calls that wait for it. One executor. run() must have completed before the hub is
/// destroyed, if it was started.
class Hub {
public:
    /// Binds at once; Error invalid_input if the address is not usable or the port is taken.
    Hub(const Executor& executor, TimeSource& time, const HubOptions& options, const Random& random, Logger log);
    ~Hub();

    std::uint16_t port() const noexcept;
    /// How many peers are connected.
    std::size_t peers() const noexcept;

    /// Routes until closed or cancelled (terminal). Completes when every connection has ended; call it once.
    Task<> run();
    /// Ends all connections. Idempotent.
    void close();

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace golem::bus
