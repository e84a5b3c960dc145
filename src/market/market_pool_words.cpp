// What a pool tells those who wait, and how often.
#include "market_pool.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <chrono>
#include <exception>
#include <utility>

namespace golem::detail {

namespace {

/// A thousand waiters are told of each of a thousand refusals: not more often than people can read.
constexpr Duration between_words = std::chrono::seconds(1);
/// A report does not wait longer for what it would tell.
constexpr Duration survey_limit = std::chrono::seconds(10);

} // namespace

void MarketPool::report_if_due()
{
    if (waiters_.empty()) {
        report_at_.reset();
        return;
    }
    const auto now = shared_.time.now();
    if (!report_at_ || now < *report_at_)
        return;
    report_at_ = now + shared_.options.report_after;
    const bool may_survey = shared_.options.survey_every > Duration(0) &&
                            (!surveyed_at_ || now - *surveyed_at_ >= shared_.options.survey_every);
    if (report_.proposals > 0 || !may_survey || report_.constraints.empty()) {
        report();
    } else if (!std::exchange(surveying_, true)) {
        surveyed_at_ = now;
        spawn("survey", [this] { return survey_and_report(); });
    }
}

// Why nobody offers anything: the market is asked first. Whatever comes of it, there is a report.
Task<> MarketPool::survey_and_report()
{
    std::optional<OfferSurvey> survey;
    std::exception_ptr failure;
    try {
        auto look = shared_.survey(payload_);
        survey = co_await with_timeout(shared_.time, survey_limit, std::move(look), "a look at all offers");
    } catch (...) {
        failure = std::current_exception();
    }
    surveying_ = false;
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    if (failure)
        log_.info("could not look at the offers: ", describe(failure));
    if (waiters_.empty())
        co_return;
    if (survey)
        report_.survey = std::move(survey);
    report();
}

void MarketPool::report()
{
    report_.silences = negotiation_.silences() - earlier_silences_;
    tell(report_.to_string());
    if (shared_.reporter)
        shared_.reporter(report_);
}

void MarketPool::tell(const std::string& why)
{
    const auto now = shared_.time.now();
    for (const auto& [number, waiter] : waiters_) {
        const auto due = waiter->told_at ? *waiter->told_at + between_words : now;
        if (due <= now) {
            tell(*waiter, why);
            continue;
        }
        waiter->next_words = why;
        if (!words_at_ || due < *words_at_) {
            words_at_ = due;
            changed_.set();
        }
    }
}

void MarketPool::tell(OrderNumber order, const std::string& why)
{
    if (const auto found = waiters_.find(order); found != waiters_.end())
        tell(*found->second, why);
}

void MarketPool::tell(Waiter& waiter, const std::string& why)
{
    waiter.next_words.reset();
    if (waiter.told == why)
        return;
    waiter.told = why;
    waiter.told_at = shared_.time.now();
    if (waiter.progress)
        waiter.progress(waiter.told);
}

void MarketPool::tell_what_is_due()
{
    const auto now = shared_.time.now();
    if (!words_at_ || now < *words_at_)
        return;
    words_at_.reset();
    for (const auto& [number, waiter] : waiters_) {
        if (!waiter->next_words)
            continue;
        const auto due = *waiter->told_at + between_words;
        if (due <= now)
            tell(*waiter, std::string(*waiter->next_words));
        else if (!words_at_ || due < *words_at_)
            words_at_ = due;
    }
}

} // namespace golem::detail
