#include <golem/service/run.hpp>

#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/task_group.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>

namespace golem {

namespace {

using namespace std::chrono_literals;
using App = std::function<Task<>(ServiceManager&)>;

// How long an app that was cancelled may take to end before the manager is closed under it.
constexpr Duration app_limit = 10s;
// And after that; then the same for whatever else is left to do.
constexpr auto last_limit = 2s;

/// One run of a program: the app, the signals, and the closing.
class Program {
public:
    Program(const Executor& executor, const App& app, ServiceManager& manager, std::function<bool()> on_interrupt)
        : app_(app), manager_(manager), on_interrupt_(std::move(on_interrupt)), signals_(executor, SIGINT, SIGTERM),
          app_over_(executor), interrupted_(executor), insisted_(executor), listener_(executor),
          app_task_(executor, [this](const std::string&, std::exception_ptr failure) { failure_ = failure; }),
          main_(executor, [this](const std::string&, std::exception_ptr failure) { fail(failure); })
    {
    }

    /// Until the app has ended, or does not, and the manager is closed.
    void run(boost::asio::io_context& context)
    {
        main_.spawn("main", [this] { return whole(); });
        keep_running(context, [&] { return context.run_one() > 0 && !over_; });
    }

    /// Lets the rest end. False if something goes on nevertheless. Nobody listens to signals any more: they end the
    /// process.
    bool run_rest(boost::asio::io_context& context)
    {
        const auto deadline = manager_.time().deadline(last_limit);
        keep_running(context, [&] { return context.run_one_until(deadline) > 0; });
        return context.stopped() && app_over_.is_set();
    }

    int exit_code() const noexcept
    {
        if (signal_ != 0)
            return 128 + signal_;
        return failure_ || program_failure_ || !app_over_.is_set() ? EXIT_FAILURE : EXIT_SUCCESS;
    }

    void tell() const
    {
        if (failure_ && signal_ == 0)
            std::cerr << "error: " << describe(failure_) << '\n';
        if (program_failure_)
            std::cerr << "error: " << describe(program_failure_) << '\n';
        if (!app_over_.is_set())
            std::cerr << "error: the app did not end\n";
        for (const auto& line : leftovers_)
            std::cerr << "left over: " << line << '\n';
        std::cout.flush();
    }

private:
    // Somebody's handler on our executor may throw: that ends the app, but not without closing.
    template <typename Step>
    void keep_running(boost::asio::io_context& context, const Step& step)
    {
        for (;;) {
            try {
                while (step()) {
                }
                return;
            } catch (...) {
                fail(std::current_exception());
            }
            if (context.stopped())
                return;
        }
    }

    void fail(const std::exception_ptr& failure)
    {
        if (over_)
            std::cerr << "error: " << describe(failure) << '\n';
        if (!program_failure_)
            program_failure_ = failure;
        interrupted_.set();
    }

    Task<> whole()
    {
        std::exception_ptr failure;
        try {
            co_await life();
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            fail(failure);
        listener_.cancel();
        co_await listener_.join();
        boost::system::error_code ignored;
        signals_.clear(ignored); // From now on they end the process.
        over_ = true;
    }

    Task<> life()
    {
        listener_.spawn("signals", [this] { return listen(); });
        app_task_.spawn("app", [this] { return run_app(); });
        auto over = app_over_.wait();
        auto interrupted = interrupted_.wait();
        const auto first = co_await first_of(std::move(over), std::move(interrupted));
        if (first == 1) {
            app_task_.cancel();
            auto ended = app_over_.wait();
            auto insisted = insisted_.wait();
            auto limit = manager_.time().sleep_for(app_limit, "an app that was cancelled");
            co_await first_of(std::move(ended), std::move(insisted), std::move(limit));
        }
        is_closing_ = true;
        leftovers_ = co_await manager_.close();
        auto ended = app_over_.wait();
        co_await with_timeout(manager_.time(), last_limit, std::move(ended), "an app whose manager is closed");
    }

    Task<> run_app()
    {
        std::exception_ptr failure;
        try {
            co_await app_(manager_);
        } catch (...) {
            failure = std::current_exception();
        }
        app_over_.set();
        if (failure)
            std::rethrow_exception(failure);
    }

    Task<> listen()
    {
        for (;;) {
            auto [error, signal] = co_await signals_.async_wait(boost::asio::as_tuple(boost::asio::deferred));
            if (error)
                co_return;
            if (signal_ == 0) {
                if (signal == SIGINT && !is_closing_ && on_interrupt_ && on_interrupt_())
                    continue;
                signal_ = signal;
                std::cerr << "ending in an orderly way; once more to cut it short\n";
                interrupted_.set();
            } else {
                insisted_.set();
                manager_.insist();
            }
        }
    }

    const App& app_;
    ServiceManager& manager_;
    std::function<bool()> on_interrupt_;
    bool is_closing_ = false;
    boost::asio::signal_set signals_;
    int signal_ = 0;
    Event app_over_;
    Event interrupted_;
    Event insisted_;
    std::exception_ptr failure_;         // Of the app.
    std::exception_ptr program_failure_; // Of all the rest.
    std::vector<std::string> leftovers_;
    bool over_ = false;
    TaskGroup listener_;
    TaskGroup app_task_;
    TaskGroup main_;
};

// Without a log nobody would learn why a service finds no provider.
void report_to_stderr(ServiceManagerOptions& options)
{
    if (options.on_report || options.log.to_stderr || !options.log.path.empty())
        return;
    options.on_report = [told = std::string()](const MarketReport& report) mutable {
        const auto text = report.to_string();
        if (std::exchange(told, text) != text)
            std::cerr << text << std::endl;
    };
}

} // namespace

int run(const std::function<Task<>(ServiceManager&)>& app, ServiceManagerOptions options)
{
    return run(app, std::move(options), nullptr);
}

int run(
    const std::function<Task<>(ServiceManager&)>& app, ServiceManagerOptions options,
    std::function<bool()> on_interrupt)
{
    try {
        if (options.time && options.time->is_virtual())
            throw Error(Errc::invalid_input, "run", "a program runs in real time");
        report_to_stderr(options);
        boost::asio::io_context context(1);
        const Executor executor = context.get_executor();
        ServiceManager manager(executor, std::move(options));
        Program program(executor, app, manager, std::move(on_interrupt));
        program.run(context);
        program.tell();
        if (!program.run_rest(context)) {
            // Cancelled, and its manager closed: nothing can end it but the end of the process, and what it uses must
            // not be destroyed under it.
            std::cerr.flush();
            std::fflush(nullptr);
            std::_Exit(program.exit_code());
        }
        return program.exit_code();
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}

int run(const std::function<Task<>(ServiceManager&)>& app, Daemon daemon)
{
    ServiceManagerOptions options;
    options.daemon = std::move(daemon);
    return run(app, std::move(options));
}

} // namespace golem
