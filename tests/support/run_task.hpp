// Runs a coroutine of a test to its end, in real or virtual time, and checks that it leaves nothing behind.
#pragma once

#include <golem/core/task.hpp>
#include <golem/core/virtual_time.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

namespace golem::test {

/// Runs `body` on an io_context of its own until all work is done; fails if it takes longer than `limit` (real time).
inline void run_real(const std::function<Task<>()>& body, std::chrono::seconds limit = std::chrono::seconds(20))
{
    boost::asio::io_context context(1);
    std::exception_ptr failure;
    bool done = false;
    boost::asio::co_spawn(context, body, [&](std::exception_ptr error) {
        failure = error;
        done = true;
        if (error)
            context.stop();
    });
    context.run_for(limit);
    if (failure)
        std::rethrow_exception(failure);
    if (!done)
        throw std::runtime_error("the coroutine did not end within its limit");
    if (!context.stopped())
        throw std::runtime_error("the coroutine ended, but left work behind");
}

/// Runs `body` in virtual time, which jumps whenever nothing is ready to run.
inline void run_virtual(const std::function<Task<>(VirtualTime&)>& body, Duration limit = std::chrono::hours(24 * 365))
{
    boost::asio::io_context context(1);
    VirtualTime time;
    std::exception_ptr failure;
    bool done = false;
    boost::asio::co_spawn(context, [&] { return body(time); }, [&](std::exception_ptr error) {
        failure = error;
        done = true;
    });
    for (;;) {
        context.restart();
        context.poll();
        if (failure)
            std::rethrow_exception(failure);
        if (done && !time.next())
            return;
        if (!time.advance_to_next() || time.elapsed() > limit) {
            std::string text = done ? "work was left behind:" : "the coroutine waits for ever; sleepers:";
            for (const auto& line : time.sleepers())
                text += "\n  " + line;
            throw std::runtime_error(text);
        }
    }
}

} // namespace golem::test
