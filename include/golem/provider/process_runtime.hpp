#pragma once

#include <golem/provider/runtime.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace golem::provider {

/// How commands are executed on this machine.
struct ProcessRuntimeOptions {
    /// Where activities get directories of their own (mode 0700), below one of this factory. Without white space:
    /// scripts see the path.
    std::filesystem::path root = std::filesystem::temp_directory_path();
    /// `PATH` of the commands, and where an entry point without a slash is looked for.
    std::string path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
    /// Further variables of the commands' environment. Nothing of this process's own environment reaches them.
    std::map<std::string, std::string> environment;

    /// Puts what a URL (http, https, gftp) holds into the file `path`. Errors are golem::Error whose their_words() is
    /// the transfer's error text. Nothing: such transfers fail with a message that says so.
    std::function<Task<>(const std::string& url, const std::filesystem::path& path)> fetch;
    /// Sends the file `path` to a URL; as above.
    std::function<Task<>(const std::filesystem::path& path, const std::string& url)> send;
};

/// Makes runtimes that really execute the commands, as this process's user, without an image: it is checked for a hash
/// and otherwise ignored. **No isolation**: whoever sends commands can do what this user can.
///
/// The volumes (/golem/work, /golem/input, /golem/output, /golem/resource and those a deploy asks for) are directories
/// below the activity's own one. Where a volume's path stands in the entry point or an argument as a whole path or the
/// beginning of one ("cat /golem/work/in.txt"), the real path is put in its place; what commands print is not changed.
/// Commands start in /golem/work (`HOME`, too) and know the four directories as GOLEM_WORK, GOLEM_INPUT, GOLEM_OUTPUT
/// and GOLEM_RESOURCE. Each has a session and process group of its own, no input, and what it leaves running in the
/// background goes on until the activity ends. If this process dies without cleaning up (a crash, SIGKILL), a guard, a
/// small shell started with the first activity, kills what its commands left and removes their directories.
///
/// Nor has a machine a network of its own: connections to a port of it, from a private network, go to that port of
/// 127.0.0.1. So its programs listen on 127.0.0.1 or on all addresses, not on the one that the network gave them; two
/// machines cannot listen on the same port; and programs do not reach each other by their addresses in the network.
///
/// A program that ignores SIGCHLD, or waits for any child, loses the commands' exit codes: they fail and say so. `time`
/// must outlive the factory and its runtimes.
///
/// Throws Error (invalid_input) in virtual time (processes take real time) and if `root` is no directory. Linux only.
std::shared_ptr<RuntimeFactory>
make_process_runtime(const Executor& executor, TimeSource& time, ProcessRuntimeOptions options);

} // namespace golem::provider
