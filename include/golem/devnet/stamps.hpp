#pragma once

#include <golem/core/time_source.hpp>

namespace golem::devnet {

/// Time stamps of an event log: whole microseconds, no two alike, or a reader's cursor would lose one.
class Stamps {
public:
    Timestamp next(Timestamp now)
    {
        auto stamp = std::chrono::floor<std::chrono::microseconds>(now);
        if (stamp <= last_)
            stamp = last_ + std::chrono::microseconds(1);
        last_ = stamp;
        return stamp;
    }

private:
    std::chrono::sys_time<std::chrono::microseconds> last_{};
};

} // namespace golem::devnet
