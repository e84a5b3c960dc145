#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/properties/prices.hpp>
#include <golem/work/command_event.hpp>
#include <golem/work/file_transfer.hpp>
#include <golem/work/script.hpp>
#include <golem/yagna/client.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem {

namespace detail {
class FileService;
class SendingEnd;
class ReceivingEnd;
} // namespace detail

/// Who a service runs on, by its offer.
struct ProviderFacts {
    yagna::NodeId id;
    std::string name;
    /// Its wallet on the platform that the agreement chose; empty if the offer does not say.
    std::string wallet;
    /// The subnet it offers itself in; empty if it does not say.
    std::string subnet;
    /// As agreed; nothing if the agreement's prices are not understood.
    std::optional<properties::Prices> prices;
};

/// What an activity has used so far, as its exe-unit reported last (once a second).
struct Usage {
    /// By name: "golem.usage.duration_sec". Empty in the first seconds.
    std::map<std::string, double> counters;
    Timestamp reported{};
};

/// How commands are waited for. All more than zero.
struct WorkOptions {
    /// One poll for the result of one command, whose end is noticed at once.
    Duration poll_one = std::chrono::seconds(60);
    /// From submission to the last result of `run` and `execute`; then Error timed_out, and the command may go on.
    Duration batch_limit = std::chrono::hours(24);
    /// Bytes of streamed output that are remembered of one command, to find out at its end what the stream may have
    /// lost; nothing can be found out about a command that prints more.
    std::size_t remembered_output = 1u << 20;
    /// Files that all services of a manager send and receive at one time; the others wait. A machine takes one at a
    /// time in any case.
    std::size_t transfers_at_once = 8;
};

/// What a work context tells its owner. May be empty.
struct WorkHooks {
    /// After each successful exchange with the exe-unit: proof that it lives.
    std::function<void()> on_alive;
    /// When an exchange showed that the activity is gone, before the error reaches the service (which may ignore it).
    std::function<void(const Error&)> on_lost;
    /// Where messages of the program come from.
    std::function<Task<std::string>()> receive;
};

/// What a service may do on its machine. One executor; valid while the service's coroutines run.
class WorkContext {
public:
    WorkContext(
        yagna::Client& client, TimeSource& time, yagna::Agreement agreement, yagna::ActivityId activity,
        std::vector<std::string> start_args, const WorkOptions& options, WorkHooks hooks);

    WorkContext(const WorkContext&) = delete;
    WorkContext& operator=(const WorkContext&) = delete;

    /// Runs one program and completes with its output: `co_await work.run("/bin/sh", "-c", "date")`.
    /// Errors: CommandError if it fails (exit code, output), activity_lost, timed_out, invalid_input (text that is not
    /// UTF-8), and those of the daemon. Cancellation (terminal): stops waiting; the command goes on until the activity
    /// is destroyed.
    template <std::convertible_to<std::string>... Args>
    Task<CommandResult> run(std::string program, Args... args)
    {
        return run_command(make_command(std::move(program), std::move(args)...));
    }
    Task<CommandResult> run_command(std::vector<std::string> command);

    /// Runs a script as one batch and completes with one result a command; at once if it is empty. Errors as in run(),
    /// at the first command that fails; timed_out names the command that may still be running. `script` outlives the
    /// await.
    Task<std::vector<CommandResult>> execute(const Script& script);

    /// The same, and tells what happens as it happens: output of commands whose Capture is a stream, progress, the end
    /// of each command; other output at the end of its command. Events come in order, each piece of output once.
    ///
    /// The daemon's streams begin some 40 ms after the command, have no end, and lose what happens while a connection
    /// is broken: what is missing is read again from the result when the command has ended, and told then (is_late).
    /// That takes at most WorkOptions::remembered_output bytes; of a command that printed more the end is told by the
    /// stream alone, its result has no output, and CommandEvent::is_complete says whether the stream saw all of it: of
    /// each command that began after the stream did, if no connection broke. If it matters, put a short one first.
    ///
    /// `script` and `sink` outlive the await. Errors as above, and what the sink throws.
    Task<std::vector<CommandResult>> execute(const Script& script, const EventSink& sink);

    /// Runs one program and tells its output to `sink` as it comes:
    /// `co_await work.run_streamed(print, "/bin/sh", "-c", "make")`. Errors as in execute().
    template <std::convertible_to<std::string>... Args>
    Task<CommandResult> run_streamed(const EventSink& sink, std::string program, Args... args)
    {
        return stream_command(sink, make_command(std::move(program), std::move(args)...));
    }
    Task<CommandResult> stream_command(const EventSink& sink, std::vector<std::string> command);

    /// Copies a file to the machine; `to` is a path in a volume, `/golem/work/input.bin`. What stands there is replaced
    /// and directories are made; a transfer that fails may leave a part of the file there. The provider's daemon fetches
    /// it from ours by the network, any size in constant memory.
    ///
    /// The machine can do nothing else meanwhile. Errors: TransferError, CommandError (the provider could not take it,
    /// or what it got has another hash), those of execute(), invalid_input for a path that is none. Cancellation
    /// (terminal) takes the offer of the file back, before it completes; the provider may be busy for some time.
    Task<> send_file(
        std::filesystem::path from, std::string to, FileTransferOptions options = FileTransferOptions());
    /// The same with bytes.
    Task<> send_bytes(std::string bytes, std::string to, FileTransferOptions options = FileTransferOptions());
    /// The same with JSON text; Error invalid_input if it is none.
    Task<> send_json(std::string json, std::string to, FileTransferOptions options = FileTransferOptions());

    /// Copies a file of the machine to `to`, which gets its content only when all of it has come and has the hash that
    /// the provider told: before, it grows beside it, as `.NAME.….part`, and goes when anything goes wrong. Errors and
    /// cancellation as above.
    Task<> download_file(
        std::string from, std::filesystem::path to, FileTransferOptions options = FileTransferOptions());
    /// The same into memory, at most 256 MiB.
    Task<std::string> download_bytes(std::string from, FileTransferOptions options = FileTransferOptions());
    /// The same; Error protocol if it is not JSON.
    Task<std::string> download_json(std::string from, FileTransferOptions options = FileTransferOptions());

    /// Sends the files below a directory, one after the other, to the same places below `to`: what links to a file is
    /// sent as one, empty directories are left out, anything else is TransferError local_file before the first is sent.
    Task<> send_directory(
        std::filesystem::path from, std::string to, FileTransferOptions options = FileTransferOptions());
    /// The files below a directory of the machine (found by its `/bin/sh` and `find`), as `to`, which must not be there,
    /// or be empty: it appears when all have come. FileTransferOptions::largest is for all of them together. Error
    /// protocol for a name that would lead out of it.
    Task<> download_directory(
        std::string from, std::filesystem::path to, FileTransferOptions options = FileTransferOptions());

    /// What the exe-unit is doing. A dead activity is an answer. Errors of the daemon.
    Task<yagna::ActivityState> state();
    /// What the activity has used so far. Errors of the daemon.
    Task<Usage> usage();
    /// What that costs at the agreed prices, the start price included: the sum that the next debit note is measured by.
    /// Error protocol if the agreement's prices are not understood.
    Task<Amount> cost();

    /// The next message that the program sent by ServiceWrapper::send(), in the order sent; waits for it as long as it
    /// takes. Messages wait for the service: those sent before it ran, too. One call at a time. Cancellation
    /// (terminal) loses none. Error invalid_input if the context's owner has none.
    Task<std::string> receive();

    /// Sleeps on the manager's clock.
    Task<> sleep(Duration duration);

    const ProviderFacts& provider() const noexcept { return provider_; }
    const yagna::Agreement& agreement() const noexcept { return agreement_; }
    const yagna::ActivityId& activity() const noexcept { return activity_; }
    /// ServiceOptions::start_args, for Service::start().
    const std::vector<std::string>& start_args() const noexcept { return start_args_; }
    /// What the machine has to be told as it is deployed: the network that the service joins, and the names there. For
    /// Service::start(): `script.deploy(work.deploy_options())`.
    const DeployOptions& deploy_options() const noexcept { return deploy_options_; }
    /// For the context's owner.
    void set_deploy_options(DeployOptions options) { deploy_options_ = std::move(options); }

private:
    template <typename... Args>
    static std::vector<std::string> make_command(std::string program, Args... args)
    {
        std::vector<std::string> command;
        command.reserve(1 + sizeof...(args));
        command.push_back(std::move(program));
        (command.push_back(std::string(std::move(args))), ...);
        return command;
    }

    static constexpr std::uint64_t most_bytes_in_memory = 256u << 20;

    // Where in the machine, which way, and the hash that the provider has to find.
    struct TransferPlan {
        TransferPlan(bool is_to_machine, std::string the_path) : to_machine(is_to_machine), path(std::move(the_path)) {}

        bool to_machine;
        std::string path;
        std::string hash;
    };

    Task<> give(
        std::unique_ptr<detail::SendingEnd> end, std::string to, std::string operation, FileTransferOptions options);
    Task<> take(
        detail::ReceivingEnd& end, std::string from, const std::string& operation, FileTransferOptions options);
    Task<> transfer(
        detail::FileService& service, const TransferPlan& plan, const std::string& operation, Duration limit);
    Task<> transfer(
        detail::FileService& service, std::string id, const Script& script, const std::string& operation,
        Duration limit);

    Task<yagna::BatchId> submit(const Script& script);
    Task<std::vector<CommandResult>> run_batch(const Script& script, int& current);
    Task<std::vector<CommandResult>> follow_batch(const Script& script, const EventSink& sink, int& current);
    Task<std::optional<CommandResult>> poll(const yagna::BatchId& batch, const Script& script, int index);
    Task<std::vector<CommandResult>> poll_list(const yagna::BatchId& batch, const Script& script, Duration wait);
    Task<std::vector<CommandResult>> limited(Task<std::vector<CommandResult>> work, const Script& script, int& current);
    void tell_lost(const std::exception_ptr& failure) const;

    yagna::Client& client_;
    TimeSource& time_;
    yagna::Agreement agreement_;
    yagna::ActivityId activity_;
    std::vector<std::string> start_args_;
    DeployOptions deploy_options_;
    WorkOptions options_;
    WorkHooks hooks_;
    ProviderFacts provider_;
};

} // namespace golem
