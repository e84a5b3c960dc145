#include <golem/provider/agent.hpp>

#include "provider/deal.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

// What an agent does with the agreements that it signed.
namespace golem::provider {

namespace {

constexpr std::size_t most_early_payments = 64;
constexpr auto invoice_time = std::chrono::hours(24);

Reason reason_of(std::string message, const char* code)
{
    Reason reason;
    reason.message = std::move(message);
    reason.extra.set("golem.provider.code", code);
    return reason;
}

// How the real exe-unit reports that it was asked to go.
std::string interruption(const ScriptUnit* unit)
{
    return unit ? "Interrupted by signal: 15: " + unit->report() : std::string();
}

} // namespace

void Agent::handle(const AgreementEvent& event)
{
    const auto found = deals_.find(event.agreement);
    if (found == deals_.end() || event.by_provider)
        return;
    auto& deal = *found->second;
    switch (event.kind) {
    case AgreementEvent::Kind::approved: return;
    case AgreementEvent::Kind::rejected:
    case AgreementEvent::Kind::cancelled: deal.cancelled = true; break;
    case AgreementEvent::Kind::terminated:
        log_.info("agreement ", deal.id, " was terminated: ", event.reason ? event.reason->message : std::string());
        deal.ended = true;
        break;
    }
    deal.changed.set();
}

void Agent::handle(const ActivityEvent& event)
{
    if (silent_)
        return;
    const auto found = deals_.find(event.agreement);
    if (found == deals_.end() || found->second->over || found->second->ended || found->second->broken) {
        log_.info("activity ", event.activity, " belongs to no agreement of ours");
        return;
    }
    const auto deal = found->second;
    if (event.kind == ActivityEvent::Kind::create) {
        if (deal->running()) {
            tasks_.spawn("refuse an activity", [this, id = event.activity] { return refuse_activity(id); });
            return;
        }
        const auto activity = std::make_shared<Activity>(executor_, event.activity);
        deal->activities.push_back(activity);
        deal->deadlines.activity_created(time_.utc());
        deal->changed.set();
        tasks_.spawn("activity " + activity->id, [this, deal, activity] { return serve_activity(deal, activity); });
        return;
    }
    const auto activity = deal->running();
    if (!activity || activity->id != event.activity)
        return;
    begin_end(*deal, *activity);
    tasks_.spawn(
        "end of activity " + activity->id, [this, deal, activity] { return end_activity(deal, activity, {}, {}); });
}

void Agent::handle(const PaymentEvent& event)
{
    if (event.document != PaymentEvent::Document::debit_note)
        return;
    for (const auto& [id, deal] : deals_) {
        const bool known = event.kind == PaymentEvent::Kind::accepted  ? deal->deadlines.note_accepted(event.id)
                           : event.kind == PaymentEvent::Kind::settled ? deal->deadlines.note_settled(event.id)
                                                                       : false;
        if (known) {
            deal->changed.set();
            return;
        }
    }
    early_payments_.push_back(event);
    if (early_payments_.size() > most_early_payments)
        early_payments_.erase(early_payments_.begin());
}

bool Agent::kill_unit(const std::string& activity)
{
    for (const auto& [id, deal] : deals_) {
        const auto running = deal->running();
        if (!running || running->id != activity || !running->unit)
            continue;
        running->unit->abandon();
        begin_end(*deal, *running);
        tasks_.spawn("end of activity " + activity, [this, owner = deal, running] {
            return end_activity(owner, running, "execution aborted", "exit code None");
        });
        return true;
    }
    return false;
}

bool Agent::terminate_agreement(const std::string& agreement, Reason reason)
{
    const auto found = deals_.find(agreement);
    if (found == deals_.end() || !found->second->approved || found->second->over)
        return false;
    found->second->broken = std::move(reason);
    found->second->changed.set();
    return true;
}

Task<> Agent::drive(std::shared_ptr<Deal> deal)
{
    while (!deal->ended && !deal->broken) {
        deal->changed.reset();
        const auto due = deal->deadlines.next();
        const auto now = time_.utc();
        if (due.when > now) {
            auto change = deal->changed.wait();
            co_await with_timeout(time_, due.when - now, std::move(change), "an agreement's next deadline");
        } else if (due.is_break()) {
            deal->broken = deal->deadlines.reason(due);
        } else {
            co_await send_note(deal, deal->running(), false);
        }
    }
    co_await end_deal(deal);
}

// Exe-units first, then the agreement, then the last notes, then the invoice.
Task<> Agent::end_deal(std::shared_ptr<Deal> deal)
{
    if (const auto activity = deal->running()) {
        begin_end(*deal, *activity);
        auto reason = interruption(activity->unit.get());
        co_await remove_unit(activity, std::move(reason), std::string());
    }
    for (const auto& activity : deal->activities)
        co_await activity->killed.wait();
    if (!deal->ended) {
        log_.info("terminates agreement ", deal->id, ": ", deal->broken->message);
        auto call = port_.terminate_agreement(deal->id, *deal->broken);
        const bool terminated = co_await attempt("terminate an agreement", std::move(call));
        // The slot and the invoice do not wait for a requestor who cannot be reached.
        if (!terminated)
            tasks_.spawn("terminate " + deal->id, [this, deal] { return terminate(deal->id, *deal->broken); });
    }
    deal->over = true;
    tasks_.spawn("answer those who wait", [this] { return answer_waiting(); });
    for (const auto& activity : deal->activities)
        co_await settle_activity(deal, activity);
    co_await send_invoice(deal);
    deals_.erase(deal->id);
    deals_changed_.pulse();
}

Task<> Agent::terminate(std::string agreement, Reason reason)
{
    const std::function<Task<>()> call = [&] { return port_.terminate_agreement(agreement, reason); };
    co_await time_.sleep_for(std::chrono::seconds(5), "another try to terminate an agreement");
    co_await insist("terminate an agreement", call);
}

Task<> Agent::refuse_activity(std::string activity)
{
    const std::string reason = "Only single Activity allowed";
    const std::string message = "Can't create 2 simultaneous Activities.";
    auto detach = port_.detach(activity, reason, message);
    co_await attempt("refuse an activity", std::move(detach));
}

Task<> Agent::serve_activity(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity)
{
    co_await time_.sleep_for(options_.activity_latency, "an exe-unit coming up");
    if (activity->ends)
        co_return;
    UnitOptions unit_options;
    unit_options.image = deal->deadlines.terms().image;
    unit_options.counters = deal->deadlines.terms().counters;
    unit_options.command_latency = options_.command_latency;
    activity->unit =
        std::make_shared<ScriptUnit>(executor_, time_, runtimes_->make(activity->id), std::move(unit_options));
    auto attach = port_.attach(activity->id, activity->unit);
    const bool attached = co_await attempt("attach an exe-unit", std::move(attach));
    if (attached || activity->ends)
        co_return;
    begin_end(*deal, *activity);
    co_await end_activity(deal, activity, std::string(), std::string());
}

void Agent::begin_end(Deal& deal, Activity& activity)
{
    activity.ends = true;
    deal.deadlines.activity_ended(time_.utc());
    deal.changed.set();
}

Task<> Agent::end_activity(
    std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, std::string reason, std::string message)
{
    co_await remove_unit(activity, std::move(reason), std::move(message));
    co_await settle_activity(deal, activity);
    if (!deal->deadlines.terms().has_multi_activity && !deal->broken) {
        deal->broken = reason_of("Finished with success.", "Success");
        deal->changed.set();
    }
}

Task<> Agent::remove_unit(std::shared_ptr<Activity> activity, std::string reason, std::string message)
{
    if (activity->unit)
        co_await activity->unit->stop();
    auto detach = port_.detach(activity->id, reason, message);
    co_await attempt("detach an activity", std::move(detach));
    activity->killed.set();
}

Task<> Agent::settle_activity(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity)
{
    if (std::exchange(activity->settles, true)) {
        co_await activity->settled.wait();
        co_return;
    }
    co_await send_note(deal, activity, true);
    activity->settled.set();
}

Task<> Agent::send_note(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, bool is_last)
{
    const auto now = time_.utc();
    auto& deadlines = deal->deadlines;
    DebitNoteDraft note;
    note.activity = activity->id;
    note.usage = activity->usage(deadlines.terms().counters.size());
    note.total_due = std::max(activity->billed, detail::total_due(deadlines.terms(), note.usage));
    if (is_last)
        note.due = deadlines.take_last_note(now);
    else
        note.due = deadlines.take_interval_note(now);
    std::string id;
    const std::function<Task<>()> send = [&]() -> Task<> {
        if (note.due)
            note.due = time_.utc() + *deadlines.terms().payment_timeout;
        id = co_await port_.send_debit_note(note);
    };
    bool sent = false;
    if (is_last) {
        sent = co_await insist("send the last debit note", send);
    } else {
        auto sending = send();
        sent = co_await attempt("send a debit note", std::move(sending));
    }
    if (!sent)
        co_return;
    activity->billed = note.total_due;
    deadlines.note_sent(id, now, note.due);
    // The requestor may be quicker than the answer of our own daemon.
    const auto early = std::exchange(early_payments_, {});
    for (const auto& event : early)
        handle(event);
}

Task<> Agent::send_invoice(std::shared_ptr<Deal> deal)
{
    InvoiceDraft invoice;
    invoice.agreement = deal->id;
    for (const auto& activity : deal->activities) {
        invoice.activities.push_back(activity->id);
        invoice.amount += activity->billed;
    }
    const auto time_to_pay = deal->deadlines.terms().payment_timeout.value_or(invoice_time);
    const std::function<Task<>()> send = [&]() -> Task<> {
        invoice.due = time_.utc() + time_to_pay;
        co_await port_.send_invoice(invoice);
    };
    co_await insist("send an invoice", send);
}

} // namespace golem::provider
