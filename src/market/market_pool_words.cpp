// What a pool tells those who wait, and how often.
#include "market_pool.hpp"

#include <chrono>

namespace golem::detail {

namespace {

/// A thousand waiters are told of each of a thousand refusals: not more often than people can read.
constexpr Duration between_words = std::chrono::seconds(1);

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
