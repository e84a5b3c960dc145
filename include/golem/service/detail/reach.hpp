#pragma once

#include <golem/service/service_status.hpp>

namespace golem::detail {

/// Whether a service that has `current` can still get to `wanted`, which it never had.
constexpr bool can_still_reach(ServiceStatus current, ServiceStatus wanted) noexcept
{
    if (is_final(current))
        return false;
    switch (wanted) {
    case ServiceStatus::pending: return false;
    case ServiceStatus::starting: return current == ServiceStatus::pending;
    case ServiceStatus::running:
    case ServiceStatus::unresponsive: return current != ServiceStatus::stopping;
    case ServiceStatus::stopping:
    case ServiceStatus::stopped:
    case ServiceStatus::failed: return true;
    }
    return false;
}

} // namespace golem::detail
