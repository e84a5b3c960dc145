#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/market/image_registry.hpp>
#include <golem/market/market.hpp>
#include <golem/network/network.hpp>
#include <golem/payment/payments.hpp>
#include <golem/service/service.hpp>
#include <golem/service/service_wrapper.hpp>
#include <golem/yagna/daemon.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace golem {

/// Limits of a service's steps. All more than zero and at most 10 years; clean-up goes on with the next step when one
/// passes.
struct ServiceLimits {
    Duration activity_create = std::chrono::seconds(30); ///< 5 s at least.
    Duration activity_destroy = std::chrono::seconds(30);
    Duration start = std::chrono::minutes(10);
    /// How long start(), run() or shutdown() may take to end once cancelled; after that it is not waited for any more.
    Duration cancel = std::chrono::seconds(10);
    Duration shutdown = std::chrono::seconds(30);
    Duration terminate = std::chrono::seconds(10);
    Duration close = std::chrono::seconds(90); ///< ServiceManager::close() in all.
};

/// How often a running service is looked at.
struct HealthOptions {
    /// A state poll comes this long after the last successful exchange with the exe-unit.
    Duration idle_poll = std::chrono::seconds(15);
    /// State polls of all services together.
    int polls_per_minute = 60;
};

struct ServiceManagerOptions {
    /// The daemon; absent: Daemon::from_environment().
    std::optional<Daemon> daemon{};
    // The environment is read once, by the manager's constructor.
    MarketOptions market{};
    /// For payloads whose image is a tag or a bare hash.
    RegistryOptions registry{};
    PaymentOptions payment{};
    ServiceLimits limits{};
    HealthOptions health{};
    WorkOptions work{};
    yagna::CallerOptions calls{};
    /// Nothing is logged by default. LogOptions::path gives a rotating file.
    LogOptions log{};
    /// Called on the manager's executor with what concerns the whole manager (no funds, key revoked) after every
    /// waiting service has failed of it, and with the exceptions of services. By default both are logged.
    std::function<void(std::exception_ptr)> exception_handler{};
    /// Called on the manager's executor with what the market met, each time a payload has found no provider for
    /// MarketOptions::report_after; it is logged as well. Must not call the manager.
    std::function<void(const MarketReport&)> on_report{};
    /// Seed of ids, jitter and choices; absent: from the system.
    std::optional<std::uint64_t> seed{};
    /// The clock; absent: the machine's. It must outlive the manager and, with the executor constructor, all work of
    /// that executor: what the manager left there may still hold sleeps. Virtual time needs the executor constructor.
    TimeSource* time = nullptr;
};

/// How one service is run. A value.
struct ServiceOptions {
    /// Instead of Service::payload().
    std::optional<Payload> payload{};
    /// From signing to the agreement's end, 5 minutes to 10 years; a service that runs then is `failed`, cause
    /// "expired".
    Duration expiration = std::chrono::hours(3);
    /// How long a provider is looked for; then the service is `failed`, and the cause tells why none was found. Zero: it
    /// stays `pending` for as long as it takes.
    Duration find_limit{0};
    /// Arguments of the runtime's start command (Service::start() by default uses them).
    std::vector<std::string> start_args{};
    /// The private network that the machine joins, made by the same manager; null: none. Only runtimes that can
    /// (`golem.runtime.capabilities=vpn`) are looked for then.
    std::shared_ptr<Network> network{};
    /// Its address there; empty: the one that the last service of its name had, else a free one.
    std::string network_address{};
    /// By what name other services reach it: those that are deployed later than this service is created find it in
    /// their hosts file. Empty: by its address only.
    std::string network_name{};
};

namespace detail {

class Engine;
void block_on(ServiceManager& manager, Task<> task);

} // namespace detail

/// What a wrapper is made from; only a manager has one.
class WrapperInit {
private:
    friend class ServiceManager;
    friend class ServiceWrapper;
    explicit WrapperInit(std::shared_ptr<detail::ServiceRecord> record) : record_(std::move(record)) {}
    std::shared_ptr<detail::ServiceRecord> record_;
};

/// Rents machines, runs services on them and gives them back. A service that failed is not restarted: whoever waits for
/// it decides whether to create it again. Owns everything that talks to the daemon. Members may be called from any
/// thread unless they say otherwise.
class ServiceManager {
public:
    using ServiceFactory = std::function<std::shared_ptr<Service>()>;

    /// With an executor and a thread of its own. Throws Error invalid_input for bad options, before any I/O.
    explicit ServiceManager(ServiceManagerOptions options = ServiceManagerOptions());
    /// On the caller's executor (a strand or a single-threaded context). The executor's context must outlive the
    /// manager.
    ServiceManager(const Executor& executor, ServiceManagerOptions options);
    /// An owned thread closes within its limit and joins. On a joined executor it only asks for the end, and logs:
    /// await close() first.
    ~ServiceManager();

    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    /// Starts looking for a provider for a service of class S and returns its handle at once; status `pending`. The S
    /// is made from copies of `args`, on the executor. A first argument of type ServiceOptions is not one of them. What
    /// the S refers to (std::ref, pointers) must outlive the manager, not only golem::run's `app`: share what `app`
    /// owns. Throws Error closed after close(), invalid_input for bad options, refused if the address or the name in
    /// its network is another service's, or none is left.
    template <std::derived_from<Service> S, typename... Args>
    std::shared_ptr<ServiceWrapper> create_service(Args&&... args)
    {
        return create_service_as<S, ServiceWrapper>(std::tuple<>(), std::forward<Args>(args)...);
    }

    /// The same with a wrapper class of one's own, made from WrapperInit and `wrapper_args`.
    template <
        std::derived_from<Service> S, std::derived_from<ServiceWrapper> Wrapper, typename... WrapperArgs,
        typename... Args>
    std::shared_ptr<Wrapper> create_service_as(std::tuple<WrapperArgs...> wrapper_args, Args&&... args)
    {
        auto make_wrapper = [&wrapper_args](WrapperInit init) {
            auto make = [&init](auto&&... values) {
                return std::make_shared<Wrapper>(std::move(init), std::forward<decltype(values)>(values)...);
            };
            return std::apply(make, std::move(wrapper_args));
        };
        return create<S, Wrapper>(make_wrapper, std::forward<Args>(args)...);
    }

    /// The same with factories instead of classes. `make_service` is called once, on the executor; `make_wrapper` at
    /// once.
    template <std::derived_from<ServiceWrapper> Wrapper>
    std::shared_ptr<Wrapper> create_service_with(
        ServiceOptions options, ServiceFactory make_service,
        const std::function<std::shared_ptr<Wrapper>(WrapperInit)>& make_wrapper)
    {
        auto record = make_record();
        auto wrapper = make_wrapper(WrapperInit(record));
        start(record, wrapper, std::move(options), std::move(make_service));
        return wrapper;
    }

    /// Makes a private network for services to join (ServiceOptions::network), and returns its handle at once, while
    /// the daemon is being asked (Network::ready()). It is removed by close() at the latest. Throws Error closed after
    /// close(), invalid_input for bad options.
    std::shared_ptr<Network> create_network(const NetworkOptions& options = NetworkOptions());

    /// Every service whose wrapper somebody still keeps or that has not ended.
    std::vector<std::shared_ptr<ServiceWrapper>> services() const;

    /// Looks at all offers on the market, and tells which condition of `payload` excludes how many: for "why are there
    /// no offers". The same is logged by itself when a service has waited for MarketOptions::report_after in vain. A few
    /// requests at most. On the manager's executor, or by golem::wait. Errors of the daemon's calls.
    Task<OfferSurvey> survey(Payload payload);

    /// Sleeps on the manager's clock. On the manager's executor.
    Task<> sleep(Duration duration);

    /// Stops every service, settles, releases the allocation, ends all tasks; bounded by ServiceLimits::close. Returns
    /// what could not be closed, one line each; empty is clean. Idempotent; a caller that is cancelled goes on waiting.
    /// On the manager's executor, or by golem::wait.
    Task<std::vector<std::string>> close();

    /// Cuts short what close() still waits for: within a few seconds it gives up and tells what is left over.
    void insist();

    /// What was accepted so far, by agreement. The last invoices come when services end: co_await close() first for
    /// what all of it has cost. Only on the manager's executor, or after close().
    std::vector<Bill> bills() const;

    Executor executor() const noexcept;
    TimeSource& time() const noexcept;

private:
    friend void detail::block_on(ServiceManager& manager, Task<> task);

    // Takes a first argument of type ServiceOptions off.
    template <typename S, typename Wrapper, typename MakeWrapper>
    std::shared_ptr<Wrapper> create(const MakeWrapper& make_wrapper)
    {
        return create_service_with<Wrapper>(ServiceOptions(), factory<S>(), make_wrapper);
    }

    template <typename S, typename Wrapper, typename MakeWrapper, typename First, typename... Args>
    std::shared_ptr<Wrapper> create(const MakeWrapper& make_wrapper, First&& first, Args&&... args)
    {
        if constexpr (std::same_as<std::remove_cvref_t<First>, ServiceOptions>) {
            return create_service_with<Wrapper>(
                std::forward<First>(first), factory<S>(std::forward<Args>(args)...), make_wrapper);
        } else {
            return create_service_with<Wrapper>(
                ServiceOptions(), factory<S>(std::forward<First>(first), std::forward<Args>(args)...), make_wrapper);
        }
    }

    template <typename S, typename... Args>
    static ServiceFactory factory(Args&&... args)
    {
        static_assert(
            std::constructible_from<S, const std::decay_t<Args>&...>,
            "the service is made from copies of these arguments; for a reference use std::ref or a shared_ptr");
        std::tuple<std::decay_t<Args>...> copies(std::forward<Args>(args)...);
        return [copies = std::move(copies)]() -> std::shared_ptr<Service> {
            return std::apply([](const auto&... values) { return std::make_shared<S>(values...); }, copies);
        };
    }

    std::shared_ptr<detail::ServiceRecord> make_record();
    void start(
        const std::shared_ptr<detail::ServiceRecord>& record, std::shared_ptr<ServiceWrapper> wrapper,
        ServiceOptions options, ServiceFactory make_service);

    std::shared_ptr<detail::Engine> engine_;
};

} // namespace golem
