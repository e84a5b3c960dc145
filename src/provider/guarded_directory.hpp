#pragma once

#include "provider/spawning.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace golem::provider {

// A directory for the activities' own ones, with a guard for the case that this process dies before it can clean up:
// commands have sessions of their own and would go on for ever. The guard is a shell that waits for the end of a pipe
// whose other end only this process holds. When that comes, by whatever death, it kills the processes whose environment
// names an activity in the directory, and removes the directory. (PR_SET_PDEATHSIG would not do: it follows the thread
// that spawned, not the process, and what commands leave in the background does not inherit it.)
class GuardedDirectory {
public:
    // Throws std::system_error.
    explicit GuardedDirectory(const std::filesystem::path& root);
    ~GuardedDirectory();
    GuardedDirectory(const GuardedDirectory&) = delete;
    GuardedDirectory& operator=(const GuardedDirectory&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

    // The variable in the environment of an activity's processes.
    static constexpr const char* variable = "GOLEM_ACTIVITY_ROOT";

private:
    std::filesystem::path path_;
    Descriptor alive_;
    pid_t guard_ = -1;
};

} // namespace golem::provider
