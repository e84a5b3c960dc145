#include <golem/service/service_status.hpp>

namespace golem {

std::string_view to_string(ServiceStatus status) noexcept
{
    switch (status) {
    case ServiceStatus::pending: return "pending";
    case ServiceStatus::starting: return "starting";
    case ServiceStatus::running: return "running";
    case ServiceStatus::unresponsive: return "unresponsive";
    case ServiceStatus::stopping: return "stopping";
    case ServiceStatus::stopped: return "stopped";
    case ServiceStatus::failed: return "failed";
    }
    return "unknown";
}

} // namespace golem
