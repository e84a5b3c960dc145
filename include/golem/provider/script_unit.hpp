#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task_group.hpp>
#include <golem/provider/detail/unit_machine.hpp>
#include <golem/provider/exe_unit.hpp>
#include <golem/provider/runtime.hpp>
#include <golem/provider/script.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::provider {

struct UnitOptions {
    /// `golem.srv.comp.task_package` of the demand.
    std::optional<std::string> image;
    /// The agreement's `golem.com.usage.vector`. Counters that nobody measures stay at 0.
    std::vector<std::string> counters = {"golem.usage.cpu_sec", "golem.usage.duration_sec"};
    /// Time each command takes beside what it really takes.
    Duration command_latency{0};
    /// Of batches that have ended the latest are remembered: so many, and so many bytes of output and scripts.
    std::size_t most_batches = 1000;
    std::size_t most_output = 64u << 20;
};

/// The exe-unit of one activity: runs scripts on a runtime, with the states and texts of the real one. Held by
/// shared_ptr; must be stopped (stop()) or abandoned and joined before it is destroyed. One executor.
class ScriptUnit final : public ExeUnit, public std::enable_shared_from_this<ScriptUnit> {
public:
    ScriptUnit(const Executor& executor, TimeSource& time, std::unique_ptr<Runtime> runtime, UnitOptions options);

    void exec(const std::string& batch, const std::string& script) override;
    Task<std::optional<std::vector<CommandOutcome>>>
    results(const std::string& batch, Duration wait, std::optional<int> index) override;
    Task<BatchEvents> events(const std::string& batch, std::size_t from, Duration wait) override;
    std::shared_ptr<std::size_t> follow(const std::string& batch) override;
    UnitStatePair state() const override { return state_; }
    Task<> state_leaves(UnitStatePair seen) override;
    std::optional<std::vector<double>> usage() const override;
    std::vector<MachineAddress> addresses() const override;
    Task<std::unique_ptr<MachineConnection>> connect(std::uint16_t port) override;

    /// Ends the unit as SIGTERM does: what runs is killed, its command fails with the output so far, and polls that
    /// wait are answered. Completes when nothing runs any more, at most some seconds later. Idempotent.
    Task<> stop();

    /// Dies at once, as by SIGKILL: polls that wait fail with Error activity_lost. Join with stop() afterwards.
    void abandon() noexcept;

    bool has_ended() const noexcept { return ended_; }

    /// What was done, in the words of the real exe-unit's last report:
    /// {"batches_done":1,"batches_pending":1,"cmds_done":2,"cmds_pending":1}.
    const std::string& report() const;

private:
    struct Batch {
        Batch(const Executor& executor, std::vector<Command> script)
            : commands(std::move(script)), log(commands.size()), changed(executor), told(executor)
        {
        }

        void tell(BatchEvent event)
        {
            stream.add(std::move(event));
            told.pulse();
        }

        std::vector<Command> commands;
        // The same as JSON texts.
        std::vector<std::string> texts;
        detail::BatchLog log;
        detail::BatchStream stream;
        Event changed;
        Event told;
        // Where those who follow it stand, and commands that wait for the slowest of them.
        std::vector<std::weak_ptr<std::size_t>> followers;
        std::vector<std::function<void()>> held;

        bool is_behind();
        void make_room();
        // Bytes that are kept of it.
        std::size_t size() const;
    };

    // What is left of a batch that is forgotten.
    struct Totals {
        int batches = 0;
        std::size_t commands = 0;
    };

    struct Usage {
        long seconds = 0;
        double cpu = 0.0;
    };

    Task<> run_batch(std::string id, std::shared_ptr<Batch> batch);
    Task<> run_commands(std::shared_ptr<Batch> batch);
    void forget_old(std::string latest);
    Task<CommandOutcome> perform(std::shared_ptr<Batch> batch, const Command& command);
    Task<CommandOutcome> deploy(std::shared_ptr<Batch> batch, const DeployCommand& command);
    Task<CommandOutcome> start(std::shared_ptr<Batch> batch, const StartCommand& command);
    Task<CommandOutcome> run(std::shared_ptr<Batch> batch, const RunCommand& command);
    Task<CommandOutcome> transfer(std::shared_ptr<Batch> batch, const TransferCommand& command);
    void tell_output(Batch& batch, const std::string& output) const;
    void tell_progress(Batch& batch, std::string message, const CommandProgress& progress) const;
    const std::shared_ptr<Batch>& find(const std::string& batch, const char* operation) const;
    void finish(Batch& batch, CommandOutcome outcome);
    void enter(UnitStatePair state);
    void end() noexcept;
    Usage measure() const noexcept;
    std::string make_report() const;

    Executor executor_;
    TimeSource& time_;
    std::unique_ptr<Runtime> runtime_;
    UnitOptions options_;
    Instant started_;
    UnitStatePair state_;
    // A command sees by it that terminate() came in between.
    unsigned long generation_ = 0;
    bool deployed_ = false;
    std::vector<MachineAddress> addresses_;
    bool ended_ = false;
    bool abandoned_ = false;
    std::map<std::string, std::shared_ptr<Batch>> batches_;
    // Those that have ended, the oldest first, and their sizes.
    std::deque<std::pair<std::string, std::size_t>> ended_batches_;
    std::size_t kept_bytes_ = 0;
    Totals forgotten_;
    mutable std::optional<Usage> reported_;
    mutable std::optional<std::string> report_;
    Event ending_;
    Event moved_;
    TaskGroup tasks_;
};

} // namespace golem::provider
