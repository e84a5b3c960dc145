// A devnet, the way to it, and providers that do what the test says: for tests of the market and the payments.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/log.hpp>
#include <golem/core/race.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/virtual_time.hpp>
#include <golem/devnet/host.hpp>
#include <golem/devnet/in_process_port.hpp>
#include <golem/devnet/rest_face.hpp>
#include <golem/http/counting.hpp>
#include <golem/http/in_process.hpp>
#include <golem/yagna/client.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace golem::test {

/// How a scripted provider behaves. May be changed while it runs.
struct ProviderScript {
    std::string name = "provider";
    int capacity = 1;
    double cpu_price = 0.0001;
    double duration_price = 0.00002;
    double start_price = 0;
    Duration latency{0};
    bool answers = true;  ///< Else a ghost.
    bool approves = true; ///< Else an agreement stays pending.
    bool refuses_agreement = false;
    double draft_price_factor = 1; ///< Above 1: it tries to raise its prices in the draft.
    /// As real ones: offered only to who ends later than now; what ends before that time is refused for good.
    Duration least_time{0};
};

class ScriptedProvider {
public:
    ScriptedProvider(devnet::Host& host, ProviderScript behaviour)
        : script(std::move(behaviour)), port(host, script.name), host_(host)
    {
    }

    Task<> offer()
    {
        const auto content = offered(1);
        offer_id_ = co_await port.publish_offer(content);
    }

    Task<> serve()
    {
        for (;;) {
            const auto events = co_await port.market_events(offer_id_, std::chrono::hours(1));
            if (script.latency > Duration(0))
                co_await host_.time().sleep_for(script.latency, "a provider thinks");
            for (const auto& event : events) {
                if (const auto* proposal = std::get_if<provider::ProposalArrived>(&event))
                    co_await answer_if_open(*proposal);
                else if (const auto* agreement = std::get_if<provider::AgreementArrived>(&event))
                    co_await decide(*agreement);
                else
                    refusals.push_back(std::get<provider::ProposalRefused>(event));
            }
        }
    }

    /// Notices ended agreements: the slot is free, and who was refused gets a draft.
    Task<> watch()
    {
        for (;;) {
            const auto events = co_await port.agreement_events(std::chrono::hours(1));
            for (const auto& event : events) {
                if (event.kind == provider::AgreementEvent::Kind::approved || running.erase(event.agreement) == 0)
                    continue;
                const auto waiting = std::exchange(turned_away_, {});
                for (const auto& proposal : waiting)
                    co_await answer_if_open(proposal);
            }
        }
    }

    ProviderScript script;
    devnet::InProcessPort port;
    std::map<std::string, provider::AgreementArrived> running;
    std::vector<provider::ProposalRefused> refusals;
    std::vector<std::string> pending; ///< Agreements it has not answered.
    std::size_t counters = 0;

private:
    provider::Content offered(double factor) const
    {
        using properties::Value;
        const std::string platform = "golem.com.payment.platform.erc20-hoodi-tglm.address";
        provider::Content content;
        content.properties = properties::PropertySet{
            {"golem.com.pricing.model", "linear"},
            {"golem.com.usage.vector", Value::List{"golem.usage.cpu_sec", "golem.usage.duration_sec"}},
            {"golem.com.pricing.model.linear.coeffs",
             Value::List{script.cpu_price * factor, script.duration_price * factor, script.start_price * factor}},
            {"golem.com.payment.protocol.version", 3},
            {"golem.com.scheme", "payu"},
            {"golem.com.payment.debit-notes.accept-timeout?", 240},
            {"golem.com.scheme.payu.debit-note.interval-sec?", 120},
            {"golem.com.scheme.payu.payment-timeout-sec?", 120},
            {"golem.inf.cpu.threads", 4},
            {"golem.inf.mem.gib", 8.0},
            {"golem.node.debug.subnet", "public"},
            {"golem.node.id.name", script.name},
            {"golem.runtime.name", "vm"},
            {"golem.srv.caps.multi-activity", true},
        };
        content.properties.set(platform, port.node_id());
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(host_.time().utc().time_since_epoch());
        const auto after = script.least_time > Duration(0) ? now.count() : 0;
        content.constraints =
            "(&\n  (golem.srv.comp.expiration>" + std::to_string(after) + ")\n  (golem.node.debug.subnet=public)\n)";
        return content;
    }

    Task<> answer(const provider::ProposalArrived& proposal)
    {
        ++counters;
        if (!script.answers)
            co_return;
        const auto end = proposal.demand.properties.get_int("golem.srv.comp.expiration").value_or(0);
        if (Timestamp(std::chrono::milliseconds(end)) < host_.time().utc() + script.least_time) {
            provider::Reason too_short;
            too_short.message = "Proposal expires too soon";
            too_short.extra.set("golem.proposal.rejection.is-final", true);
            co_await port.reject(offer_id_, proposal.proposal, too_short);
            co_return;
        }
        if (running.size() >= static_cast<std::size_t>(script.capacity)) {
            turned_away_.push_back(proposal);
            provider::Reason reason;
            reason.message = "No capacity available. Reached Agreements limit: " + std::to_string(script.capacity);
            reason.extra.set("golem.proposal.rejection.is-final", false);
            co_await port.reject(offer_id_, proposal.proposal, reason);
            co_return;
        }
        auto content = offered(script.draft_price_factor);
        // What the demand says is adopted, what it does not say is dropped.
        for (const std::string name :
             {"golem.com.payment.debit-notes.accept-timeout?", "golem.com.scheme.payu.debit-note.interval-sec?",
              "golem.com.scheme.payu.payment-timeout-sec?"}) {
            const auto* wish = proposal.demand.properties.get(name);
            if (wish)
                content.properties.set(name, *wish);
            else
                content.properties.erase(name);
        }
        co_await port.counter(offer_id_, proposal.proposal, content);
    }

    /// Its demand may be gone by now.
    Task<> answer_if_open(const provider::ProposalArrived& proposal)
    {
        try {
            co_await answer(proposal);
        } catch (const Error& error) {
            if (error.errc() != Errc::invalid_input)
                throw;
        }
    }

    Task<> decide(const provider::AgreementArrived& agreement)
    {
        provider::Reason reason;
        reason.extra.set("golem.proposal.rejection.is-final", false);
        if (script.refuses_agreement || running.size() >= static_cast<std::size_t>(script.capacity)) {
            reason.message = "No capacity available. Reached Agreements limit: " + std::to_string(script.capacity);
            co_await port.reject_agreement(agreement.agreement, reason);
            co_return;
        }
        if (!script.approves) {
            pending.push_back(agreement.agreement);
            co_return;
        }
        try {
            co_await port.approve_agreement(agreement.agreement);
            running.emplace(agreement.agreement, agreement);
        } catch (const Error& error) {
            if (error.errc() != Errc::refused)
                throw; // The requestor may have cancelled it meanwhile, nothing else.
        }
    }

    devnet::Host& host_;
    std::string offer_id_;
    std::vector<provider::ProposalArrived> turned_away_;
};

class DevnetRig {
public:
    DevnetRig(const Executor& on, VirtualTime& clock, const devnet::DevnetOptions& options = devnet::DevnetOptions())
        : executor(on), time(clock), host(on, clock, options), face(std::make_shared<devnet::RestFace>(host)),
          transport(std::make_shared<http::CountingTransport>(
              http::make_in_process_transport(on, clock, face, "http://devnet"), clock,
              [this](const http::Exchange& exchange) {
                  if (observer)
                      observer(exchange);
              })),
          client(
              transport, options.app_keys.front(), clock, Random(7),
              Logger([this](LogLevel level, std::string_view line) {
                  if (level >= LogLevel::info)
                      log.emplace_back(line);
              })),
          logger([this](LogLevel level, std::string_view line) {
              if (level >= LogLevel::info)
                  log.emplace_back(line);
          }),
          tasks(on)
    {
        tasks.spawn("devnet", [this] { return host.run(); });
    }

    /// Runs from the executor's next turn on.
    ScriptedProvider& add(ProviderScript script)
    {
        auto& provider = *providers.emplace_back(std::make_unique<ScriptedProvider>(host, std::move(script)));
        tasks.spawn("provider", [this, &provider] { return run(provider); });
        return provider;
    }

    Task<> close()
    {
        tasks.cancel();
        co_await tasks.join();
    }

    Task<> pass(Duration duration) { return time.sleep_for(duration, "the test lets time pass"); }

    devnet::WorldReport report() { return host.world().report(time.utc()); }

    std::size_t requests(const std::string& route) const
    {
        const auto found = transport->by_route().find(route);
        return found == transport->by_route().end() ? 0 : found->second;
    }

    Executor executor;
    VirtualTime& time;
    std::vector<std::string> log;
    http::CountingTransport::Observer observer;
    devnet::Host host;
    std::shared_ptr<devnet::RestFace> face;
    std::shared_ptr<http::CountingTransport> transport;
    yagna::Client client;
    Logger logger;
    std::vector<std::unique_ptr<ScriptedProvider>> providers;
    TaskGroup tasks;

private:
    // An offer lasts an hour.
    Task<> run(ScriptedProvider& provider)
    {
        for (;;) {
            co_await provider.offer();
            auto serve = provider.serve();
            auto watch = provider.watch();
            try {
                co_await first_of(std::move(serve), std::move(watch));
            } catch (const Error& error) {
                if (error.their_words().find("expired.") == std::string::npos)
                    throw;
            }
        }
    }
};

} // namespace golem::test
