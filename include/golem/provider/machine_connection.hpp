#pragma once

#include <golem/core/task.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace golem::provider {

/// A connection to a port of an activity's machine: bytes both ways. One executor; destroying it drops the connection.
class MachineConnection {
public:
    virtual ~MachineConnection() = default;

    /// The next bytes, at least one; nothing once the machine has said its last word. Error closed if it was reset.
    virtual Task<std::optional<std::string>> read() = 0;
    /// `bytes` outlives the await. Error closed if it was reset.
    virtual Task<> write(std::string_view bytes) = 0;
};

/// An address that a machine has in a private network since its deploy.
struct MachineAddress {
    std::string network;
    std::string address;

    bool operator==(const MachineAddress&) const = default;
};

} // namespace golem::provider
