#pragma once

#include <golem/core/event.hpp>
#include <golem/service/detail/lifecycle.hpp>
#include <golem/service/service_wrapper.hpp>

#include "service/door.hpp"

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace golem::detail {

class Worker;

/// What is known of a service: written by its worker, read by its wrapper from any thread, and kept when both the
/// worker and the manager have gone.
class ServiceRecord {
public:
    ServiceRecord(std::string id, std::shared_ptr<Door> door, Timestamp now);

    // Any thread.
    const std::string& id() const noexcept { return id_; }

    StatusReport report() const;
    bool was_running() const;
    bool stop_was_asked() const;
    void ask_to_stop(const std::shared_ptr<ServiceRecord>& self);
    void send(const std::shared_ptr<ServiceRecord>& self, std::string message);

    // The manager's executor. The worker is there from the start to the end of the service.
    static Task<> wait_for(std::shared_ptr<ServiceRecord> self, ServiceStatus status);
    static Task<StatusReport> ended(std::shared_ptr<ServiceRecord> self);
    static Task<std::string> receive(std::shared_ptr<ServiceRecord> self);
    void attach(std::shared_ptr<Worker> worker, std::weak_ptr<ServiceWrapper> wrapper);
    void publish(ServiceStatus status, const std::string& cause, Timestamp now);
    void set_service(std::shared_ptr<Service> service) noexcept { service_ = std::move(service); }

    const std::shared_ptr<Service>& service() const noexcept { return service_; }

    std::shared_ptr<Worker> worker() const;
    void detach();

private:
    enum class Reach { reached, possible, impossible };
    Reach reach(ServiceStatus status) const;
    std::optional<std::string> take_message();

    const std::string id_;
    const std::shared_ptr<Door> door_;
    std::weak_ptr<ServiceWrapper> wrapper_;
    std::shared_ptr<Service> service_;

    mutable std::mutex mutex_;
    std::shared_ptr<Worker> worker_;
    StatusReport report_;
    std::array<bool, 7> reached_{};
    bool stop_asked_ = false;
    std::deque<std::string> messages_;
    // Of who waits for a message; on the manager's executor only.
    Event* reader_ = nullptr;
};

} // namespace golem::detail
