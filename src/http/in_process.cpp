#include <golem/http/in_process.hpp>

#include <golem/core/call_on.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/http/detail/wire.hpp>
#include <golem/http/server.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace golem::http {

namespace {

namespace asio = boost::asio;

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
    bool closed = false;
};

// What the handler's side works on: it may run on another thread, so it never sees the sender's objects.
Task<Response> handle(std::shared_ptr<Handler> handler, std::shared_ptr<const Request> request)
{
    auto response = co_await handler->handle(*request);
    co_return response;
}

std::shared_ptr<const Request> copy_of(const Request& request)
{
    auto copy = std::make_shared<Request>(request);
    copy->headers().remove(detail::body_size_header);
    detail::cut_body(*copy, ServerOptions().body_limit);
    return copy;
}

Task<Response> start(const State& state, const Executor& executor, const Request& request)
{
    auto copy = copy_of(request);
    if (executor == state.handler_executor)
        return handle(state.handler, std::move(copy));
    auto handler = state.handler;
    std::function<Task<Response>()> function = [handler, copy] { return handle(handler, copy); };
    return call_on<Response>(state.handler_executor, std::move(function));
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

[[noreturn]] void
fail(const Request& request, Errc code, std::string explanation, TransportError::Sent sent, bool transient)
{
    TransportError error(code, detail::describe(request), std::move(explanation), sent);
    error.set_transient(transient);
    throw error;
}

[[noreturn]] void fail_closed(const Request& request, TransportError::Sent sent)
{
    fail(request, Errc::closed, "the connection to the daemon was closed by this program", sent, false);
}

// As it would come over a wire.
void finish(const State& state, const Request& request, Response& response)
{
    if (!detail::may_have_body(response.status())) {
        response.body().clear();
        response.headers().remove("Content-Type");
    }
    if (request.method() == Method::head)
        response.body().clear();
    if (response.body().size() > request.response_limit())
        fail(
            request, Errc::protocol,
            "the answer of " + state.origin + " is larger than allowed (" + std::to_string(response.body().size()) +
                " bytes)",
            TransportError::Sent::unknown, false);
}

Task<> handle_into(Task<Response> handling, std::optional<Response>& response, std::exception_ptr& failure)
{
    try {
        auto result = co_await std::move(handling);
        response = std::move(result);
    } catch (...) {
        failure = std::current_exception();
    }
}

Task<Response> exchange(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    const auto executor = co_await asio::this_coro::executor;
    // Clean-up after a cancellation may still send requests.
    const auto before = co_await asio::this_coro::cancellation_state;
    const bool cancelled_before = before.cancelled() != asio::cancellation_type::none;
    Active active(*state, executor);
    std::optional<Response> response;
    std::exception_ptr failure;
    auto handling = handle_into(start(*state, executor, request), response, failure);
    auto limit = state->time.sleep_for(request.limit(), "limit of a request");
    auto closed = active.closed().wait();
    const auto first = co_await first_of(std::move(handling), std::move(limit), std::move(closed));
    const auto after = co_await asio::this_coro::cancellation_state;
    if (after.cancelled() != asio::cancellation_type::none && !cancelled_before)
        throw boost::system::system_error(asio::error::operation_aborted);
    if (state->closed)
        fail_closed(request, TransportError::Sent::unknown);
    if (first == 1)
        fail(
            request, Errc::timed_out, "no answer from " + state->origin + " within " + detail::to_text(request.limit()),
            TransportError::Sent::unknown, true);
    // The handler gave up although its caller did not: its own side is closing.
    if (is_cancelled(failure))
        fail(
            request, Errc::unreachable, state->origin + " closed the connection without an answer",
            TransportError::Sent::unknown, true);
    if (failure)
        std::rethrow_exception(failure);
    finish(*state, request, *response);
    co_return std::move(*response);
}

class InProcess final : public Transport {
public:
    explicit InProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

    ~InProcess() override { close(); }

    Task<Response> send(const Request& request) override { return exchange(state_, request); }

    void close() noexcept override
    {
        if (std::exchange(state_->closed, true))
            return;
        for (const auto& [key, event] : state_->active)
            event->set();
    }

    const std::string& origin() const noexcept override { return state_->origin; }

private:
    std::shared_ptr<State> state_;
};

} // namespace

std::shared_ptr<Transport> make_in_process_transport(
    const Executor& handler_executor, TimeSource& time, std::shared_ptr<Handler> handler, std::string origin)
{
    return std::make_shared<InProcess>(
        std::make_shared<State>(handler_executor, time, std::move(handler), std::move(origin)));
}

} // namespace golem::http
