#include "provider/child_process.hpp"

#include "provider/spawning.hpp"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

namespace golem::provider {

namespace {

double seconds(const timeval& time) noexcept
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

} // namespace

ChildProcess::ChildProcess(const Executor& executor, const OutputPart& out, const OutputPart& err)
    : outputs_{Output(executor, out), Output(executor, err)}, handle_(executor), ended_(executor)
{
}

ChildProcess::~ChildProcess()
{
    if (!running_)
        return;
    kill();
    ::waitpid(pid_, nullptr, 0);
}

std::shared_ptr<ChildProcess> ChildProcess::spawn(
    const Executor& executor, const SpawnRequest& request, std::shared_ptr<void> keep,
    std::function<void(double)> on_reaped)
{
    auto process = std::make_shared<ChildProcess>(executor, request.out, request.err);
    process->keep_ = std::move(keep);
    process->on_reaped_ = std::move(on_reaped);
    process->outputs_[0].on_data = request.on_out;
    process->outputs_[1].on_data = request.on_err;
    process->outputs_[0].hold = request.hold;
    process->outputs_[1].hold = request.hold;
    process->start(request);
    process->listen(process->outputs_[0]);
    process->listen(process->outputs_[1]);
    process->wait_for_end();
    return process;
}

void ChildProcess::start(const SpawnRequest& request)
{
    auto [out, out_end] = make_pipe();
    auto [err, err_end] = make_pipe();
    // Our ends only: the child may expect blocking ones.
    for (const int end : {out.get(), err.get()})
        if (::fcntl(end, F_SETFL, O_NONBLOCK) != 0)
            throw_errno(errno, "fcntl");
    FileActions actions;
    actions.open(0, "/dev/null", O_RDONLY);
    actions.duplicate(out_end.get(), 1);
    actions.duplicate(err_end.get(), 2);
    // A host's own descriptors need not be close-on-exec.
    actions.close_from(3);
    actions.change_directory(request.directory);
    pid_ = spawn_process(request.file, actions, request.arguments, request.environment);
    running_ = true;
    Descriptor handle(open_process_handle(pid_));
    if (handle.get() < 0) {
        const int error = errno;
        // Ended and reaped by others already: its number may be somebody else's by now.
        running_ = error != ESRCH;
        throw_errno(error, "pidfd_open");
    }
    handle_.assign(handle.get());
    handle.release();
    outputs_[0].pipe.assign(out.get());
    out.release();
    outputs_[1].pipe.assign(err.get());
    err.release();
}

void ChildProcess::listen(Output& output)
{
    auto on_ready = [self = shared_from_this(), &output](const boost::system::error_code& error) {
        if (error || !output.pipe.is_open())
            return;
        constexpr std::size_t turn = 1 << 20;
        self->read(output, turn);
        const auto go_on = [self, &output] {
            if (output.pipe.is_open())
                self->listen(output);
        };
        if (self->ended_.is_set() || !output.pipe.is_open() || !output.hold || !output.hold(go_on))
            go_on();
    };
    output.pipe.async_wait(boost::asio::posix::stream_descriptor::wait_read, std::move(on_ready));
}

// Takes what is there; beyond what is wanted, and once the command has ended, it is thrown away.
void ChildProcess::read(Output& output, std::size_t at_most)
{
    std::array<char, 65536> buffer;
    while (at_most > 0 && output.pipe.is_open()) {
        const auto count = ::read(output.pipe.native_handle(), buffer.data(), std::min(buffer.size(), at_most));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (count <= 0) {
            boost::system::error_code ignored; // Closing a pipe's reading end cannot fail in a way that matters.
            output.pipe.close(ignored);
            return;
        }
        const auto size = static_cast<std::size_t>(count);
        at_most -= size;
        if (ended_.is_set())
            continue;
        const std::string_view data(buffer.data(), size);
        output.kept.append(data);
        if (output.on_data)
            output.on_data(data);
    }
}

void ChildProcess::wait_for_end()
{
    auto on_end = [self = shared_from_this()](const boost::system::error_code& error) {
        if (!error)
            self->reap();
    };
    handle_.async_wait(boost::asio::posix::stream_descriptor::wait_read, std::move(on_end));
}

void ChildProcess::reap()
{
    int status = 0;
    rusage usage{};
    const auto reaped = ::wait4(pid_, &status, WNOHANG, &usage);
    if (reaped == 0) {
        wait_for_end();
        return;
    }
    running_ = false;
    if (reaped < 0) // Somebody of the host reaps all children, or SIGCHLD is ignored: the status is lost.
        exit_code_ = std::nullopt;
    else if (WIFSIGNALED(status))
        exit_code_ = 128 + WTERMSIG(status);
    else
        exit_code_ = WEXITSTATUS(status);
    // What the command itself wrote is in the pipes by now; what its background processes add later is not waited for.
    for (auto& output : outputs_) {
        int waiting = 0;
        if (output.pipe.is_open() && ::ioctl(output.pipe.native_handle(), FIONREAD, &waiting) == 0 && waiting > 0)
            read(output, static_cast<std::size_t>(waiting));
    }
    boost::system::error_code ignored; // As above.
    handle_.close(ignored);
    on_reaped_(seconds(usage.ru_utime) + seconds(usage.ru_stime));
    ended_.set();
    if (closing_)
        close_outputs();
}

Task<> ChildProcess::ended()
{
    const auto self = shared_from_this();
    co_await ended_.wait();
}

void ChildProcess::kill() noexcept
{
    if (running_)
        ::kill(-pid_, SIGKILL);
}

void ChildProcess::close_outputs() noexcept
{
    closing_ = true;
    if (running_)
        return;
    for (auto& output : outputs_) {
        boost::system::error_code ignored; // As in read().
        if (output.pipe.is_open())
            output.pipe.close(ignored);
    }
}

} // namespace golem::provider
