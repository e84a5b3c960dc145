#pragma once

#include <golem/core/time_source.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace golem::detail {

/// When which service's activity is looked at: each one `idle` after it was last known to live, all together not more
/// often than once in `spacing`, those who wait longest first. With n services an end is noticed after
/// max(idle, n · spacing) at the latest, plus the poll itself.
class HealthSchedule {
public:
    using Id = std::uint64_t;

    HealthSchedule(Duration idle, int polls_per_minute)
        : idle_(idle), spacing_(Duration(std::chrono::minutes(1)) / polls_per_minute)
    {
    }

    /// From now on; it lives now.
    void watch(Id id, Instant now) { plan(id, now); }

    void forget(Id id)
    {
        const auto found = due_.find(id);
        if (found == due_.end())
            return;
        queue_.erase({found->second, id});
        due_.erase(found);
    }

    /// It has shown that it lives.
    void alive(Id id, Instant now)
    {
        // One that is being asked at this moment is planned again when the answer is there.
        const auto found = due_.find(id);
        if (found != due_.end() && queue_.contains({found->second, id}))
            plan(id, now);
    }

    /// Its poll has ended, whatever came of it.
    void polled(Id id, Instant now)
    {
        if (due_.contains(id))
            plan(id, now);
    }

    /// When the next poll may start; nothing if nobody waits for one.
    std::optional<Instant> next() const
    {
        if (queue_.empty())
            return std::nullopt;
        const auto due = queue_.begin()->first;
        return last_poll_ ? std::max(due, *last_poll_ + spacing_) : due;
    }

    /// Who is polled now, if it is time; then polled() must follow.
    std::optional<Id> take(Instant now)
    {
        const auto when = next();
        if (!when || *when > now)
            return std::nullopt;
        const auto id = queue_.begin()->second;
        queue_.erase(queue_.begin());
        last_poll_ = now;
        return id;
    }

    bool is_empty() const noexcept { return due_.empty(); }

private:
    void plan(Id id, Instant now)
    {
        const auto found = due_.find(id);
        if (found != due_.end())
            queue_.erase({found->second, id});
        const auto due = now + idle_;
        due_[id] = due;
        queue_.insert({due, id});
    }

    Duration idle_;
    Duration spacing_;
    std::optional<Instant> last_poll_;
    std::map<Id, Instant> due_;
    std::set<std::pair<Instant, Id>> queue_; // Without those that are being polled.
};

} // namespace golem::detail
