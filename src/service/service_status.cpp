#include <golem/service/service_status.hpp>

#include <ostream>

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

std::ostream& operator<<(std::ostream& out, ServiceStatus status) { return out << to_string(status); }

std::ostream& operator<<(std::ostream& out, const StatusReport& report)
{
    out << report.status;
    return report.cause.empty() ? out : out << ": " << report.cause;
}

} // namespace golem
