#pragma once

#include <golem/service/service_manager.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace golem {

namespace detail {

// Runs `task` on the manager's executor and blocks until it has ended; throws its exception.
void block_on(ServiceManager& manager, Task<> task);

template <typename T>
Task<> store_result(Task<T> task, std::optional<T>& result)
{
    auto value = co_await std::move(task);
    result.emplace(std::move(value));
}

} // namespace detail

/// For programs without coroutines: runs `task` on the manager's executor and blocks until it has completed; returns
/// its value or throws its exception. From any thread but the manager's own, where it throws Error invalid_input at
/// once (it would wait for itself). When the manager is closed meanwhile, the task is cancelled and Error closed is
/// thrown.
///
/// With a manager that joined an executor, somebody else must run that executor.
template <typename T>
T wait(ServiceManager& manager, Task<T> task)
{
    if constexpr (std::is_void_v<T>) {
        detail::block_on(manager, std::move(task));
    } else {
        std::optional<T> result;
        detail::block_on(manager, detail::store_result(std::move(task), result));
        return std::move(*result);
    }
}

} // namespace golem
