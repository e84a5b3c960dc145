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

} // namespace

void Agent::handle(const AgreementEvent& event)
{
    const auto found = deals_.find(event.agreement);
    if (found == deals_.end() && event.kind == AgreementEvent::Kind::approved && !silent_) {
        log_.warning("agreement ", event.agreement, " was approved after all; terminates it");
        auto reason = Deal::reason_of("The approval came too late", "Cancelled");
        owe("terminate " + event.agreement,
            [this, id = event.agreement, why = std::move(reason)] { return port_.terminate_agreement(id, why); });
    }
    if (found == deals_.end() || event.by_provider)
        return;
    auto& deal = *found->second;
    switch (event.kind) {
    case AgreementEvent::Kind::approved: deal.confirmed = true; return;
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
    if (event.kind == ActivityEvent::Kind::destroy && !is_ending(event.agreement, event.activity)) {
        // The daemon believes in it still, and its requestor waits for the end.
        log_.info("activity ", event.activity, " has ended before");
        tasks_.spawn("end of activity " + event.activity, [this, id = event.activity] { return detach_again(id); });
        return;
    }
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

// Whether there is somebody who will tell of its end.
bool Agent::is_ending(const std::string& agreement, const std::string& activity) const
{
    const auto found = deals_.find(agreement);
    if (found == deals_.end())
        return false;
    const auto& activities = found->second->activities;
    return std::any_of(activities.begin(), activities.end(), [&](const auto& each) {
        return each->id == activity && !each->killed.is_set();
    });
}

Task<> Agent::detach_again(std::string activity)
{
    const std::string nothing;
    auto detach = port_.detach(activity, nothing, nothing);
    co_await attempt("detach an activity", std::move(detach));
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
            // Beside this: a requestor who cannot be reached must not hold up what else happens.
            const auto plan = deal->deadlines.take_interval_note(now);
            const auto activity = deal->running();
            if (activity && !std::exchange(activity->sends_note, true))
                tasks_.spawn("debit note of activity " + activity->id, [this, deal, activity, plan] {
                    return send_interval_note(deal, activity, plan);
                });
        }
    }
    co_await end_deal(deal);
}

// Exe-units first, then the agreement, then the last notes, then the invoice.
Task<> Agent::end_deal(std::shared_ptr<Deal> deal)
{
    if (const auto activity = deal->running()) {
        begin_end(*deal, *activity);
        auto reason = activity->interruption();
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
            owe("terminate " + deal->id, [this, deal] { return port_.terminate_agreement(deal->id, *deal->broken); });
    }
    deal->over = true;
    tasks_.spawn("answer those who wait", [this] { return answer_waiting(); });
    for (const auto& activity : deal->activities)
        co_await settle_activity(deal, activity);
    co_await send_invoice(deal);
    deals_.erase(deal->id);
    deals_changed_.pulse();
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
    auto runtime = runtimes_->make(activity->id);
    runtime->use_files(port_.files());
    activity->unit = std::make_shared<ScriptUnit>(executor_, time_, std::move(runtime), std::move(unit_options));
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
        deal->broken = Deal::reason_of("Finished with success.", "Success");
        deal->changed.set();
    }
}

Task<> Agent::remove_unit(std::shared_ptr<Activity> activity, std::string reason, std::string message)
{
    co_await stop_unit(activity);
    auto detach = port_.detach(activity->id, reason, message);
    const bool told = co_await attempt("detach an activity", std::move(detach));
    if (!told)
        owe("detach " + activity->id,
            [this, id = activity->id, reason, message] { return port_.detach(id, reason, message); });
    activity->killed.set();
}

// What goes wrong is logged: many wait for what comes after it.
Task<> Agent::stop_unit(std::shared_ptr<Activity> activity)
{
    if (!activity->unit)
        co_return;
    std::exception_ptr failure;
    try {
        co_await activity->unit->stop();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        note_failure("stop an exe-unit", failure);
}

Task<> Agent::settle_activity(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity)
{
    if (std::exchange(activity->settles, true)) {
        co_await activity->settled.wait();
        co_return;
    }
    const auto plan = deal->deadlines.last_note(time_.utc());
    co_await send_note(deal, activity, plan, true);
    activity->settled.set();
}

Task<> Agent::send_interval_note(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, detail::NotePlan plan)
{
    co_await send_note(deal, activity, plan, false);
    activity->sends_note = false;
}

Task<>
Agent::send_note(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, detail::NotePlan plan, bool is_last)
{
    auto& deadlines = deal->deadlines;
    DebitNoteDraft note;
    note.activity = activity->id;
    note.usage = activity->usage(deadlines.terms().counters.size());
    note.total_due = std::max(activity->billed, detail::total_due(deadlines.terms(), note.usage));
    std::string id;
    Timestamp issued{};
    const std::function<Task<>()> send = [&]() -> Task<> {
        issued = time_.utc();
        if (plan.due)
            plan.due = issued + *deadlines.terms().payment_timeout;
        note.due = plan.due;
        id = co_await port_.send_debit_note(note);
    };
    bool sent = false;
    if (is_last) {
        sent = co_await insist("send the last debit note", send);
    } else {
        auto sending = send();
        sent = co_await attempt("send a debit note", std::move(sending));
    }
    deal->changed.set();
    if (!sent && !is_last)
        deadlines.note_failed(time_.utc());
    if (!sent)
        co_return;
    // The last note may have overtaken this one.
    activity->billed = std::max(activity->billed, note.total_due);
    deadlines.note_sent(id, issued, plan);
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
