// Asks the machine of a provider for the time, a few times over.
#include <golem/core/race.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace {

struct Settings {
    int times = 3;
    std::string subnet;
    std::string budget = "1";
    double wait_limit = 600;
    std::string log;
};

class Clock : public golem::Service {
public:
    explicit Clock(int times) : times_(times) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(
            "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae",
            "http://registry.golem.network/download/9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae");
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        for (int i = 0; i < times_; ++i) {
            if (i > 0)
                co_await work.sleep(1s);
            const auto date = co_await work.run("/bin/date");
            std::cout << work.provider().name << ": " << date.out << std::flush;
        }
    }

private:
    int times_;
};

golem::Task<> app(golem::ServiceManager& manager, const Settings& settings)
{
    auto clock = manager.create_service<Clock>(settings.times);
    const auto limit = std::chrono::duration_cast<golem::Duration>(std::chrono::duration<double>(settings.wait_limit));
    auto running = clock->wait_for(golem::ServiceStatus::running);
    const auto found = co_await golem::with_timeout(manager.time(), limit, std::move(running), "a provider");
    if (!found) {
        auto explanation =
            "no provider" + (settings.subnet.empty() ? "" : " of subnet " + settings.subnet) + " within the limit";
        const auto status = clock->status();
        if (!status.cause.empty())
            explanation += " (" + status.cause + ")";
        throw golem::Error(golem::Errc::timed_out, "run a clock", explanation);
    }
    co_await clock->wait_for(golem::ServiceStatus::stopped);
}

} // namespace

int main(int argc, char** argv)
{
    Settings settings;
    CLI::App options("Asks the machine of a provider for the time, a few times over.");
    options.add_option("--times", settings.times, "How often")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    options.add_option("--subnet", settings.subnet, "Subnet of the providers (default: YAGNA_SUBNET, else public)");
    options.add_option("--budget", settings.budget, "What may be spent in all, in GLM")->capture_default_str();
    options.add_option("--wait-limit", settings.wait_limit, "Seconds until a provider must be found")
        ->check(CLI::Range(0.001, 1e9))
        ->capture_default_str();
    options.add_option("--log", settings.log, "File for the library's log");
    try {
        options.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return options.exit(error) == 0 ? 0 : 2;
    }

    golem::ServiceManagerOptions manager;
    try {
        manager.payment.budget = golem::Amount::parse(settings.budget);
        manager.market.subnet = settings.subnet;
        manager.log.path = settings.log;
        manager.log.level = golem::LogLevel::debug;
    } catch (const golem::Error& error) {
        std::cerr << "--budget: " << error.what() << '\n';
        return 2;
    }
    if (manager.payment.budget <= golem::Amount()) {
        std::cerr << "--budget: the budget must be more than zero\n";
        return 2;
    }
    manager.daemon = golem::devnet::daemon_or_devnet();
    return golem::run(
        [&settings](golem::ServiceManager& service_manager) { return app(service_manager, settings); }, manager);
}
