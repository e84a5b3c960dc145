#pragma once

#include <golem/core/task.hpp>
#include <golem/provider/machine_connection.hpp>

#include <cstdint>
#include <memory>

namespace golem::provider {

/// Connects to a port of 127.0.0.1. Error refused if nobody listens there.
Task<std::unique_ptr<MachineConnection>> connect_to_loopback(std::uint16_t port);

} // namespace golem::provider
