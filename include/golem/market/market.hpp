#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/market/offer_survey.hpp>
#include <golem/market/payload.hpp>
#include <golem/market/strategy.hpp>
#include <golem/yagna/client.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem {

inline constexpr const char* default_subnet = "public";

/// How agreements are found. All durations more than zero; the market's constructor checks.
struct MarketOptions {
    /// The subnet tag of our demands and of the offers we take. Empty: YAGNA_SUBNET if a ServiceManager reads these
    /// options, else default_subnet.
    std::string subnet{};
    Strategy strategy = cheapest();
    PriceCaps caps{};
    /// What we propose: how often notes come and how fast we accept them.
    Duration debit_note_interval = std::chrono::seconds(120);
    Duration accept_timeout = std::chrono::seconds(120);
    /// Proposed only for agreements longer than 10 h.
    Duration payment_timeout = std::chrono::hours(12);
    /// How long a provider may take to approve before we cancel.
    Duration approval_limit = std::chrono::seconds(60);
    /// Silence after which the next offers are countered.
    Duration wave_silence = std::chrono::milliseconds(500);
    /// A demand that nobody waits for is deleted after this time.
    Duration demand_linger = std::chrono::seconds(5);
    /// One demand's long poll.
    Duration poll = std::chrono::seconds(60);
    /// Demands of one payload open at a time, at least 1.
    int max_demands = 4;
    /// Without an agreement for this time, a report tells why.
    Duration report_after = std::chrono::seconds(30);
    /// If not one offer came, a report looks at all offers on the market and tells which condition excludes how many;
    /// not again before this time has passed. Zero: never.
    Duration survey_every = std::chrono::minutes(5);
};

/// What one service asks of the market. A class, so that it may be named in a statement that awaits.
class Order {
public:
    Order(Payload payload, Duration expiration) : payload_(std::move(payload)), expiration_(expiration) {}
    const Payload& payload() const noexcept { return payload_; }
    /// From signing to the agreement's end; 5 minutes at least.
    Duration expiration() const noexcept { return expiration_; }

private:
    Payload payload_;
    Duration expiration_;
};

/// What the orders of one payload met since the first of those that wait now came, for "why do I wait".
struct MarketReport {
    std::string constraints;      ///< of the latest demand; empty while none could be published
    std::size_t proposals = 0;    ///< offers that matched
    std::size_t not_answered = 0; ///< of these, too expensive, excluded, or not understood
    std::size_t refusals = 0;     ///< counters that were refused
    std::size_t silences = 0;     ///< counters that got no answer in time
    std::size_t failed_agreements = 0;
    std::string last_refusal; ///< the provider's words
    /// Why no offer matched: at the end of a time in which none came.
    std::optional<OfferSurvey> survey{};
    /// For people, on one line.
    std::string to_string() const;
};

/// What the platform pays with: added to every demand of the manager.
struct PaymentTerms {
    std::string platform;
    yagna::DemandDecoration decoration;
};

/// One poll of the agreement events for all services of a manager (`GET /agreementEvents`, the manager's session).
class AgreementFeed {
public:
    using Listener = std::function<void(const yagna::AgreementEvent&)>;

    AgreementFeed(
        const Executor& executor, TimeSource& time, yagna::Client& client, Logger log, std::string app_session,
        Duration poll = std::chrono::seconds(60));
    ~AgreementFeed();

    /// Starts polling with the first listener; an event that came before is told as well (the feed is a log).
    /// The listener is called at most once with a final event (rejected, cancelled, terminated).
    void listen(const yagna::AgreementId& agreement, Listener listener);
    /// Polling ends after the last one. Events that come later are kept for who listens next.
    void forget(const yagna::AgreementId& agreement);

    Task<> close();

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

/// Finds providers and signs agreements: few demands for many services (design: demands are shared by equal payloads,
/// a demand is polled only while somebody waits, proposals are countered best first in waves).
///
/// One executor. Close before destroying, and let every hire() end. Time source and client outlive it.
class Market {
public:
    /// Called when what a waiting order should tell people has changed: "waiting for offers", "refused by …", after
    /// each report_after the report's text. What concerns all orders comes at most once a second, the latest words.
    /// Must not throw, nor call the market.
    using Progress = std::function<void(const std::string& why)>;
    /// Called once after each report_after without an agreement, while somebody waits. Must not throw.
    using Reporter = std::function<void(const MarketReport&)>;
    /// Makes the payment terms known; asked before the first demand, and again if it threw.
    using Terms = std::function<Task<PaymentTerms>()>;
    /// Called with an agreement that was approved when nobody needed it any more, and was ended here: its provider will
    /// send an invoice, if only of zero. Must not throw.
    using Unwanted = std::function<void(const yagna::Agreement&)>;

    /// `feed` tells of approvals and must outlive the market.
    Market(
        const Executor& executor, TimeSource& time, yagna::Client& client, Random random, Logger log,
        const MarketOptions& options, std::string app_session, AgreementFeed& feed, Terms terms, Reporter reporter,
        Unwanted unwanted);
    ~Market();

    /// Completes with an approved agreement that is the caller's from then on. `order` outlives the await.
    /// Cancellation (terminal) withdraws: a confirmed agreement is cancelled, or terminated if it was approved already;
    /// nothing is left without an owner. Errors: those of the terms (funds, key), unreachable daemon, closed.
    /// A provider's refusal is no error: the next one is tried, without end. The agreement is put together from what
    /// was negotiated: its offer_id, requestor and signatures are left empty.
    Task<yagna::Agreement> hire(const Order& order, Progress progress);

    /// Goes on ending an agreement made here that its owner tried to end in vain: every minute or so until it has
    /// ended, and once more at close(), which lists what is still open with `problem`, or what was said last.
    /// agreement_ended() is told here. `on_end` is called once, when the agreement has ended or was given up; it must
    /// not throw. False, and nothing is done, if the market is closed or being closed.
    bool take_over(
        const yagna::Agreement& agreement, const yagna::Reason& reason, const std::string& problem,
        std::function<void()> on_end);

    /// Tells that an agreement made here has ended: the provider will offer itself again on its demand.
    void agreement_ended(const yagna::AgreementId& agreement);

    /// Looks at all offers on the market (three requests; more for every 500 offers, 2000 at most) and tells which
    /// condition of `order` excludes how many. Conditions of payment are left out while the terms are not known. Offers
    /// that were seen less than half a minute ago are not asked for again. `order` outlives the await. Errors and
    /// cancellation as those of the daemon's calls.
    Task<OfferSurvey> survey(const Order& order);

    /// Open demands, for tests and reports.
    std::size_t open_demands() const noexcept;

    /// Ends every wait (closed), deletes the demands, tries once more to end agreements whose cancellation failed;
    /// completes when nothing runs any more, after `limit` at the latest.
    /// What could not be deleted or ended, or is not known to have been, is logged and returned.
    Task<std::vector<std::string>> close(Duration limit);

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace golem
