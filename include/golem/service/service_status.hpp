#pragma once

#include <golem/core/time_source.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

namespace golem {

/// `pending → starting → running → stopping → stopped`, off the path `unresponsive` and `failed`.
enum class ServiceStatus {
    pending,      ///< No agreement yet.
    starting,     ///< Agreement signed; the activity is being created, or Service::start() runs.
    running,      ///< Service::run() runs.
    unresponsive, ///< The provider says it has lost sight of the exe-unit; it may come back.
    stopping,     ///< stop() was asked for, or run() ended; shutdown and clean-up go on.
    stopped,      ///< Ended as asked, or because run() returned. Final.
    failed,       ///< Ended otherwise; StatusReport::cause tells why. Final.
};

std::string_view to_string(ServiceStatus status) noexcept;
std::ostream& operator<<(std::ostream& out, ServiceStatus status);

constexpr bool is_final(ServiceStatus status) noexcept
{
    return status == ServiceStatus::stopped || status == ServiceStatus::failed;
}

/// A service's status, why it is that (for pending: what it waits for; for failed: the cause; else often empty), and
/// since when.
struct StatusReport {
    ServiceStatus status = ServiceStatus::pending;
    std::string cause;
    Timestamp since{};

    bool operator==(const StatusReport&) const = default;
    friend bool operator==(const StatusReport& report, ServiceStatus expected) noexcept
    {
        return report.status == expected;
    }
};

/// "failed: run failed: …"
std::ostream& operator<<(std::ostream& out, const StatusReport& report);

} // namespace golem
