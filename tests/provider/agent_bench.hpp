// An agent at work on a fake daemon in virtual time, for its tests.
#pragma once

#include "fake_port.hpp"

#include <golem/provider/agent.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <functional>

namespace golem::provider::test {

using namespace std::chrono_literals;
using Log = std::vector<std::string>;

inline ProviderOptions priced()
{
    ProviderOptions options;
    options.cpu_price = 0.0002;
    options.duration_price = 0.0001;
    options.start_price = 0.001;
    return options;
}

// An agent at work on a fake daemon in virtual time.
struct Bench {
    Bench(const Executor& executor, VirtualTime& clock, const ProviderOptions& options)
        : time(clock), port(executor, clock), machines(std::make_shared<ScriptedRuntimeFactory>(executor, clock)),
          agent(executor, clock, port, machines, options, Logger()), tasks(executor)
    {
        machines->behaviour().cpu_share = 0.0;
    }

    Content demand(Duration lifetime = 1h) const
    {
        Content content;
        const auto expiration = std::chrono::floor<std::chrono::milliseconds>(time.utc() + lifetime);
        content.properties.set("golem.srv.comp.expiration", expiration.time_since_epoch().count());
        content.properties.set("golem.com.payment.chosen-platform", "erc20-hoodi-tglm");
        content.properties.set("golem.com.payment.debit-notes.accept-timeout?", 10);
        content.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 5);
        content.properties.set("golem.com.scheme.payu.payment-timeout-sec?", 12);
        content.properties.set("golem.srv.caps.multi-activity", true);
        return content;
    }

    void propose(const std::string& id, const Content& content)
    {
        ProposalArrived proposal;
        proposal.proposal = id;
        proposal.requestor = "0x1";
        proposal.demand = content;
        port.market.push(proposal);
    }

    // Asks for an agreement on these terms, as the daemon tells it after a Draft.
    void sign(const std::string& id, const Content& content)
    {
        AgreementArrived agreement;
        agreement.agreement = id;
        agreement.requestor = "0x1";
        agreement.demand = content;
        const auto offer = provider::detail::make_offer(priced(), port.node_id(), time.utc());
        agreement.offer =
            std::get<provider::detail::Accept>(provider::detail::negotiate(content, offer, time.utc(), 0, priced()))
                .content;
        agreement.timestamp = time.utc();
        agreement.valid_to = time.utc() + 1h;
        port.market.push(agreement);
    }

    void end(const std::string& id, AgreementEvent::Kind kind = AgreementEvent::Kind::terminated)
    {
        AgreementEvent event;
        event.agreement = id;
        event.kind = kind;
        port.agreement.push(event);
    }

    void create(const std::string& id, const std::string& agreement = "a")
    {
        tell(ActivityEvent::Kind::create, id, agreement);
    }
    void destroy(const std::string& id, const std::string& agreement = "a")
    {
        tell(ActivityEvent::Kind::destroy, id, agreement);
    }

    void pay(const std::string& note, PaymentEvent::Kind kind = PaymentEvent::Kind::accepted)
    {
        PaymentEvent event;
        event.id = note;
        event.kind = kind;
        port.payment.push(event);
    }

    Task<> pass(Duration duration) { co_await time.sleep_for(duration, "the test"); }

    VirtualTime& time;
    FakePort port;
    std::shared_ptr<ScriptedRuntimeFactory> machines;
    Agent agent;
    TaskGroup tasks;

private:
    void tell(ActivityEvent::Kind kind, const std::string& id, const std::string& agreement)
    {
        ActivityEvent event;
        event.kind = kind;
        event.activity = id;
        event.agreement = agreement;
        port.activity.push(event);
    }
};

inline void with_agent(const std::function<Task<>(Bench&)>& body, const ProviderOptions& options = priced())
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time, options);
        bench.tasks.spawn("agent", [&] { return bench.agent.run(); });
        co_await bench.pass(1ms);
        CHECK(bench.port.take_log() == Log{"0 publish offer-1"});
        std::exception_ptr failure;
        try {
            co_await body(bench);
        } catch (...) {
            failure = std::current_exception();
        }
        bench.agent.stop();
        co_await bench.tasks.join();
        if (failure)
            std::rethrow_exception(failure);
    });
}

// With agreement "a" and, 1 s later, its activity "x" at work; 1.001 s have passed and the log is empty.
inline void with_activity(const std::function<Task<>(Bench&)>& body, const std::function<void(Content&)>& change = {})
{
    with_agent([&](Bench& bench) -> Task<> {
        auto content = bench.demand();
        if (change)
            change(content);
        bench.sign("a", content);
        co_await bench.pass(1s);
        bench.create("x");
        co_await bench.pass(0s);
        co_await bench.pass(999ms);
        CHECK(bench.port.take_log() == Log{"0.001 approve a", "1.001 attach x"});
        CHECK(bench.agent.activities() == Log{"x"});
        co_await body(bench);
    });
}

inline constexpr auto work = R"([{"deploy":{}},{"start":{}},{"run":{"entry_point":"/work"}}])";

} // namespace golem::provider::test
