#include <devnet/tool_hub.hpp>

#include <golem/bus/hub.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>

#include <CLI/CLI.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <exception>

namespace golem::devnet {

namespace {

Task<> close_on_signal(boost::asio::signal_set& signals, bus::Hub& hub)
{
    auto [error, number] = co_await signals.async_wait(boost::asio::as_tuple(boost::asio::deferred));
    static_cast<void>(number);
    if (!error)
        hub.close();
}

Task<> run_hub(bus::Hub& hub, boost::asio::signal_set& signals)
{
    std::exception_ptr failure;
    try {
        co_await hub.run();
    } catch (...) {
        failure = std::current_exception();
    }
    signals.cancel();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

HubTool::HubTool(CLI::App& app)
    : command_(app.add_subcommand(
          "hub",
          "A service bus on a loopback port, for real daemons (YA_NET_TYPE=central) to meet at without a network"))
{
    command_->add_option("--port", options_.port, "Port on 127.0.0.1, of four digits; 0 lets the system choose")
        ->required()
        ->check([](const std::string& text) {
            return text == "0" || (text.size() == 4 && text[0] != '0' &&
                                   text.find_first_not_of("0123456789") == std::string::npos)
                       ? std::string()
                       : "must be of four digits, as daemons read no more of it, or 0";
        });
    command_->add_flag("--verbose", verbose_, "Log what is registered and called");
}

bool HubTool::is_chosen() const { return command_->parsed(); }

int HubTool::run()
{
    LogOptions log_options;
    log_options.level = verbose_ ? LogLevel::trace : LogLevel::warning;
    log_options.to_stderr = true;
    const auto log = make_logger(log_options);

    RealTime time;
    boost::asio::io_context context(1);
    const auto executor = context.get_executor();
    bus::Hub hub(executor, time, options_, Random(Random::seed_from_system()), log);
    // Before anybody can know that this runs, and so may end it.
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.add(SIGHUP);
    // Whoever read our line may be gone by now, and that is no reason to leave the daemons alone.
    std::signal(SIGPIPE, SIG_IGN);
    std::printf("golem-devnet: a service bus listens at 127.0.0.1:%u\n", static_cast<unsigned>(hub.port()));
    std::fflush(stdout);
    std::exception_ptr failure;
    TaskGroup tasks(executor, [&](const std::string&, std::exception_ptr error) {
        if (!failure)
            failure = error;
    });
    tasks.spawn("signals", [&] { return close_on_signal(signals, hub); });
    tasks.spawn("hub", [&] { return run_hub(hub, signals); });
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return 0;
}

} // namespace golem::devnet
