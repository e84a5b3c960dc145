#include "provider/guarded_directory.hpp"

#include <stdlib.h>
#include <sys/wait.h>

#include <system_error>

namespace golem::provider {

namespace {

// Again until nothing is found: a process may fork while it is looked at. The directory may hold some without rights.
constexpr auto script = R"(
read -r line
round=0
while [ $round -lt 10 ]; do
    round=$((round + 1))
    found=$(grep -lszF -e "$2=$1/" /proc/[0-9]*/environ)
    [ -n "$found" ] || break
    for file in $found; do
        file=${file#/proc/}
        kill -9 "${file%/environ}"
    done
done
rm -rf "$1" || { chmod -R u+rwx "$1"; rm -rf "$1"; }
)";

} // namespace

GuardedDirectory::GuardedDirectory(const std::filesystem::path& root)
{
    auto name = (root / "golem-provider-XXXXXX").string();
    if (!::mkdtemp(name.data()))
        throw_errno(errno, "mkdtemp");
    path_ = name;
    try {
        auto [waiting_end, alive_end] = make_pipe();
        FileActions actions;
        actions.duplicate(waiting_end.get(), 0);
        actions.open(1, "/dev/null", O_WRONLY);
        actions.open(2, "/dev/null", O_WRONLY);
        actions.close_from(3);
        actions.change_directory("/");
        guard_ = spawn_process(
            "/bin/sh", actions, {"golem-guard", "-c", script, "golem-guard", name, variable},
            {"PATH=/usr/local/bin:/usr/bin:/bin"});
        alive_ = std::move(alive_end);
    } catch (...) {
        std::error_code ignored; // The failure itself is what counts.
        std::filesystem::remove(path_, ignored);
        throw;
    }
}

// Whoever used the directory has cleaned up. It goes before its guard: this process may die at any moment.
GuardedDirectory::~GuardedDirectory()
{
    std::error_code ignored; // Not empty only if something in it could not be removed: then it stays with it.
    std::filesystem::remove(path_, ignored);
    // Before the pipe's end, which it must not see.
    ::kill(guard_, SIGKILL);
    while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

} // namespace golem::provider
