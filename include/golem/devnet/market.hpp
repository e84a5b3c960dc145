#pragma once

#include <golem/core/random.hpp>
#include <golem/devnet/failure.hpp>
#include <golem/devnet/stamps.hpp>
#include <golem/properties/constraint.hpp>
#include <golem/provider/port.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::devnet {

using provider::Content;
using provider::Reason;

/// A proposal repeats what was published, and an agreement what was proposed: they share it.
using SharedContent = std::shared_ptr<const Content>;

/// The two sides of the market; each sees the same proposals and agreements under ids of its own.
enum class Side { requestor, provider };

enum class ProposalState { initial, draft, rejected, accepted };
enum class AgreementState { proposal, pending, cancelled, rejected, approved, expired, terminated };

/// As the REST API spells them.
std::string_view to_string(ProposalState state) noexcept;
std::string_view to_string(AgreementState state) noexcept;

/// A demand or an offer.
struct Subscription {
    std::string id;
    Side side = Side::requestor;
    std::string node;
    SharedContent content;
    /// Nothing if it does not parse: then it never matches.
    std::optional<properties::Constraint> constraint;
    Timestamp created{};
    Timestamp expires{};
    bool withdrawn = false;
    /// In the order of publication.
    std::uint64_t number = 0;
};

/// Somebody's look at all offers, without a demand. Each offer is told once.
struct Scan {
    std::string node;
    /// Nothing: all offers.
    std::optional<properties::Constraint> constraint;
    /// One for demands finds nothing.
    bool finds_offers = true;
    /// It is forgotten when nobody asked for so long.
    Duration patience{};
    Timestamp asked{};
    /// The first offer that was not looked at.
    std::uint64_t next = 0;
    /// Whoever streams it keeps it.
    std::weak_ptr<void> held;

    bool is_forgotten(Timestamp now) const { return held.expired() && asked + patience < now; }
};

/// Something that waits in a subscription's queue. `id` is a proposal's hash or an agreement's id.
struct QueuedEvent {
    enum class Kind { proposal, rejection, agreement };
    Kind kind = Kind::proposal;
    std::string id;
    std::optional<Reason> reason;
    Timestamp date{};
};

struct ProposalRecord {
    /// What follows the "R-" of the requestor; the provider has another one for an initial proposal.
    std::string hash;
    std::string provider_hash;
    std::string demand;
    std::string offer;
    Side issuer = Side::provider;
    /// Hash of the proposal it answers.
    std::string previous;
    SharedContent content;
    ProposalState state = ProposalState::initial;
    Timestamp created{};
    bool countered = false;
    bool has_agreement = false;
};

/// A proposal as one side sees it.
struct ProposalView {
    std::string id;
    std::string issuer;
    std::optional<std::string> previous;
    SharedContent content;
    ProposalState state = ProposalState::initial;
    Timestamp created{};
};

struct AgreementRecord {
    std::string id;
    std::string demand_id;
    std::string offer_id;
    std::string requestor;
    std::string provider;
    SharedContent demand;
    SharedContent offer;
    AgreementState state = AgreementState::proposal;
    Timestamp created{};
    Timestamp valid_to{};
    std::optional<Timestamp> approved;
    /// Each side's own.
    std::string requestor_session;
    std::string provider_session;
    /// The provider hears of it when it is confirmed.
    bool confirmed = false;
    bool has_session = false;
};

struct AgreementLogEntry {
    enum class Kind { approved, rejected, cancelled, terminated };
    Kind kind = Kind::approved;
    std::string agreement;
    Timestamp date{};
    std::optional<Reason> reason;
    /// For terminated.
    Side by = Side::requestor;
    std::string session;
};

struct AgreementQuery {
    std::optional<AgreementState> state;
    std::optional<Timestamp> before;
    std::optional<Timestamp> after;
    std::optional<std::string> session;
};

/// Demands, offers, negotiations and agreements: the market part of the daemons of all nodes. No I/O; time is told with
/// each call, chance comes from `random`.
class Market {
public:
    explicit Market(Random random) : random_(random) {}

    std::string publish(Side side, const std::string& node, const Content& content, Timestamp now);
    Result<Done> withdraw(Side side, const std::string& node, const std::string& id, Timestamp now);
    /// The node's active ones.
    std::vector<Subscription> subscriptions(Side side, const std::string& node, Timestamp now) const;

    /// How many events wait, or why the subscription cannot be asked.
    Result<std::size_t> waiting(Side side, const std::string& node, const std::string& id, Timestamp now) const;
    /// Up to `most` events, each once: rejections and agreements first, then proposals (the requestor's in random
    /// order).
    std::vector<QueuedEvent> take_events(const std::string& id, std::size_t most);

    Result<ProposalView> proposal(Side side, const std::string& subscription, const std::string& id) const;
    ProposalView view(Side side, const std::string& hash) const;
    static std::string id_for(Side side, const ProposalRecord& proposal);

    Result<std::string>
    counter(Side side, const std::string& subscription, const std::string& id, const Content& content, Timestamp now);
    Result<Done> reject(
        Side side, const std::string& subscription, const std::string& id, const std::optional<Reason>& reason,
        Timestamp now);

    Result<std::string>
    create_agreement(const std::string& requestor, const std::string& proposal, Timestamp valid_to, Timestamp now);
    Result<Done> confirm(
        const std::string& requestor, const std::string& id, const std::optional<std::string>& session, Timestamp now);
    /// The state for who waits: an expiry is noticed only if `notice_expiry`.
    Result<AgreementState>
    await_state(const std::string& requestor, const std::string& id, bool notice_expiry, Timestamp now);
    Result<Done>
    cancel(const std::string& requestor, const std::string& id, const std::optional<Reason>& reason, Timestamp now);
    Result<Done> approve(const std::string& provider, const std::string& id, const std::string& session, Timestamp now);
    Result<Done>
    refuse(const std::string& provider, const std::string& id, const std::optional<Reason>& reason, Timestamp now);
    Result<Done> terminate(
        Side side, const std::string& node, const std::string& id, const std::optional<Reason>& reason, Timestamp now);

    /// `constraints` are matched against the offers alone.
    Result<std::string> begin_scan(
        const std::string& node, bool finds_offers, const std::optional<std::string>& constraints, Duration patience,
        Timestamp now);
    /// Up to `most` offers that it has not told yet. They stay where they are.
    Result<std::vector<Subscription>>
    scan(const std::string& node, const std::string& id, std::size_t most, Timestamp now);
    /// Keeps it from being forgotten while the returned token lives.
    Result<std::shared_ptr<void>> hold_scan(const std::string& node, const std::string& id, Timestamp now);
    Result<Done> end_scan(const std::string& node, const std::string& id, Timestamp now);

    /// Only if the node may know the agreement. The market keeps it for ever.
    Result<const AgreementRecord&> agreement(const std::string& node, const std::string& id, Timestamp now);
    std::vector<AgreementRecord> agreements(const std::string& node, const AgreementQuery& query, Timestamp now);
    Result<AgreementLogEntry> termination(const std::string& node, const std::string& id, Timestamp now);
    std::vector<AgreementLogEntry> agreement_events(
        const std::string& node, Timestamp after, const std::optional<std::string>& session, std::size_t most) const;

    /// All of them, for inspection.
    const std::map<std::string, Subscription>& all_subscriptions() const noexcept { return subscriptions_; }
    const std::map<std::string, ProposalRecord>& all_proposals() const noexcept { return proposals_; }
    const std::map<std::string, AgreementRecord>& all_agreements() const noexcept { return agreements_; }

    /// Names of what changed since the last call: "subscription/", "agreement/" and an id, "agreements/" and a node,
    /// "offers".
    std::vector<std::string> take_touched();

private:
    const ProposalRecord* find_proposal(Side side, const std::string& subscription, const std::string& id) const;
    std::optional<Failure> problem_of(const std::string& subscription, bool is_own, Timestamp now) const;
    bool is_active(const Subscription& subscription, Timestamp now) const;
    void forget_inactive(Timestamp now);
    Scan* find_scan(const std::string& node, const std::string& id, Timestamp now);
    void introduce(const Subscription& demand, const Subscription& offer, Timestamp now);
    void queue(const std::string& subscription, QueuedEvent event, Timestamp now);
    AgreementRecord* find_agreement(const std::string& id);
    void notice_expiry(AgreementRecord& agreement, Timestamp now);
    void tell(
        const AgreementRecord& agreement, AgreementLogEntry::Kind kind, const std::optional<Reason>& reason, Side by,
        Timestamp now);

    Random random_;
    Stamps stamps_;
    std::map<std::string, Subscription> subscriptions_;
    // In publication order, so that nothing depends on random ids: those that may still meet another one.
    std::vector<std::string> demands_;
    std::vector<std::string> offers_;
    std::uint64_t published_ = 0;
    std::map<std::string, Scan> scans_;
    std::uint64_t begun_scans_ = 0;
    std::map<std::string, std::deque<QueuedEvent>> queues_;
    std::map<std::string, ProposalRecord> proposals_;
    std::map<std::string, std::string> by_provider_hash_;
    std::set<std::pair<std::string, std::string>> introduced_;
    std::map<std::string, AgreementRecord> agreements_;
    std::vector<std::string> agreement_order_;
    std::map<std::string, std::vector<AgreementLogEntry>> logs_;
    std::vector<std::string> touched_;
};

} // namespace golem::devnet
