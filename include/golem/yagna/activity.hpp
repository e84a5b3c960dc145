#pragma once

#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <cstdint>
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

/// The activity API, requestor's side. Every call: Errors as in Caller, cancellation terminal; one executor. An activity
/// whose exe-unit has gone answers with Error activity_lost.
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
    /// output. Repeatable.
    Task<std::optional<CommandResult>> result(const ActivityId& activity, const BatchId& batch, int index, Duration wait);
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
