#pragma once

#include <golem/core/time_source.hpp>

namespace golem {

/// The machine's own clocks. Any thread.
class RealTime final : public TimeSource {
public:
    Instant now() const noexcept override { return std::chrono::steady_clock::now(); }
    Timestamp utc() const noexcept override { return std::chrono::system_clock::now(); }
    Task<> sleep_until(Instant when, std::string_view reason) override;
};

} // namespace golem
