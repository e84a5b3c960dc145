#pragma once

#include <golem/bus/detail/prefix_table.hpp>
#include <golem/bus/detail/wire.hpp>
#include <golem/core/time_source.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace golem::bus::detail {

using PeerId = std::uint64_t;

/// A message that the hub owes to a peer.
struct Delivery {
    PeerId to;
    Message message;
};

/// Decides where messages between the peers of a hub go. A peer that has left gets nothing any more. A call that gets
/// neither an answer nor a part of one for an hour is forgotten: later answers to it are dropped.
class Router {
public:
    /// What a message of `from` leads to, in this order. Error protocol for a message that no client may send.
    std::vector<Delivery> receive(PeerId from, Message message, Instant now);

    /// Forgets all that a peer registered and subscribed, and fails the calls that wait for it.
    std::vector<Delivery> leave(PeerId peer);

    /// Calls that were passed on and are not answered yet.
    std::size_t calls() const noexcept { return calls_.size(); }

private:
    struct CallKey {
        PeerId target;
        std::string id;
        auto operator<=>(const CallKey&) const = default;
    };

    struct Waiting {
        PeerId caller;
        Instant since; // of the call, or of its last part
    };

    std::vector<Delivery> call(PeerId from, CallRequest request, Instant now);
    std::vector<Delivery> reply(PeerId from, CallReply reply, Instant now);
    void forget_old_calls(Instant now);

    PrefixTable<PeerId> services_;
    std::map<std::string, std::set<PeerId>> topics_;
    std::map<CallKey, Waiting> calls_;
    Instant next_sweep_{};
};

} // namespace golem::bus::detail
