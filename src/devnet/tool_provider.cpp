#include <devnet/tool_provider.hpp>

#include <devnet/config.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/http/client.hpp>
#include <golem/provider/agent.hpp>
#include <golem/provider/program_runtime.hpp>
#include <golem/provider/yagna_port.hpp>

#include <CLI/CLI.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <optional>

namespace golem::devnet {

namespace {

// The first that is set; a provider's own variables stand before those of requestors.
std::string from_environment(std::initializer_list<const char*> names, std::string otherwise)
{
    for (const char* name : names) {
        const char* value = std::getenv(name);
        if (value && *value)
            return value;
    }
    return otherwise;
}

std::shared_ptr<provider::RuntimeFactory>
make_runtimes(const Executor& executor, TimeSource& time, const std::string& program)
{
    const provider::ProcessRuntimeOptions processes;
    if (program.empty())
        return provider::make_process_runtime(executor, time, processes);
    return provider::make_program_runtime(executor, time, program, processes);
}

// Everything that runs, on one executor.
struct Service {
    Service(
        boost::asio::io_context& context, const std::string& daemon, const provider::YagnaPortOptions& port_options,
        const provider::ProviderOptions& provider, const std::string& program, Duration longest_end, const Logger& log)
        : transport(http::make_transport(context.get_executor(), time, http::Url::parse(daemon))),
          port(context.get_executor(), time, transport, port_options, Random(Random::seed_from_system()), log),
          agent(
              context.get_executor(), time, port, make_runtimes(context.get_executor(), time, program), provider, log),
          patience(longest_end), signals(context, SIGINT, SIGTERM)
    {
        signals.add(SIGHUP);
        signals.add(SIGQUIT);
    }

    RealTime time;
    std::shared_ptr<http::Transport> transport;
    provider::YagnaPort port;
    provider::Agent agent;
    Duration patience;
    boost::asio::signal_set signals;
    bool interrupted = false;
};

// The first asks for an end in good order, the second for a quick one, the third takes it.
Task<> heed_signals(Service& service)
{
    for (int count = 1;; ++count) {
        auto [error, number] = co_await service.signals.async_wait(boost::asio::as_tuple(boost::asio::deferred));
        if (error)
            co_return;
        service.interrupted = true;
        if (count == 1) {
            std::fprintf(stderr, "golem-devnet: ends; once more for a quick end that leaves agreements open\n");
            service.agent.finish(service.patience);
        } else if (count == 2) {
            service.agent.stop();
        } else {
            std::fprintf(stderr, "golem-devnet: cut short; commands may be left running\n");
            std::fflush(nullptr);
            std::_Exit(128 + number);
        }
    }
}

Task<> serve(Service& service, const std::string& daemon, const provider::ProviderOptions& provider)
{
    std::exception_ptr failure;
    try {
        co_await service.port.open();
        if (!service.interrupted) {
            std::printf(
                "provider %s, node %s, on %s: subnet %s, %d agreement%s at a time\n"
                "# commands are executed as the current user on this machine, without isolation\n",
                provider.name.c_str(), service.port.node_id().c_str(), daemon.c_str(), provider.subnet.c_str(),
                provider.capacity, provider.capacity == 1 ? "" : "s");
            std::fflush(stdout);
            co_await service.agent.run();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    co_await service.port.close();
    service.transport->close();
    service.signals.cancel();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

ProviderTool::ProviderTool(CLI::App& app) : provider_(local_provider())
{
    // Private networks of a real daemon do not lead here.
    provider_.capabilities.clear();
    daemon_ = from_environment({"PROVIDER_API_URL", "YAGNA_API_URL"}, "http://127.0.0.1:7465");
    app_key_ = from_environment({"PROVIDER_APPKEY", "YAGNA_APPKEY"}, "");
    bus_ = from_environment({"PROVIDER_GSB_URL", "GSB_URL", "YAGNA_GSB_URL"}, "tcp://127.0.0.1:7464");
    command_ = app.add_subcommand(
        "provider",
        "A provider on a yagna daemon that really executes commands, as the current user, without isolation");
    command_->add_option("--daemon", daemon_, "REST URL of the daemon (PROVIDER_API_URL, YAGNA_API_URL)")
        ->capture_default_str();
    command_->add_option(
        "--app-key", app_key_,
        "App key of the provider's identity (better by PROVIDER_APPKEY or YAGNA_APPKEY: command lines can be read)");
    command_->add_option("--bus", bus_, "Service bus of the daemon (PROVIDER_GSB_URL, GSB_URL)")->capture_default_str();
    command_->add_option("--provider", provider_.name, "Name of the provider")->capture_default_str();
    command_->add_option(
        "--runtime", runtime_,
        "NAME=PROGRAM: offers the runtime NAME, for which PROGRAM stands (\"PROGRAM start ARGS\", \"PROGRAM COMMAND "
        "ARGS\")");
    command_->add_option("--subnet", provider_.subnet, "Its subnet (YAGNA_SUBNET if that is set)")
        ->capture_default_str();
    command_->add_option("--price-cpu", provider_.cpu_price, "GLM for a second of a processor")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command_->add_option("--price-duration", provider_.duration_price, "GLM for a second of an activity")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command_->add_option("--price-start", provider_.start_price, "GLM for each activity")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command_->add_option("--capacity", provider_.capacity, "Agreements at one time")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command_->add_option("--patience", patience_, "Seconds that the end of agreements and their invoices may take")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
    command_->add_flag("--verbose", verbose_, "Log what happens");
    // Before the daemon's own hour is over.
    provider_.offer_lifetime = std::chrono::minutes(55);
}

bool ProviderTool::is_chosen() const { return command_->parsed(); }

int ProviderTool::run()
{
    if (app_key_.empty())
        throw Error(
            Errc::invalid_input, "start a provider",
            "there is no app key: set PROVIDER_APPKEY or YAGNA_APPKEY to one of the daemon's (`yagna app-key list`)");
    std::string program;
    if (!runtime_.empty()) {
        const auto runtime = read_runtime(runtime_);
        provider_.runtime = runtime.name;
        program = runtime.program;
    }
    LogOptions log_options;
    log_options.level = verbose_ ? LogLevel::debug : LogLevel::warning;
    log_options.to_stderr = true;
    const auto log = make_logger(log_options);
    provider::YagnaPortOptions port_options;
    port_options.app_key = app_key_;
    port_options.bus_url = bus_;
    const auto patience = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(patience_));

    boost::asio::io_context context(1);
    Service service(context, daemon_, port_options, provider_, program, patience, log);
    // A reader of our output that leaves is no reason to leave machines behind. A handler, as commands would inherit
    // that it is ignored.
    std::signal(SIGPIPE, [](int) {});
    std::exception_ptr failure;
    TaskGroup tasks(context.get_executor(), [&](const std::string&, std::exception_ptr error) {
        if (!failure)
            failure = error;
    });
    tasks.spawn("signals", [&] { return heed_signals(service); });
    tasks.spawn("provider", [&] { return serve(service, daemon_, provider_); });
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return 0;
}

} // namespace golem::devnet
