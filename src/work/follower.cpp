#include "follower.hpp"

#include <golem/core/race.hpp>
#include <golem/work/detail/command_outcome.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

// Between polls that came back early without a result.
constexpr Duration shortest_poll = std::chrono::seconds(1);
// A stream that breaks so often without a word is given up: polls bring the output then, command by command.
constexpr int most_failures = 4;
constexpr Duration reconnect_pause = std::chrono::milliseconds(250);
// How long the stream may lag behind a result before its rest is taken from the result.
constexpr Duration longest_lag = std::chrono::seconds(1);
// A silent stream may be that of an exe-unit that was killed.
constexpr Duration longest_silence = std::chrono::seconds(60);
// The JSON of one result: bytes are three to four times as long there.
constexpr std::size_t most_result = 64u << 20;

CommandEvent event_of(CommandEvent::Kind kind, int index)
{
    CommandEvent event;
    event.kind = kind;
    event.index = index;
    return event;
}

CommandEvent told_as(const yagna::BatchEvent& event, CommandEvent::Kind kind)
{
    auto told = event_of(kind, event.index);
    told.text = event.text;
    told.done = event.done;
    told.total = event.total;
    told.unit = event.unit;
    return told;
}

} // namespace

// The sink takes one event at a time; a result is settled in one go.
class Follower::Turn {
public:
    explicit Turn(Follower& follower) : follower_(follower) {}

    ~Turn()
    {
        if (!held_)
            return;
        follower_.is_sink_busy_ = false;
        follower_.sink_free_.pulse();
    }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    Task<> take()
    {
        while (follower_.is_sink_busy_)
            co_await follower_.sink_free_.wait();
        follower_.is_sink_busy_ = held_ = true;
    }

private:
    Follower& follower_;
    bool held_ = false;
};

Follower::Follower(
    const Executor& executor, yagna::Client& client, TimeSource& time, const yagna::ActivityId& activity,
    yagna::BatchId batch, const Script& script, const WorkOptions& options, const WorkHooks& hooks,
    const EventSink& sink, int& current)
    : executor_(executor), client_(client), time_(time), activity_(activity), batch_(std::move(batch)), script_(script),
      options_(options), hooks_(hooks), sink_(sink), current_(current),
      command_(std::make_unique<Command>(options.remembered_output)), changed_(executor), settled_(executor),
      sink_free_(executor)
{
}

Task<std::vector<CommandResult>> Follower::run()
{
    auto settling = settle_all();
    auto reading = read();
    co_await first_of(std::move(settling), std::move(reading));
    co_return std::move(results_);
}

Task<> Follower::read()
{
    for (int failures = 0; failures < most_failures;) {
        auto stream = client_.activity().stream(activity_, batch_);
        bool any = false;
        try {
            co_await read_one(stream, any);
        } catch (const Error&) {
            if (has_sink_failed_)
                throw;
            // Whatever it was, the polls meet it as well, or it was the stream alone.
        }
        failures = any ? 1 : failures + 1;
        lose_something();
        command_->has_started = false;
        changed_.pulse();
        if (failures < most_failures)
            co_await time_.sleep_for(reconnect_pause * failures, "before a stream is opened again");
    }
    is_streaming_ = false;
    changed_.pulse();
    Event never(executor_);
    co_await never.wait();
}

Task<> Follower::read_one(yagna::BatchStream& stream, bool& any)
{
    for (;;) {
        auto event = co_await stream.next();
        if (!event)
            co_return;
        any = true;
        if (hooks_.on_alive)
            hooks_.on_alive();
        auto taken = take(std::move(*event));
        co_await std::move(taken);
    }
}

Task<> Follower::take(yagna::BatchEvent event)
{
    // From a later version of the daemon, or a provider who says anything. It may have been output.
    if (event.kind == yagna::BatchEvent::Kind::unreadable || event.index < 0 || event.index >= script_.size()) {
        lose_something();
        co_return;
    }
    while (event.index > current_) {
        command_->is_passed = true;
        changed_.pulse();
        co_await settled_.wait();
    }
    Turn turn(*this);
    co_await turn.take();
    // Its result came first, and all of its output with it.
    if (event.index < current_)
        co_return;
    command_->last_event = time_.now();
    CommandEvent told;
    switch (event.kind) {
    case yagna::BatchEvent::Kind::started:
        command_->has_started = true;
        told = told_as(event, CommandEvent::Kind::started);
        break;
    case yagna::BatchEvent::Kind::out:
        command_->out.add(event.text);
        told = told_as(event, CommandEvent::Kind::out);
        break;
    case yagna::BatchEvent::Kind::err:
        command_->err.add(event.text);
        told = told_as(event, CommandEvent::Kind::err);
        break;
    case yagna::BatchEvent::Kind::progress: told = told_as(event, CommandEvent::Kind::progress); break;
    case yagna::BatchEvent::Kind::finished:
        command_->finished = std::move(event);
        changed_.pulse();
        co_return;
    case yagna::BatchEvent::Kind::unreadable: break;
    }
    changed_.pulse();
    co_await tell(told);
    command_->last_event = time_.now();
}

void Follower::lose_something()
{
    command_->out.break_off();
    command_->err.break_off();
    command_->was_cut = true;
}

Task<> Follower::tell(const CommandEvent& event)
{
    try {
        co_await sink_(event);
    } catch (...) {
        has_sink_failed_ = true;
        throw;
    }
}

Task<> Follower::settle_all()
{
    while (current_ < script_.size()) {
        auto found = co_await find_result();
        const bool by_stream = !found;
        CommandResult result;
        if (found) {
            result = std::move(*found);
            co_await catch_up();
        } else {
            result.index = current_;
            result.message = command_->finished->text;
            result.ok = command_->finished->exit_code == 0 && result.message.empty();
            result.date = command_->finished->date;
        }
        co_await tell_end(result, by_stream);
        const auto problem = problem_of(result, script_);
        if (problem)
            std::rethrow_exception(problem);
        results_.push_back(std::move(result));
    }
}

// Nothing: there is so much output that the stream alone tells of the end.
Task<std::optional<CommandResult>> Follower::find_result()
{
    std::optional<CommandResult> result;
    while (!result) {
        if (is_large() && is_streaming_) {
            if (command_->finished)
                break;
            auto change = changed_.wait();
            const bool changed = co_await with_timeout(time_, longest_silence, std::move(change), "events of a batch");
            // It may have ended while the stream was broken, or its exe-unit was killed.
            if (!changed)
                co_await poll(result, shortest_poll);
            continue;
        }
        auto polling = poll(result, options_.poll_one);
        auto watching = wait_until_large();
        co_await first_of(std::move(polling), std::move(watching));
    }
    co_return result;
}

Task<> Follower::poll(std::optional<CommandResult>& result, Duration wait)
{
    const auto start = time_.now();
    std::exception_ptr failure;
    bool is_unreadable = false;
    try {
        result = co_await client_.activity().result(activity_, batch_, current_, wait, most_result);
    } catch (const Error& error) {
        // The provider did not answer in time; whether it is still there is found out elsewhere.
        if (error.errc() != Errc::timed_out)
            failure = std::current_exception();
        is_unreadable = error.errc() == Errc::protocol;
    }
    if (is_unreadable) {
        auto head = read_head(result, std::move(failure));
        co_await std::move(head);
    } else if (failure) {
        std::rethrow_exception(failure);
    }
    if (result) {
        if (hooks_.on_alive)
            hooks_.on_alive();
        co_return;
    }
    const auto spent = time_.now() - start;
    if (spent < shortest_poll)
        co_await time_.sleep_for(shortest_poll - spent, "pause between polls for results");
}

// A result with more output than an answer may have: its beginning says how the command ended.
Task<> Follower::read_head(std::optional<CommandResult>& result, std::exception_ptr failure)
{
    try {
        result = co_await client_.activity().result_head(activity_, batch_, current_);
    } catch (const Error&) {
        // The first failure tells more.
    }
    if (!result)
        std::rethrow_exception(failure);
    command_->is_too_long = true;
    if (command_->finished)
        result->message = command_->finished->text;
    else if (!result->ok)
        result->message = "it failed; its output is too long for its result, and for why it failed";
}

Task<> Follower::wait_until_large()
{
    while (!is_large() || !is_streaming_)
        co_await changed_.wait();
}

// A result may overtake events that are on their way.
Task<> Follower::catch_up()
{
    while (is_streaming_ && command_->last_event && !command_->finished && !command_->is_passed) {
        const auto until = *command_->last_event + longest_lag;
        const auto left = until - time_.now();
        if (left <= Duration(0) && !is_sink_busy_)
            co_return;
        auto change = changed_.wait();
        co_await with_timeout(time_, std::max<Duration>(left, longest_lag / 10), std::move(change), "late events");
    }
}

Task<> Follower::tell_end(const CommandResult& result, bool by_stream)
{
    Turn turn(*this);
    co_await turn.take();
    auto finished = event_of(CommandEvent::Kind::finished, current_);
    finished.ok = result.ok;
    finished.text = result.message;
    finished.exit_code = result.ok ? 0 : exit_code_in(result.message).value_or(-1);
    if (is_large()) {
        finished.is_complete = by_stream && command_->has_started && !command_->was_cut;
    } else {
        co_await tell_missing(command_->out, CommandEvent::Kind::out, result.out, finished);
        co_await tell_missing(command_->err, CommandEvent::Kind::err, result.err, finished);
    }
    co_await tell(finished);
    next_command();
}

Task<> Follower::tell_missing(
    const OutputTracker& told, CommandEvent::Kind kind, const std::string& whole, CommandEvent& finished)
{
    auto missing = told.missing_of(whole);
    finished.is_complete = finished.is_complete && missing.is_exact;
    for (auto& piece : missing.pieces) {
        auto event = event_of(kind, current_);
        event.text = std::move(piece.text);
        event.is_late = piece.is_late;
        co_await tell(event);
    }
}

void Follower::next_command()
{
    ++current_;
    command_ = std::make_unique<Command>(options_.remembered_output);
    settled_.pulse();
}

} // namespace golem::detail
