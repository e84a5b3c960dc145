#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/machine_connection.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::provider {

enum class UnitState { initialized, deployed, ready, unresponsive, terminated };

/// Where an exe-unit is, and where the command that runs takes it.
struct UnitStatePair {
    UnitState now = UnitState::initialized;
    std::optional<UnitState> entering;
    bool operator==(const UnitStatePair&) const = default;
};

/// The result of one command, as `GET …/exec/{batch}` tells it. Output that is empty is absent.
struct CommandOutcome {
    int index = 0;
    bool ok = false;
    std::optional<std::string> out;
    std::optional<std::string> err;
    /// True if the capture asked for bytes ("bin"): then out and err are told as arrays of numbers.
    bool out_is_binary = false;
    bool err_is_binary = false;
    std::optional<std::string> message;
    bool is_batch_finished = false;
    Timestamp date{};
    /// What the `finished` event of a stream says: the command's exit code, -1 for a failure without one.
    int return_code = 0;
};

/// How far a deploy or a transfer is.
struct CommandProgress {
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total;
    std::string unit = "Bytes";
};

/// Something that happened in a batch, as streams of results tell it.
struct BatchEvent {
    enum class Kind { started, out, err, progress, finished };
    Kind kind = Kind::started;
    int index = 0;
    Timestamp date{};
    /// started: the command as JSON text. out, err: output, bytes if `is_binary`, else text. progress, finished: the
    /// message.
    std::string text;
    bool is_binary = false;
    int return_code = 0;
    CommandProgress progress;
};

struct BatchEvents {
    std::vector<BatchEvent> events;
    /// Where to go on reading.
    std::size_t next = 0;
    /// Nothing will follow.
    bool is_over = false;
};

/// What the daemon calls on a provider's exe-unit, for the requestor. One executor.
class ExeUnit {
public:
    virtual ~ExeUnit() = default;

    /// Queues a script: the JSON text of a command array, already checked by parse_script. Does not wait.
    virtual void exec(const std::string& batch, const std::string& script) = 0;

    /// Results from index 0. Waits up to `wait` until command `index` (nothing: the last one of the batch) has
    /// finished, as the real exe-unit: after an early failure a wait for the last command sits out its time. With
    /// `index`, nothing at the limit (told as 408) and output only in that item. Error not_found for an unknown batch.
    virtual Task<std::optional<std::vector<CommandOutcome>>>
    results(const std::string& batch, Duration wait, std::optional<int> index) = 0;

    /// What happened in a batch from event number `from` (0: its beginning) on; waits up to `wait` for the first one.
    /// Output that nobody read is dropped once it is more than some megabytes, the oldest first; then numbers are left
    /// out. Error not_found for an unknown batch, activity_lost once the unit was killed.
    virtual Task<BatchEvents> events(const std::string& batch, std::size_t from, Duration wait) = 0;

    /// Begins to read a batch's events as they come: the number of the next one. The reader writes into it where it
    /// stands before each call of events(). While somebody who holds such a number is a megabyte of output behind, the
    /// running command is not read from, so that nothing is dropped. Error not_found for an unknown batch. A unit that
    /// knows no followers (the default) lets them begin at the beginning.
    virtual std::shared_ptr<std::size_t> follow(const std::string& batch);

    virtual UnitStatePair state() const = 0;
    /// Completes as soon as state() is not `seen` any more.
    virtual Task<> state_leaves(UnitStatePair seen) = 0;

    /// One number a counter, in the order of the agreement's `golem.com.usage.vector`, as of the last report (once a
    /// second); nothing before the first report.
    virtual std::optional<std::vector<double>> usage() const = 0;

    /// The machine's addresses in private networks; none before it has started.
    virtual std::vector<MachineAddress> addresses() const { return {}; }
    /// Connects to a port of the machine; as Runtime::connect().
    virtual Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port);
};

inline Task<std::unique_ptr<MachineConnection>> ExeUnit::connect(std::uint16_t)
{
    throw Error(Errc::not_found, "connect to a machine", "machines of this exe-unit have no network");
}

inline std::shared_ptr<std::size_t> ExeUnit::follow(const std::string&) { return std::make_shared<std::size_t>(0); }

} // namespace golem::provider
