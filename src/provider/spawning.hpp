// What posix_spawn needs, with destructors.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace golem::provider {

[[noreturn]] inline void throw_errno(int error, const char* what)
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
inline Descriptor moved_up(int number)
{
    Descriptor original(number);
    if (number > 2)
        return original;
    Descriptor copy(::fcntl(number, F_DUPFD_CLOEXEC, 3));
    if (copy.get() < 0)
        throw_errno(errno, "fcntl");
    return copy;
}

// The reading end and the writing end; both go with an exec.
inline std::pair<Descriptor, Descriptor> make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw_errno(errno, "pipe2");
    Descriptor first(ends[0]);
    Descriptor second(ends[1]);
    first = moved_up(first.release());
    second = moved_up(second.release());
    return {std::move(first), std::move(second)};
}

inline int open_process_handle(pid_t pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

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

// Throws std::system_error. The strings are copied because exec wants them writable.
inline pid_t spawn_process(
    const std::string& file, const FileActions& actions, std::vector<std::string> arguments,
    std::vector<std::string> environment)
{
    const auto pointers = [](std::vector<std::string>& strings) {
        std::vector<char*> result;
        for (auto& text : strings)
            result.push_back(text.data());
        result.push_back(nullptr);
        return result;
    };
    const Attributes attributes;
    const auto argument_pointers = pointers(arguments);
    const auto environment_pointers = pointers(environment);
    pid_t pid = -1;
    const int error = ::posix_spawn(
        &pid, file.c_str(), actions.get(), attributes.get(), argument_pointers.data(), environment_pointers.data());
    if (error != 0)
        throw_errno(error, "posix_spawn");
    return pid;
}

} // namespace golem::provider
