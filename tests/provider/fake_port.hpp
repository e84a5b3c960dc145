// A daemon for a provider agent under test: events are put in by hand, calls are written down.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/provider/port.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace golem::provider::test {

class FakePort final : public Port {
public:
    FakePort(const Executor& executor, TimeSource& time)
        : time_(time), start_(time.now()), market(executor), agreement(executor), activity(executor), payment(executor)
    {
    }

    template <typename Item>
    struct Feed {
        explicit Feed(const Executor& executor) : arrived(executor) {}

        void push(Item item)
        {
            items.push_back(std::move(item));
            arrived.set();
        }

        std::vector<Item> items;
        Event arrived;
    };

    const std::string& node_id() const noexcept override { return node_; }

    Task<std::string> publish_offer(const Content& offer) override
    {
        co_await hang("publish");
        fail("publish");
        published = offer;
        const auto id = "offer-" + std::to_string(++offers_);
        write("publish " + id);
        co_return id;
    }

    Task<> withdraw_offer(const std::string& offer) override
    {
        write("withdraw " + offer);
        fail("withdraw");
        co_return;
    }

    Task<std::vector<MarketEvent>> market_events(const std::string&, Duration wait) override
    {
        fail("market");
        fail("offer", Errc::not_found);
        auto events = co_await take(market, wait);
        co_return events;
    }

    Task<std::string> counter(const std::string&, const std::string& proposal, const Content& content) override
    {
        write("counter " + proposal);
        fail("counter");
        drafts[proposal] = content;
        co_return "draft-" + proposal;
    }

    Task<> reject(const std::string&, const std::string& proposal, const Reason& reason) override
    {
        write("reject " + proposal + ": " + reason.message);
        co_return;
    }

    Task<> approve_agreement(const std::string& id) override
    {
        co_await hang("approve");
        write("approve " + id);
        fail("approve");
        co_return;
    }

    Task<> reject_agreement(const std::string& id, const Reason& reason) override
    {
        write("reject agreement " + id + ": " + reason.message);
        co_return;
    }

    Task<> terminate_agreement(const std::string& id, const Reason& reason) override
    {
        write(
            "terminate " + id + ": " + reason.message + "/" +
            reason.extra.get_string("golem.provider.code").value_or("-"));
        fail("terminate");
        co_return;
    }

    Task<std::vector<AgreementEvent>> agreement_events(Duration wait) override
    {
        auto events = co_await take(agreement, wait);
        co_return events;
    }

    Task<std::vector<ActivityEvent>> activity_events(Duration wait) override
    {
        auto events = co_await take(activity, wait);
        co_return events;
    }

    Task<> attach(const std::string& id, std::shared_ptr<ExeUnit> unit) override
    {
        write("attach " + id);
        fail("attach");
        units[id] = std::move(unit);
        co_return;
    }

    Task<> detach(const std::string& id, const std::string& reason, const std::string& message) override
    {
        co_await hang("detach");
        write("detach " + id + ": " + reason + "/" + message);
        fail("detach");
        units.erase(id);
        co_return;
    }

    Task<std::string> send_debit_note(const DebitNoteDraft& note) override
    {
        co_await hang("note");
        fail("note");
        write("note " + note.activity + " " + note.total_due.to_string() + told(note.due));
        notes.push_back(note);
        co_return "note-" + std::to_string(notes.size());
    }

    Task<std::string> send_invoice(const InvoiceDraft& invoice) override
    {
        fail("invoice");
        write("invoice " + invoice.agreement + " " + invoice.amount.to_string() + told(invoice.due));
        invoices.push_back(invoice);
        co_return "invoice";
    }

    Task<std::vector<PaymentEvent>> payment_events(Duration wait) override
    {
        ++payment_polls;
        auto events = co_await take(payment, wait);
        co_return events;
    }

    // The next `count` calls of this kind fail.
    void let_fail(const std::string& call, int count) { failures_[call] = count; }

    // The next calls of this kind take so long.
    void let_hang(const std::string& call, std::vector<Duration> delays) { delays_[call] = std::move(delays); }

    // What was called since the last look, each with its time in seconds.
    std::vector<std::string> take_log() { return std::exchange(log_, {}); }

private:
    template <typename Item>
    Task<std::vector<Item>> take(Feed<Item>& feed, Duration wait)
    {
        if (feed.items.empty()) {
            feed.arrived.reset();
            auto arrival = feed.arrived.wait();
            co_await with_timeout(time_, wait, std::move(arrival), "poll of a fake port");
        }
        co_return std::exchange(feed.items, {});
    }

    Task<> hang(std::string call)
    {
        auto& delays = delays_[call];
        if (delays.empty())
            co_return;
        const auto delay = delays.front();
        delays.erase(delays.begin());
        co_await time_.sleep_for(delay, "a fake port's answer");
    }

    void fail(const std::string& call, Errc code = Errc::daemon_failed)
    {
        auto& left = failures_[call];
        if (left > 0) {
            --left;
            write(call + " fails");
            throw Error(code, call, "as the test wants it");
        }
    }

    std::string told(const std::optional<Timestamp>& due) const
    {
        if (!due)
            return "";
        const auto left = *due - time_.utc();
        return " due in " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(left).count());
    }

    void write(const std::string& line)
    {
        const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(time_.now() - start_).count();
        auto fraction = std::to_string(1000 + elapsed % 1000).substr(1);
        while (!fraction.empty() && fraction.back() == '0')
            fraction.pop_back();
        log_.push_back(std::to_string(elapsed / 1000) + (fraction.empty() ? "" : "." + fraction) + " " + line);
    }

    TimeSource& time_;
    Instant start_;
    std::string node_ = "0xa600";
    int offers_ = 0;
    std::map<std::string, int> failures_;
    std::map<std::string, std::vector<Duration>> delays_;
    std::vector<std::string> log_;

public:
    Feed<MarketEvent> market;
    Feed<AgreementEvent> agreement;
    Feed<ActivityEvent> activity;
    Feed<PaymentEvent> payment;
    Content published;
    std::map<std::string, Content> drafts;
    std::map<std::string, std::shared_ptr<ExeUnit>> units;
    std::vector<DebitNoteDraft> notes;
    std::vector<InvoiceDraft> invoices;
    int payment_polls = 0;
};

} // namespace golem::provider::test
