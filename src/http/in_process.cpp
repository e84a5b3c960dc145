#include <golem/http/in_process.hpp>

#include "in_process_state.hpp"

#include <golem/core/race.hpp>
#include <golem/http/stream.hpp>

#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace golem::http {

namespace {

using namespace in_process;

// The other side broke off within an answer, as a source does by a TransportError.
struct CutOff {};

// A source is made, used and destroyed on the handler's side, whoever holds it.
std::shared_ptr<BodySource> kept_at(const Executor& executor, std::shared_ptr<BodySource> source)
{
    auto* const plain = source.get();
    return std::shared_ptr<BodySource>(
        plain, [executor, source](BodySource*) mutable { asio::post(executor, [source = std::move(source)] {}); });
}

// What the handler's side works on: it may run on another thread, so it never sees the sender's objects.
Task<Response> handle(std::shared_ptr<Handler> handler, std::shared_ptr<const Request> request)
{
    auto response = co_await handler->handle(*request);
    if (response.websocket())
        co_return no_websocket();
    const auto source = response.source();
    if (!source)
        co_return response;
    response.set_source(nullptr);
    response.body().clear();
    const bool wanted = request->method() != Method::head && detail::may_have_body(response.status());
    while (wanted && response.body().size() <= request->response_limit()) {
        const auto piece = co_await source->next();
        if (!piece)
            break;
        response.body() += *piece;
    }
    co_return response;
}

// The handler is kept as long as its source works.
Task<std::optional<std::string>>
next_piece([[maybe_unused]] std::shared_ptr<Handler> handler, std::shared_ptr<BodySource> source)
{
    try {
        auto piece = co_await source->next();
        co_return piece;
    } catch (const TransportError&) {
        throw CutOff();
    }
}

// A head, with the first piece: as over a wire, the one does not come without the other.
struct Opened {
    Response response;
    std::optional<std::string> piece;
    std::exception_ptr failure;
};

// `home` is the handler's executor, unless the sender is there as well.
Task<Opened>
open(std::shared_ptr<Handler> handler, std::shared_ptr<const Request> request, std::optional<Executor> home)
{
    Opened opened;
    opened.response = co_await handler->handle(*request);
    if (opened.response.websocket())
        opened.response = no_websocket();
    const auto source = opened.response.source();
    if (!source)
        co_return opened;
    if (home)
        opened.response.set_source(kept_at(*home, source));
    opened.response.body().clear();
    try {
        opened.piece = co_await next_piece(handler, source);
    } catch (...) {
        opened.failure = std::current_exception();
    }
    if (is_cancelled(opened.failure))
        std::rethrow_exception(opened.failure);
    co_return opened;
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

enum class Phase { answering, streaming };

// Waits for the handler's side, no longer than `limit`, and as long as the transport is open.
template <typename T>
Task<T> guarded(std::shared_ptr<State> state, const Request& request, Duration limit, Phase phase, Task<T> work)
{
    const auto executor = co_await asio::this_coro::executor;
    // Clean-up after a cancellation may still send requests.
    const auto before = co_await asio::this_coro::cancellation_state;
    const bool cancelled_before = before.cancelled() != asio::cancellation_type::none;
    Active active(*state, executor);
    std::optional<T> result;
    std::exception_ptr failure;
    auto working = work_into(std::move(work), result, failure);
    auto sleep = state->time.sleep_for(limit, "limit of a request");
    auto closed = active.closed().wait();
    const auto first = co_await first_of(std::move(working), std::move(sleep), std::move(closed));
    const auto after = co_await asio::this_coro::cancellation_state;
    if (after.cancelled() != asio::cancellation_type::none && !cancelled_before)
        throw boost::system::system_error(asio::error::operation_aborted);
    if (state->closed)
        fail_closed(request, TransportError::Sent::unknown);
    if (first == 1)
        fail(
            request, Errc::timed_out,
            phase == Phase::answering ? "no answer from " + state->origin + " within " + detail::to_text(limit)
                                      : state->origin + " sent nothing for " + detail::to_text(limit),
            TransportError::Sent::unknown, true);
    // The handler gave up although its caller did not: its own side is closing.
    if (is_cancelled(failure) && phase == Phase::answering)
        fail(
            request, Errc::unreachable, state->origin + " closed the connection without an answer",
            TransportError::Sent::unknown, true);
    if (is_cancelled(failure))
        throw CutOff();
    if (failure)
        std::rethrow_exception(failure);
    co_return std::move(*result);
}

Task<Response> exchange(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    const auto executor = co_await asio::this_coro::executor;
    std::function<Task<Response>()> function = [handler = state->handler, copy = copy_of(request)] {
        return handle(handler, copy);
    };
    auto handling = start(*state, executor, std::move(function));
    auto response = co_await guarded(state, request, request.limit(), Phase::answering, std::move(handling));
    finish(*state, request, response);
    co_return response;
}

class InProcessStream final : public ResponseStream {
public:
    InProcessStream(std::shared_ptr<State> state, const Request& request, Opened opened)
        : state_(std::move(state)), request_(request), head_(std::move(opened.response)), source_(head_.source()),
          piece_(std::move(opened.piece)), failure_(opened.failure)
    {
        request_.set_body(std::string(), std::string());
        head_.set_source(nullptr);
        if (!source_ && !head_.body().empty())
            piece_ = std::exchange(head_.body(), std::string());
        is_over_ = !source_ || (!piece_ && !failure_);
        if (request_.method() == Method::head || !detail::may_have_body(head_.status())) {
            piece_.reset();
            failure_ = nullptr;
            end();
        }
    }

    const Response& head() const noexcept override { return head_; }

    Task<std::optional<std::string>> read() override
    {
        std::optional<std::string> piece = std::exchange(piece_, std::nullopt);
        while (!is_over_ && (!piece || piece->empty()))
            co_await pull(piece);
        size_ += piece ? piece->size() : 0;
        if (size_ > request_.response_limit()) {
            end();
            fail(
                request_, Errc::protocol, "the answer of " + state_->origin + " is larger than allowed",
                TransportError::Sent::unknown, false);
        }
        co_return piece;
    }

private:
    void end()
    {
        is_over_ = true;
        source_.reset();
    }

    Task<> pull(std::optional<std::string>& piece)
    {
        if (state_->closed)
            fail_closed(request_, TransportError::Sent::unknown);
        std::exception_ptr failure = std::exchange(failure_, nullptr);
        if (!failure) {
            const auto executor = co_await asio::this_coro::executor;
            std::function<Task<std::optional<std::string>>()> function = [handler = state_->handler, source = source_] {
                return next_piece(handler, source);
            };
            auto pulling = start(*state_, executor, std::move(function));
            try {
                piece = co_await guarded(state_, request_, request_.idle_limit(), Phase::streaming, std::move(pulling));
            } catch (...) {
                failure = std::current_exception();
            }
        }
        if (!failure && piece)
            co_return;
        end();
        if (failure)
            rethrow(failure);
    }

    [[noreturn]] void rethrow(const std::exception_ptr& failure) const
    {
        try {
            std::rethrow_exception(failure);
        } catch (const CutOff&) {
            fail(
                request_, Errc::protocol, "the answer of " + state_->origin + " was cut off",
                TransportError::Sent::unknown, true);
        }
    }

    std::shared_ptr<State> state_;
    Request request_;
    Response head_;
    std::shared_ptr<BodySource> source_;
    std::optional<std::string> piece_;
    std::exception_ptr failure_;
    std::size_t size_ = 0;
    bool is_over_ = false;
};

Task<std::unique_ptr<ResponseStream>> open_stream(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    const auto executor = co_await asio::this_coro::executor;
    std::optional<Executor> home;
    if (executor != state->handler_executor)
        home = state->handler_executor;
    std::function<Task<Opened>()> function = [handler = state->handler, copy = copy_of(request), home] {
        return open(handler, copy, home);
    };
    auto opening = start(*state, executor, std::move(function));
    auto opened = co_await guarded(state, request, request.limit(), Phase::answering, std::move(opening));
    auto stream = std::make_unique<InProcessStream>(state, request, std::move(opened));
    co_return stream;
}

class InProcess final : public Transport {
public:
    explicit InProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

    ~InProcess() override { close(); }

    Task<Response> send(const Request& request) override { return exchange(state_, request); }

    Task<std::unique_ptr<ResponseStream>> open(const Request& request) override { return open_stream(state_, request); }

    Task<WebSocketAnswer> open_websocket(const Request& request) override
    {
        return in_process::open_websocket(state_, request);
    }

    void close() noexcept override
    {
        if (std::exchange(state_->closed, true))
            return;
        in_process::drop(*state_);
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
