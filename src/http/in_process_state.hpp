// What requests, streams and websockets in process have in common.
#pragma once

#include <golem/core/call_on.hpp>
#include <golem/core/event.hpp>
#include <golem/http/detail/wire.hpp>
#include <golem/http/server.hpp>
#include <golem/http/transport.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::http::in_process {

namespace asio = boost::asio;

class Link;

// Outlives the transport while requests are under way.
struct State {
    State(const Executor& executor, TimeSource& the_time, std::shared_ptr<Handler> the_handler, std::string the_origin)
        : handler_executor(executor), time(the_time), handler(std::move(the_handler)), origin(std::move(the_origin))
    {
    }

    Executor handler_executor;
    TimeSource& time;
    std::shared_ptr<Handler> handler;
    std::string origin;
    // One event a request: close() sets them in the order in which the requests came.
    std::map<std::uint64_t, Event*> active;
    std::uint64_t next = 0;
    // Websockets, which close() ends; those that have ended stay until the next one begins.
    std::vector<std::weak_ptr<Link>> links;
    bool closed = false;
};

inline std::shared_ptr<const Request> copy_of(const Request& request)
{
    auto copy = std::make_shared<Request>(request);
    copy->headers().remove(detail::body_size_header);
    detail::cut_body(*copy, ServerOptions().body_limit);
    return copy;
}

// Runs on the handler's executor.
template <typename T>
Task<T> start(const State& state, const Executor& executor, std::function<Task<T>()> function)
{
    if (executor == state.handler_executor)
        return function();
    return call_on<T>(state.handler_executor, std::move(function));
}

class Active {
public:
    Active(State& state, const Executor& executor) : state_(state), key_(state.next++), closed_(executor)
    {
        state_.active.emplace(key_, &closed_);
    }

    ~Active() { state_.active.erase(key_); }

    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;

    Event& closed() noexcept { return closed_; }

private:
    State& state_;
    std::uint64_t key_;
    Event closed_;
};

[[noreturn]] inline void
fail(const Request& request, Errc code, std::string explanation, TransportError::Sent sent, bool transient)
{
    TransportError error(code, detail::describe(request), std::move(explanation), sent);
    error.set_transient(transient);
    throw error;
}

[[noreturn]] inline void fail_closed(const Request& request, TransportError::Sent sent)
{
    fail(request, Errc::closed, "the connection to the daemon was closed by this program", sent, false);
}

template <typename T>
Task<> work_into(Task<T> work, std::optional<T>& result, std::exception_ptr& failure)
{
    try {
        auto value = co_await std::move(work);
        result = std::move(value);
    } catch (...) {
        failure = std::current_exception();
    }
}

// What a server says where a websocket was not asked for as it should be.
inline Response no_websocket() { return Response(400, "WebSocket upgrade is expected", "text/plain"); }

// websocket_in_process.cpp
Task<WebSocketAnswer> open_websocket(std::shared_ptr<State> state, const Request& request);
void drop(const State& state) noexcept;

} // namespace golem::http::in_process
