#pragma once

#include <golem/core/task.hpp>
#include <golem/http/event_stream.hpp>
#include <golem/http/stream.hpp>
#include <golem/yagna/types.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::yagna {

class Caller;

enum class ActivityStatus { fresh, initialized, deployed, ready, unresponsive, terminated, unknown };

struct ActivityState {
    ActivityStatus status = ActivityStatus::unknown;
    /// The state being entered while a command runs.
    std::optional<ActivityStatus> entering;
    /// Why it ended, when the daemon knows: "execution aborted", "Interrupted by signal: 15: {…}".
    std::string reason;
    std::string error_message;
};

struct ActivityUsage {
    /// One number a counter, in the order of the offer's `golem.com.usage.vector`; absent in the first seconds.
    std::optional<std::vector<double>> current;
    Timestamp timestamp{};
};

/// The result of one command of a batch. Output is bytes; that of format `bin` arrives as such.
struct CommandResult {
    int index = 0;
    bool ok = false;
    std::string out;
    std::string err;
    std::string message;
    bool is_batch_finished = false;
    Timestamp date{};
};

/// Something that happened in a batch, told while it runs.
struct BatchEvent {
    enum class Kind {
        started, ///< `text` is the command as JSON.
        out,     ///< `text` is output: bytes as they came.
        err,
        progress, ///< Of a deploy or a transfer: `done` of `total` (if known) in `unit`; `text` is a message or empty.
        finished, ///< `exit_code` (-1: it did not get as far as having one), `text` is the message of a failure.
        unreadable, ///< Something, perhaps output; nothing else is known of it. The log says why.
    };
    Kind kind = Kind::started;
    int index = 0;
    Timestamp date{};
    std::string text;
    int exit_code = 0;
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total;
    std::string unit;
};

/// The events of one batch, `GET …/exec/{batch}` as server-sent events: from the moment on at which the exe-unit hears
/// of the reader, some 10 to 40 ms after the first call of next(). What happened before is not told (so the start of
/// the first command never is), and after a break nothing is told again; between the two nothing is lost, and a reader
/// who does not read holds the command up. The stream does not say when the batch is over. One executor.
class BatchStream {
public:
    BatchStream(Caller& caller, ActivityId activity, BatchId batch);

    /// The next event, however long it takes; nothing once the exe-unit has ended, or the daemon the stream. Errors as
    /// in Caller; an exe-unit that was killed is silence. Cancellation (terminal) ends the stream.
    Task<std::optional<BatchEvent>> next();

    /// True after the first sign of life: from then on nothing is missed.
    bool has_begun() const noexcept { return stream_ != nullptr; }

private:
    Caller& caller_;
    ActivityId activity_;
    BatchId batch_;
    std::unique_ptr<http::ResponseStream> stream_;
    http::EventStreamParser parser_;
    bool has_warned_ = false;
};

/// The activity API, requestor's side. Every call: Errors as in Caller, cancellation terminal; one executor. An
/// activity whose exe-unit has gone answers with Error activity_lost.
class ActivityApi {
public:
    explicit ActivityApi(Caller& caller) : caller_(caller) {}

    /// `POST /activity`: completes once the exe-unit is up. `wait` is at least 5 s: a shorter one can leave an orphan
    /// that blocks the agreement. Not repeatable. Error timed_out: it may come up still; terminate the agreement.
    Task<ActivityId> create(const AgreementId& agreement, Duration wait);
    /// `DELETE /activity/{id}`. Repeatable; a dead or unknown one counts as destroyed. Error timed_out if unconfirmed.
    Task<> destroy(const ActivityId& activity, Duration wait);
    /// `POST …/exec`: queues a script (JSON text of the command array). Not repeatable.
    Task<BatchId> exec(const ActivityId& activity, const std::string& script);
    /// `GET …/exec/{batch}`: every result so far, from index 0, waiting up to `wait` for the last command.
    /// Repeatable.
    Task<std::vector<CommandResult>> results(const ActivityId& activity, const BatchId& batch, Duration wait);
    /// The same, waiting for command `index`; nothing if it has not finished within `wait`. Only that item carries
    /// output. `most_bytes` of JSON are read, 0: as many as the caller's options allow. Repeatable.
    Task<std::optional<CommandResult>>
    result(const ActivityId& activity, const BatchId& batch, int index, Duration wait, std::size_t most_bytes = 0);
    /// How command `index`, which has finished, ended, from the beginning of an answer that is too long to be read:
    /// without output and message. Nothing if that does not say it. Not repeated.
    Task<std::optional<CommandResult>> result_head(const ActivityId& activity, const BatchId& batch, int index);
    /// What happens in a batch, as it happens.
    BatchStream stream(const ActivityId& activity, const BatchId& batch)
    {
        return BatchStream(caller_, activity, batch);
    }
    /// `GET …/state`. Repeatable. A dead activity is an answer, not an error.
    Task<ActivityState> state(const ActivityId& activity);
    /// `GET …/usage`. Repeatable.
    Task<ActivityUsage> usage(const ActivityId& activity);
    /// `GET /activity?agreementId=`. Repeatable.
    Task<std::vector<ActivityId>> activities(const AgreementId& agreement);

private:
    Caller& caller_;
};

} // namespace golem::yagna
