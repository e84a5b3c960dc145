#pragma once

#include <golem/core/time_source.hpp>

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem::provider {

// Kills every process of this user whose environment holds `entry` ("NAME=value"): what commands left behind, sessions
// of their own included.
void kill_marked_processes(const std::string& entry) noexcept;

// Processor time of this user's living processes, by session. Reading it takes a look at each of them, on the executor:
// at most one a second for all who ask, so an answer may be a second old.
class ProcessorTimes {
public:
    explicit ProcessorTimes(TimeSource& time) : time_(time) {}

    // Seconds, of all processes of these sessions.
    double of(const std::vector<pid_t>& sessions);

private:
    TimeSource& time_;
    std::optional<Instant> read_;
    std::map<pid_t, double> seconds_;
};

} // namespace golem::provider
