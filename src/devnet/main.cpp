// golem-devnet: the whole Golem Network behind a loopback port.
#include <devnet/config.hpp>
#include <devnet/tool_hub.hpp>
#include <devnet/tool_provider.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/http/server.hpp>
#include <golem/provider/program_runtime.hpp>

#include <CLI/CLI.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

namespace {

using namespace golem;

struct Arguments {
    std::uint16_t port = 7465;
    std::string app_key;
    std::vector<std::string> names;
    int providers = 2;
    std::string config;
    std::vector<std::string> runtimes;
    provider::ProviderOptions provider = devnet::local_provider();
    devnet::DevnetOptions devnet;
    double latency = 0;
    bool realistic = false;
    std::optional<double> negotiation_latency;
    std::optional<double> activity_latency;
    std::optional<double> command_latency;
    std::optional<double> settle_delay;
    std::optional<double> payment_poll_step;
    std::string funds = "1000";
    bool verbose = false;
};

void define(CLI::App& app, Arguments& arguments)
{
    app.add_option("--port", arguments.port, "Port on 127.0.0.1; 0 lets the system choose")->capture_default_str();
    app.add_option("--app-key", arguments.app_key, "The key that requestors send; any text")
        ->envname("YAGNA_AUTOCONF_APPKEY");
    app.add_option(
           "--api-allow-origin", arguments.devnet.allow_origins,
           "Origin whose pages may call from a browser (\"*\": any); may be repeated")
        ->envname("YAGNA_API_ALLOW_ORIGIN");
    auto* names = app.add_option("--provider", arguments.names, "Name of a provider; may be repeated");
    auto* count = app.add_option("--providers", arguments.providers, "How many providers, if no names are given")
                      ->check(CLI::Range(0, 1000))
                      ->capture_default_str();
    app.add_option(
           "--config", arguments.config, "File with providers: {\"providers\": [{\"name\": …, \"cpu_price\": …}]}")
        ->check(CLI::ExistingFile)
        ->excludes(names)
        ->excludes(count);
    app.add_option(
        "--runtime", arguments.runtimes,
        "NAME=PROGRAM: a runtime NAME for which PROGRAM stands (\"PROGRAM start ARGS\", \"PROGRAM COMMAND ARGS\"). The "
        "first is offered instead of vm; with --config each provider names its own. May be repeated");
    app.add_option("--subnet", arguments.provider.subnet, "Subnet of the providers (YAGNA_SUBNET if that is set)")
        ->capture_default_str();
    app.add_option("--price-cpu", arguments.provider.cpu_price, "GLM for a second of a processor")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--price-duration", arguments.provider.duration_price, "GLM for a second of an activity")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--price-start", arguments.provider.start_price, "GLM for each activity")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--capacity", arguments.provider.capacity, "Agreements of a provider at one time")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--latency", arguments.latency, "Seconds added to every answer")->check(CLI::Range(0.0, 60.0));
    const CLI::Range delay(0.0, 86400.0);
    app.add_flag(
        "--realistic", arguments.realistic,
        "As slow as on the public network: activities are up after 0.75 s, payment polls look once a second");
    app.add_option("--negotiation-latency", arguments.negotiation_latency, "Seconds until a provider answers")
        ->check(delay);
    app.add_option("--activity-latency", arguments.activity_latency, "Seconds until an activity is up")->check(delay);
    app.add_option("--command-latency", arguments.command_latency, "Seconds that each command takes longer")
        ->check(delay);
    app.add_option("--settle-delay", arguments.settle_delay, "Seconds from acceptance to settlement")->check(delay);
    app.add_option("--payment-poll-step", arguments.payment_poll_step, "Seconds between looks of a payment poll")
        ->check(delay);
    app.add_option("--funds", arguments.funds, "GLM that the requestor has on each platform")->capture_default_str();
    app.add_option("--seed", arguments.devnet.seed, "Ids and the order of proposals follow from it")
        ->capture_default_str();
    const std::map<std::string, devnet::Wording> wordings = {
        {"hybrid", devnet::Wording::hybrid}, {"central", devnet::Wording::central}};
    app.add_option("--wording", arguments.devnet.wording, "Error texts as on a hybrid net (default) or a central one")
        ->transform(CLI::CheckedTransformer(wordings));
    app.add_flag("--verbose", arguments.verbose, "Log what happens");
}

Duration seconds(double count) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count)); }

// What is told one by one wins over the preset.
void set_latencies(Arguments& arguments)
{
    arguments.devnet.latency = seconds(arguments.latency);
    if (arguments.realistic) {
        arguments.provider.activity_latency = seconds(0.75);
        arguments.devnet.payment_poll_step = seconds(1);
    }
    const auto set = [](Duration& option, const std::optional<double>& told) {
        if (told)
            option = seconds(*told);
    };
    set(arguments.provider.negotiation_latency, arguments.negotiation_latency);
    set(arguments.provider.activity_latency, arguments.activity_latency);
    set(arguments.provider.command_latency, arguments.command_latency);
    set(arguments.devnet.payment_poll_step, arguments.payment_poll_step);
    if (arguments.settle_delay)
        arguments.devnet.payments.settle_after = seconds(*arguments.settle_delay);
}

// By the name of the runtime; the rest has the processes of this machine.
using Runtimes = std::map<std::string, std::shared_ptr<provider::RuntimeFactory>>;

Runtimes make_runtimes(const Executor& executor, TimeSource& time, Arguments& arguments)
{
    const provider::ProcessRuntimeOptions processes;
    Runtimes runtimes;
    for (const auto& text : arguments.runtimes) {
        const auto runtime = devnet::read_runtime(text);
        if (runtimes.empty() && arguments.config.empty())
            arguments.provider.runtime = runtime.name;
        runtimes[runtime.name] = provider::make_program_runtime(executor, time, runtime.program, processes);
    }
    runtimes.try_emplace("vm", provider::make_process_runtime(executor, time, processes));
    return runtimes;
}

std::vector<provider::ProviderOptions> providers_of(const Arguments& arguments)
{
    if (!arguments.config.empty()) {
        std::ifstream file(arguments.config);
        std::ostringstream text;
        text << file.rdbuf();
        return devnet::read_providers(text.str(), arguments.provider);
    }
    std::vector<provider::ProviderOptions> providers;
    for (int number = 0; arguments.names.empty() && number < arguments.providers; ++number) {
        providers.push_back(arguments.provider);
        providers.back().name = "provider-" + std::to_string(number + 1);
    }
    for (const auto& name : arguments.names) {
        providers.push_back(arguments.provider);
        providers.back().name = name;
    }
    return providers;
}

// The first asks for the end, the second takes it.
Task<> wait_for_signals(boost::asio::signal_set& signals, devnet::Devnet& net, http::Server& server)
{
    for (bool asked = false;; asked = true) {
        auto [error, number] = co_await signals.async_wait(boost::asio::as_tuple(boost::asio::deferred));
        if (error)
            co_return;
        if (asked) {
            std::fprintf(stderr, "golem-devnet: cut short; commands may be left running\n");
            std::fflush(nullptr);
            std::_Exit(128 + number);
        }
        net.stop();
        server.close();
    }
}

Task<> run_net(devnet::Devnet& net, boost::asio::signal_set& signals)
{
    co_await net.run();
    signals.cancel();
}

void announce(
    const Arguments& arguments, const http::Server& server, const std::vector<provider::ProviderOptions>& providers)
{
    const auto key = devnet::quoted_for_shell(arguments.app_key);
    const auto subnet = devnet::quoted_for_shell(devnet::subnet_of(providers, arguments.provider.subnet));
    std::printf("export YAGNA_API_URL=http://127.0.0.1:%u\n", static_cast<unsigned>(server.port()));
    std::printf("export GOLEM_REGISTRY_URL=http://127.0.0.1:%u\n", static_cast<unsigned>(server.port()));
    std::printf("export YAGNA_APPKEY=%s\n", key.c_str());
    std::printf("export YAGNA_SUBNET=%s\n", subnet.c_str());
    std::printf(
        "# %zu provider%s; commands are executed as the current user on this machine, without isolation\n",
        providers.size(), providers.size() == 1 ? "" : "s");
    std::fflush(stdout);
}

int serve(Arguments& arguments)
{
    if (arguments.app_key.empty())
        throw Error(
            Errc::invalid_input, "start the devnet",
            "there is no app key: give one with --app-key or YAGNA_AUTOCONF_APPKEY; whoever knows it can execute "
            "commands "
            "on this machine");
    arguments.devnet.app_keys = {arguments.app_key};
    arguments.devnet.payments.funds = Amount::parse(arguments.funds);
    set_latencies(arguments);
    LogOptions log_options;
    log_options.level = arguments.verbose ? LogLevel::debug : LogLevel::warning;
    log_options.to_stderr = true;
    const auto log = make_logger(log_options);

    RealTime time;
    boost::asio::io_context context(1);
    const auto executor = context.get_executor();
    devnet::Devnet net(executor, time, arguments.devnet, log);
    auto runtimes = make_runtimes(executor, time, arguments);
    const auto providers = providers_of(arguments);
    for (const auto& provider : providers)
        net.add_provider(provider, runtimes.contains(provider.runtime) ? runtimes[provider.runtime] : runtimes["vm"]);

    http::ServerOptions server_options;
    server_options.port = arguments.port;
    http::Server server(executor, time, net.rest_face(), server_options, log);

    // Before anybody can know that this runs, and so may end it.
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.add(SIGHUP);
    signals.add(SIGQUIT);
    // A reader of our output that leaves is no reason to leave machines behind. A handler, as commands would inherit
    // that it is ignored.
    std::signal(SIGPIPE, [](int) {});
    announce(arguments, server, providers);
    std::exception_ptr failure;
    TaskGroup tasks(executor, [&](const std::string&, std::exception_ptr error) {
        if (!failure)
            failure = error;
        // What is left has to end, too.
        net.stop();
        server.close();
        signals.cancel();
    });
    tasks.spawn("signals", [&] { return wait_for_signals(signals, net, server); });
    tasks.spawn("devnet", [&] { return run_net(net, signals); });
    tasks.spawn("server", [&] { return server.run(); });
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app(
        "The whole Golem Network on this machine: a daemon on a loopback port and providers that really execute "
        "commands, as the current user.");
    Arguments arguments;
    define(app, arguments);
    devnet::ProviderTool provider(app);
    devnet::HubTool hub(app);
    app.require_subcommand(0, 1);
    CLI11_PARSE(app, argc, argv);
    try {
        if (provider.is_chosen())
            return provider.run();
        if (hub.is_chosen())
            return hub.run();
        return serve(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "golem-devnet: %s\n", error.what());
        return 1;
    }
}
