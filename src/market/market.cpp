#include <golem/market/market.hpp>

#include "market_pool.hpp"

#include <golem/market/detail/offer_survey.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace golem {

namespace {

// Offers that a survey looks at, and for how long it need not look again.
constexpr std::size_t most_offers = 2000;
constexpr Duration offers_life = std::chrono::seconds(30);

void check(const MarketOptions& options)
{
    const auto refuse = [](const std::string& member, const std::string& value, const std::string& range) {
        throw Error(Errc::invalid_input, "set up the market", member + " is " + value + "; it must be " + range);
    };
    if (options.subnet.find_first_of("()*") != std::string::npos)
        refuse("subnet", "\"" + options.subnet + "\"", "without parentheses and asterisks");
    if (!options.strategy)
        refuse("strategy", "empty", "callable");
    if (options.max_demands < 1)
        refuse("max_demands", std::to_string(options.max_demands), "at least 1");
    const std::pair<const char*, Duration> durations[] = {
        {"debit_note_interval", options.debit_note_interval},
        {"accept_timeout", options.accept_timeout},
        {"payment_timeout", options.payment_timeout},
        {"approval_limit", options.approval_limit},
        {"wave_silence", options.wave_silence},
        {"demand_linger", options.demand_linger},
        {"poll", options.poll},
        {"report_after", options.report_after},
    };
    if (options.survey_every < Duration::zero())
        refuse("survey_every", std::to_string(options.survey_every.count()) + " ns", "zero or more");
    for (const auto& [member, value] : durations) {
        if (value <= Duration::zero())
            refuse(member, std::to_string(value.count()) + " ns", "more than zero");
    }
    const std::pair<const char*, std::optional<double>> caps[] = {
        {"caps.start", options.caps.start},
        {"caps.per_cpu_second", options.caps.per_cpu_second},
        {"caps.per_second", options.caps.per_second},
        {"caps.per_hour", options.caps.per_hour},
    };
    for (const auto& [member, value] : caps) {
        if (value && !(*value >= 0))
            refuse(member, std::to_string(*value), "zero or more");
    }
}

} // namespace

class Market::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, yagna::Client& client, Random random, Logger log,
        const MarketOptions& options, std::string app_session, AgreementFeed& feed, Terms terms, Reporter reporter,
        Unwanted unwanted)
        : log_(log.with_tag("market")), terms_(std::move(terms)),
          desk_(
              executor, time, client, random.sub_stream("desk"), log_, std::move(app_session), options.approval_limit,
              feed, tasks_, std::move(unwanted)),
          terms_done_(executor), look_done_(executor),
          tasks_(
              executor,
              [this](const std::string& name, std::exception_ptr failure) {
                  log_.error("the task \"", name, "\" failed: ", describe(failure));
              }),
          shared_(make_shared_part(executor, time, client, random.sub_stream("pools"), options, std::move(reporter)))
    {
        shared_.obtain_terms = [this] { return obtain_terms(); };
        shared_.fail_everybody = [this](std::exception_ptr failure) { fail_everybody(failure); };
        shared_.survey = [this](const Payload& payload) { return survey(payload, std::chrono::hours(1)); };
        shared_.agreement_made = [this](
                                     const yagna::AgreementId& agreement, std::weak_ptr<detail::MarketPool> pool,
                                     detail::DemandNumber demand, const yagna::ProposalId& draft) {
            running_.insert_or_assign(agreement, Running{std::move(pool), demand, draft});
        };
        shared_.agreement_over = [this](const yagna::AgreementId& agreement) { agreement_ended(agreement); };
        shared_.pool_is_idle = [this](detail::MarketPool& idle) {
            std::erase_if(pools_, [&](const auto& pool) { return pool.get() == &idle; });
            if (pools_.empty())
                offers_.reset();
        };
    }

    Task<yagna::Agreement> hire(const Order& order, Progress progress)
    {
        if (shared_.closing)
            throw Error(Errc::closed, "hire a provider", "the market was closed");
        if (order.expiration() < std::chrono::minutes(5))
            throw Error(
                Errc::invalid_input, "hire a provider", "the expiration is below 5 minutes, which no provider accepts");
        detail::Waiter waiter(shared_.executor, next_order_++, order.expiration(), std::move(progress));
        const auto pool = pool_of(order.payload());
        pool->add(waiter);
        std::exception_ptr interruption;
        try {
            co_await waiter.done.wait();
        } catch (...) {
            interruption = std::current_exception();
        }
        if (waiter.failure)
            std::rethrow_exception(waiter.failure);
        if (interruption) {
            pool->withdraw(waiter);
            std::rethrow_exception(interruption);
        }
        desk_.handed_over(waiter.agreement->id);
        co_return *waiter.agreement;
    }

    Task<OfferSurvey> survey(const Payload& payload, Duration expiration)
    {
        if (shared_.closing)
            throw Error(Errc::closed, "look at the offers", "the market was closed");
        const auto offers = co_await look_at_offers();
        auto proposing = shared_.proposing.value_or(own_part());
        const auto conditions = detail::conditions_of(payload, proposing);
        const auto demand = detail::published_demand(payload, proposing, shared_.time.utc(), expiration);
        auto survey = detail::survey_offers(conditions, demand.properties, *offers, shared_.options);
        survey.is_complete = offers->size() < most_offers;
        co_return survey;
    }

    bool take_over(
        const yagna::Agreement& agreement, const yagna::Reason& reason, const std::string& problem,
        std::function<void()> on_end)
    {
        return desk_.take_over(agreement, reason, problem, [this, id = agreement.id, on_end = std::move(on_end)] {
            agreement_ended(id);
            on_end();
        });
    }

    void agreement_ended(const yagna::AgreementId& agreement)
    {
        const auto found = running_.find(agreement);
        if (found == running_.end())
            return;
        const auto running = std::move(found->second);
        running_.erase(found);
        if (const auto pool = running.pool.lock())
            pool->agreement_ended(running.demand, running.draft);
    }

    std::size_t open_demands() const noexcept
    {
        std::size_t count = 0;
        for (const auto& pool : pools_)
            count += pool->open_demands();
        return count;
    }

    Task<std::vector<std::string>> close(Duration limit)
    {
        if (!std::exchange(shared_.closing, true)) {
            fail_everybody(std::make_exception_ptr(Error(Errc::closed, "hire a provider", "the market was closed")));
            desk_.close();
            const auto pools = pools_;
            for (const auto& pool : pools)
                pool->close();
        }
        auto end = tasks_.join();
        const bool in_time = co_await with_timeout(shared_.time, limit, std::move(end), "closing the market");
        if (!in_time) {
            tasks_.cancel();
            co_await tasks_.join();
        }
        auto left_over = desk_.left_over();
        for (const auto& [demand, problem] : shared_.open_demands)
            left_over.push_back("demand " + demand + " is left to expire: " + problem);
        for (const auto published : shared_.doubtful_demands) {
            if (shared_.time.now() - published < detail::demand_lifetime)
                left_over.push_back("a demand may be left to expire: it is not known whether it was published");
        }
        for (const auto& line : left_over)
            log_.warning(line);
        co_return left_over;
    }

private:
    struct Running {
        std::weak_ptr<detail::MarketPool> pool;
        detail::DemandNumber demand;
        yagna::ProposalId draft;
    };

    detail::MarketShared make_shared_part(
        const Executor& executor, TimeSource& time, yagna::Client& client, Random random, const MarketOptions& options,
        Reporter reporter)
    {
        check(options);
        return detail::MarketShared(
            {executor,
             time,
             client,
             random,
             log_,
             options,
             std::move(reporter),
             desk_,
             tasks_,
             false,
             {},
             {},
             {},
             {},
             {},
             {},
             {},
             {},
             {}});
    }

    std::shared_ptr<detail::MarketPool> pool_of(const Payload& payload)
    {
        const auto found =
            std::find_if(pools_.begin(), pools_.end(), [&](const auto& pool) { return pool->payload() == payload; });
        if (found != pools_.end())
            return *found;
        auto pool = std::make_shared<detail::MarketPool>(shared_, payload);
        pools_.push_back(pool);
        pool->start();
        return pool;
    }

    using Offers = std::shared_ptr<const std::vector<yagna::ScannedOffer>>;

    /// One look serves all who ask at about the same time.
    Task<Offers> look_at_offers()
    {
        while (looking_)
            co_await look_done_.wait();
        if (offers_ && shared_.time.now() - seen_at_ < offers_life)
            co_return offers_;
        looking_ = true;
        look_done_.reset();
        std::exception_ptr failure;
        Offers offers;
        try {
            yagna::ScanApi api(shared_.client.caller());
            auto found = co_await api.look(std::string(), most_offers);
            offers = std::make_shared<const std::vector<yagna::ScannedOffer>>(std::move(found));
        } catch (...) {
            failure = std::current_exception();
        }
        looking_ = false;
        look_done_.set();
        if (failure)
            std::rethrow_exception(failure);
        offers_ = offers;
        seen_at_ = shared_.time.now();
        co_return offers;
    }

    /// What we propose by ourselves.
    detail::Proposing own_part() const
    {
        detail::Proposing proposing;
        proposing.subnet = shared_.options.subnet.empty() ? default_subnet : shared_.options.subnet;
        proposing.debit_note_interval = shared_.options.debit_note_interval;
        proposing.accept_timeout = shared_.options.accept_timeout;
        proposing.payment_timeout = shared_.options.payment_timeout;
        return proposing;
    }

    Task<bool> obtain_terms()
    {
        if (shared_.proposing)
            co_return true;
        if (asking_) {
            co_await terms_done_.wait();
            co_return shared_.proposing.has_value();
        }
        asking_ = true;
        terms_done_.reset();
        std::exception_ptr failure;
        try {
            auto question = terms_();
            auto terms = co_await std::move(question);
            auto proposing = own_part();
            proposing.platform = std::move(terms.platform);
            proposing.decoration = std::move(terms.decoration);
            shared_.proposing = std::move(proposing);
        } catch (...) {
            failure = std::current_exception();
        }
        asking_ = false;
        if (failure)
            fail_everybody(failure);
        terms_done_.set();
        co_return !failure;
    }

    void fail_everybody(const std::exception_ptr& failure)
    {
        const auto pools = pools_; // One that becomes idle leaves the list.
        for (const auto& pool : pools)
            pool->fail(failure);
    }

    Logger log_;
    Terms terms_;
    detail::AgreementDesk desk_;
    Event terms_done_;
    bool asking_ = false;
    Event look_done_;
    bool looking_ = false;
    Offers offers_;
    Instant seen_at_{};
    detail::OrderNumber next_order_ = 1;
    std::vector<std::shared_ptr<detail::MarketPool>> pools_;
    std::map<yagna::AgreementId, Running> running_;
    TaskGroup tasks_;
    detail::MarketShared shared_;
};

Market::Market(
    const Executor& executor, TimeSource& time, yagna::Client& client, Random random, Logger log,
    const MarketOptions& options, std::string app_session, AgreementFeed& feed, Terms terms, Reporter reporter,
    Unwanted unwanted)
    : implementation_(std::make_unique<Implementation>(
          executor, time, client, std::move(random), std::move(log), options, std::move(app_session), feed,
          std::move(terms), std::move(reporter), std::move(unwanted)))
{
}

Market::~Market() = default;

Task<yagna::Agreement> Market::hire(const Order& order, Progress progress)
{
    return implementation_->hire(order, std::move(progress));
}

bool Market::take_over(
    const yagna::Agreement& agreement, const yagna::Reason& reason, const std::string& problem,
    std::function<void()> on_end)
{
    return implementation_->take_over(agreement, reason, problem, std::move(on_end));
}

void Market::agreement_ended(const yagna::AgreementId& agreement) { implementation_->agreement_ended(agreement); }

std::size_t Market::open_demands() const noexcept { return implementation_->open_demands(); }

Task<OfferSurvey> Market::survey(const Order& order)
{
    return implementation_->survey(order.payload(), order.expiration());
}

Task<std::vector<std::string>> Market::close(Duration limit) { return shield(implementation_->close(limit)); }

std::string MarketReport::to_string() const
{
    const auto count = [](std::size_t number, const char* what) { return std::to_string(number) + " " + what; };
    std::string text = "No agreement yet: " + count(proposals, "offers came") + ", " +
                       count(not_answered, "of them not answered (too expensive, excluded or not understood)") + ", " +
                       count(refusals, "counter-proposals were refused") + ", " +
                       count(silences, "got no answer in time") + ", " +
                       count(failed_agreements, "agreements came to nothing") + ".";
    if (!last_refusal.empty())
        text += " The last refusal: \"" + last_refusal + "\".";
    std::string flat;
    for (const char c : constraints) {
        if (c != '\n' && c != '\t')
            flat += c;
    }
    if (survey)
        text += " Why: " + survey->to_string() + ".";
    if (survey && survey->offers > 0)
        return text; // Its conditions have been told.
    text += proposals == 0 ? " Nobody offers what was asked for: " : " What was asked for: ";
    text += flat.empty() ? "no demand was published yet" : flat;
    return text;
}

} // namespace golem
