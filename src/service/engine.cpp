#include "service/engine.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/network/detail/seat.hpp>
#include <golem/service/detail/settings.hpp>
#include <golem/service/wait.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// How long a thread of our own may take to end after close().
constexpr auto thread_limit = 5s;
// How many services are remembered before those that nobody keeps are looked for.
constexpr std::size_t least_entries = 64;

Logger make_log(const ServiceManagerOptions& options)
{
    if (options.log.path.empty() && !options.log.to_stderr)
        return Logger();
    auto log = make_logger(options.log);
    log.add_secret(options.daemon->app_key());
    return log;
}

Random make_random(const ServiceManagerOptions& options)
{
    return Random(options.seed ? *options.seed : Random::seed_from_system());
}

// A devnet in this process is a registry as well, unless another one is named.
Daemon::MakeTransport registry_transport(const ServiceManagerOptions& options)
{
    if (!options.registry.url.empty() || !options.daemon->knows_images())
        return {};
    return [daemon = *options.daemon](const Executor& executor, TimeSource& time) {
        return daemon.make_transport(executor, time);
    };
}

} // namespace

Engine::Engine(
    std::unique_ptr<boost::asio::io_context> own_context, const Executor& executor, ServiceManagerOptions options)
    : own_context_(std::move(own_context)), executor_(executor), options_(std::move(options)),
      time_(options_.time ? *options_.time : real_time_), log_(make_log(options_)),
      door_(std::make_shared<Door>(executor_)), random_(make_random(options_)),
      session_(random_.sub_stream("session").uuid()),
      client_(
          options_.daemon->make_transport(executor_, time_), options_.daemon->app_key(), time_,
          random_.sub_stream("calls"), log_, options_.calls),
      payments_(
          executor_, time_, client_, log_, options_.payment, session_,
          [this](const std::string& problem) { log_.warning("payment: ", problem); }),
      feed_(executor_, time_, client_, log_, session_),
      market_(
          executor_, time_, client_, random_.sub_stream("market"), log_, options_.market, session_, feed_,
          [this] { return terms(); }, [this](const MarketReport& found) { report(found); },
          [this](const yagna::Agreement& agreement) {
              payments_.agreement_approved(agreement);
              payments_.agreement_ended(agreement.id);
          }),
      registry_(
          executor_, time_, random_.sub_stream("registry"), log_, options_.registry, registry_transport(options_)),
      health_(
          executor_, time_, client_, log_.with_tag("health"), options_.health.idle_poll,
          options_.health.polls_per_minute, [this](const std::exception_ptr& failure) { manager_failed(failure); }),
      ended_(executor_), insist_(executor_), closed_(executor_), id_random_(random_.sub_stream("service ids")),
      entries_limit_(least_entries), workers_(
                                         executor_,
                                         [this](const std::string& name, std::exception_ptr failure) {
                                             log_.error(name, " failed: ", describe(failure));
                                         }),
      closing_(
          executor_,
          [this](const std::string& name, std::exception_ptr failure) {
              log_.error(name, " failed: ", describe(failure));
              leftovers_.push_back(name + ": " + describe(failure));
              closed_.set();
          }),
      parts_(
          executor_,
          [this](const std::string& name, std::exception_ptr failure) { left_over(name + ": " + describe(failure)); }),
      guests_(std::make_unique<TaskGroup>(executor_))
{
    payments_.set_exhausted_handler([this](const std::exception_ptr& failure) { manager_failed(failure); });
    if (own_context_)
        work_.emplace(own_context_->get_executor());
}

std::shared_ptr<ServiceRecord> Engine::make_record()
{
    const std::scoped_lock lock(mutex_);
    if (!accepting_)
        throw Error(Errc::closed, "create service", "the manager is closed");
    return std::make_shared<ServiceRecord>(id_random_.hex(32), door_, time_.utc());
}

void Engine::start(
    const std::shared_ptr<ServiceRecord>& record, std::shared_ptr<ServiceWrapper> wrapper, ServiceOptions options,
    ServiceManager::ServiceFactory make_service)
{
    check_options(options);
    if (!make_service)
        throw Error(Errc::invalid_input, "create service", "there is no factory");
    if (!wrapper)
        throw Error(Errc::invalid_input, "create service", "the factory made no wrapper");
    const auto self = shared_from_this();
    std::shared_ptr<NetworkSeat> seat;
    if (options.network)
        seat = reserve(*options.network, self, options.network_address, options.network_name);
    auto worker =
        std::make_shared<Worker>(self, record, wrapper, std::move(options), std::move(seat), std::move(make_service));
    const std::scoped_lock lock(mutex_);
    if (!accepting_)
        throw Error(Errc::closed, "create service", "the manager is closed");
    if (entries_.size() >= entries_limit_) {
        std::erase_if(entries_, [](const Entry& entry) {
            return entry.wrapper.expired() && is_final(entry.record->report().status);
        });
        entries_limit_ = std::max(least_entries, 2 * entries_.size()); // So that a start costs the same on average.
    }
    record->attach(worker, wrapper);
    ++live_;
    auto& entry = entries_.emplace_back();
    entry.record = record;
    entry.wrapper = wrapper;
    // Under the lock, so that close() sees either no service or one that is on its way.
    // A worker whose context is destroyed keeps itself, by its record, and so the engine, for ever: requests of it may
    // be under way on other threads, which must not find it destroyed.
    door_->post(
        [self, worker] { self->workers_.spawn("service " + worker->id(), [worker] { return worker->drive(); }); });
}

std::shared_ptr<Network> Engine::create_network(const NetworkOptions& options)
{
    const auto self = shared_from_this();
    const NetworkSetting setting{self, executor_, time_, client_, log_.with_tag("network")};
    auto network = make_network(setting, options);
    const std::scoped_lock lock(mutex_);
    if (!accepting_)
        throw Error(Errc::closed, "create network", "the manager is closed");
    networks_.push_back(network);
    door_->post([network] { begin(*network); });
    return network;
}

std::vector<std::shared_ptr<ServiceWrapper>> Engine::services() const
{
    std::vector<std::shared_ptr<ServiceWrapper>> found;
    const std::scoped_lock lock(mutex_);
    for (const auto& entry : entries_) {
        if (auto wrapper = entry.wrapper.lock())
            found.push_back(std::move(wrapper));
    }
    return found;
}

std::vector<std::shared_ptr<Worker>> Engine::workers() const
{
    std::vector<std::shared_ptr<Worker>> found;
    const std::scoped_lock lock(mutex_);
    for (const auto& entry : entries_) {
        if (auto worker = entry.record->worker())
            found.push_back(std::move(worker));
    }
    return found;
}

void Engine::insist()
{
    door_->post([self = shared_from_this()] { self->insist_.set(); });
}

bool Engine::is_on_own_executor() const
{
    return runs_here(executor_).value_or(false); // Some other executor: the caller has to know.
}

void Engine::block_on(Task<> task)
{
    if (is_on_own_executor())
        throw Error(
            Errc::invalid_input, "wait",
            "called on the manager's own thread, it would wait for itself: use co_await there");
    auto promise = std::make_shared<std::promise<void>>();
    auto done = promise->get_future();
    auto waited = std::make_shared<Task<>>(std::move(task));
    const auto self = shared_from_this();
    auto guest = [waited, promise, self]() -> Task<> {
        const auto* const group = self->guests_.get();
        try {
            co_await std::move(*waited);
            promise->set_value();
        } catch (...) {
            auto failure = std::current_exception();
            // An operation that the task itself has cancelled is its own affair.
            if (is_cancelled(failure) && group != self->guests_.get())
                failure = std::make_exception_ptr(Error(Errc::closed, "wait", "the manager was closed meanwhile"));
            promise->set_exception(failure);
        }
    };
    auto enter = [self, guest = std::move(guest)] { self->guests_->spawn("wait", guest); };
    waited.reset();
    promise.reset(); // From here on only the task can keep it, so that its end is told in any case.
    const bool entered = door_->post(std::move(enter));
    try {
        if (!entered)
            throw Error(Errc::closed, "wait", "the manager has gone");
        done.get();
    } catch (const std::future_error&) {
        throw Error(Errc::closed, "wait", "the manager was closed meanwhile");
    }
}

void Engine::start_thread()
{
    std::promise<void> ended;
    thread_ended_ = ended.get_future();
    // The thread keeps what it runs: a manager may be destroyed on it.
    thread_ = std::thread([self = shared_from_this(), ended = std::move(ended)]() mutable {
        self->own_context_->run();
        ended.set_value();
    });
}

void Engine::release()
{
    const bool on_own_executor = is_on_own_executor();
    const auto self = shared_from_this();
    if (!own_context_ || on_own_executor) {
        door_->post([self] {
            const std::scoped_lock lock(self->mutex_);
            if (std::exchange(self->accepting_, false)) {
                self->log_.warning("a manager was destroyed that was not closed: await close() first");
                self->closing_.spawn("close", [self] { return self->close_all(); });
            }
            self->replace_guests();
            self->work_.reset();
        });
        door_->close();
        if (thread_.joinable())
            thread_.detach(); // It cannot join itself; it ends by itself once all is closed.
        return;
    }
    try {
        std::optional<std::vector<std::string>> left;
        block_on(store_result(close(), left));
    } catch (const std::exception& error) {
        log_.error("closing failed: ", error.what());
    }
    door_->post([self] {
        self->replace_guests();
        self->work_.reset();
    });
    door_->close();
    if (thread_ended_.wait_for(thread_limit) != std::future_status::ready) {
        log_.error("tasks that do not end were left behind");
        own_context_->stop();
    }
    thread_.join();
}

// Those who wait through golem::wait do so no longer than there is a manager.
void Engine::replace_guests()
{
    std::erase_if(old_guests_, [](const auto& group) { return group->size() == 0; });
    auto fresh = std::make_unique<TaskGroup>(executor_);
    std::swap(guests_, fresh);
    fresh->cancel();
    old_guests_.push_back(std::move(fresh));
}

Task<PaymentTerms> Engine::terms()
{
    PaymentTerms terms;
    try {
        auto decoration = co_await payments_.decoration();
        terms.decoration = std::move(decoration);
    } catch (const Error&) {
        terms_failure_ = std::current_exception();
        throw;
    }
    terms.platform = payments_.platform();
    co_return terms;
}

// Those who wait are told by the market what concerns them.
void Engine::report(const MarketReport& report)
{
    log_.warning(report.to_string());
    if (!options_.on_report)
        return;
    try {
        options_.on_report(report);
    } catch (...) {
        log_.error("on_report threw: ", describe(std::current_exception()));
    }
}

bool Engine::concerns_all(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        switch (error.errc()) {
        case Errc::unauthorized:
        case Errc::insufficient_funds: return true;
        case Errc::unreachable: return !client_.caller().contacted() || failure == terms_failure_;
        case Errc::cancelled:
        case Errc::closed: return false;
        default: return failure == terms_failure_;
        }
    } catch (...) {
    }
    return false;
}

// Those who wait fail of it first; then the handler hears it, once.
void Engine::manager_failed(const std::exception_ptr& failure)
{
    const auto is_same = [text = describe(failure)](const std::exception_ptr& one) { return describe(one) == text; };
    if (std::ranges::none_of(pending_failures_, is_same))
        pending_failures_.push_back(failure);
    for (const auto& worker : workers()) {
        if (worker->fail_while_waiting(failure))
            ++unanswered_;
    }
    if (unanswered_ == 0)
        tell_pending_failures();
}

void Engine::service_failed(const std::string& id, const std::exception_ptr& failure)
{
    log_.warning("service ", id, " failed: ", describe(failure));
    if (options_.exception_handler)
        call_handler(failure);
}

void Engine::service_answered()
{
    if (--unanswered_ == 0)
        tell_pending_failures();
}

void Engine::service_ended()
{
    --live_;
    ended_.pulse();
}

void Engine::tell_pending_failures()
{
    for (const auto& failure : std::exchange(pending_failures_, {}))
        call_handler(failure);
}

void Engine::call_handler(const std::exception_ptr& failure)
{
    if (!options_.exception_handler) {
        log_.error(describe(failure));
        return;
    }
    try {
        options_.exception_handler(failure);
    } catch (...) {
        log_.error("the exception handler threw: ", describe(std::current_exception()));
    }
}

} // namespace golem::detail
