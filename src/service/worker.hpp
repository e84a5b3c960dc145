#pragma once

#include <golem/core/event.hpp>
#include <golem/core/task_group.hpp>
#include <golem/network/detail/seat.hpp>
#include <golem/service/detail/lifecycle.hpp>
#include <golem/service/service_manager.hpp>

#include "service/health_monitor.hpp"
#include "service/record.hpp"

#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::detail {

class Engine;

/// Leads one service through its life: carries out what Lifecycle decides, and tells it what happened.
///
/// The manager's executor. Steps and timers keep the worker, and with it the engine, alive until they have ended.
class Worker : public std::enable_shared_from_this<Worker> {
public:
    Worker(
        std::shared_ptr<Engine> engine, std::shared_ptr<ServiceRecord> record, std::shared_ptr<ServiceWrapper> wrapper,
        ServiceOptions options, std::shared_ptr<NetworkSeat> seat, ServiceManager::ServiceFactory make_service);

    /// The whole life. Cancelled (terminal) it gives up: the record becomes final, what is held is left over.
    Task<> drive();

    /// Only takes note of it; may be called from anywhere on the executor.
    void tell(LifeEvent event);

    /// The manager cannot work: if this one is still looking for a provider, it fails of `failure`. True: the engine
    /// hears of its way out of that phase, once (Engine::service_answered).
    bool fail_while_waiting(const std::exception_ptr& failure);

    const std::string& id() const noexcept { return record_->id(); }

    /// Completes at the next change of the status or its cause.
    Task<> wait_for_change();

private:
    /// Is told its number, to end with it.
    using Step = Task<> (Worker::*)(unsigned long number);

    struct Told {
        LifeEvent event;
        std::exception_ptr failure;
        unsigned long step = 0;  ///< Whose end this is; 0: no step's.
        unsigned long alarm = 0; ///< Which limit passed; 0: none did.
    };

    Task<> carry_out(Action action);
    Task<> begin(std::string name, Step step);
    Task<> end_of_step();
    void abandon_step();
    void give_up(const std::string& why);
    void publish();
    void arm();
    Task<> ring(unsigned long serial, Duration limit, std::string text);
    Task<> wait_for_expiration(Timestamp end);
    void note_failure(EventKind kind, const std::exception_ptr& failure);
    void step_ended(unsigned long number, LifeEvent event, const std::exception_ptr& failure = nullptr);
    bool is_stale(const Told& told) const noexcept;
    void answer_manager();
    void let_go();

    // Steps: each ends with an event.
    Task<> hire(unsigned long number);
    Task<std::string> why_no_provider(const Order& order);
    Task<> create_activity(unsigned long number);
    Task<> start(unsigned long number);
    Task<> run(unsigned long number);
    Task<> shut_down(unsigned long number);
    Task<> clean_up(unsigned long number);

    Task<> join_network();
    Task<> leave_network();
    void agreement_signed();
    void agreement_event(const yagna::AgreementEvent& event);
    Task<> destroy_activity();
    Task<> end_agreement();
    yagna::Reason farewell() const;
    Task<> terminate(Duration limit, std::optional<yagna::EndOutcome>& outcome);
    Task<> wait_for_reason();
    Task<> ask_for_state(std::optional<yagna::AgreementState>& state);
    Task<bool> has_ended();
    Task<bool> within(Duration limit, Duration in_a_hurry, Task<> task);
    Task<> limit_passes(Duration limit, Duration in_a_hurry);
    Duration shortened(Duration limit) const;
    void may_be_open(const std::string& problem);
    void left_over(const std::string& what);

    const std::shared_ptr<Engine> engine_;
    const std::shared_ptr<ServiceRecord> record_;
    std::shared_ptr<ServiceWrapper> wrapper_;
    const ServiceOptions options_;
    std::shared_ptr<NetworkSeat> seat_; ///< Null: it joins no network.
    const ServiceManager::ServiceFactory make_service_;
    Logger log_;

    Lifecycle life_;
    std::deque<Told> events_;
    Event wake_;
    Event changed_;
    Event agreement_over_;
    Event insisted_;
    std::optional<LifeEvent> manager_failure_;

    std::shared_ptr<Service> service_;
    std::optional<yagna::Agreement> agreement_;
    std::optional<yagna::ActivityId> activity_;
    std::shared_ptr<WorkContext> work_;
    std::optional<HealthMonitor::Id> watched_;
    bool ending_agreement_ = false;
    bool ended_by_others_ = false;
    bool agreement_settled_ = false; // Its end is known, or somebody else's business.
    bool handed_over_ = false;       // To the market.
    bool let_go_ = false;
    bool owes_answer_ = false; // To the manager's failure.

    unsigned long alarm_serial_ = 0;
    unsigned long step_number_ = 0; // Of the present step; no step has it once that was abandoned.
    std::unique_ptr<TaskGroup> step_;
    std::vector<std::unique_ptr<TaskGroup>> abandoned_;
    TaskGroup timers_;
};

} // namespace golem::detail
