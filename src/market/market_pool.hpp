#pragma once

#include "agreement_desk.hpp"

#include <golem/core/event.hpp>
#include <golem/core/task_group.hpp>
#include <golem/market/detail/demand_building.hpp>
#include <golem/market/detail/negotiation.hpp>
#include <golem/market/market.hpp>
#include <golem/yagna/scan.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::detail {

class MarketPool;

/// What the pools of a market have in common.
struct MarketShared {
    Executor executor;
    TimeSource& time;
    yagna::Client& client;
    Random random;
    Logger log;
    MarketOptions options;
    Market::Reporter reporter;
    AgreementDesk& desk;
    TaskGroup& tasks;
    bool closing = false;

    /// Known once the terms were asked for.
    std::optional<Proposing> proposing;
    /// Asks for the terms unless they are known; false if that failed, and then everybody has been told.
    std::function<Task<bool>()> obtain_terms;
    /// Ends every wait with this failure.
    std::function<void(std::exception_ptr)> fail_everybody;
    std::function<void(const yagna::AgreementId&, std::weak_ptr<MarketPool>, DemandNumber, const yagna::ProposalId&)>
        agreement_made;
    /// One survey of the market, for conditions of whoever asks. Throws as the daemon's calls do.
    std::function<Task<OfferSurvey>(const Payload&)> survey;
    /// An agreement that was told with agreement_made is over.
    std::function<void(const yagna::AgreementId&)> agreement_over;
    std::function<void(MarketPool&)> pool_is_idle;
    /// Demands that exist at the daemon as far as we know, with what went wrong in deleting them.
    std::map<yagna::DemandId, std::string> open_demands;
    /// When demands may have been published of which we have no id.
    std::vector<Instant> doubtful_demands;
};

/// One hire() under way.
struct Waiter {
    Waiter(const Executor& executor, OrderNumber order, Duration length, Market::Progress tell)
        : number(order), expiration(length), progress(std::move(tell)), done(executor)
    {
    }

    OrderNumber number;
    Duration expiration;
    Market::Progress progress;
    /// What progress was told last, and when.
    std::string told;
    std::optional<Instant> told_at;
    /// What it is told once that is not too soon any more.
    std::optional<std::string> next_words;
    Event done;
    std::optional<yagna::Agreement> agreement;
    std::exception_ptr failure;
};

/// Carries out what Negotiation decides for all orders of one payload.
class MarketPool : public std::enable_shared_from_this<MarketPool> {
public:
    MarketPool(MarketShared& shared, Payload payload);

    const Payload& payload() const noexcept { return payload_; }

    /// To be called once.
    void start();
    void add(Waiter& waiter);
    /// An agreement it was given already is ended.
    void withdraw(Waiter& waiter);
    /// Ends every wait.
    void fail(const std::exception_ptr& failure);
    void close();
    void agreement_ended(DemandNumber demand, const yagna::ProposalId& draft);

    std::size_t open_demands() const noexcept { return negotiation_.open_demands(); }

private:
    struct Talk {
        std::string provider_name;
        yagna::DemandOfferBase offer;
    };

    struct Countered {
        std::shared_ptr<Talk> talk;
        yagna::DemandOfferBase ours;
    };

    struct Drafted {
        yagna::Proposal draft;
        yagna::DemandOfferBase ours;
        std::string provider_name;
    };

    struct Demand {
        explicit Demand(const Executor& executor, DemandNumber own_number) : number(own_number), gone(executor) {}

        DemandNumber number;
        yagna::DemandId id; ///< Empty until it is published.
        Event gone;         ///< Set when it is of no use any more.
        std::shared_ptr<Event> stop_poll;
        std::map<yagna::ProposalId, std::shared_ptr<Talk>> offers; ///< By offer and by draft.
        std::map<yagna::ProposalId, Countered> counters;
        std::map<yagna::ProposalId, Drafted> drafts;
        /// Answers that were faster than the acknowledgement of the counter they answer.
        std::map<yagna::ProposalId, yagna::DemandEvent> early;
    };

    using DemandPointer = std::shared_ptr<Demand>;

    void spawn(std::string name, std::function<Task<>()> make);
    /// Lets run() decide in its next turn: much may happen in one turn.
    void decide_soon() { changed_.set(); }
    void decide();
    void perform(const Actions& actions);
    void report_if_due();
    void report();
    Task<> survey_and_report();
    Instant next_moment() const;
    bool is_finished() const;
    Task<> run();

    Task<> publish(DemandPointer demand, Duration expiration);
    Task<> remove(DemandPointer demand, const std::vector<action::Reject>& rejections);
    Task<> reject(DemandPointer demand, const action::Reject& rejection);
    Task<> poll(DemandPointer demand, std::shared_ptr<Event> stop);
    Task<> poll_once(DemandPointer demand, std::exception_ptr& failure);
    void handle(Demand& demand, const yagna::DemandEvent& event);
    void handle_offer(Demand& demand, const yagna::Proposal& offer);
    void handle_answer(Demand& demand, const Countered& countered, const yagna::DemandEvent& event);
    Task<> counter(DemandPointer demand, yagna::ProposalId proposal, Duration expiration);
    Task<> sign(DemandNumber demand, std::shared_ptr<SigningCase> signing);
    void hand_over(OrderNumber order, DemandNumber demand, const SigningCase& signing);
    void lose(Demand& demand);

    /// A failure of the whole manager, not of this request.
    bool is_fatal(const std::exception_ptr& failure) const;
    /// The daemon understood the request and will not do it.
    static bool is_definite(const std::exception_ptr& failure);
    /// Everybody, each at most once a second.
    void tell(const std::string& why);
    /// One, at once.
    void tell(OrderNumber order, const std::string& why);
    void tell(Waiter& waiter, const std::string& why);
    void tell_what_is_due();
    Task<> give_back(std::shared_ptr<yagna::Agreement> agreement);

    MarketShared& shared_;
    Payload payload_;
    Logger log_;
    Negotiation negotiation_;
    std::map<OrderNumber, Waiter*> waiters_;
    std::map<DemandNumber, DemandPointer> demands_;
    std::map<yagna::ProposalId, std::shared_ptr<SigningCase>> signings_;
    Event changed_;
    std::size_t tasks_ = 0; // Of this pool, run() not counted.
    MarketReport report_;   // Of the present wait: since the first of the waiters came.
    std::size_t earlier_silences_ = 0;
    std::optional<Instant> report_at_;
    std::optional<Instant> surveyed_at_;
    bool surveying_ = false;
    std::optional<Instant> words_at_; // When the next of the waiters is to be told something.
};

} // namespace golem::detail
