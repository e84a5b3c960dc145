#pragma once

#include <golem/bus/connection.hpp>
#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/yagna_port.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::provider {

// The exe-units of a provider on the bus of its daemon: they answer their requestors, and the daemon is told their
// states and usage. One executor.
class YagnaPort::Units {
public:
    using TellState = std::function<Task<>(const std::string& activity, const UnitStatePair& state)>;
    using ReportUsage = std::function<Task<>(const std::string& activity, const std::vector<double>& usage)>;

    Units(
        const Executor& executor, TimeSource& time, const YagnaPortOptions& options, const Random& random, Logger log,
        TellState tell_state, ReportUsage report_usage);

    // Error unreachable for a bus that is not there by then.
    Task<> open(Instant until);
    // Idempotent; shielded from cancellation.
    Task<> close();

    // Completes when requestors can reach it and the daemon knows its state.
    Task<> add(const std::string& activity, std::shared_ptr<ExeUnit> unit);
    // The unit has ended: its last words are let out, then it leaves the bus. Nothing happens for an unknown one.
    Task<> remove(const std::string& activity);

    // The body of the one reply. Error not_found for an address that nobody has, unreachable without a bus.
    Task<std::string> call(const std::string& address, const std::string& body);

private:
    struct Hosted;

    std::shared_ptr<bus::Connection> make_connection(Duration connect_limit);
    Task<> finish();
    Task<> stay_connected();
    Task<> register_all();
    Task<> wait_for_way(std::shared_ptr<Hosted> hosted);
    Task<> put_on_bus(std::shared_ptr<Hosted> hosted);
    Task<> take_off_bus(const std::string& activity);
    Task<> report(std::shared_ptr<Hosted> hosted);
    Task<> wait_for_report(std::shared_ptr<Hosted> hosted);

    Task<> serve(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer);
    Task<> dispatch(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer);
    void execute(Hosted& hosted, const bus::Call& call, bus::Answer& answer);
    Task<> answer_results(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer);
    Task<> answer_stream(std::shared_ptr<Hosted> hosted, const bus::Call& call, bus::Answer& answer);

    Executor executor_;
    TimeSource& time_;
    YagnaPortOptions options_;
    Random random_;
    Logger log_;
    TellState tell_state_;
    ReportUsage report_usage_;
    std::map<std::string, std::shared_ptr<Hosted>> hosted_;
    std::shared_ptr<bus::Connection> connection_;
    // Set while the connection is open and all units are registered.
    Event connected_;
    bool closing_ = false;
    Event closed_;
    TaskGroup tasks_;
};

} // namespace golem::provider
