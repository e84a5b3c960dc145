// Plays scenarios, and keeps what was said.
#pragma once

#include <tests/scenes/stage.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace golem::test {

using Rows = std::vector<nlohmann::json>;
using Scene = std::function<Task<>(Stage&)>;

/// On a devnet, in virtual time. With GOLEM_EXCHANGES, a folder, the rows are also written to a file of it.
Rows perform_on_devnet(const std::string& name, const Scene& scene);

/// On the real daemons of a bed (tools/real-network env); nothing without one.
std::optional<Rows> perform_on_daemon(const std::string& name, const Scene& scene);

} // namespace golem::test
