#include "service/engine.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/service/detail/settings.hpp>
#include <golem/service/wait.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// Shares of ServiceLimits::close: services end by themselves up to the first, hurriedly up to the second; the rest is
// for demands, invoices and the allocation.
constexpr double patience = 0.55;
constexpr double hurry = 0.75;
// What the services may still take once somebody insists, and then each of the other parts.
constexpr Duration insisted_limit = 8s;
constexpr Duration hurried = 3s;
// How long a thread of our own may take to end after close().
constexpr auto thread_limit = 5s;

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

template <typename Concrete>
std::optional<bool> runs_here(const Executor& executor)
{
    const auto* concrete = executor.target<Concrete>();
    return concrete ? std::optional<bool>(concrete->running_in_this_thread()) : std::nullopt;
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
          executor_, time_, client_, log_.with_tag("payment"), options_.payment, session_,
          [this](const std::string& problem) { log_.warning("payment: ", problem); }),
      feed_(executor_, time_, client_, log_.with_tag("agreements"), session_),
      market_(
          executor_, time_, client_, random_.sub_stream("market"), log_.with_tag("market"), options_.market, session_,
          feed_, [this] { return terms(); }, [this](const MarketReport& found) { report(found); },
          [this](const yagna::Agreement& agreement) {
              payments_.agreement_approved(agreement);
              payments_.agreement_ended(agreement.id);
          }),
      health_(
          executor_, time_, client_, log_.with_tag("health"), options_.health.idle_poll,
          options_.health.polls_per_minute),
      ended_(executor_), insist_(executor_), closed_(executor_), id_random_(random_.sub_stream("service ids")),
      workers_(
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
      guests_(std::make_unique<TaskGroup>(executor_))
{
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
    auto worker = std::make_shared<Worker>(self, record, wrapper, std::move(options), std::move(make_service));
    const std::scoped_lock lock(mutex_);
    if (!accepting_)
        throw Error(Errc::closed, "create service", "the manager is closed");
    std::erase_if(entries_, [](const Entry& entry) {
        return entry.wrapper.expired() && is_final(entry.record->report().status);
    });
    record->attach(worker, wrapper);
    auto& entry = entries_.emplace_back();
    entry.record = record;
    entry.wrapper = wrapper;
    // Under the lock, so that close() sees either no service or one that is on its way.
    door_->post(
        [self, worker] { self->workers_.spawn("service " + worker->id(), [worker] { return worker->drive(); }); });
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
    namespace asio = boost::asio;
    if (const auto here = runs_here<asio::io_context::executor_type>(executor_))
        return *here;
    if (const auto here = runs_here<asio::strand<asio::io_context::executor_type>>(executor_))
        return *here;
    if (const auto here = runs_here<asio::strand<asio::any_io_executor>>(executor_))
        return *here;
    if (const auto here = runs_here<asio::thread_pool::executor_type>(executor_))
        return *here;
    if (const auto here = runs_here<asio::strand<asio::thread_pool::executor_type>>(executor_))
        return *here;
    return false; // Some other executor: the caller has to know.
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
    auto guest = [waited, promise]() -> Task<> {
        try {
            co_await std::move(*waited);
            promise->set_value();
        } catch (...) {
            promise->set_exception(std::current_exception());
        }
    };
    auto enter = [self = shared_from_this(), guest = std::move(guest)] { self->guests_->spawn("wait", guest); };
    waited.reset();
    promise.reset(); // From here on only the task can keep it, so that its end is told in any case.
    const bool entered = door_->post(std::move(enter));
    try {
        if (!entered)
            throw Error(Errc::closed, "wait", "the manager has gone");
        done.get();
    } catch (const std::future_error&) {
        throw Error(Errc::closed, "wait", "the manager was closed meanwhile");
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted)
            throw Error(Errc::closed, "wait", "the manager was closed meanwhile");
        throw;
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
            if (!self->closed_.is_set()) {
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

Task<std::vector<std::string>> Engine::close()
{
    {
        const std::scoped_lock lock(mutex_);
        if (std::exchange(accepting_, false)) {
            auto self = shared_from_this();
            closing_.spawn("close", [self] { return self->close_all(); });
        }
    }
    auto over = closed_.wait();
    co_await shield(std::move(over));
    co_return leftovers_;
}

void Engine::left_over(std::string what) { leftovers_.push_back(std::move(what)); }

Task<> Engine::close_all()
{
    const auto start = time_.now();
    {
        const std::scoped_lock lock(mutex_);
        accepting_ = false;
    }
    co_await end_services(start);
    // The market needs the feed, and may leave a last agreement to be settled.
    auto left = left_of(start);
    co_await close_part("the market", close_market(left), left + 1s);
    left = left_of(start);
    TaskGroup parts(executor_);
    parts.spawn("close feed", [this, left] { return close_part("the agreement feed", feed_.close(), left + 1s); });
    parts.spawn("close payments", [this, left] { return close_part("payments", close_payments(left), left + 1s); });
    co_await parts.join();
    co_await health_.close();
    client_.caller().close();
    for (const auto& line : leftovers_)
        log_.warning("left over: ", line);
    if (pending_failure_)
        call_handler(std::exchange(pending_failure_, nullptr));
    closed_.set();
    replace_guests();
}

// What is left of the time for closing; at least a second, so that each part is asked.
Duration Engine::left_of(Instant start) const
{
    return std::max<Duration>(start + options_.limits.close - time_.now(), 1s);
}

// Ask, wait, insist, and give up.
Task<> Engine::end_services(Instant start)
{
    const auto limit = [this, start](double share) {
        return start + std::chrono::duration_cast<Duration>(options_.limits.close * share);
    };
    tell_all(EventKind::stop_asked);
    auto until = limit(patience);
    while (!workers().empty() && time_.now() < until) {
        auto ended = ended_.wait();
        auto insisted = insist_.wait();
        auto over = time_.sleep_until(until, "services that end");
        const auto first = co_await first_of(std::move(ended), std::move(insisted), std::move(over));
        if (first == 1)
            break;
    }
    if (workers().empty()) {
        co_await workers_.join();
        co_return;
    }
    log_.warning("services do not end in time; insisting");
    tell_all(EventKind::insisted);
    until = insist_.is_set() ? time_.now() + insisted_limit : limit(hurry);
    while (!workers().empty() && time_.now() < until) {
        auto ended = ended_.wait();
        auto over = time_.sleep_until(until, "services that end in a hurry");
        co_await first_of(std::move(ended), std::move(over));
    }
    workers_.cancel();
    co_await workers_.join();
}

Task<> Engine::close_part(std::string name, Task<> closing, Duration limit)
{
    try {
        auto limited = cut_off(limit);
        const auto first = co_await first_of(std::move(closing), std::move(limited));
        if (first == 1)
            leftovers_.push_back(name + " did not end in time");
    } catch (const std::exception& error) {
        leftovers_.push_back(name + ": " + error.what());
    }
}

Task<> Engine::cut_off(Duration limit)
{
    auto insisted = insist_.wait();
    const auto in_a_hurry = co_await with_timeout(time_, limit, std::move(insisted), "limit of closing");
    if (in_a_hurry)
        co_await time_.sleep_for(std::min<Duration>(limit, hurried), "limit of closing in a hurry");
}

Task<> Engine::close_market(Duration limit)
{
    const auto left = co_await market_.close(limit);
    leftovers_.insert(leftovers_.end(), left.begin(), left.end());
}

Task<> Engine::close_payments(Duration limit)
{
    const auto left = co_await payments_.close(limit);
    leftovers_.insert(leftovers_.end(), left.begin(), left.end());
}

void Engine::tell_all(EventKind kind)
{
    for (const auto& worker : workers())
        worker->tell(LifeEvent(kind));
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
    terms_failure_ = nullptr;
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

void Engine::report(const MarketReport& report)
{
    const auto text = report.to_string();
    log_.warning(text);
    for (const auto& worker : workers()) {
        if (worker->is_waiting())
            worker->tell(LifeEvent(EventKind::waiting, text));
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
        case Errc::unreachable: return !client_.caller().contacted() || terms_failure_;
        case Errc::cancelled:
        case Errc::closed: return false;
        default: return terms_failure_ != nullptr;
        }
    } catch (...) {
    }
    return false;
}

void Engine::manager_failed(const std::exception_ptr& failure)
{
    if (!pending_failure_)
        pending_failure_ = failure;
    for (const auto& worker : workers())
        worker->fail_while_waiting(failure);
}

void Engine::service_failed(const std::string& id, const std::exception_ptr& failure)
{
    log_.warning("service ", id, " failed: ", describe(failure));
    if (options_.exception_handler)
        call_handler(failure);
}

void Engine::service_ended()
{
    ended_.pulse();
    if (!pending_failure_)
        return;
    const auto all = workers();
    const bool somebody_waits =
        std::any_of(all.begin(), all.end(), [](const auto& worker) { return worker->is_waiting(); });
    if (!somebody_waits)
        call_handler(std::exchange(pending_failure_, nullptr));
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
