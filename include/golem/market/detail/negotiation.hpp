// Decides for all orders of one payload: when to publish demands, whom to answer, which draft to sign for which order.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/market/detail/expirations.hpp>
#include <golem/yagna/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace golem::detail {

using OrderNumber = std::uint64_t;
/// A demand before and after the daemon has given it an id.
using DemandNumber = std::uint64_t;

struct NegotiationRules {
    Duration wave_silence = std::chrono::milliseconds(500);
    Duration demand_linger = std::chrono::seconds(5);
    int max_demands = 4;
    /// Counters beyond the number of orders: some offers are ghosts.
    std::size_t surplus = 2;
    /// A provider whose agreement ended offers itself again at once; after this time it is not expected any more.
    Duration return_grace = std::chrono::seconds(10);
    /// Pause before a demand on which agreements came to nothing is replaced.
    Duration failure_pause = std::chrono::seconds(30);
};

namespace action {

struct Publish {
    DemandNumber demand;
    Duration expiration;
    bool operator==(const Publish&) const = default;
};
struct Delete {
    DemandNumber demand;
    bool operator==(const Delete&) const = default;
};
struct StartPolling {
    DemandNumber demand;
    bool operator==(const StartPolling&) const = default;
};
struct StopPolling {
    DemandNumber demand;
    bool operator==(const StopPolling&) const = default;
};
struct Counter {
    DemandNumber demand;
    yagna::ProposalId proposal;
    Duration expiration;
    bool operator==(const Counter&) const = default;
};
/// Create an agreement from this draft; it is for `order` unless that goes away.
struct Sign {
    DemandNumber demand;
    yagna::ProposalId draft;
    OrderNumber order;
    bool operator==(const Sign&) const = default;
};
/// Nobody needs this agreement any more.
struct CancelSigning {
    yagna::ProposalId draft;
    bool operator==(const CancelSigning&) const = default;
};
struct Reject {
    DemandNumber demand;
    yagna::ProposalId draft;
    std::string reason;
    bool operator==(const Reject&) const = default;
};

} // namespace action

using Action = std::variant<
    action::Publish, action::Delete, action::StartPolling, action::StopPolling, action::Counter, action::Sign,
    action::CancelSigning, action::Reject>;
using Actions = std::vector<Action>;

/// Tell it what happened, then ask decide() what to do about it; several events may come before one decision, so that
/// offers that came together are compared. No I/O, no clock.
class Negotiation {
public:
    explicit Negotiation(const NegotiationRules& rules) : rules_(rules) {}

    /// Who comes later has a greater number.
    void order_waits(OrderNumber order, Duration expiration);
    void order_withdrawn(OrderNumber order);

    void demand_published(DemandNumber demand);
    /// It does not exist any more: expired, or it could not be published.
    void demand_lost(DemandNumber demand);

    /// `score` is finite.
    void offer_arrived(DemandNumber demand, const yagna::ProposalId& proposal, double score);
    void
    countered(DemandNumber demand, const yagna::ProposalId& proposal, const yagna::ProposalId& counter, Instant now);
    /// `may_have_arrived`: nobody knows; the offer may still be good on a later demand.
    void counter_failed(DemandNumber demand, const yagna::ProposalId& proposal, bool may_have_arrived, Instant now);
    /// The answer to our `counter`, a refused one included. `objection`: why it must not be signed.
    void draft_arrived(
        DemandNumber demand, const yagna::ProposalId& counter, const yagna::ProposalId& draft,
        const std::optional<std::string>& objection);
    void refused(DemandNumber demand, const yagna::ProposalId& counter, bool is_final);

    /// Whose the agreement is now; nobody's if all who could use it are gone.
    std::optional<OrderNumber> agreement_approved(const yagna::ProposalId& draft);
    void agreement_failed(const yagna::ProposalId& draft, Instant now);
    /// An approved agreement on this demand is over.
    void agreement_ended(DemandNumber demand, const yagna::ProposalId& draft, Instant now);

    /// From now on demands are closed without lingering, as soon as nobody waits.
    void hurry() noexcept;

    /// Cheap if nothing has happened since the last time and deadline() has not come.
    Actions decide(Instant now);

    /// When decide() should be called next if nothing happens before; a moment that has passed means now.
    std::optional<Instant> deadline() const noexcept { return next_; }

    /// How many orders, talks and signings have been looked at: what the decisions cost.
    std::uint64_t steps() const noexcept { return steps_; }

    std::size_t open_demands() const noexcept { return demands_.size(); }
    std::size_t waiting() const noexcept { return orders_.size(); }
    std::size_t silences() const noexcept { return silences_; }
    /// Nothing is open and nobody waits.
    bool is_idle() const noexcept { return orders_.empty() && demands_.empty() && signings_.empty(); }

private:
    enum class Stage {
        offered,   ///< Could be countered; a draft that fits nobody is such an offer too.
        sending,   ///< Our counter is on its way.
        countered, ///< An answer is due.
        silent,    ///< It did not come in time; it may come yet.
        refused,   ///< For now: the same counter may be answered by a draft.
        drafted,   ///< A draft for orders of this expiration.
        signing,
        spent,  ///< In an agreement of ours that runs.
        ended,  ///< The agreement is over; the provider will be back with a new offer.
        failed, ///< Nothing came of a draft or a counter; on another demand it might.
        dead,   ///< Refused for good.
    };

    struct Talk {
        std::uint64_t number = 0;
        double score = 0;
        Stage stage = Stage::offered;
        yagna::ProposalId theirs; ///< Their latest proposal.
        yagna::ProposalId ours;   ///< Our latest counter.
        bool is_draft = false;    ///< `theirs` is a draft.
        Duration expiration{};    ///< What our latest counter was for.
        Instant sent{};           ///< That counter.
        Instant since{};          ///< Of sending, of the end or of the failure.
    };

    struct Demand {
        bool published = false;
        bool polling = false;
        std::size_t signings = 0;
        std::vector<Talk> talks;
        std::map<yagna::ProposalId, std::size_t> places; ///< Of talks, by each of their proposals and our counters.
    };

    struct Order {
        Duration expiration;
        std::optional<yagna::ProposalId> draft; ///< That is being signed for it.
    };

    struct Place {
        DemandNumber demand;
        Talk* talk;
    };

    /// What may become agreements, by the expiration it is for.
    struct UnderWay {
        std::map<Duration, std::size_t> by_expiration;
        std::size_t total = 0;
    };

    struct Signing {
        DemandNumber demand;
        Duration expiration;
        std::optional<OrderNumber> order;
        bool cancelling = false; ///< Too late for another order.
    };

    Talk* find(DemandNumber demand, const yagna::ProposalId& id);
    Talk* with_counter(DemandNumber demand, const yagna::ProposalId& counter);
    Talk* with_proposal(DemandNumber demand, const yagna::ProposalId& proposal);
    std::optional<OrderNumber> next_unassigned(Duration expiration);
    void assign(OrderNumber number, const yagna::ProposalId& draft);
    void unassign(OrderNumber number);
    void erase_order(OrderNumber number);
    void erase_signing(std::map<yagna::ProposalId, Signing>::iterator signing);
    bool is_live(const Talk& talk, Instant now) const;
    bool has_live_talk(const Demand& demand, Instant now);
    bool is_usable(const Talk& talk, Duration expiration, Instant now) const;

    void mark_silence(Instant now);
    void pass_signings_on(Actions& actions);
    void assign_drafts(Instant now, Actions& actions);
    UnderWay under_way(Instant now);
    void counter_best(Instant now, Actions& actions);
    void open_demand(Instant now, Actions& actions);
    bool renew_demands(Instant now, Actions& actions);
    void publish(Actions& actions);
    void close_unneeded(Instant now, Actions& actions);
    void close(DemandNumber demand, Actions& actions);
    void steer_polls(Actions& actions);
    std::optional<Instant> next_moment(Instant now);

    NegotiationRules rules_;
    std::map<OrderNumber, Order> orders_; // First come, first served.
    std::size_t unassigned_ = 0;          // Of them, those for which nothing is being signed.
    std::map<DemandNumber, Demand> demands_;
    std::map<yagna::ProposalId, Signing> signings_; // By draft; they outlive their demands.
    Actions objections_;                            // Drafts to be rejected at the next decision.
    std::optional<Instant> idle_since_;
    DemandNumber next_demand_ = 1;
    std::uint64_t next_talk_ = 1;
    std::size_t silences_ = 0;
    bool changed_ = false; // Since the last decision.
    std::optional<Instant> next_;
    std::uint64_t steps_ = 0;
};

} // namespace golem::detail
