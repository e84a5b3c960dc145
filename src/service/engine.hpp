#pragma once

#include <golem/core/event.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/service/service_manager.hpp>

#include "service/door.hpp"
#include "service/health_monitor.hpp"
#include "service/record.hpp"
#include "service/worker.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace golem::detail {

/// What a ServiceManager owns. Everything that runs keeps it alive, so that a task that cannot be ended never sees it
/// destroyed.
class Engine : public std::enable_shared_from_this<Engine> {
public:
    /// `own_context` is the context of `executor`, or null if that is the caller's.
    Engine(
        std::unique_ptr<boost::asio::io_context> own_context, const Executor& executor, ServiceManagerOptions options);

    // Any thread.
    std::shared_ptr<ServiceRecord> make_record();
    void start(
        const std::shared_ptr<ServiceRecord>& record, std::shared_ptr<ServiceWrapper> wrapper, ServiceOptions options,
        ServiceManager::ServiceFactory make_service);
    std::shared_ptr<Network> create_network(const NetworkOptions& options);
    std::vector<std::shared_ptr<ServiceWrapper>> services() const;
    void insist();
    bool is_on_own_executor() const;
    void block_on(Task<> task);

    /// The end of the manager's object, from its destructor.
    void release();
    void start_thread();

    // The executor.
    Task<std::vector<std::string>> close();
    void left_over(std::string what);
    /// What concerns all services: those who wait fail of it, then the exception handler hears it once.
    void manager_failed(const std::exception_ptr& failure);
    bool concerns_all(const std::exception_ptr& failure);
    void service_failed(const std::string& id, const std::exception_ptr& failure);
    void service_ended();
    /// After Worker::fail_while_waiting(): it has failed, or had found a provider at that very moment.
    void service_answered();

    Executor executor() const noexcept { return executor_; }

    TimeSource& time() noexcept { return time_; }

    yagna::Client& client() noexcept { return client_; }

    Market& market() noexcept { return market_; }
    ImageRegistry& registry() noexcept { return registry_; }

    AgreementFeed& feed() noexcept { return feed_; }

    Payments& payments() noexcept { return payments_; }

    HealthMonitor& health() noexcept { return health_; }

    const ServiceManagerOptions& options() const noexcept { return options_; }

    const Logger& log() const noexcept { return log_; }

private:
    struct Entry {
        std::shared_ptr<ServiceRecord> record;
        std::weak_ptr<ServiceWrapper> wrapper;
    };

    Task<PaymentTerms> terms();
    void report(const MarketReport& report);
    Task<> close_all();
    Duration left_of(Instant start) const;
    Task<> end_services(Instant start);
    using Part = Task<> (Engine::*)(Duration limit);
    Task<> close_part(std::string name, Part part, Duration limit);
    Task<> run_part(std::string name, Part part, Duration limit, std::shared_ptr<Event> over);
    Task<> cut_off(Duration limit);
    Task<> close_market(Duration limit);
    Task<> hurry_market();
    Task<> close_feed(Duration limit);
    Task<> close_payments(Duration limit);
    Task<> close_networks(Duration limit);
    Task<> close_network(std::shared_ptr<Network> network, Duration limit);
    Task<> await_invoices();
    void tell_all(EventKind kind);
    std::vector<std::shared_ptr<Worker>> workers() const;
    void tell_pending_failures();
    void call_handler(const std::exception_ptr& failure);
    void replace_guests();

    std::unique_ptr<boost::asio::io_context> own_context_;
    std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
    const Executor executor_;
    const ServiceManagerOptions options_;
    RealTime real_time_;
    TimeSource& time_;
    Logger log_;
    const std::shared_ptr<Door> door_;
    Random random_;
    const std::string session_;
    yagna::Client client_;
    Payments payments_;
    AgreementFeed feed_;
    Market market_;
    ImageRegistry registry_;
    HealthMonitor health_;

    std::exception_ptr terms_failure_;                 // The last one.
    std::vector<std::exception_ptr> pending_failures_; // Told to the handler once those who wait have failed of them.
    std::size_t unanswered_ = 0;                       // Workers that have yet to do so.
    std::vector<std::string> leftovers_;
    Event ended_; // Pulsed whenever a service has ended.
    Event insist_;
    Event closed_;

    mutable std::mutex mutex_; // Guards what follows, up to the groups.
    Random id_random_;
    bool accepting_ = true;
    std::vector<Entry> entries_;
    std::vector<std::shared_ptr<Network>> networks_; // Each keeps the engine; until closed.
    std::size_t entries_limit_;                      // From here on those that nobody keeps are thrown away.

    std::atomic<std::size_t> live_ = 0; // Services that have not ended; start() counts on any thread.

    std::thread thread_;
    std::future<void> thread_ended_;

    TaskGroup workers_;
    TaskGroup closing_;
    TaskGroup parts_; // Of the closing; one that does not end outlives it.
    std::unique_ptr<TaskGroup> guests_;
    std::vector<std::unique_ptr<TaskGroup>> old_guests_;
};

} // namespace golem::detail
