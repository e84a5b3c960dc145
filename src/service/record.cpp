#include "service/record.hpp"

#include <golem/service/detail/reach.hpp>

#include "service/worker.hpp"

#include <utility>

namespace golem::detail {

ServiceRecord::ServiceRecord(std::string id, std::shared_ptr<Door> door, Timestamp now)
    : id_(std::move(id)), door_(std::move(door))
{
    report_.since = now;
    reached_[static_cast<std::size_t>(ServiceStatus::pending)] = true;
}

StatusReport ServiceRecord::report() const
{
    const std::scoped_lock lock(mutex_);
    return report_;
}

bool ServiceRecord::was_running() const
{
    const std::scoped_lock lock(mutex_);
    return reached_[static_cast<std::size_t>(ServiceStatus::running)];
}

bool ServiceRecord::stop_was_asked() const
{
    const std::scoped_lock lock(mutex_);
    return stop_asked_;
}

void ServiceRecord::ask_to_stop(const std::shared_ptr<ServiceRecord>& self)
{
    {
        const std::scoped_lock lock(mutex_);
        if (std::exchange(stop_asked_, true))
            return;
    }
    door_->post([self] {
        if (const auto worker = self->worker())
            worker->tell(LifeEvent(EventKind::stop_asked));
    });
}

ServiceRecord::Reach ServiceRecord::reach(ServiceStatus status) const
{
    const std::scoped_lock lock(mutex_);
    if (reached_[static_cast<std::size_t>(status)])
        return Reach::reached;
    return can_still_reach(report_.status, status) ? Reach::possible : Reach::impossible;
}

Task<> ServiceRecord::wait_for(std::shared_ptr<ServiceRecord> self, ServiceStatus status)
{
    for (;;) {
        const auto reach = self->reach(status);
        if (reach == Reach::reached)
            co_return;
        if (reach == Reach::impossible)
            throw ServiceError(self->id_, self->report());
        const auto worker = self->worker();
        if (!worker)
            throw Error(Errc::closed, "wait for a service", "its manager has gone");
        co_await worker->wait_for_change();
    }
}

void ServiceRecord::attach(std::shared_ptr<Worker> worker, std::weak_ptr<ServiceWrapper> wrapper)
{
    const std::scoped_lock lock(mutex_);
    worker_ = std::move(worker);
    wrapper_ = std::move(wrapper);
}

void ServiceRecord::publish(ServiceStatus status, const std::string& cause, Timestamp now)
{
    StatusReport before;
    StatusReport after;
    {
        const std::scoped_lock lock(mutex_);
        before = report_;
        if (before.status == status && before.cause == cause)
            return;
        if (before.status != status)
            report_.since = now;
        report_.status = status;
        report_.cause = cause;
        reached_[static_cast<std::size_t>(status)] = true;
        after = report_;
    }
    if (before.status == after.status)
        return;
    if (const auto wrapper = wrapper_.lock())
        wrapper->on_status_changed(before, after);
}

std::shared_ptr<Worker> ServiceRecord::worker() const
{
    const std::scoped_lock lock(mutex_);
    return worker_;
}

void ServiceRecord::detach()
{
    std::shared_ptr<Worker> worker;
    {
        const std::scoped_lock lock(mutex_);
        worker = std::move(worker_);
    }
    service_.reset();
}

} // namespace golem::detail
