#pragma once

#include <golem/service/service_manager.hpp>

#include <functional>

namespace golem {

/// Runs a program that is one coroutine: makes a manager on an executor of its own, awaits `app`, closes the manager
/// and returns the exit code: 0, 1 after an exception (told on stderr with what to do), 130/143 after SIGINT/SIGTERM.
/// The first Ctrl-C cancels `app` and closes in an orderly way; the second insists: clean-up is cut short, and what is
/// left over is listed. What does not end although the manager is closed (code that ignores its cancellation) is left
/// behind after 2 s: the process ends then without destructors, with the same exit code (1 if `app` itself is what does
/// not end, or more).
int run(const std::function<Task<>(ServiceManager&)>& app, ServiceManagerOptions options = ServiceManagerOptions());
/// The same for a program that has a use of its own for Ctrl-C: `on_interrupt` is called first, on the manager's
/// executor, at each SIGINT until closing has begun. True: it has dealt with it, and the program goes on. Must not
/// throw.
int run(
    const std::function<Task<>(ServiceManager&)>& app, ServiceManagerOptions options,
    std::function<bool()> on_interrupt);
/// The same with this daemon.
int run(const std::function<Task<>(ServiceManager&)>& app, Daemon daemon);

} // namespace golem
