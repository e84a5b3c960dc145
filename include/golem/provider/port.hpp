#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/properties/property_set.hpp>
#include <golem/provider/exe_unit.hpp>
#include <golem/provider/requestor_files.hpp>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What a provider sees of a daemon, so that one agent serves the devnet and a real daemon alike.
namespace golem::provider {

/// One side's half of a negotiation.
struct Content {
    properties::PropertySet properties;
    std::string constraints;
};

struct Reason {
    std::string message;
    /// Further keys, such as `golem.provider.code` or `golem.proposal.rejection.is-final`.
    properties::PropertySet extra;
};

/// A requestor countered our offer (or our last counter).
struct ProposalArrived {
    std::string proposal;
    std::string requestor;
    Content demand;
    /// The proposal of ours that this one answers.
    std::string previous;
};

/// A requestor refused a proposal of ours.
struct ProposalRefused {
    std::string proposal;
    std::optional<Reason> reason;
};

/// A requestor wants to sign; approve or reject it.
struct AgreementArrived {
    std::string agreement;
    std::string requestor;
    Content demand;
    Content offer;
    Timestamp timestamp{};
    Timestamp valid_to{};
};

using MarketEvent = std::variant<ProposalArrived, ProposalRefused, AgreementArrived>;

struct AgreementEvent {
    enum class Kind { approved, rejected, cancelled, terminated };
    Kind kind = Kind::approved;
    std::string agreement;
    /// For terminated: by us.
    bool by_provider = false;
    std::optional<Reason> reason;
    Timestamp date{};
};

struct ActivityEvent {
    enum class Kind { create, destroy };
    Kind kind = Kind::create;
    std::string activity;
    std::string agreement;
    Timestamp date{};
};

struct PaymentEvent {
    enum class Document { debit_note, invoice };
    enum class Kind { accepted, rejected, settled, cancelled };
    Document document = Document::debit_note;
    Kind kind = Kind::accepted;
    std::string id;
    Timestamp date{};
};

struct DebitNoteDraft {
    std::string activity;
    Amount total_due;
    std::vector<double> usage;
    std::optional<Timestamp> due;
};

struct InvoiceDraft {
    std::string agreement;
    std::vector<std::string> activities;
    Amount amount;
    std::optional<Timestamp> due;
};

/// One provider node's door to its daemon. One executor. The event calls wait up to `wait` for the first event, return
/// what there is (possibly nothing) and never the same event twice; cancelled (terminal) they take none. Errors of the
/// daemon are golem::Error.
class Port {
public:
    virtual ~Port() = default;

    virtual const std::string& node_id() const noexcept = 0;

    virtual Task<std::string> publish_offer(const Content& offer) = 0;
    virtual Task<> withdraw_offer(const std::string& offer) = 0;
    virtual Task<std::vector<MarketEvent>> market_events(const std::string& offer, Duration wait) = 0;
    virtual Task<std::string>
    counter(const std::string& offer, const std::string& proposal, const Content& content) = 0;
    virtual Task<> reject(const std::string& offer, const std::string& proposal, const Reason& reason) = 0;
    virtual Task<> approve_agreement(const std::string& agreement) = 0;
    virtual Task<> reject_agreement(const std::string& agreement, const Reason& reason) = 0;
    virtual Task<> terminate_agreement(const std::string& agreement, const Reason& reason) = 0;
    virtual Task<std::vector<AgreementEvent>> agreement_events(Duration wait) = 0;

    virtual Task<std::vector<ActivityEvent>> activity_events(Duration wait) = 0;
    /// Makes the unit reachable for the requestor and its activity Initialized. The daemon asks it for results, state
    /// and usage from now on.
    virtual Task<> attach(const std::string& activity, std::shared_ptr<ExeUnit> unit) = 0;
    /// Takes the unit off the bus and records how the activity ended: `reason` and `message` may be empty.
    virtual Task<> detach(const std::string& activity, const std::string& reason, const std::string& message) = 0;

    /// Issues and sends; returns the document's id.
    virtual Task<std::string> send_debit_note(const DebitNoteDraft& note) = 0;
    virtual Task<std::string> send_invoice(const InvoiceDraft& invoice) = 0;
    virtual Task<std::vector<PaymentEvent>> payment_events(Duration wait) = 0;

    /// The files of requestors; null if the port has no way to them (the default). Valid as long as the port.
    virtual std::shared_ptr<RequestorFiles> files() { return nullptr; }
};

} // namespace golem::provider
