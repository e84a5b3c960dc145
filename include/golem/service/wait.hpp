#pragma once

#include <golem/service/service_manager.hpp>

namespace golem {

/// For programs without coroutines: runs `task` on the manager's executor and blocks until it has completed; returns its
/// value or throws its exception. From any thread but the manager's own, where it throws Error invalid_input at once
/// (it would wait for itself).
template <typename T>
T wait(ServiceManager& manager, Task<T> task);

} // namespace golem
