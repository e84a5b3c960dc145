#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task.hpp>
#include <golem/provider/detail/kept_output.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::provider {

struct SpawnRequest {
    std::string file;
    std::vector<std::string> arguments; // the first is the name
    std::vector<std::string> environment;
    std::string directory;
    OutputPart out;
    OutputPart err;
    std::function<void(std::string_view)> on_out;
    std::function<void(std::string_view)> on_err;
    std::function<bool(std::function<void()> resume)> hold;
};

// A running command: its own session and process group, no input, both outputs read to their end so that it never
// blocks, but for a listener who holds it up. Kept alive by its own operations until it is reaped and its outputs are
// closed; if the executor goes first, the destructor kills and reaps it. One executor.
class ChildProcess : public std::enable_shared_from_this<ChildProcess> {
public:
    // Throws std::system_error with the errno of what failed; ESRCH if it ended and somebody else reaped it. `keep`
    // lives as long as the process may touch its files; `on_reaped` is called with the processor time it used.
    static std::shared_ptr<ChildProcess> spawn(
        const Executor& executor, const SpawnRequest& request, std::shared_ptr<void> keep,
        std::function<void(double)> on_reaped);

    ChildProcess(const Executor& executor, const OutputPart& out, const OutputPart& err);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // Completes when the process has ended and what it had written is read.
    Task<> ended();

    // After ended(): 128 + n if signal n ended it; nothing if this program lost it to somebody else's wait().
    std::optional<int> exit_code() const noexcept { return exit_code_; }
    std::string take_output() { return outputs_[0].kept.take(); }
    std::string take_error_output() { return outputs_[1].kept.take(); }

    bool is_running() const noexcept { return running_; }
    pid_t pid() const noexcept { return pid_; }

    // Kills the process group. Only while the leader is not reaped: its number may be somebody else's afterwards.
    void kill() noexcept;
    // Once the command has ended: listens no longer to what its background processes write.
    void close_outputs() noexcept;

private:
    struct Output {
        Output(const Executor& executor, const OutputPart& part) : pipe(executor), kept(part) {}

        boost::asio::posix::stream_descriptor pipe;
        detail::KeptOutput kept;
        std::function<void(std::string_view)> on_data;
        std::function<bool(std::function<void()> resume)> hold;
    };

    void start(const SpawnRequest& request);
    void listen(Output& output);
    void read(Output& output, std::size_t at_most);
    void wait_for_end();
    void reap();

    std::array<Output, 2> outputs_;
    boost::asio::posix::stream_descriptor handle_;
    Event ended_;
    std::shared_ptr<void> keep_;
    std::function<void(double)> on_reaped_;
    pid_t pid_ = -1;
    std::optional<int> exit_code_;
    bool running_ = false;
    bool closing_ = false;
};

} // namespace golem::provider
