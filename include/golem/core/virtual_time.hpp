#pragma once

#include <golem/core/time_source.hpp>

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem {

/// A clock that stands still until it is moved, and then jumps to the next sleeper. Sleepers of one instant wake in the
/// order in which they fell asleep. One thread only.
class VirtualTime final : public TimeSource {
public:
    explicit VirtualTime(Timestamp start = Timestamp(std::chrono::hours(24) * 365 * 55));

    Instant now() const noexcept override { return Instant(elapsed_); }
    Timestamp utc() const noexcept override { return start_ + elapsed_; }
    Task<> sleep_until(Instant when, std::string_view reason) override;
    bool is_virtual() const noexcept override { return true; }

    /// Virtual time since construction.
    Duration elapsed() const noexcept { return elapsed_; }

    /// When the next sleeper wakes; nothing if nobody sleeps with an end.
    std::optional<Instant> next() const;

    /// Moves the clock to the earliest sleeper and wakes it. False if nobody sleeps with an end.
    bool advance_to_next();

    /// One line a sleeper, earliest first: its reason and how long it still sleeps.
    std::vector<std::string> sleepers() const;

private:
    struct Sleeper {
        boost::asio::steady_timer& timer;
        bool& woken;
        std::string_view reason;
    };
    using Key = std::pair<Instant, std::uint64_t>;

    Timestamp start_;
    Duration elapsed_{0};
    std::uint64_t sequence_ = 0;
    std::map<Key, Sleeper> sleepers_;
};

} // namespace golem
