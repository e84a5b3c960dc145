// Replays the recording of a real daemon on the devnet and lists where the two differ.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace golem::test {

/// Who plays the provider.
enum class ProviderPart {
    recorded, ///< Does what it did by REST in the recording.
    agent,    ///< The real agent was recorded; ours plays.
};

struct Replayed {
    /// One line an exchange that differs: "12 POST /me: status 200, recorded 201".
    std::vector<std::string> differences;
    std::size_t compared = 0;
};

/// `name` is a file of tests/data/devnet, without its ending.
Replayed replay(const std::string& name, ProviderPart part);

} // namespace golem::test
