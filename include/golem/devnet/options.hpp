#pragma once

#include <golem/devnet/activities.hpp>
#include <golem/devnet/payments.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace golem::devnet {

/// An image that the devnet's registry knows.
struct RegisteredImage {
    std::string tag; ///< "golem/alpine:latest"
    std::string hash;
    std::string url;
};

struct DevnetOptions {
    /// Each key is a requestor of its own. At least one, none empty.
    std::vector<std::string> app_keys = {"devnet"};
    /// Everything that chance decides (ids, the order of proposals) follows from it.
    std::uint64_t seed = 1;
    Wording wording = Wording::hybrid;
    PaymentOptions payments;
    /// Pages of these origins ("http://localhost:8000") may call it from a browser; "*" is all. Empty: none.
    std::vector<std::string> allow_origins{};
    /// What its registry (`GET /v1/image/info`) knows. Empty: every image, under addresses where nothing is.
    std::vector<RegisteredImage> images{};
    /// Added to every answer; zero is at once.
    Duration latency{0};
    /// How often a poll for payment events looks, counted from its own start (real: 1 s); zero is at once.
    Duration payment_poll_step{0};
    /// How long an allocation takes to fail while the chain is unreachable.
    Duration unreachable_after = std::chrono::milliseconds(31'800);
    /// Keeps a transcript of calls. It grows for ever: for tests and short runs.
    bool with_transcript = false;
};

} // namespace golem::devnet
