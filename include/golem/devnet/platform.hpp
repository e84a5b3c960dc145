#pragma once

#include <golem/devnet/failure.hpp>

#include <optional>
#include <string>
#include <vector>

namespace golem::devnet {

/// What a caller asks to be paid with: all of it ("erc20-hoodi-tglm"), or parts of which the rest is inferred.
struct PlatformWish {
    std::optional<std::string> name;
    std::optional<std::string> driver;
    std::optional<std::string> network;
    std::optional<std::string> token;
};

/// The name of the payment platform meant; with nothing asked for it is the daemon's default. The failure is the text
/// of `parseError`.
Result<std::string> resolve_platform(const PlatformWish& wish);

struct PlatformParts {
    std::string driver;
    std::string network;
    /// As written in lists of accounts: "tGLM", "GLM".
    std::string token;
};

PlatformParts parts_of_platform(const std::string& platform);

/// Every platform that the daemon knows.
std::vector<std::string> known_platforms();

} // namespace golem::devnet
