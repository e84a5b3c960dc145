#include <golem/core/call_on.hpp>
#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <thread>

using namespace golem;
using namespace std::chrono_literals;

namespace {

Task<int> answer_after(TimeSource& time, Duration delay)
{
    co_await time.sleep_for(delay, "answer");
    co_return 42;
}

Task<> fail_after(TimeSource& time, Duration delay)
{
    co_await time.sleep_for(delay, "failure");
    throw Error(Errc::refused, "test", "as planned");
}

} // namespace

TEST_CASE("virtual time jumps and keeps the order of sleepers")
{
    std::string order;
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        group.spawn("b", [&]() -> Task<> {
            co_await time.sleep_for(3h, "b");
            order += 'b';
        });
        group.spawn("a", [&]() -> Task<> {
            co_await time.sleep_for(1h, "a");
            order += 'a';
        });
        group.spawn("c", [&]() -> Task<> {
            co_await time.sleep_for(3h, "c");
            order += 'c';
        });
        co_await group.join();
        CHECK(time.elapsed() == 3h);
    });
    CHECK(order == "abc");
}

TEST_CASE("a task group starts its tasks at the next turn, not in the middle of the caller's")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        bool started = false;
        group.spawn("task", [&]() -> Task<> {
            started = true;
            co_return;
        });
        CHECK_FALSE(started);
        co_await time.sleep_for(1s, "a while");
        CHECK(started);
        co_await group.join();
    });
}

TEST_CASE("with_timeout returns the value, the exception, or nothing")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        auto quick = answer_after(time, 1s);
        const auto value = co_await with_timeout(time, 2s, std::move(quick), "limit");
        CHECK(value == 42);
        auto slow = answer_after(time, 10s);
        const auto nothing = co_await with_timeout(time, 2s, std::move(slow), "limit");
        CHECK(!nothing);
        CHECK(time.elapsed() == 3s);
        bool thrown = false;
        try {
            auto failing = fail_after(time, 1s);
            co_await with_timeout(time, 2s, std::move(failing), "limit");
        } catch (const Error& error) {
            thrown = error.errc() == Errc::refused;
        }
        CHECK(thrown);
    });
}

TEST_CASE("a set event is never missed, a reset one blocks")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Event event(executor);
        event.set();
        co_await event.wait();
        event.reset();
        auto wait = event.wait();
        const bool passed = co_await with_timeout(time, 5s, std::move(wait), "limit");
        CHECK(!passed);
        TaskGroup group(executor);
        int released = 0;
        for (int i = 0; i < 3; ++i)
            group.spawn("waiter", [&]() -> Task<> {
                co_await event.wait();
                ++released;
            });
        co_await time.sleep_for(1s, "let them wait");
        event.pulse();
        co_await group.join();
        CHECK(released == 3);
        CHECK(!event.is_set());
    });
}

TEST_CASE("a task group keeps the first exception and cancels the rest")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        group.spawn("failing", [&] { return fail_after(time, 1s); });
        group.spawn("endless", [&]() -> Task<> { co_await time.sleep_for(100h, "endless"); });
        co_await time.sleep_for(2s, "wait");
        CHECK(group.names() == std::vector<std::string>{"endless"});
        group.cancel();
        bool thrown = false;
        try {
            co_await group.join();
        } catch (const Error& error) {
            thrown = error.errc() == Errc::refused;
        }
        CHECK(thrown);
        CHECK(time.elapsed() == 2s);
    });
}

TEST_CASE("a task that is cancelled before its turn begins, and ends at its first wait")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        bool begun = false;
        bool cancelled = false;
        group.spawn("early", [&]() -> Task<> {
            begun = true;
            try {
                co_await time.sleep_for(100h, "never");
            } catch (const boost::system::system_error& error) {
                cancelled = is_cancelled(error.code());
            }
        });
        group.cancel();
        co_await group.join();
        CHECK(begun);
        CHECK(cancelled);
        CHECK(time.elapsed() == 0s);
    });
}

TEST_CASE("a shield lets clean-up finish after cancellation")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        bool cleaned = false;
        bool cancelled = false;
        TaskGroup group(executor);
        group.spawn("worker", [&]() -> Task<> {
            try {
                co_await time.sleep_for(100h, "work");
            } catch (const boost::system::system_error& error) {
                cancelled = is_cancelled(error.code());
            }
            co_await ignore_cancellation();
            auto clean_up = answer_after(time, 5s);
            const auto value = co_await shield(std::move(clean_up));
            cleaned = value == 42;
        });
        co_await time.sleep_for(1s, "wait");
        group.cancel();
        co_await group.join();
        CHECK(cancelled);
        CHECK(cleaned);
        CHECK(time.elapsed() == 6s);
    });
}

TEST_CASE("call_on crosses executors with result, exception and cancellation", "[race]")
{
    boost::asio::thread_pool pool(1);
    RealTime time;
    test::run_real([&]() -> Task<> {
        const auto home = std::this_thread::get_id();
        std::function<Task<std::unique_ptr<int>>()> function = [&]() -> Task<std::unique_ptr<int>> {
            CHECK(std::this_thread::get_id() != home);
            co_return std::make_unique<int>(7);
        };
        // A result that cannot be copied has to cross as well.
        auto boxed = [function]() -> Task<std::shared_ptr<int>> {
            auto value = co_await function();
            co_return std::shared_ptr<int>(std::move(value));
        };
        std::function<Task<std::shared_ptr<int>>()> call = boxed;
        const auto value = co_await call_on<std::shared_ptr<int>>(pool.get_executor(), call);
        CHECK(*value == 7);
        CHECK(std::this_thread::get_id() == home);

        std::function<Task<>()> failing = [&] { return fail_after(time, 1ms); };
        bool thrown = false;
        try {
            co_await call_on<void>(pool.get_executor(), failing);
        } catch (const Error& error) {
            thrown = error.errc() == Errc::refused;
        }
        CHECK(thrown);

        std::function<Task<>()> endless = [&] { return time.sleep_for(1h, "endless"); };
        for (int i = 0; i < 200; ++i) {
            auto called = call_on<void>(pool.get_executor(), endless);
            const bool ended =
                co_await with_timeout(time, std::chrono::microseconds(i * 5), std::move(called), "limit");
            CHECK(!ended);
        }
    });
    pool.join();
}

TEST_CASE("call_on outlives neither context", "[race]")
{
    // One thread pool answers while the contexts of callers end, at every moment of a call.
    boost::asio::thread_pool pool(1);
    RealTime time;
    auto kept = std::make_shared<int>(1);
    std::weak_ptr<int> watched = kept;
    for (int i = 0; i < 300; ++i) {
        boost::asio::io_context context(1);
        TaskGroup group(context.get_executor());
        const auto length = std::chrono::microseconds(i);
        auto called = [&time, length, kept]() -> Task<> { co_await time.sleep_for(length, "callee"); };
        std::function<Task<>()> function = called;
        group.spawn("caller", [&pool, kept, function]() -> Task<> {
            for (;;)
                co_await call_on<void>(pool.get_executor(), function);
        });
        context.run_for(std::chrono::microseconds(i * 2));
    }
    pool.join(); // No callee is left behind.
    kept.reset();
    CHECK(watched.expired());
}

TEST_CASE("call_on is cancelled in vain once it was answered")
{
    boost::asio::io_context context(1);
    auto elsewhere = std::make_unique<boost::asio::io_context>(1);
    TaskGroup group(context.get_executor());
    int completed = 0;
    group.spawn("caller", [&]() -> Task<> {
        std::function<Task<int>()> function = []() -> Task<int> { co_return 1; };
        completed = co_await call_on<int>(elsewhere->get_executor(), function);
    });
    context.poll();
    elsewhere->run();
    elsewhere.reset(); // Its answer is on its way.
    group.cancel();
    context.run();
    CHECK(completed == 1);
}

TEST_CASE("call_on completes as cancelled when the callee's context ends")
{
    test::run_real([]() -> Task<> {
        auto elsewhere = std::make_unique<boost::asio::io_context>(1);
        const auto executor = co_await boost::asio::this_coro::executor;
        boost::asio::post(executor, [&] { elsewhere.reset(); });
        std::function<Task<int>()> function = []() -> Task<int> { co_return 1; };
        std::exception_ptr failure;
        try {
            co_await call_on<int>(elsewhere->get_executor(), function);
        } catch (...) {
            failure = std::current_exception();
        }
        CHECK(is_cancelled(failure));
    });
}
