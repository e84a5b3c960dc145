#include <golem/devnet/world.hpp>

#include <golem/core/error.hpp>

#include <set>

namespace golem::devnet {

World::World(const DevnetOptions& options)
    : random_(options.seed), market_(random_.sub_stream("market")),
      activities_(options.wording, random_.sub_stream("activities")),
      payments_(options.payments, random_.sub_stream("payments")), networks_(random_.sub_stream("networks"))
{
    if (options.app_keys.empty())
        throw Error(Errc::invalid_input, "make a devnet", "app_keys is empty, but needs at least one key");
    for (const auto& key : options.app_keys) {
        if (key.empty())
            throw Error(Errc::invalid_input, "make a devnet", "app_keys has an empty key");
        nodes_.emplace(key, "0x" + random_.sub_stream("key " + key).hex(40));
    }
}

std::optional<std::string> World::node_of_key(const std::string& key) const
{
    const auto found = nodes_.find(key);
    if (found == nodes_.end())
        return std::nullopt;
    return found->second;
}

std::string World::node_of_provider(const std::string& name) const
{
    return "0x" + random_.sub_stream("provider " + name).hex(40);
}

std::optional<Timestamp> World::lost(const std::string& node) const
{
    const auto found = lost_.find(node);
    return found == lost_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> World::create_activity(const std::string& requestor, const std::string& agreement, Timestamp now)
{
    const auto found = market_.agreement(requestor, agreement, now);
    if (!found || found->requestor != requestor)
        return Failure(404, "Not found: " + agreement);
    if (found->state != AgreementState::approved)
        return Failure(
            400, "Bad request: Agreement " + agreement +
                     " is not Approved. Current state: " + std::string(to_string(found->state)));
    return activities_.create(agreement, requestor, found->provider, now);
}

Result<Billing> World::billing(const std::string& provider, const std::string& agreement, Timestamp now)
{
    const auto found = market_.agreement(provider, agreement, now);
    if (!found || found->provider != provider)
        return Failure(400, "Agreement not found: " + agreement);
    Billing billing;
    billing.agreement = agreement;
    billing.requestor = found->requestor;
    billing.provider = provider;
    billing.platform =
        found->demand->properties.get_string("golem.com.payment.chosen-platform").value_or("erc20-holesky-tglm");
    const auto address = "golem.com.payment.platform." + billing.platform + ".address";
    billing.payer_address = found->demand->properties.get_string(address).value_or(found->requestor);
    billing.payee_address = found->offer->properties.get_string(address).value_or(provider);
    billing.requestor_session = found->requestor_session;
    billing.provider_session = found->provider_session;
    return billing;
}

std::vector<std::string> World::take_touched()
{
    auto touched = market_.take_touched();
    for (auto& name : activities_.take_touched())
        touched.push_back(std::move(name));
    for (auto& name : payments_.take_touched())
        touched.push_back(std::move(name));
    for (auto& name : networks_.take_touched())
        touched.push_back(std::move(name));
    return touched;
}

WorldReport World::report(Timestamp now) const
{
    WorldReport report;
    for (const auto& [id, subscription] : market_.all_subscriptions()) {
        if (!subscription.withdrawn && subscription.expires > now)
            ++(subscription.side == Side::requestor ? report.open_demands : report.open_offers);
    }
    std::set<std::string> invoiced;
    for (const auto& document : payments_.all_documents()) {
        const bool is_open = document.status == DocumentStatus::received || document.status == DocumentStatus::rejected;
        if (document.kind == DocumentKind::invoice)
            invoiced.insert(document.billing.agreement);
        if (is_open)
            ++(document.kind == DocumentKind::invoice ? report.unaccepted_invoices : report.unaccepted_notes);
        if (document.status == DocumentStatus::accepted)
            ++report.unsettled_documents;
    }
    for (const auto& [id, agreement] : market_.all_agreements()) {
        const bool is_open = agreement.valid_to > now;
        if (agreement.state == AgreementState::proposal && is_open)
            ++report.proposed_agreements;
        if (agreement.state == AgreementState::pending && is_open)
            ++report.pending_agreements;
        if (agreement.state == AgreementState::approved)
            ++report.approved_agreements;
        if (agreement.approved)
            ++report.agreements;
        if (agreement.state == AgreementState::terminated && !invoiced.contains(id))
            ++report.agreements_without_invoice;
    }
    for (const auto& [id, activity] : activities_.all()) {
        ++report.activities;
        if (activity.unit)
            ++report.live_activities;
    }
    for (const auto& [id, allocation] : payments_.all_allocations()) {
        report.spent += allocation.spent.value();
        if (!allocation.released && allocation.timeout > now) {
            ++report.active_allocations;
            report.reserved += allocation.remaining.value();
        }
    }
    report.networks = networks_.size();
    return report;
}

std::string WorldReport::to_string() const
{
    const auto line = [](const char* name, std::size_t count) {
        return "  " + std::string(name) + ": " + std::to_string(count) + "\n";
    };
    return line("open demands", open_demands) + line("open offers", open_offers) +
           line("proposed agreements", proposed_agreements) + line("pending agreements", pending_agreements) +
           line("approved agreements", approved_agreements) + line("agreements in all", agreements) +
           line("live activities", live_activities) + line("activities in all", activities) +
           line("private networks", networks) + line("active allocations", active_allocations) +
           line("unaccepted invoices", unaccepted_invoices) + line("unaccepted debit notes", unaccepted_notes) +
           line("unsettled documents", unsettled_documents) +
           line("ended agreements without invoice", agreements_without_invoice) +
           "  reserved: " + reserved.to_string() + "\n  spent: " + spent.to_string() + "\n";
}

} // namespace golem::devnet
