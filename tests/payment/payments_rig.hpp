// Payments on a devnet in virtual time, with providers that demand what the test says.
#pragma once

#include <golem/payment/payments.hpp>

#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/devnet_rig.hpp>
#include <tests/support/run_task.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace golem::test {

using namespace std::chrono_literals;

inline const std::string session = "test-session";
inline const std::string allocations_path = "/payment-api/v1/allocations";
inline const std::string accept_note_path = "/payment-api/v1/debitNotes/*/accept";
inline const std::string accept_invoice_path = "/payment-api/v1/invoices/*/accept";
inline const std::string busy = "{\"message\":\"Service error: try later\"}";

/// One agreement on the devnet and its activity.
struct Deal {
    yagna::Agreement agreement;
    std::string activity;
    ScriptedProvider* provider = nullptr;
};

/// A devnet with payments on it.
class Rig : public DevnetRig {
public:
    Rig(const Executor& on, VirtualTime& clock, const PaymentOptions& options, const devnet::DevnetOptions& devnet)
        : DevnetRig(on, clock, devnet),
          payments(on, clock, client, logger, options, session, [this](const auto& line) { problems.push_back(line); })
    {
    }

    /// Signs an agreement and creates an activity, both known to the payments unless `quietly`.
    Task<> deal(Deal& made, bool quietly = false)
    {
        ProviderScript script;
        script.name = "provider " + std::to_string(providers.size());
        script.start_price = 0.001;
        auto& provider = add(script);
        co_await pass(1s);
        const auto decoration = co_await payments.decoration();
        yagna::DemandOfferBase demand;
        demand.properties = decoration.properties;
        const auto end = std::chrono::duration_cast<std::chrono::milliseconds>((time.utc() + 3h).time_since_epoch());
        demand.properties.set("golem.srv.comp.expiration", std::int64_t(end.count()));
        demand.properties.set("golem.node.debug.subnet", "public");
        demand.properties.set("golem.com.payment.chosen-platform", payments.platform());
        demand.constraints = "(golem.node.id.name=" + script.name + ")";
        auto& market = client.market();
        const auto demand_id = co_await market.publish_demand(demand);
        auto events = co_await market.demand_events(demand_id, 5s, 10);
        const auto offer = std::get<yagna::Proposal>(events.at(0)).id;
        co_await market.counter(demand_id, offer, demand);
        events = co_await market.demand_events(demand_id, 5s, 10);
        const auto draft = std::get<yagna::Proposal>(events.at(0)).id;
        const auto id = co_await market.create_agreement(draft, time.utc() + 1h);
        co_await market.confirm(id, session);
        co_await market.wait_for_approval(id, 5s);
        co_await market.delete_demand(demand_id);
        made.agreement = co_await market.agreement(id);
        made.provider = &provider;
        made.activity = host.world().create_activity(made.agreement.requestor, made.agreement.id, time.utc()).value();
        if (!quietly) {
            payments.agreement_approved(made.agreement);
            payments.activity_created(made.agreement.id, made.activity);
        }
    }

    /// What the provider may demand after so many seconds of life.
    static Amount price(double seconds) { return Amount::rounded(0.001 + 0.00002 * seconds); }

    Task<> send_note(const Deal& deal, double seconds) { return send_note(deal, seconds, price(seconds)); }

    Task<> send_note(const Deal& deal, double seconds, Amount total)
    {
        provider::DebitNoteDraft note;
        note.activity = deal.activity;
        note.total_due = total;
        note.usage = std::vector<double>{0.0, seconds};
        co_await deal.provider->port.send_debit_note(note);
    }

    Task<> send_invoice(const Deal& deal, Amount amount)
    {
        provider::InvoiceDraft invoice;
        invoice.agreement = deal.agreement.id;
        invoice.activities = {deal.activity};
        invoice.amount = amount;
        co_await deal.provider->port.send_invoice(invoice);
    }

    devnet::DocumentStatus status(devnet::DocumentKind kind, std::size_t index = 0)
    {
        std::vector<devnet::DocumentStatus> found;
        for (const auto& document : host.world().payments().all_documents()) {
            if (document.kind == kind)
                found.push_back(document.status);
        }
        return found.at(index);
    }

    bool was_told(const std::string& part) const
    {
        return std::any_of(
            problems.begin(), problems.end(), [&](const auto& line) { return line.find(part) != std::string::npos; });
    }

    std::vector<std::string> problems;
    Payments payments;
};

using Body = std::function<Task<>(Rig&)>;

/// Options with which documents are looked for at once.
inline PaymentOptions watchful()
{
    PaymentOptions options;
    options.first_poll = 1ms;
    return options;
}

/// A body that does not close the payments itself has them closed at its end.
inline void in_devnet(
    const Body& body, const PaymentOptions& options = watchful(),
    const devnet::DevnetOptions& devnet = devnet::DevnetOptions())
{
    run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Rig rig(executor, time, options, devnet);
        std::exception_ptr failure;
        try {
            auto task = body(rig);
            co_await std::move(task);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await rig.payments.close(30s);
        co_await rig.close();
        if (failure)
            std::rethrow_exception(failure);
    });
}

inline constexpr auto note_kind = devnet::DocumentKind::debit_note;
inline constexpr auto invoice_kind = devnet::DocumentKind::invoice;
inline constexpr auto received = devnet::DocumentStatus::received;
inline constexpr auto rejected = devnet::DocumentStatus::rejected;

inline bool is_paid(devnet::DocumentStatus status)
{
    return status == devnet::DocumentStatus::accepted || status == devnet::DocumentStatus::settled;
}

} // namespace golem::test
