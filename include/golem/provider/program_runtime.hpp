#pragma once

#include <golem/provider/process_runtime.hpp>
#include <golem/provider/runtime.hpp>

#include <memory>
#include <string>

namespace golem::provider {

/// Makes runtimes for which one program of the provider's stands, under a name of its own (ProviderOptions::runtime).
/// There is no image. `deploy` makes the activity's directories; the commands `start ARGS…` and `run COMMAND ARGS…` run
///
///     PROGRAM start ARGS…
///     PROGRAM COMMAND ARGS…
///
/// in them, as make_process_runtime() runs commands, with the same lack of isolation. `start` has to return: what it
/// leaves running in the background goes on until the activity ends. What it prints is the command's output; if its
/// exit code is not 0, what it printed to the error stream is the message that the requestor reads.
///
/// Throws Error (invalid_input) as make_process_runtime(), and if `program` is no file that can be executed.
std::shared_ptr<RuntimeFactory> make_program_runtime(
    const Executor& executor, TimeSource& time, const std::string& program, ProcessRuntimeOptions options);

} // namespace golem::provider
