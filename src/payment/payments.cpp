#include <golem/payment/payments.hpp>

#include "allocation_keeper.hpp"
#include "document_feed.hpp"
#include "ledger.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace golem {

namespace {

struct Network {
    std::string_view name;
    std::string_view token;
};

constexpr std::array<Network, 9> networks{
    {{"hoodi", "tglm"},
     {"holesky", "tglm"},
     {"sepolia", "tglm"},
     {"amoy", "tglm"},
     {"goerli", "tglm"},
     {"mumbai", "tglm"},
     {"rinkeby", "tglm"},
     {"polygon", "glm"},
     {"mainnet", "glm"}}};

void check(const PaymentOptions& options)
{
    const auto refuse = [](const std::string& what) { throw Error(Errc::invalid_input, "set up the payments", what); };
    if (options.budget <= Amount())
        refuse("budget is " + options.budget.to_string() + " GLM; it must be more than 0");
    if (options.allocation_lifetime <= Duration::zero())
        refuse("allocation_lifetime must be more than 0");
    if (options.poll <= Duration::zero())
        refuse("poll must be more than 0");
    if (options.first_poll <= Duration::zero())
        refuse("first_poll must be more than 0");
    if (options.last_invoice <= Duration::zero())
        refuse("last_invoice must be more than 0");
}

} // namespace

std::string payment_platform(std::string_view network)
{
    std::string known;
    for (const auto& candidate : networks) {
        if (candidate.name == network)
            return "erc20-" + std::string(candidate.name) + "-" + std::string(candidate.token);
        known += (known.empty() ? "" : ", ") + std::string(candidate.name);
    }
    throw Error(
        Errc::invalid_input, "choose a payment platform",
        "there is no network \"" + std::string(network) + "\"; known are " + known);
}

class Payments::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
        std::string app_session, std::function<void(const std::string&)> on_problem)
        : time_(time), client_(client), log_(log.with_tag("payment")), options_(options),
          platform_(payment_platform(options.network.empty() ? default_network : options.network)),
          app_session_(std::move(app_session)), allocation_(
                                                    executor, time, client, log_, options, platform_,
                                                    [this] { return options_.budget - ledger_.accepted_total(); }),
          ledger_(executor, time, client, log_, options, platform_, allocation_, on_problem),
          notes_(
              executor, time, log_, "debit note", options.poll,
              [this](const yagna::Cursor& cursor, Duration wait) {
                  return client_.payment().debit_note_events(cursor, app_session_, wait);
              },
              [this](const std::string& id) { return read_note(id); }, on_problem),
          invoices_(
              executor, time, log_, "invoice", options.poll,
              [this](const yagna::Cursor& cursor, Duration wait) {
                  return client_.payment().invoice_events(cursor, app_session_, wait);
              },
              [this](const std::string& id) { return read_invoice(id); }, on_problem),
          one_ended_(executor), tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
              log_.error("the task \"", name, "\" failed: ", describe(failure));
          })
    {
        check(options);
    }

    const std::string& platform() const noexcept { return platform_; }
    detail::Ledger& ledger() noexcept { return ledger_; }

    Task<yagna::DemandDecoration> decoration()
    {
        if (closed_)
            throw Error(Errc::closed, "allocate the budget", "the payments were closed");
        auto decoration = co_await allocation_.decoration();
        co_return decoration;
    }

    void agreement_approved(const yagna::Agreement& agreement)
    {
        ledger_.agreement_approved(agreement);
        if (closed_ || std::exchange(feeding_, true))
            return;
        tasks_.spawn("debit notes", [this] { return run_notes(); });
        tasks_.spawn("invoices", [this] { return run_invoices(); });
    }

    void agreement_ended(const yagna::AgreementId& agreement)
    {
        ledger_.agreement_ended(agreement);
        one_ended_.set();
    }

    Task<std::vector<std::string>> close(Duration limit)
    {
        const auto deadline = time_.deadline(limit);
        if (std::exchange(closed_, true)) {
            const std::vector<std::string> nothing;
            co_return nothing;
        }
        co_await ledger_.await_invoices(deadline);
        notes_.stop();
        invoices_.stop();
        co_await ledger_.finish(deadline);
        tasks_.cancel();
        co_await tasks_.join();
        auto left_over = ledger_.unsettled();
        const bool release = !ledger_.is_owing();
        const auto allocations = co_await allocation_.close(release);
        left_over.insert(left_over.end(), allocations.begin(), allocations.end());
        co_return left_over;
    }

private:
    // No provider owes us a document at once: a poll before that would be a request for nothing.
    Task<> run_notes()
    {
        auto end = one_ended_.wait();
        co_await with_timeout(time_, options_.first_poll, std::move(end), "the first look for debit notes");
        co_await notes_.run();
    }

    // The invoice comes when the agreement has ended.
    Task<> run_invoices()
    {
        co_await one_ended_.wait();
        co_await invoices_.run();
    }

    Task<> read_note(std::string id)
    {
        const auto note = co_await client_.payment().debit_note(id);
        ledger_.note_came(note);
    }

    Task<> read_invoice(std::string id)
    {
        const auto invoice = co_await client_.payment().invoice(id);
        ledger_.invoice_came(invoice);
    }

    TimeSource& time_;
    yagna::Client& client_;
    Logger log_;
    PaymentOptions options_;
    std::string platform_;
    std::string app_session_;
    detail::AllocationKeeper allocation_;
    detail::Ledger ledger_;
    detail::DocumentFeed notes_;
    detail::DocumentFeed invoices_;
    bool feeding_ = false;
    bool closed_ = false;
    Event one_ended_; // An agreement, at least.
    TaskGroup tasks_;
};

Payments::Payments(
    const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, const PaymentOptions& options,
    std::string app_session, std::function<void(const std::string&)> on_problem)
    : implementation_(std::make_unique<Implementation>(
          executor, time, client, std::move(log), options, std::move(app_session), std::move(on_problem)))
{
}

Payments::~Payments() = default;

Task<yagna::DemandDecoration> Payments::decoration() { return implementation_->decoration(); }

const std::string& Payments::platform() const noexcept { return implementation_->platform(); }

void Payments::agreement_approved(const yagna::Agreement& agreement) { implementation_->agreement_approved(agreement); }

void Payments::activity_created(const yagna::AgreementId& agreement, const yagna::ActivityId& activity)
{
    implementation_->ledger().activity_created(agreement, activity);
}

void Payments::agreement_ended(const yagna::AgreementId& agreement) { implementation_->agreement_ended(agreement); }

Task<Bill> Payments::settle(const yagna::AgreementId& agreement) { return implementation_->ledger().settle(agreement); }

void Payments::set_exhausted_handler(std::function<void(std::exception_ptr)> handler)
{
    implementation_->ledger().set_exhausted_handler(std::move(handler));
}

std::exception_ptr Payments::exhaustion() const noexcept { return implementation_->ledger().exhaustion(); }

std::vector<Bill> Payments::bills() const { return implementation_->ledger().bills(); }

Amount Payments::accepted_total() const { return implementation_->ledger().accepted_total(); }

Task<std::vector<std::string>> Payments::close(Duration limit) { return shield(implementation_->close(limit)); }

} // namespace golem
