// Processor time and requests of a service: up to `running`, and for each command, beside the bare HTTP calls that the
// same commands need, in the same run.
//
//   eval "$(golem-devnet --port 0 …)"  or a real daemon, then:  service_cost [COMMANDS]
//
// It needs a daemon in another process (YAGNA_APPKEY), so that only the client's processor time is counted.

#include "measuring.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

namespace {

double cpu_ms() { return 1e3 * benchmarks::cpu_seconds(); }

// What is measured; the service fills it in.
struct Figures {
    std::shared_ptr<golem::http::CountingTransport> transport;
    int commands = 200;
    std::string app_key;
    double cpu_at_start = 0;
    double cpu_at_running = 0;
    std::size_t requests_at_running = 0;
    double cpu_of_commands = 0;
    std::size_t requests_of_commands = 0;
    double cpu_of_bare_calls = 0;
};

class Worker : public golem::Service {
public:
    explicit Worker(Figures& figures) : figures_(figures) {}

    golem::Payload payload() const override { return benchmarks::any_image(); }

    golem::Task<> run(golem::WorkContext& work) override
    {
        figures_.cpu_at_running = cpu_ms();
        figures_.requests_at_running = figures_.transport->total();
        for (int i = 0; i < figures_.commands; ++i)
            co_await work.run("/bin/true");
        figures_.cpu_of_commands = cpu_ms() - figures_.cpu_at_running;
        figures_.requests_of_commands = figures_.transport->total() - figures_.requests_at_running;

        const auto before = cpu_ms();
        const std::string target = "/activity-api/v1/activity/" + work.activity() + "/exec";
        for (int i = 0; i < figures_.commands; ++i) {
            golem::http::Request exec(golem::http::Method::post, target);
            exec.headers().set("Authorization", "Bearer " + figures_.app_key);
            exec.set_body(R"({"text":"[{\"run\":{\"entry_point\":\"/bin/true\",\"args\":[]}}]"})");
            const auto batch = co_await figures_.transport->send(exec);
            const auto id = batch.body().substr(1, batch.body().size() - 2);
            golem::http::Request results(golem::http::Method::get, target + "/" + id + "?timeout=60");
            results.headers().set("Authorization", "Bearer " + figures_.app_key);
            const auto answer = co_await figures_.transport->send(results);
            if (answer.status() != 200)
                std::abort();
        }
        figures_.cpu_of_bare_calls = cpu_ms() - before;
    }

private:
    Figures& figures_;
};

} // namespace

int main(int argc, char** argv)
{
    const auto daemon = golem::Daemon::from_environment();
    Figures figures;
    figures.commands = argc > 1 ? std::atoi(argv[1]) : 200;
    figures.app_key = daemon.app_key();
    golem::ServiceManagerOptions options;
    options.daemon = benchmarks::counted(daemon, figures.transport);
    figures.cpu_at_start = cpu_ms();
    golem::ServiceManager manager(options);
    auto service = manager.create_service<Worker>(std::ref(figures));
    golem::wait(manager, service->wait_for(golem::ServiceStatus::stopped));
    golem::wait(manager, manager.close());

    const double commands = figures.commands;
    std::printf(
        "to running: %.1f ms CPU, %zu requests (program start included: %.1f ms)\n",
        figures.cpu_at_running - figures.cpu_at_start, figures.requests_at_running, figures.cpu_at_running);
    std::printf(
        "per command: %.3f ms CPU, %.2f requests; the bare calls: %.3f ms CPU; ratio %.2f\n",
        figures.cpu_of_commands / commands, static_cast<double>(figures.requests_of_commands) / commands,
        figures.cpu_of_bare_calls / commands, figures.cpu_of_commands / figures.cpu_of_bare_calls);
}
