#pragma once

#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace golem::yagna {

class Caller;

enum class ProposalState { initial, draft, rejected, accepted, expired, unknown };

struct Proposal {
    ProposalId id;
    NodeId issuer;
    ProposalState state = ProposalState::initial;
    /// The proposal of ours that this one answers; absent on an initial one.
    std::optional<ProposalId> previous;
    DemandOfferBase content;
    Timestamp timestamp{};
};

/// The provider refused our counter-proposal `proposal`.
struct ProposalRejected {
    ProposalId proposal;
    std::optional<Reason> reason;
    /// False if the same counter may be answered by a new draft later (a full provider whose slot frees up).
    bool is_final = true;
};

using DemandEvent = std::variant<Proposal, ProposalRejected>;

/// `unknown`: a state that this version of the library has no name for.
enum class AgreementState { proposal, pending, cancelled, rejected, approved, expired, terminated, unknown };

struct Agreement {
    AgreementId id;
    AgreementState state = AgreementState::proposal;
    DemandId demand_id;
    NodeId requestor;
    DemandOfferBase demand;
    std::string offer_id;
    NodeId provider;
    DemandOfferBase offer;
    Timestamp timestamp{};
    Timestamp valid_to{};
    std::optional<Timestamp> approved;
    std::optional<std::string> app_session;
};

struct AgreementSummary {
    AgreementId id;
    Timestamp timestamp{};
    std::optional<Timestamp> approved;
    bool we_are_requestor = true;
};

enum class Terminator { requestor, provider, unknown };

struct AgreementEvent {
    enum class Kind { approved, rejected, cancelled, terminated, other };
    Kind kind = Kind::other;
    AgreementId agreement;
    Cursor cursor;
    Timestamp date{};
    std::optional<Reason> reason;
    Terminator terminator = Terminator::unknown;
};

/// What `wait` learned about a confirmed agreement.
enum class Approval { approved, rejected, cancelled, expired, terminated, undecided };

/// What became of a request to cancel or terminate.
enum class EndOutcome {
    done,        ///< Ended by this call.
    already,     ///< It had ended before, one way or the other, or had never reached the provider.
    wrong_state, ///< Cancel: it is approved by now (terminate it). Terminate: it was never approved.
};

/// What to look for in the list of agreements; empty members do not filter.
struct AgreementFilter {
    std::optional<AgreementState> state;
    std::string app_session;
};

/// The market API, requestor's side. Every call: Errors as in Caller, cancellation terminal; one executor.
/// Repeatable calls are tried again by themselves on transient failures, others only if they never left us.
class MarketApi {
public:
    explicit MarketApi(Caller& caller) : caller_(caller) {}

    /// `POST /demands`. Not repeatable. A demand lives for one hour.
    Task<DemandId> publish_demand(const DemandOfferBase& content);
    /// `GET /demands`: ours that are active. Repeatable.
    Task<std::vector<DemandId>> demands();
    /// `DELETE /demands/{id}`. Repeatable; an unknown or expired demand counts as deleted.
    Task<> delete_demand(const DemandId& demand);
    /// `GET /demands/{id}/events`: up to `max_events` (1–100), waiting for the first up to `wait`. Reading consumes:
    /// not repeated by itself. Error not_found when the demand was deleted or has expired.
    Task<std::vector<DemandEvent>> demand_events(const DemandId& demand, Duration wait, int max_events);

    /// `POST …/proposals/{id}`: our whole side anew. Not repeatable. Returns our proposal's id.
    Task<ProposalId> counter(const DemandId& demand, const ProposalId& proposal, const DemandOfferBase& content);
    /// `POST …/reject`. Repeatable (each repetition makes another event for the provider).
    Task<> reject(const DemandId& demand, const ProposalId& proposal, const Reason& reason);

    /// `POST /agreements` from a provider's draft. Not repeatable; a second one for the same draft is Error refused.
    Task<AgreementId> create_agreement(const ProposalId& draft, Timestamp valid_to);
    /// `POST …/confirm`. Repeatable: already confirmed (410, "from Pending to Pending") is success.
    Task<> confirm(const AgreementId& agreement, const std::string& app_session);
    /// `POST …/wait`, up to `wait`. Repeatable.
    Task<Approval> wait_for_approval(const AgreementId& agreement, Duration wait);
    /// `POST …/cancel`; only a pending agreement can be cancelled. Repeatable.
    Task<EndOutcome> cancel(const AgreementId& agreement, const Reason& reason);
    /// `POST …/terminate`. Repeatable. May hang for minutes while the provider's node is frozen: `limit` bounds it
    /// (Error timed_out), and the state is unknown then.
    Task<EndOutcome> terminate(const AgreementId& agreement, const Reason& reason, Duration limit);

    /// `GET /agreements/{id}`. Repeatable.
    Task<Agreement> agreement(const AgreementId& agreement);
    /// `GET /agreements`. Repeatable.
    Task<std::vector<AgreementSummary>> agreements(const AgreementFilter& filter);
    /// `GET /agreementEvents` after `cursor` (a log: nothing is consumed), waiting up to `wait`. Repeatable.
    Task<std::vector<AgreementEvent>>
    agreement_events(const Cursor& cursor, const std::string& app_session, Duration wait, int max_events);

private:
    Caller& caller_;
};

} // namespace golem::yagna
