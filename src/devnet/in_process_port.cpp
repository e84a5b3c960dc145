#include <golem/devnet/in_process_port.hpp>

#include <golem/core/error.hpp>
#include <golem/devnet/bus_services.hpp>

#include <provider/requestor_calls.hpp>

#include <algorithm>
#include <utility>

namespace golem::devnet {

namespace {

Errc errc_of(unsigned status)
{
    switch (status) {
    case 404: return Errc::not_found;
    case 400: return Errc::invalid_input;
    case 409:
    case 410: return Errc::refused;
    default: return Errc::daemon_failed;
    }
}

provider::AgreementEvent::Kind kind_of(AgreementLogEntry::Kind kind)
{
    switch (kind) {
    case AgreementLogEntry::Kind::approved: return provider::AgreementEvent::Kind::approved;
    case AgreementLogEntry::Kind::rejected: return provider::AgreementEvent::Kind::rejected;
    case AgreementLogEntry::Kind::cancelled: return provider::AgreementEvent::Kind::cancelled;
    case AgreementLogEntry::Kind::terminated: break;
    }
    return provider::AgreementEvent::Kind::terminated;
}

provider::PaymentEvent::Kind kind_of(PaymentEventKind kind)
{
    switch (kind) {
    case PaymentEventKind::rejected: return provider::PaymentEvent::Kind::rejected;
    case PaymentEventKind::settled: return provider::PaymentEvent::Kind::settled;
    case PaymentEventKind::cancelled: return provider::PaymentEvent::Kind::cancelled;
    case PaymentEventKind::received:
    case PaymentEventKind::accepted: break;
    }
    return provider::PaymentEvent::Kind::accepted;
}

// The agent's amounts have all decimals; only nothing is "0".
Decimal written(const Amount& amount) { return Decimal(amount, amount.is_zero() ? 0 : Amount::decimals); }

} // namespace

namespace {

class HostFiles final : public provider::CalledFiles {
public:
    explicit HostFiles(Host& host) : host_(host) {}

protected:
    Task<flex::Value>
    call(const provider::GftpUrl& url, const std::string& component, const flex::Value& body) override
    {
        const auto address = "/public/gftp/" + url.id;
        auto answer = co_await call_service(host_, url.node, address, component, body);
        co_return answer;
    }

private:
    Host& host_;
};

} // namespace

std::shared_ptr<provider::RequestorFiles> InProcessPort::files() { return std::make_shared<HostFiles>(host_); }

InProcessPort::InProcessPort(Host& host, std::string name)
    : host_(host), name_(std::move(name)), node_(host.world().node_of_provider(name_)), session_("provider " + name_)
{
}

template <typename T>
T InProcessPort::settled(std::string what, Result<T> result)
{
    host_.settle();
    host_.note(name_, what + (result ? "" : ": " + result.failure().text()));
    if (result)
        return std::move(result.value());
    Error error(errc_of(result.failure().status()), std::move(what), "the devnet refuses");
    error.set_their_words(result.failure().text());
    throw error;
}

Task<std::string> InProcessPort::publish_offer(const Content& offer)
{
    Result<std::string> id = host_.world().market().publish(Side::provider, node_, offer, host_.now());
    co_return settled("publish offer", std::move(id));
}

Task<> InProcessPort::withdraw_offer(const std::string& offer)
{
    settled("withdraw offer", host_.world().market().withdraw(Side::provider, node_, offer, host_.now()));
    co_return;
}

provider::MarketEvent InProcessPort::translate(const QueuedEvent& event) const
{
    auto& market = host_.world().market();
    if (event.kind == QueuedEvent::Kind::agreement) {
        const auto& agreement = market.all_agreements().at(event.id);
        provider::AgreementArrived arrived;
        arrived.agreement = agreement.id;
        arrived.requestor = agreement.requestor;
        arrived.demand = *agreement.demand;
        arrived.offer = *agreement.offer;
        arrived.timestamp = agreement.created;
        arrived.valid_to = agreement.valid_to;
        return arrived;
    }
    const auto proposal = market.view(Side::provider, event.id);
    if (event.kind == QueuedEvent::Kind::rejection) {
        provider::ProposalRefused refused;
        refused.proposal = proposal.id;
        refused.reason = event.reason;
        return refused;
    }
    provider::ProposalArrived arrived;
    arrived.proposal = proposal.id;
    arrived.requestor = proposal.issuer;
    arrived.demand = *proposal.content;
    arrived.previous = proposal.previous.value_or("");
    return arrived;
}

Task<std::vector<provider::MarketEvent>> InProcessPort::market_events(const std::string& offer, Duration wait)
{
    auto& market = host_.world().market();
    const auto until = host_.time().deadline(wait);
    const std::string topic = "subscription/" + offer;
    std::vector<provider::MarketEvent> events;
    for (;;) {
        const auto waiting =
            settled("collect market events", market.waiting(Side::provider, node_, offer, host_.now()));
        if (waiting > 0)
            break;
        const bool changed = co_await host_.wait(topic, until);
        if (!changed)
            co_return events;
    }
    for (const auto& event : market.take_events(offer, 100))
        events.push_back(translate(event));
    co_return events;
}

Task<std::string> InProcessPort::counter(const std::string& offer, const std::string& proposal, const Content& content)
{
    auto id = host_.world().market().counter(Side::provider, offer, proposal, content, host_.now());
    co_return settled("counter " + proposal, std::move(id));
}

Task<> InProcessPort::reject(const std::string& offer, const std::string& proposal, const Reason& reason)
{
    settled("reject " + proposal, host_.world().market().reject(Side::provider, offer, proposal, reason, host_.now()));
    co_return;
}

Task<> InProcessPort::approve_agreement(const std::string& agreement)
{
    settled("approve " + agreement, host_.world().market().approve(node_, agreement, session_, host_.now()));
    co_return;
}

Task<> InProcessPort::reject_agreement(const std::string& agreement, const Reason& reason)
{
    settled("reject agreement " + agreement, host_.world().market().refuse(node_, agreement, reason, host_.now()));
    co_return;
}

Task<> InProcessPort::terminate_agreement(const std::string& agreement, const Reason& reason)
{
    settled(
        "terminate " + agreement,
        host_.world().market().terminate(Side::provider, node_, agreement, reason, host_.now()));
    co_return;
}

Task<std::vector<provider::AgreementEvent>> InProcessPort::agreement_events(Duration wait)
{
    const auto until = host_.time().deadline(wait);
    const std::string topic = "agreements/" + node_;
    std::vector<provider::AgreementEvent> events;
    for (;;) {
        for (const auto& entry : host_.world().market().agreement_events(node_, agreements_read_, session_, 100)) {
            provider::AgreementEvent event;
            event.kind = kind_of(entry.kind);
            event.agreement = entry.agreement;
            event.by_provider = entry.kind == AgreementLogEntry::Kind::terminated && entry.by == Side::provider;
            event.reason = entry.reason;
            event.date = entry.date;
            events.push_back(std::move(event));
            agreements_read_ = entry.date;
        }
        if (!events.empty())
            co_return events;
        const bool changed = co_await host_.wait(topic, until);
        if (!changed)
            co_return events;
    }
}

Task<std::vector<provider::ActivityEvent>> InProcessPort::activity_events(Duration wait)
{
    const auto until = host_.time().deadline(wait);
    const std::string topic = "activities/" + node_;
    std::vector<provider::ActivityEvent> events;
    for (;;) {
        const auto& log = host_.world().activities().log(node_);
        for (; activities_read_ < log.size(); ++activities_read_) {
            const auto& entry = log[activities_read_];
            provider::ActivityEvent event;
            event.kind = entry.kind == ActivityLogEntry::Kind::create ? provider::ActivityEvent::Kind::create
                                                                      : provider::ActivityEvent::Kind::destroy;
            event.activity = entry.activity;
            event.agreement = entry.agreement;
            event.date = entry.date;
            events.push_back(std::move(event));
        }
        if (!events.empty())
            co_return events;
        const bool changed = co_await host_.wait(topic, until);
        if (!changed)
            co_return events;
    }
}

Task<> InProcessPort::attach(const std::string& activity, std::shared_ptr<provider::ExeUnit> unit)
{
    settled("attach " + activity, host_.world().activities().attach(node_, activity, std::move(unit)));
    co_return;
}

Task<> InProcessPort::detach(const std::string& activity, const std::string& reason, const std::string& message)
{
    settled("detach " + activity, host_.world().activities().detach(node_, activity, reason, message, host_.now()));
    co_return;
}

Task<std::string> InProcessPort::send_debit_note(const provider::DebitNoteDraft& note)
{
    auto& world = host_.world();
    const auto found = world.activities().all().find(note.activity);
    if (found == world.activities().all().end()) {
        Result<std::string> failure(Failure(
            500,
            "External service error: Activity service error: Service error: DAO error: Not found: agreement id for "
            "activity: " +
                note.activity));
        co_return settled("send debit note", std::move(failure));
    }
    const auto billing = settled("bill", world.billing(node_, found->second.agreement, host_.now()));
    Result<std::string> id =
        world.payments().send_note(billing, note.activity, written(note.total_due), note.usage, note.due, host_.now());
    co_return settled("send debit note over " + note.total_due.to_string(), std::move(id));
}

Task<std::string> InProcessPort::send_invoice(const provider::InvoiceDraft& invoice)
{
    auto& world = host_.world();
    const auto billing = settled("bill", world.billing(node_, invoice.agreement, host_.now()));
    const auto requested = world.payments().requested_by_notes(invoice.agreement);
    if (written(invoice.amount) < requested) {
        Result<std::string> failure(Failure(
            400, "Requested amount for agreement cannot be lowered. Current amount requested: " +
                     requested.to_string() + " Amount on invoice: " + written(invoice.amount).to_string()));
        co_return settled("send invoice", std::move(failure));
    }
    Result<std::string> id =
        world.payments().send_invoice(billing, invoice.activities, written(invoice.amount), invoice.due, host_.now());
    co_return settled("send invoice over " + invoice.amount.to_string(), std::move(id));
}

Task<std::vector<provider::PaymentEvent>> InProcessPort::payment_events(Duration wait)
{
    const auto until = host_.time().deadline(wait);
    const std::string topic = "payments/" + node_;
    std::vector<provider::PaymentEvent> events;
    for (;;) {
        for (const auto kind : {DocumentKind::debit_note, DocumentKind::invoice}) {
            PaymentEventQuery query;
            query.document = kind;
            query.after = payments_read_;
            for (const auto& entry : host_.world().payments().events(node_, query)) {
                provider::PaymentEvent event;
                event.document = kind == DocumentKind::invoice ? provider::PaymentEvent::Document::invoice
                                                               : provider::PaymentEvent::Document::debit_note;
                event.kind = kind_of(entry.kind);
                event.id = entry.id;
                event.date = entry.date;
                events.push_back(std::move(event));
            }
        }
        if (!events.empty()) {
            std::sort(events.begin(), events.end(), [](const auto& left, const auto& right) {
                return left.date < right.date;
            });
            payments_read_ = events.back().date;
            co_return events;
        }
        const bool changed = co_await host_.wait(topic, until);
        if (!changed)
            co_return events;
    }
}

} // namespace golem::devnet
