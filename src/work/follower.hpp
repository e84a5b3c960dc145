// Follows one batch: tells a sink what happens as it happens, and makes sure by polls that nothing is lost.
#pragma once

#include <golem/core/event.hpp>
#include <golem/work/command_event.hpp>
#include <golem/work/detail/output_tracker.hpp>
#include <golem/work/script.hpp>
#include <golem/work/work_context.hpp>
#include <golem/yagna/client.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::detail {

// Two tasks: one reads the stream, and connects it again; the other polls for the result of one command after the
// other, which is the truth. What the stream lost is told from the result. One executor; everything outlives it.
class Follower {
public:
    Follower(
        const Executor& executor, yagna::Client& client, TimeSource& time, const yagna::ActivityId& activity,
        yagna::BatchId batch, const Script& script, const WorkOptions& options, const WorkHooks& hooks,
        const EventSink& sink, int& current);

    // `current` tells which command is being waited for.
    Task<std::vector<CommandResult>> run();

private:
    // Of the current command.
    struct Command {
        explicit Command(std::size_t most_bytes) : out(most_bytes), err(most_bytes) {}

        OutputTracker out;
        OutputTracker err;
        std::optional<yagna::BatchEvent> finished;
        bool has_started = false; // Its beginning was told on this connection.
        bool was_cut = false;     // The connection broke while it ran.
        bool is_passed = false;   // The next one's events are waiting.
        bool is_too_long = false; // Its result cannot be read: of its output there is what the stream told.
        std::optional<Instant> last_event;
    };

    class Turn;

    Task<> read();
    Task<> read_one(yagna::BatchStream& stream, bool& any);
    Task<> take(yagna::BatchEvent event);
    void lose_something();
    Task<> settle_all();
    Task<std::optional<CommandResult>> find_result();
    Task<> poll(std::optional<CommandResult>& result, Duration wait);
    Task<> read_head(std::optional<CommandResult>& result, std::exception_ptr failure);
    Task<> wait_until_large();
    Task<> catch_up();
    Task<> tell_end(const CommandResult& result, bool by_stream);
    Task<>
    tell_missing(const OutputTracker& told, CommandEvent::Kind kind, const std::string& whole, CommandEvent& finished);
    Task<> tell(const CommandEvent& event);
    bool is_large() const noexcept
    {
        return command_->out.is_large() || command_->err.is_large() || command_->is_too_long;
    }
    void next_command();

    Executor executor_;
    yagna::Client& client_;
    TimeSource& time_;
    const yagna::ActivityId& activity_;
    yagna::BatchId batch_;
    const Script& script_;
    const WorkOptions& options_;
    const WorkHooks& hooks_;
    const EventSink& sink_;

    int& current_;
    std::unique_ptr<Command> command_;
    std::vector<CommandResult> results_;
    bool is_streaming_ = true;
    bool is_sink_busy_ = false;
    bool has_sink_failed_ = false;
    Event changed_;
    Event settled_;
    Event sink_free_;
};

} // namespace golem::detail
