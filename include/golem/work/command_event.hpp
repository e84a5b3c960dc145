#pragma once

#include <golem/core/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace golem {

/// What happens while a script runs, told by WorkContext::execute with a sink.
struct CommandEvent {
    enum class Kind {
        started,  ///< A command has begun. That of the first one is never told.
        out,      ///< `text` is a piece of its output, as bytes, exactly once.
        err,      ///< The same of its error output.
        progress, ///< A deploy or a transfer: `done` of `total` (if known) in `unit`; `text` is a message or empty.
        finished, ///< It has ended: `exit_code` (-1: it did not get as far as having one), `text` is why it failed.
    };
    Kind kind = Kind::started;
    /// 0-based position of the command in its script.
    int index = 0;
    std::string text;
    /// out, err: this piece belongs before some that were told already; the connection had lost it and it was read
    /// again when the command had ended.
    bool is_late = false;
    int exit_code = 0;
    bool ok = true;
    /// finished: false if output may be missing that could not be read again: there was too much of it, or its text was
    /// not what had been told (Capture::as_text).
    bool is_complete = true;
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total;
    std::string unit;
};

class EventSink;

EventSink by_lines(EventSink sink, std::size_t longest);

/// Takes events, one at a time: made from a function that returns nothing, or a Task that is awaited before the next
/// event is read. A slow sink so holds the command up, in the end. What it throws ends the execution.
class EventSink {
public:
    template <typename Function>
        requires(
            !std::is_same_v<std::decay_t<Function>, EventSink> && std::is_invocable_v<Function&, const CommandEvent&>)
    EventSink(Function function) // NOLINT: sinks are written where they are passed.
    {
        auto shared = std::make_shared<Function>(std::move(function));
        if constexpr (std::is_void_v<std::invoke_result_t<Function&, const CommandEvent&>>)
            take_ = [shared](const CommandEvent& event) { return call(*shared, event); };
        else
            take_ = [shared](const CommandEvent& event) -> Task<> { return (*shared)(event); };
    }

    /// `event` outlives the task.
    Task<> operator()(const CommandEvent& event) const { return take_(event); }

    /// An execution begins: what one before, which was cut short, has left behind is forgotten.
    void begin() const
    {
        if (begin_)
            begin_();
    }

private:
    friend EventSink by_lines(EventSink sink, std::size_t longest);

    template <typename Function>
    static Task<> call(Function& function, const CommandEvent& event)
    {
        function(event);
        co_return;
    }

    std::function<Task<>(const CommandEvent&)> take_;
    std::function<void()> begin_;
};

/// A sink that hands output on line by line, with the line feed; a last line without one, and a line longer than
/// `longest` bytes, come as they are. All other events pass.
EventSink by_lines(EventSink sink, std::size_t longest = 64 * 1024);

} // namespace golem
