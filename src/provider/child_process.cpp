#include "provider/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace golem::provider {

namespace {

[[noreturn]] void throw_errno(int error, const char* what)
{
    throw std::system_error(error, std::system_category(), what);
}

// A file descriptor that closes itself.
class Descriptor {
public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    ~Descriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }

    int get() const noexcept { return number_; }
    int release() noexcept { return std::exchange(number_, -1); }

private:
    int number_ = -1;
};

// Above 0, 1 and 2, which the child's own will replace: a host may have closed its standard streams.
Descriptor moved_up(int number)
{
    Descriptor original(number);
    if (number > 2)
        return original;
    Descriptor copy(::fcntl(number, F_DUPFD_CLOEXEC, 3));
    if (copy.get() < 0)
        throw_errno(errno, "fcntl");
    return copy;
}

std::pair<Descriptor, Descriptor> make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw_errno(errno, "pipe2");
    Descriptor first(ends[0]);
    Descriptor second(ends[1]);
    first = moved_up(first.release());
    second = moved_up(second.release());
    // Our end only: the child may expect a blocking one.
    if (::fcntl(first.get(), F_SETFL, O_NONBLOCK) != 0)
        throw_errno(errno, "fcntl");
    return {std::move(first), std::move(second)};
}

int open_process_handle(pid_t pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

class FileActions {
public:
    FileActions() { check(::posix_spawn_file_actions_init(&actions_)); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    void open(int number, const char* path, int flags)
    {
        check(::posix_spawn_file_actions_addopen(&actions_, number, path, flags, 0));
    }
    void duplicate(int from, int to) { check(::posix_spawn_file_actions_adddup2(&actions_, from, to)); }
    void close_from(int number) { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, number)); }
    void change_directory(const std::string& path)
    {
        check(::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str()));
    }
    const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

private:
    static void check(int error)
    {
        if (error != 0)
            throw_errno(error, "posix_spawn_file_actions");
    }

    posix_spawn_file_actions_t actions_;
};

// A session of its own, every signal at its default and none blocked.
class Attributes {
public:
    Attributes()
    {
        if (const int error = ::posix_spawnattr_init(&attributes_); error != 0)
            throw_errno(error, "posix_spawnattr_init");
        sigset_t signals;
        sigemptyset(&signals);
        ::posix_spawnattr_setsigmask(&attributes_, &signals);
        sigfillset(&signals);
        ::posix_spawnattr_setsigdefault(&attributes_, &signals);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;

    const posix_spawnattr_t* get() const noexcept { return &attributes_; }

private:
    posix_spawnattr_t attributes_;
};

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> result;
    for (auto& text : strings)
        result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

double seconds(const timeval& time) noexcept
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Calls `visit` with the number of each process of this user.
template <typename Visit>
void for_each_process(const Visit& visit)
{
    DIR* directory = ::opendir("/proc");
    if (!directory)
        return;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc() && end == name.data() + name.size())
            visit(pid);
    }
    ::closedir(directory);
}

std::string read_whole(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

} // namespace

ChildProcess::ChildProcess(const Executor& executor)
    : executor_(executor), outputs_{Output(executor), Output(executor)}, handle_(executor), ended_(executor)
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
    auto process = std::make_shared<ChildProcess>(executor);
    process->keep_ = std::move(keep);
    process->on_reaped_ = std::move(on_reaped);
    process->limit_ = request.output_limit;
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
    FileActions actions;
    actions.open(0, "/dev/null", O_RDONLY);
    actions.duplicate(out_end.get(), 1);
    actions.duplicate(err_end.get(), 2);
    // A host's own descriptors need not be close-on-exec.
    actions.close_from(3);
    actions.change_directory(request.directory);
    const Attributes attributes;
    auto arguments = request.arguments;
    auto environment = request.environment;
    const auto argument_pointers = pointers(arguments);
    const auto environment_pointers = pointers(environment);
    const int error = ::posix_spawn(
        &pid_, request.file.c_str(), actions.get(), attributes.get(), argument_pointers.data(),
        environment_pointers.data());
    if (error != 0)
        throw_errno(error, "posix_spawn");
    running_ = true;
    Descriptor handle(open_process_handle(pid_));
    if (handle.get() < 0)
        throw_errno(errno, "pidfd_open");
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
        if (output.pipe.is_open())
            self->listen(output);
    };
    output.pipe.async_wait(boost::asio::posix::stream_descriptor::wait_read, std::move(on_ready));
}

// Takes what is there; beyond the limit, and once the command has ended, it is thrown away.
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
        if (!ended_.is_set())
            output.text.append(buffer.data(), std::min(size, limit_ - std::min(limit_, output.text.size())));
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
    if (reaped < 0) // Somebody of the host reaps all children (SIGCHLD ignored): the status is lost.
        exit_code_ = 0;
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

void kill_marked_processes(const std::string& entry) noexcept
{
    // A process may be forking while it is looked at: again until none is found.
    for (int round = 0; round < 10; ++round) {
        int found = 0;
        for_each_process([&](pid_t pid) {
            // The handle first: the number might pass to another process in between.
            const Descriptor handle(open_process_handle(pid));
            if (handle.get() < 0)
                return;
            const auto environment = '\0' + read_whole("/proc/" + std::to_string(pid) + "/environ");
            if (environment.find('\0' + entry + '\0') == std::string::npos)
                return;
            if (::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0U) == 0)
                ++found;
        });
        if (found == 0)
            return;
    }
}

double processor_time_of_sessions(const std::vector<pid_t>& sessions)
{
    if (sessions.empty())
        return 0.0;
    unsigned long long ticks = 0;
    for_each_process([&](pid_t pid) {
        const auto stat = read_whole("/proc/" + std::to_string(pid) + "/stat");
        // The name, in parentheses, may hold anything.
        const auto name_end = stat.rfind(')');
        if (name_end == std::string::npos)
            return;
        pid_t session = 0;
        std::array<unsigned long long, 4> times{};
        const int fields = std::sscanf(
            stat.c_str() + name_end + 1, " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &session,
            &times[0], &times[1], &times[2], &times[3]);
        if (fields == 5 && std::find(sessions.begin(), sessions.end(), session) != sessions.end())
            ticks += times[0] + times[1] + times[2] + times[3];
    });
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

} // namespace golem::provider
