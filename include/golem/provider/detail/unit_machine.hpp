#pragma once

#include <golem/provider/exe_unit.hpp>
#include <golem/provider/script.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The decisions of an exe-unit: which command may run in which state, and what a poll of results sees.
namespace golem::provider::detail {

inline std::string_view name_of(UnitState state) noexcept
{
    switch (state) {
    case UnitState::initialized: return "Initialized";
    case UnitState::deployed: return "Deployed";
    case UnitState::ready: return "Ready";
    case UnitState::unresponsive: return "Unresponsive";
    case UnitState::terminated: return "Terminated";
    }
    return "";
}

inline std::string describe(const UnitStatePair& pair)
{
    std::string text = "StatePair(" + std::string(name_of(pair.now)) + ", ";
    if (pair.entering)
        text += "Some(" + std::string(name_of(*pair.entering)) + ")";
    else
        text += "None";
    return text + ")";
}

inline std::string state_error(std::string_view text)
{
    return "Local service error: State error: " + std::string(text);
}

/// What a command's message says if the state was changed under it.
inline std::string changed_under_command(const UnitStatePair& now, const UnitStatePair& expected)
{
    return state_error("Unexpected state: " + describe(now) + ", expected " + describe(expected));
}

struct Admission {
    /// The command's message if it may not run.
    std::optional<std::string> refusal;
    /// The state while it runs.
    UnitStatePair during;
    /// The state afterwards, however it ended.
    UnitState after = UnitState::initialized;
};

inline Admission admit(const UnitStatePair& state, const Command& command)
{
    const auto refuse = [&](std::string_view text) { return Admission{state_error(text), state, state.now}; };
    if (std::holds_alternative<SignCommand>(command))
        return Admission{std::nullopt, state, state.now};
    if (std::holds_alternative<TerminateCommand>(command))
        return Admission{std::nullopt, state, UnitState::initialized};
    if (state.entering)
        return refuse("Busy: " + describe(state));
    const bool deploys = std::holds_alternative<DeployCommand>(command);
    const bool starts = std::holds_alternative<StartCommand>(command);
    switch (state.now) {
    case UnitState::initialized:
        if (!deploys)
            return refuse("Activity is initialized - deploy() command is expected now");
        return Admission{std::nullopt, {state.now, UnitState::deployed}, UnitState::deployed};
    case UnitState::deployed:
        if (!starts)
            return refuse("Activity is deployed - start() command is expected now");
        return Admission{std::nullopt, {state.now, UnitState::ready}, UnitState::ready};
    case UnitState::ready:
        if (deploys || starts)
            return refuse("Cannot send command after a successful start()");
        return Admission{std::nullopt, {state.now, UnitState::ready}, UnitState::ready};
    case UnitState::unresponsive:
    case UnitState::terminated: break;
    }
    return refuse("Unexpected state: " + describe(state) + ", expected " + describe({UnitState::ready, std::nullopt}));
}

/// The results of one batch, in order, at most one a command and none after a failure.
class BatchLog {
public:
    explicit BatchLog(std::size_t commands) noexcept : commands_(commands) {}

    void add(CommandOutcome outcome)
    {
        outcome.index = static_cast<int>(outcomes_.size());
        outcome.is_batch_finished = !outcome.ok || outcomes_.size() + 1 == commands_;
        outcomes_.push_back(std::move(outcome));
    }

    std::size_t commands() const noexcept { return commands_; }

    std::size_t done() const noexcept { return outcomes_.size(); }

    /// What the results keep.
    std::size_t bytes() const noexcept
    {
        std::size_t sum = 0;
        for (const auto& outcome : outcomes_)
            for (const auto* text : {&outcome.out, &outcome.err, &outcome.message})
                sum += *text ? (*text)->size() : 0;
        return sum;
    }

    /// Nothing more will come.
    bool is_finished() const noexcept
    {
        return outcomes_.size() == commands_ || (!outcomes_.empty() && outcomes_.back().is_batch_finished);
    }

    bool has_failed() const noexcept { return !outcomes_.empty() && !outcomes_.back().ok; }

    /// Whether a poll need not wait (any more). The last command never finishes after an early failure, and nobody
    /// tells the poll.
    bool answers(const std::optional<int>& index) const noexcept
    {
        if (!index)
            return outcomes_.size() == commands_;
        return *index >= 0 && static_cast<std::size_t>(*index) < outcomes_.size();
    }

    /// What a poll sees now. With an index: only that item has output and it claims to be the last; nothing if it has
    /// not finished.
    std::optional<std::vector<CommandOutcome>> view(const std::optional<int>& index) const
    {
        if (!index)
            return outcomes_;
        if (!answers(index))
            return std::nullopt;
        auto seen = std::vector<CommandOutcome>(outcomes_.begin(), outcomes_.begin() + *index + 1);
        for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
            seen[i].out.reset();
            seen[i].err.reset();
        }
        seen.back().is_batch_finished = true;
        return seen;
    }

private:
    std::size_t commands_;
    std::vector<CommandOutcome> outcomes_;
};

/// What a stream of a batch's results tells, from its beginning. Beyond `most_bytes` the oldest output goes.
class BatchStream {
public:
    static constexpr std::size_t most_bytes = 8u << 20;

    void add(BatchEvent event)
    {
        const auto before = total_;
        bytes_ += event.text.size();
        total_ += event.text.size();
        entries_.push_back(Entry{count_++, before, std::move(event)});
        for (auto entry = entries_.begin(); bytes_ > most_bytes && entry + 1 < entries_.end();) {
            const bool is_output =
                entry->event.kind == BatchEvent::Kind::out || entry->event.kind == BatchEvent::Kind::err;
            if (!is_output) {
                ++entry;
                continue;
            }
            bytes_ -= entry->event.text.size();
            entry = entries_.erase(entry);
        }
    }

    /// What the events keep.
    std::size_t bytes() const noexcept { return bytes_; }

    /// How many events there were.
    std::size_t count() const noexcept { return count_; }

    /// At most `most` bytes of them, but one at least if there is one; `next` is where to go on.
    std::vector<BatchEvent> from(std::size_t number, std::size_t most, std::size_t& next) const
    {
        std::vector<BatchEvent> events;
        next = std::max(number, count_);
        std::size_t bytes = 0;
        for (auto entry = at(number); entry != entries_.end(); ++entry) {
            if (!events.empty() && bytes + entry->event.text.size() > most) {
                next = entry->number;
                break;
            }
            bytes += entry->event.text.size();
            events.push_back(entry->event);
        }
        return events;
    }

    /// How many bytes there are from that number on.
    std::size_t bytes_from(std::size_t number) const
    {
        const auto first = at(number);
        return first == entries_.end() ? 0 : total_ - first->before;
    }

private:
    struct Entry {
        std::size_t number;
        std::size_t before; // Bytes of all events before it.
        BatchEvent event;
    };

    std::deque<Entry>::const_iterator at(std::size_t number) const
    {
        return std::partition_point(
            entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.number < number; });
    }

    std::deque<Entry> entries_;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
    std::size_t total_ = 0;
};

} // namespace golem::provider::detail
