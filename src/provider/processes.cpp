#include "provider/processes.hpp"

#include "provider/spawning.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace golem::provider {

namespace {

// Calls `visit` with the number of each process of this user. Those of others are not looked into.
template <typename Visit>
void for_each_process(const Visit& visit)
{
    DIR* directory = ::opendir("/proc");
    if (!directory)
        return;
    const auto user = ::geteuid();
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc() || end != name.data() + name.size())
            continue;
        struct stat status{};
        if (::fstatat(::dirfd(directory), entry->d_name, &status, 0) == 0 && status.st_uid == user)
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

double ProcessorTimes::of(const std::vector<pid_t>& sessions)
{
    if (sessions.empty())
        return 0.0;
    const auto now = time_.now();
    if (!read_ || now - *read_ >= std::chrono::seconds(1)) {
        read_ = now;
        seconds_.clear();
        const auto frequency = static_cast<double>(::sysconf(_SC_CLK_TCK));
        for_each_process([&](pid_t pid) {
            const auto stat = read_whole("/proc/" + std::to_string(pid) + "/stat");
            // The name, in parentheses, may hold anything.
            const auto name_end = stat.rfind(')');
            if (name_end == std::string::npos)
                return;
            pid_t session = 0;
            std::array<unsigned long long, 4> times{};
            const int fields = std::sscanf(
                stat.c_str() + name_end + 1, " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                &session, &times[0], &times[1], &times[2], &times[3]);
            if (fields == 5)
                seconds_[session] += static_cast<double>(times[0] + times[1] + times[2] + times[3]) / frequency;
        });
    }
    double sum = 0.0;
    for (const auto session : sessions)
        if (const auto found = seconds_.find(session); found != seconds_.end())
            sum += found->second;
    return sum;
}

} // namespace golem::provider
