// What a manager costs that has nothing to do: requests a minute, by route, and processor time, of N running services.
//
//   idle_cost [SERVICES [SECONDS]]
//
// It needs a daemon in another process (YAGNA_APPKEY) with providers that take so many services: golem-devnet, or yagna
// with `golem-devnet provider --capacity N`.

#include "measuring.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

class Idle : public golem::Service {
public:
    golem::Payload payload() const override { return benchmarks::any_image(); }
};

golem::Task<> measure(
    golem::ServiceManager& manager, const std::shared_ptr<golem::http::CountingTransport>& transport, int count,
    int seconds)
{
    std::vector<std::shared_ptr<golem::ServiceWrapper>> services;
    for (int i = 0; i < count; ++i)
        services.push_back(manager.create_service<Idle>());
    for (const auto& service : services)
        co_await service->wait_for(golem::ServiceStatus::running);
    std::printf("%d running after %zu requests\n", count, transport->total());
    // The demands of the start linger for a few seconds.
    co_await manager.sleep(std::chrono::seconds(10));
    const auto before = transport->by_route();
    const auto cpu_before = benchmarks::cpu_seconds();
    co_await manager.sleep(std::chrono::seconds(seconds));
    const double minutes = seconds / 60.0;
    double total = 0;
    for (const auto& [route, requests] : transport->by_route()) {
        const auto found = before.find(route);
        const auto made = static_cast<double>(requests - (found == before.end() ? 0 : found->second));
        if (made == 0)
            continue;
        total += made;
        std::printf("%8.1f a minute  %s\n", made / minutes, route.c_str());
    }
    std::printf(
        "%8.1f requests and %.2f ms CPU a minute in all\n", total / minutes,
        1e3 * (benchmarks::cpu_seconds() - cpu_before) / minutes);
}

} // namespace

int main(int argc, char** argv)
{
    const int services = argc > 1 ? std::atoi(argv[1]) : 1;
    const int seconds = argc > 2 ? std::atoi(argv[2]) : 60;
    if (services < 1 || seconds < 1) {
        std::fprintf(stderr, "usage: idle_cost [SERVICES [SECONDS]], both more than zero\n");
        return 2;
    }
    const auto daemon = golem::Daemon::from_environment();
    std::shared_ptr<golem::http::CountingTransport> transport;
    golem::ServiceManagerOptions options;
    options.daemon = benchmarks::counted(daemon, transport);
    golem::ServiceManager manager(options);
    golem::wait(manager, measure(manager, transport, services, seconds));
    golem::wait(manager, manager.close());
}
