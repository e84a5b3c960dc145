// What a connection offers on the bus.
#pragma once

#include <bus/connection_state.hpp>

#include <golem/bus/detail/prefix_table.hpp>
#include <golem/core/task_group.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace golem::bus {

class Services {
public:
    explicit Services(ConnectionState& state) : state_(state) {}

    Task<> add(const std::string& prefix, Handler handler);
    Task<> remove(const std::string& prefix);

    void take(detail::CallRequest request);
    void take(const detail::Registered& answer) { confirm(registering_, answer.code); }
    void take(const detail::Unregistered& answer) { confirm(unregistering_, answer.code); }

    /// The connection is over: whoever waits for the bus is told, what runs is cancelled.
    void end();
    /// Completes when no call runs any more.
    Task<> join();
    /// Forgets the handlers.
    void clear();

private:
    class Registering;
    class ReplyWriter;

    // Someone who waits for the bus to confirm something.
    struct Waiter {
        explicit Waiter(const Executor& executor) : done(executor) {}
        Event done;
        int code = 0;
        std::string abandoned; // the prefix that must not stay registered
    };

    struct Service {
        Service(const ConnectionState& state, const std::string& its_prefix, Handler its_handler);
        std::string prefix;
        Handler handler;
        TaskGroup calls;
    };

    void confirm(std::deque<std::shared_ptr<Waiter>>& queue, int code);
    Task<int> reply_of_bus(std::shared_ptr<Waiter> waiter, std::string operation);
    Task<> serve(Service& service, const Call& call, const std::string& id);
    void dismiss(const std::shared_ptr<Service>& service);
    Task<> end_of(Service& service);

    ConnectionState& state_;
    detail::PrefixTable<std::shared_ptr<Service>> services_;
    std::vector<std::shared_ptr<Service>> leaving_;
    std::deque<std::shared_ptr<Waiter>> registering_;
    std::deque<std::shared_ptr<Waiter>> unregistering_;
};

} // namespace golem::bus
