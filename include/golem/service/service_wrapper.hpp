#pragma once

#include <golem/core/error.hpp>
#include <golem/core/task.hpp>
#include <golem/service/service.hpp>
#include <golem/service/service_status.hpp>

#include <memory>
#include <string>

namespace golem {

class ServiceManager;
class WrapperInit;

namespace detail {
class ServiceRecord;
}

/// The service ended, or can no longer reach the awaited status; what() tells the cause.
class ServiceError : public Error {
public:
    ServiceError(std::string service_id, const StatusReport& last);
    const std::string& service_id() const noexcept { return service_id_; }
    const StatusReport& last() const noexcept { return last_; }

private:
    std::string service_id_;
    StatusReport last_;
};

/// The handle of a service: there before an agreement is signed, and after it ended; keep it as long as you like. Made
/// by ServiceManager::create_service; subclass it to add what your program knows about a service.
///
/// Thread-safe, but service() and the hooks belong to the manager's executor. When the manager has gone it answers from
/// what was known last.
class ServiceWrapper {
public:
    explicit ServiceWrapper(WrapperInit init);
    virtual ~ServiceWrapper();

    ServiceWrapper(const ServiceWrapper&) = delete;
    ServiceWrapper& operator=(const ServiceWrapper&) = delete;

    /// 32 hex digits, known at once and independent of any id of the daemon.
    const std::string& id() const noexcept;

    StatusReport status() const;
    /// True once the service was ever running.
    bool started() const;
    /// True once stop() was asked for.
    bool stopped() const;

    /// Asks the service to end: at once while pending, else run() is cancelled, shutdown() called and everything
    /// cleaned up. Idempotent.
    void stop();

    /// Sends a message to the service, which takes it by WorkContext::receive(). It waits there while the service is
    /// not running yet. At most 1024 messages wait: then Error refused, which is transient. Error closed once the
    /// service has ended or its manager has gone.
    void send(std::string message);

    /// Completes when the status was ever reached, at once if it was before. Throws ServiceError if it no longer can
    /// be. Cancellation: terminal. Use it on the manager's executor, or through golem::wait.
    Task<> wait_for(ServiceStatus status);

    /// Completes when the service is `stopped` or `failed`, with how it ended; neither is an error here. Cancellation:
    /// terminal. Error closed if the manager went before. Use it on the manager's executor, or through golem::wait.
    Task<StatusReport> ended();

    /// The user's object; null while pending and after the end. Only on the manager's executor.
    template <typename S = Service>
    std::shared_ptr<S> service() const
    {
        return std::dynamic_pointer_cast<S>(current_service());
    }

protected:
    /// Called on the manager's executor at each change of status. Must not throw.
    virtual void on_status_changed(const StatusReport& before, const StatusReport& after) noexcept;

private:
    friend class detail::ServiceRecord;
    std::shared_ptr<Service> current_service() const;

    std::shared_ptr<detail::ServiceRecord> record_;
};

} // namespace golem
