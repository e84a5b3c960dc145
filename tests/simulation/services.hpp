// Services and worlds that several simulations share.
#pragma once

#include <golem/golem.hpp>
#include <golem/simulation/world.hpp>

#include <memory>
#include <string>
#include <vector>

namespace golem::test {

using namespace std::chrono_literals;

inline Payload test_payload()
{
    return vm_image("9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae", "http://127.0.0.1:8000/image.gvmi");
}

/// Asks its provider for the time once a second, and keeps the answers.
class Clock : public Service {
public:
    explicit Clock(std::vector<std::string>& answers, Duration pause = 1s) : answers_(answers), pause_(pause) {}

    Payload payload() const override { return test_payload(); }

    Task<> run(WorkContext& work) override
    {
        for (;;) {
            const auto date = co_await work.run("/bin/date");
            answers_.push_back(date.out);
            co_await work.sleep(pause_);
        }
    }

private:
    std::vector<std::string>& answers_;
    Duration pause_;
};

/// Runs until it is stopped and does nothing.
class Idle : public Service {
public:
    Payload payload() const override { return test_payload(); }
};

inline provider::ProviderOptions named(std::string name, int capacity = 1)
{
    provider::ProviderOptions options;
    options.name = std::move(name);
    options.capacity = capacity;
    return options;
}

inline void add_providers(simulation::World& world, int count, int capacity = 1)
{
    for (int i = 0; i < count; ++i)
        world.add_provider(named("provider-" + std::to_string(i), capacity));
}

/// Everything that a clean world does not have, as text; empty if it is clean. An agreement that was created but never
/// confirmed binds nobody and cannot be cancelled (the daemon answers 500): it expires by itself.
inline std::string what_is_left(const simulation::World& world)
{
    const auto report = world.report();
    std::string text;
    for (const auto& line : world.leftovers())
        text += "left over: " + line + "\n";
    if (report.open_demands + report.pending_agreements + report.approved_agreements +
            report.live_activities + report.active_allocations + report.unaccepted_invoices + report.unsettled_documents +
            report.agreements_without_invoice >
        0)
        text += report.to_string();
    return text;
}

} // namespace golem::test
