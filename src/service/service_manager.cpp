#include <golem/service/service_manager.hpp>

#include <golem/service/detail/settings.hpp>

#include "service/engine.hpp"

#include <cstdlib>
#include <utility>

namespace golem {

namespace {

std::optional<std::string> variable(const char* name)
{
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
}

ServiceManagerOptions settle(ServiceManagerOptions options)
{
    options = detail::settle_options(std::move(options), variable);
    if (!options.daemon)
        options.daemon = Daemon::from_environment();
    return options;
}

} // namespace

ServiceManager::ServiceManager(ServiceManagerOptions options)
{
    if (options.time && options.time->is_virtual())
        throw Error(
            Errc::invalid_input, "manager options", "virtual time needs an executor that is given to the manager");
    auto settled = settle(std::move(options));
    auto context = std::make_unique<boost::asio::io_context>(1);
    const Executor executor = context->get_executor();
    engine_ = std::make_shared<detail::Engine>(std::move(context), executor, std::move(settled));
    engine_->start_thread();
}

ServiceManager::ServiceManager(const Executor& executor, ServiceManagerOptions options)
    : engine_(std::make_shared<detail::Engine>(nullptr, executor, settle(std::move(options))))
{
}

ServiceManager::~ServiceManager() { engine_->release(); }

std::vector<std::shared_ptr<ServiceWrapper>> ServiceManager::services() const { return engine_->services(); }

std::shared_ptr<Network> ServiceManager::create_network(const NetworkOptions& options)
{
    return engine_->create_network(options);
}

Task<OfferSurvey> ServiceManager::survey(Payload payload)
{
    const auto engine = engine_;
    const Order order(std::move(payload), ServiceOptions().expiration);
    auto survey = co_await engine->market().survey(order);
    co_return survey;
}

Task<> ServiceManager::sleep(Duration duration) { return engine_->time().sleep_for(duration, "a program's sleep"); }

Task<std::vector<std::string>> ServiceManager::close() { return engine_->close(); }

void ServiceManager::insist() { engine_->insist(); }

std::vector<Bill> ServiceManager::bills() const { return engine_->payments().bills(); }

Executor ServiceManager::executor() const noexcept { return engine_->executor(); }

TimeSource& ServiceManager::time() const noexcept { return engine_->time(); }

std::shared_ptr<detail::ServiceRecord> ServiceManager::make_record() { return engine_->make_record(); }

void ServiceManager::start(
    const std::shared_ptr<detail::ServiceRecord>& record, std::shared_ptr<ServiceWrapper> wrapper,
    ServiceOptions options, ServiceFactory make_service)
{
    engine_->start(record, std::move(wrapper), std::move(options), std::move(make_service));
}

void detail::block_on(ServiceManager& manager, Task<> task)
{
    const auto engine = manager.engine_;
    engine->block_on(std::move(task));
}

} // namespace golem
