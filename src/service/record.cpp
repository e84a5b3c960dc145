#include "service/record.hpp"

#include <golem/service/detail/reach.hpp>

#include "service/worker.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace golem::detail {

namespace {

constexpr std::size_t most_messages = 1024;

} // namespace

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

void ServiceRecord::send(const std::shared_ptr<ServiceRecord>& self, std::string message)
{
    {
        const std::scoped_lock lock(mutex_);
        // What can no longer run has ended, or is about to.
        if (!can_still_reach(report_.status, ServiceStatus::running))
            throw Error(
                Errc::closed, "send a message to service " + id_,
                "the service is " + std::string(to_string(report_.status)));
        if (messages_.size() >= most_messages) {
            Error full(
                Errc::refused, "send a message to service " + id_,
                std::to_string(most_messages) + " messages wait for it already: is it receiving any?");
            full.set_transient(true);
            throw full;
        }
        messages_.push_back(std::move(message));
    }
    const bool posted = door_->post([self] {
        if (self->reader_)
            self->reader_->set();
    });
    if (!posted)
        throw Error(Errc::closed, "send a message to service " + id_, "its manager has gone");
}

Task<std::string> ServiceRecord::receive(std::shared_ptr<ServiceRecord> self)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    if (self->reader_)
        throw Error(Errc::invalid_input, "receive a message", "somebody waits for one already");
    Event arrived(executor);
    struct Reader {
        ServiceRecord& record;
        ~Reader() { record.reader_ = nullptr; }
    };
    const Reader reader{*self};
    self->reader_ = &arrived;
    for (;;) {
        auto message = self->take_message();
        if (message)
            co_return std::move(*message);
        arrived.reset();
        co_await arrived.wait();
    }
}

std::optional<std::string> ServiceRecord::take_message()
{
    const std::scoped_lock lock(mutex_);
    std::optional<std::string> message;
    if (!messages_.empty()) {
        message = std::move(messages_.front());
        messages_.pop_front();
    }
    return message;
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

Task<StatusReport> ServiceRecord::ended(std::shared_ptr<ServiceRecord> self)
{
    for (;;) {
        auto last = self->report();
        if (is_final(last.status))
            co_return last;
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
