#pragma once

#include <golem/devnet/activities.hpp>
#include <golem/devnet/market.hpp>
#include <golem/devnet/networks.hpp>
#include <golem/devnet/options.hpp>
#include <golem/devnet/payments.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem::devnet {

/// What is open, owed and spent in a devnet: what a test looks at when all should be over.
struct WorldReport {
    std::size_t open_demands = 0;
    std::size_t open_offers = 0;
    std::size_t proposed_agreements = 0;
    std::size_t pending_agreements = 0;
    std::size_t approved_agreements = 0;
    /// All that were ever approved.
    std::size_t agreements = 0;
    std::size_t live_activities = 0;
    std::size_t activities = 0;
    std::size_t networks = 0;
    std::size_t active_allocations = 0;
    std::size_t unaccepted_invoices = 0;
    std::size_t unaccepted_notes = 0;
    std::size_t unsettled_documents = 0;
    /// Agreements that are over and have no invoice.
    std::size_t agreements_without_invoice = 0;
    Amount reserved;
    Amount spent;

    std::string to_string() const;
};

/// The daemons of all nodes together, without I/O: every operation is told the time and answers at once; deadlines are
/// data. One executor.
class World {
public:
    explicit World(const DevnetOptions& options);

    Market& market() noexcept { return market_; }

    Activities& activities() noexcept { return activities_; }

    Payments& payments() noexcept { return payments_; }

    Networks& networks() noexcept { return networks_; }

    const Market& market() const noexcept { return market_; }

    const Activities& activities() const noexcept { return activities_; }

    const Payments& payments() const noexcept { return payments_; }

    const Networks& networks() const noexcept { return networks_; }

    /// The node of an app key; nothing for an unknown key.
    std::optional<std::string> node_of_key(const std::string& key) const;
    /// A node that depends on the seed and the name alone.
    std::string node_of_provider(const std::string& name) const;

    /// `POST /activity`: if the agreement allows it.
    Result<std::string> create_activity(const std::string& requestor, const std::string& agreement, Timestamp now);
    /// Who pays whom, as the agreement's properties say.
    Result<Billing> billing(const std::string& provider, const std::string& agreement, Timestamp now);

    /// The provider's node is gone, with all that was on it. What crosses to it gets no answer until `closed`, when
    /// that is noticed; from then on it is refused.
    void lose_node(const std::string& node, Timestamp closed) { lost_[node] = closed; }

    /// When the loss of the node is noticed; nothing if it is there.
    std::optional<Timestamp> lost(const std::string& node) const;

    std::optional<Timestamp> next_deadline() const { return payments_.next_deadline(); }

    void advance(Timestamp now) { payments_.advance(now); }

    /// Names of what changed since the last call.
    std::vector<std::string> take_touched();

    WorldReport report(Timestamp now) const;

private:
    Random random_;
    std::map<std::string, std::string> nodes_;
    std::map<std::string, Timestamp> lost_;
    Market market_;
    Activities activities_;
    Payments payments_;
    Networks networks_;
};

} // namespace golem::devnet
