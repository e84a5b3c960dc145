// A provider's door through which events of activities come when the recording says so: the real agent looks for them
// every four seconds, and its daemon every 750 ms.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/provider/port.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace golem::test {

class PacedPort final : public provider::Port {
public:
    using Content = provider::Content;
    using Reason = provider::Reason;
    using When = std::function<Instant(const provider::ActivityEvent&)>;

    /// `port` and `time` must outlive it. `when` is asked once for each event.
    PacedPort(provider::Port& port, TimeSource& time, When when) : port_(port), time_(time), when_(std::move(when)) {}

    /// The agent behind it is frozen until then, from when an agreement comes.
    void hold_agreements_until(Instant thaw) { thaw_ = thaw; }

    const std::string& node_id() const noexcept override { return port_.node_id(); }

    Task<std::vector<provider::ActivityEvent>> activity_events(Duration wait) override
    {
        const auto until = time_.deadline(wait);
        for (;;) {
            auto next = until;
            auto due = take_due(next);
            if (!due.empty() || time_.now() >= until)
                co_return due;
            const auto fresh = co_await port_.activity_events(next - time_.now());
            for (const auto& event : fresh)
                held_.emplace_back(when_(event), event);
        }
    }

    Task<std::string> publish_offer(const Content& offer) override { return port_.publish_offer(offer); }
    Task<> withdraw_offer(const std::string& offer) override { return port_.withdraw_offer(offer); }
    Task<std::vector<provider::MarketEvent>> market_events(const std::string& offer, Duration wait) override
    {
        auto events = co_await port_.market_events(offer, wait);
        const bool has_agreement = std::any_of(events.begin(), events.end(), [](const auto& event) {
            return std::holds_alternative<provider::AgreementArrived>(event);
        });
        if (has_agreement && time_.now() < thaw_)
            co_await time_.sleep_until(thaw_, "a frozen agent");
        co_return events;
    }
    Task<std::string> counter(const std::string& offer, const std::string& proposal, const Content& content) override
    {
        return port_.counter(offer, proposal, content);
    }
    Task<> reject(const std::string& offer, const std::string& proposal, const Reason& reason) override
    {
        return port_.reject(offer, proposal, reason);
    }
    Task<> approve_agreement(const std::string& agreement) override { return port_.approve_agreement(agreement); }
    Task<> reject_agreement(const std::string& agreement, const Reason& reason) override
    {
        return port_.reject_agreement(agreement, reason);
    }
    Task<> terminate_agreement(const std::string& agreement, const Reason& reason) override
    {
        return port_.terminate_agreement(agreement, reason);
    }
    Task<std::vector<provider::AgreementEvent>> agreement_events(Duration wait) override
    {
        return port_.agreement_events(wait);
    }
    Task<> attach(const std::string& activity, std::shared_ptr<provider::ExeUnit> unit) override
    {
        return port_.attach(activity, std::move(unit));
    }
    Task<> detach(const std::string& activity, const std::string& reason, const std::string& message) override
    {
        return port_.detach(activity, reason, message);
    }
    Task<std::string> send_debit_note(const provider::DebitNoteDraft& note) override
    {
        return port_.send_debit_note(note);
    }
    Task<std::string> send_invoice(const provider::InvoiceDraft& invoice) override
    {
        return port_.send_invoice(invoice);
    }
    Task<std::vector<provider::PaymentEvent>> payment_events(Duration wait) override
    {
        return port_.payment_events(wait);
    }

private:
    // Those whose time has come, and in `next` when the following one's comes, if that is earlier.
    std::vector<provider::ActivityEvent> take_due(Instant& next)
    {
        std::vector<provider::ActivityEvent> due;
        for (auto held = held_.begin(); held != held_.end();) {
            if (held->first <= time_.now()) {
                due.push_back(held->second);
                held = held_.erase(held);
            } else {
                next = std::min(next, held->first);
                ++held;
            }
        }
        return due;
    }

    provider::Port& port_;
    TimeSource& time_;
    When when_;
    std::vector<std::pair<Instant, provider::ActivityEvent>> held_;
    Instant thaw_ = Instant::min();
};

} // namespace golem::test
