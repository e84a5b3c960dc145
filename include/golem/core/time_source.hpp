#pragma once

#include <golem/core/task.hpp>

#include <chrono>
#include <string_view>

namespace golem {

using Duration = std::chrono::nanoseconds;
/// A point on a clock that never jumps: for measuring and sleeping.
using Instant = std::chrono::steady_clock::time_point;
/// A point in UTC: for what is told to others.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;

/// The only clock of this library. No code reads the time or sleeps in any other way, so that a whole program can run
/// in virtual time. Implementations: RealTime, VirtualTime.
class TimeSource {
public:
    virtual ~TimeSource() = default;

    virtual Instant now() const noexcept = 0;
    virtual Timestamp utc() const noexcept = 0;

    /// Completes at `when`, or at once if that has passed. Cancelled (terminal) it throws operation_aborted.
    /// `reason` names the wait in reports of virtual time; it must outlive the sleep (a literal does).
    virtual Task<> sleep_until(Instant when, std::string_view reason) = 0;

    /// True if time jumps. What really takes time (processes, sockets, threads) refuses to work then.
    virtual bool is_virtual() const noexcept { return false; }

    Task<> sleep_for(Duration duration, std::string_view reason) { return sleep_until(deadline(duration), reason); }

    /// now() + duration, kept at the end of time instead of overflowing.
    Instant deadline(Duration duration) const noexcept
    {
        const auto start = now();
        return duration > Instant::max() - start ? Instant::max() : start + duration;
    }
};

} // namespace golem
