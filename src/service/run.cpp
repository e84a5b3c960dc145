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
// And after that.
constexpr Duration last_limit = 2s;

/// One run of a program: the app, the signals, and the closing.
class Program {
public:
    Program(const Executor& executor, const App& app, ServiceManager& manager)
        : app_(app), manager_(manager), signals_(executor, SIGINT, SIGTERM), app_over_(executor),
          interrupted_(executor), insisted_(executor), listener_(executor),
          app_task_(executor, [this](const std::string&, std::exception_ptr failure) { failure_ = failure; })
    {
    }

    Task<> main()
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
        leftovers_ = co_await manager_.close();
        listener_.cancel();
        co_await listener_.join();
        if (app_task_.size() > 0) {
            auto ended = app_over_.wait();
            co_await with_timeout(manager_.time(), last_limit, std::move(ended), "an app whose manager is closed");
        }
        if (!app_over_.is_set()) {
            // It did not end when it was cancelled, nor when its manager was closed: nothing can end it but the
            // process.
            std::cerr << "error: the app did not end\n";
            std::cout.flush();
            std::fflush(nullptr);
            std::_Exit(exit_code() == 0 ? EXIT_FAILURE : exit_code());
        }
        co_await app_task_.join();
    }

    int exit_code() const noexcept
    {
        if (signal_ != 0)
            return 128 + signal_;
        return failure_ ? EXIT_FAILURE : EXIT_SUCCESS;
    }

    void tell() const
    {
        if (failure_ && signal_ == 0)
            std::cerr << "error: " << describe(failure_) << '\n';
        for (const auto& line : leftovers_)
            std::cerr << "left over: " << line << '\n';
    }

private:
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
    boost::asio::signal_set signals_;
    int signal_ = 0;
    Event app_over_;
    Event interrupted_;
    Event insisted_;
    std::exception_ptr failure_;
    std::vector<std::string> leftovers_;
    TaskGroup listener_;
    TaskGroup app_task_;
};

} // namespace

int run(const std::function<Task<>(ServiceManager&)>& app, ServiceManagerOptions options)
{
    try {
        if (options.time && options.time->is_virtual())
            throw Error(Errc::invalid_input, "run", "a program runs in real time");
        boost::asio::io_context context(1);
        const Executor executor = context.get_executor();
        ServiceManager manager(executor, std::move(options));
        Program program(executor, app, manager);
        TaskGroup tasks(executor);
        std::exception_ptr failure;
        tasks.spawn("main", [&]() -> Task<> { return program.main(); });
        context.run();
        program.tell();
        std::cout.flush();
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
