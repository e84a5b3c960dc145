#include <golem/service/service_wrapper.hpp>

#include <golem/service/service_manager.hpp>

#include "service/record.hpp"

#include <utility>

namespace golem {

namespace {

std::string explain(const StatusReport& last)
{
    auto text = last.status == ServiceStatus::failed ? std::string("the service has failed")
                                                     : "the service is " + std::string(to_string(last.status));
    if (!last.cause.empty())
        text += ": " + last.cause;
    return text;
}

} // namespace

ServiceError::ServiceError(std::string service_id, const StatusReport& last)
    : Error(Errc::service_failed, "wait for service " + service_id, explain(last)), service_id_(std::move(service_id)),
      last_(last)
{
}

ServiceWrapper::ServiceWrapper(WrapperInit init) : record_(std::move(init.record_)) {}

ServiceWrapper::~ServiceWrapper() = default;

const std::string& ServiceWrapper::id() const noexcept { return record_->id(); }

StatusReport ServiceWrapper::status() const { return record_->report(); }

bool ServiceWrapper::started() const { return record_->was_running(); }

bool ServiceWrapper::stopped() const { return record_->stop_was_asked(); }

void ServiceWrapper::stop() { record_->ask_to_stop(record_); }

void ServiceWrapper::send(std::string message) { record_->send(record_, std::move(message)); }

Task<> ServiceWrapper::wait_for(ServiceStatus status) { return detail::ServiceRecord::wait_for(record_, status); }

Task<StatusReport> ServiceWrapper::ended() { return detail::ServiceRecord::ended(record_); }

void ServiceWrapper::on_status_changed(const StatusReport&, const StatusReport&) noexcept {}

std::shared_ptr<Service> ServiceWrapper::current_service() const { return record_->service(); }

} // namespace golem
