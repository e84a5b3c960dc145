#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/detail/billing.hpp>
#include <golem/provider/detail/negotiation.hpp>
#include <golem/provider/options.hpp>
#include <golem/provider/port.hpp>
#include <golem/provider/runtime.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::provider {

/// A provider: offers its machine through a port, negotiates, runs the requestors' scripts, bills them and breaks
/// agreements, as the real agent does (its answers, texts, order and deadlines). One executor; nothing ticks, so a
/// hundred of them are cheap in virtual time.
class Agent {
public:
    /// `time` and `port` must outlive the agent. Throws Error (invalid_input) for an option out of range, naming
    /// member, value and range.
    Agent(
        const Executor& executor, TimeSource& time, Port& port, std::shared_ptr<RuntimeFactory> runtimes,
        const ProviderOptions& options, Logger log);
    ~Agent();

    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Works until stop() or cancellation (as stop()), and leaves nothing running. Await it once, to its end.
    Task<> run();

    /// Ends in good order, which the real agent does not: the offer is withdrawn, agreements are terminated (code
    /// Shutdown), last debit notes and invoices are sent; then run() completes. What is not done within `limit` is left
    /// as by stop().
    void finish(Duration limit);

    /// Ends as the real agent does on SIGTERM: exe-units are killed, the offer is withdrawn, and nobody is told: no
    /// termination, no debit note, no invoice.
    void stop();

    // Faults, for tests and simulations.

    /// Dies as by SIGKILL: nothing is answered, broken or billed any more, the offer stays. Its exe-units are processes
    /// of their own and live on, attached, until stop() ends them without a word; only then run() completes.
    void vanish();
    /// While silent it answers no proposal, agreement or activity request, for ever; what runs goes on.
    void set_silent(bool silent) { silent_ = silent; }
    /// An exe-unit dies. False if there is none of this activity.
    bool kill_unit(const std::string& activity);
    /// Breaks an agreement. False if there is none of this id.
    bool terminate_agreement(const std::string& agreement, Reason reason);

    /// The offer published now; empty while there is none.
    const std::string& offer() const noexcept { return offer_; }
    /// The agreements that are pending or approved.
    std::vector<std::string> agreements() const;
    /// The activities with an exe-unit.
    std::vector<std::string> activities() const;

private:
    struct Activity;
    struct Deal;

    // A counter that found no free slot.
    struct Waiting {
        std::string offer;
        std::string proposal;
        Content demand;
    };

    // The feeds.
    Task<> offer_until_finished();
    Task<> follow_offer(const std::string& offer, Instant until);
    template <typename Item>
    Task<> follow(std::string_view what, Task<std::vector<Item>> (Port::*read)(Duration));

    // Negotiation.
    void handle(const std::string& offer, const MarketEvent& event);
    Task<> answer_proposal(std::string offer, ProposalArrived proposal);
    Task<> answer_agreement(AgreementArrived agreement);
    Task<> answer_waiting();
    int taken_slots() const noexcept;

    // Agreements and activities.
    void handle(const AgreementEvent& event);
    void handle(const ActivityEvent& event);
    void handle(const PaymentEvent& event);
    Task<> drive(std::shared_ptr<Deal> deal);
    Task<> end_deal(std::shared_ptr<Deal> deal);
    Task<> refuse_activity(std::string activity);
    Task<> serve_activity(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity);
    // Marks its end and carries it out: at the requestor's wish, or after the unit's death.
    void begin_end(Deal& deal, Activity& activity);
    Task<> end_activity(
        std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, std::string reason, std::string message);
    Task<> remove_unit(std::shared_ptr<Activity> activity, std::string reason, std::string message);
    Task<> settle_activity(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity);
    Task<> stop_unit(std::shared_ptr<Activity> activity);
    bool is_ending(const std::string& agreement, const std::string& activity) const;
    Task<> detach_again(std::string activity);
    Task<> send_interval_note(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, detail::NotePlan plan);
    Task<>
    send_note(std::shared_ptr<Deal> deal, std::shared_ptr<Activity> activity, detail::NotePlan plan, bool is_last);
    Task<> send_invoice(std::shared_ptr<Deal> deal);
    Task<> wind_up(Duration limit);
    Task<> leave();
    Task<> kill(std::shared_ptr<Activity> activity, Instant until);
    // Spawns what finish() waits for.
    void see_through(const std::string& name, std::function<Task<>()> make);
    Task<> count_out(std::function<Task<>()> make);
    // Insists on a call that failed, beside all else.
    void owe(const std::string& what, std::function<Task<>()> make);
    Task<> repeat(std::string what, std::function<Task<>()> make);

    // refused: trying again is in vain.
    enum class Outcome { done, failed, refused, unknown };
    // A call of the port with a limit; what goes wrong is logged.
    Task<Outcome> call(std::string_view what, Task<> task);
    // The same; false if it failed or nobody knows.
    Task<bool> attempt(std::string_view what, Task<> task);
    // The same, repeated for a day if it failed; once it may have taken effect, no more.
    Task<bool> insist(std::string_view what, std::function<Task<>()> make);
    // Logs a failure; passes cancellation on.
    void note_failure(std::string_view what, const std::exception_ptr& failure) const;

    Executor executor_;
    TimeSource& time_;
    Port& port_;
    std::shared_ptr<RuntimeFactory> runtimes_;
    ProviderOptions options_;
    Logger log_;
    std::string offer_;
    Content offer_content_;
    std::map<std::string, std::shared_ptr<Deal>> deals_;
    std::vector<Waiting> waiting_;
    // Acceptances that were told before the note's id was known.
    std::vector<PaymentEvent> early_payments_;
    bool silent_ = false;
    bool vanishes_ = false;
    int under_way_ = 0;
    bool is_offering_ = false;
    // Pulsed when an agreement is signed or done with, and when what finish() waits for is done.
    Event deals_changed_;
    Event finishing_;
    Event leaving_;
    Event stopping_;
    TaskGroup tasks_;
};

} // namespace golem::provider
