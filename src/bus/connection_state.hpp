// What the parts of a connection share.
#pragma once

#include <bus/link.hpp>

#include <golem/bus/connection.hpp>

#include <memory>

namespace golem::bus {

struct ConnectionState {
    ConnectionState(
        const Executor& its_executor, TimeSource& its_time, const ConnectionOptions& its_options, Logger its_log)
        : executor(its_executor), time(its_time), options(its_options), log(std::move(its_log)), unused(its_executor)
    {
        unused.set();
    }

    /// Error closed, for `operation`, if the connection is not open.
    void require_open(const std::string& operation) const;

    Executor executor;
    TimeSource& time;
    ConnectionOptions options;
    Logger log;
    std::unique_ptr<Link> link; // there once it is open, and from then on
    bool open = false;
    std::exception_ptr failure;
    Event unused; // nobody is inside
    int users = 0;
};

/// Somebody is inside; the end of the connection waits until they have left.
class Use {
public:
    explicit Use(ConnectionState& state) : state_(state)
    {
        ++state_.users;
        state_.unused.reset();
    }
    ~Use()
    {
        if (--state_.users == 0)
            state_.unused.set();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

private:
    ConnectionState& state_;
};

} // namespace golem::bus
