// Groups whose owner ends early: by an exception, by cancellation, or by mistake.
#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <array>
#include <csignal>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace golem;
using namespace std::chrono_literals;

namespace {

Task<> fail_after(TimeSource& time, Duration delay, Errc code)
{
    co_await time.sleep_for(delay, "failure");
    throw Error(code, "test", "as planned");
}

// Tells of its end, which takes a while even after a cancellation.
Task<> end_slowly(TimeSource& time, bool& ended)
{
    std::exception_ptr failure;
    try {
        co_await time.sleep_for(100h, "for ever");
    } catch (...) {
        failure = std::current_exception();
    }
    co_await ignore_cancellation();
    co_await time.sleep_for(1s, "clean-up");
    ended = true;
    if (failure)
        std::rethrow_exception(failure);
}

// What a body does, how with_tasks ends then, and when.
struct Row {
    const char* what;
    std::function<Task<>(TimeSource&, TaskGroup&)> body;
    std::optional<Errc> error;
    Duration after;
};

} // namespace

TEST_CASE("with_tasks ends its tasks whatever becomes of its body")
{
    const std::array rows = {
        Row{"returns", [](TimeSource& time, TaskGroup&) -> Task<> { co_await time.sleep_for(5s, "work"); }, {}, 6s},
        Row{"throws", [](TimeSource& time, TaskGroup&) -> Task<> { co_await fail_after(time, 5s, Errc::refused); },
            Errc::refused, 6s},
        Row{"a task fails, which cancels the body",
            [](TimeSource& time, TaskGroup& tasks) -> Task<> {
                tasks.spawn("failing", [&] { return fail_after(time, 2s, Errc::not_found); });
                co_await time.sleep_for(1h, "work");
            },
            Errc::not_found, 3s},
        Row{"a task fails before the body does",
            [](TimeSource& time, TaskGroup& tasks) -> Task<> {
                tasks.spawn("failing", [&] { return fail_after(time, 2s, Errc::not_found); });
                co_await ignore_cancellation();
                co_await fail_after(time, 5s, Errc::refused);
            },
            Errc::not_found, 6s},
    };
    for (const auto& row : rows) {
        test::run_virtual([&](VirtualTime& time) -> Task<> {
            INFO(row.what);
            bool ended = false;
            std::optional<Errc> thrown;
            try {
                co_await with_tasks([&](TaskGroup& tasks) -> Task<> {
                    tasks.spawn("slow", [&] { return end_slowly(time, ended); });
                    co_await row.body(time, tasks);
                });
            } catch (const Error& error) {
                thrown = error.errc();
            }
            CHECK(thrown == row.error);
            CHECK(ended);
            CHECK(time.elapsed() == row.after);
        });
    }
}

TEST_CASE("with_tasks whose body joins lets the tasks come to their end")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        int done = 0;
        co_await with_tasks([&](TaskGroup& tasks) -> Task<> {
            for (int i = 1; i <= 3; ++i)
                tasks.spawn("task", [&done, &time, i]() -> Task<> {
                    co_await time.sleep_for(i * 1s, "task");
                    ++done;
                });
            co_await tasks.join();
        });
        CHECK(done == 3);
        CHECK(time.elapsed() == 3s);
    });
}

TEST_CASE("with_tasks that is cancelled ends its tasks, and leaves its caller able to be cancelled")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const bool obeys = GENERATE(true, false);
        bool ended = false;
        bool went_on = false;
        std::exception_ptr failure;
        TaskGroup group(executor);
        group.spawn("caller", [&]() -> Task<> {
            try {
                co_await with_tasks([&](TaskGroup& tasks) -> Task<> {
                    tasks.spawn("slow", [&] { return end_slowly(time, ended); });
                    if (!obeys)
                        co_await ignore_cancellation();
                    co_await time.sleep_for(5s, "work");
                });
                went_on = true;
                co_await time.sleep_for(1h, "what a cancelled caller does not do");
            } catch (...) {
                failure = std::current_exception();
            }
        });
        co_await time.sleep_for(2s, "a while");
        group.cancel();
        co_await group.join();
        CHECK(ended);
        CHECK(is_cancelled(failure));
        CHECK(went_on == !obeys); // A body that has done its work has returned.
        CHECK(time.elapsed() == (obeys ? 3s : 6s));
    });
}

TEST_CASE("a group that is destroyed with tasks names them before the program ends")
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        std::signal(SIGABRT, SIG_DFL);
        ::dup2(ends[1], STDERR_FILENO);
        test::run_virtual([](VirtualTime& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            TaskGroup group(executor);
            group.spawn("watch the door", [&] { return time.sleep_for(1h, "door"); });
            group.spawn("feed the cat", [&] { return time.sleep_for(1h, "cat"); });
        });
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string told;
    std::array<char, 512> buffer{};
    for (;;) {
        const auto count = ::read(ends[0], buffer.data(), buffer.size());
        if (count <= 0)
            break;
        told.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(told.find("\"watch the door\" \"feed the cat\"") != std::string::npos);
    CHECK(told.find("with_tasks") != std::string::npos);
}
