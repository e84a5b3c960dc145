#include "in_process_state.hpp"

#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>

#include <boost/asio/post.hpp>

#include <deque>

namespace golem::http::in_process {

namespace {

constexpr Duration service_limit = std::chrono::seconds(10);

} // namespace

enum class Side { client, server };

// Both ends of a websocket. It lives, and is only touched, on the handler's executor.
class Link {
public:
    Link(const Executor& executor, TimeSource* time, std::size_t client_limit, std::size_t server_limit)
        : time_(time), to_client_(executor, client_limit), to_server_(executor, server_limit), ended_(executor),
          group_(executor)
    {
    }

    TimeSource& time() noexcept { return time_ ? *time_ : real_time_; }
    Event& ended() noexcept { return ended_; }
    TaskGroup& group() noexcept { return group_; }
    bool is_over() const noexcept { return over_; }
    // What the other side of `side` said.
    const std::optional<WebSocketEnd>& said_to(Side side) const noexcept
    {
        return side == Side::client ? server_said_ : client_said_;
    }

    Task<> put(Side from, const WebSocketMessage& message)
    {
        auto& way = from == Side::client ? to_server_ : to_client_;
        check_open(from);
        while (way.size >= WebSocket::read_ahead) {
            way.room.reset();
            co_await way.room.wait();
            check_open(from);
        }
        if (message.data().size() > way.limit) {
            finish(failure_of(
                Errc::protocol, "a message is larger than allowed (" + std::to_string(way.limit) + " bytes)", false));
            check_open(from);
        }
        way.size += message.data().size();
        way.inbox.push_back(message);
        way.arrived.set();
    }

    Task<std::optional<WebSocketMessage>> take(Side to)
    {
        auto& way = to == Side::client ? to_client_ : to_server_;
        while (way.inbox.empty() && !over_) {
            way.arrived.reset();
            co_await way.arrived.wait();
        }
        std::optional<WebSocketMessage> message;
        const bool left = to == Side::client ? client_said_.has_value() : server_said_.has_value();
        if (!way.inbox.empty() && !left) {
            message = std::move(way.inbox.front());
            way.inbox.pop_front();
            way.size -= message->data().size();
            if (way.size < WebSocket::read_ahead)
                way.room.set();
        } else if (!said_to(to)) {
            check_open(to);
        }
        co_return message;
    }

    void say_farewell(Side from, std::uint16_t code, std::string reason)
    {
        if (over_)
            return;
        auto& said = from == Side::client ? client_said_ : server_said_;
        said.emplace();
        said->code = code;
        said->reason = std::move(reason);
        finish(nullptr);
    }

    // Null: cut off.
    void finish(std::exception_ptr failure)
    {
        if (over_)
            return;
        over_ = true;
        failure_ = std::move(failure);
        if (!failure_ && !client_said_ && !server_said_)
            failure_ = failure_of(Errc::protocol, "the websocket was cut off", true);
        for (auto* way : {&to_client_, &to_server_}) {
            way->arrived.set();
            way->room.set();
        }
        ended_.set();
    }

private:
    struct Way {
        Way(const Executor& executor, std::size_t the_limit) : limit(the_limit), arrived(executor), room(executor) {}

        std::deque<WebSocketMessage> inbox;
        std::size_t size = 0;
        std::size_t limit;
        Event arrived;
        Event room;
    };

    static std::exception_ptr failure_of(Errc code, std::string explanation, bool transient)
    {
        TransportError error(code, "use a websocket", std::move(explanation), TransportError::Sent::unknown);
        error.set_transient(transient);
        return std::make_exception_ptr(error);
    }

    void check_open(Side side) const
    {
        if (!over_)
            return;
        if (failure_)
            std::rethrow_exception(failure_);
        const auto& end = said_to(side);
        std::rethrow_exception(failure_of(
            Errc::closed,
            end ? "the other side closed the websocket (" + std::to_string(end->code) +
                      (end->reason.empty() ? std::string() : ", " + end->reason) + ")"
                : std::string("the websocket was closed by this program"),
            end.has_value()));
    }

    TimeSource* time_;
    RealTime real_time_;
    Way to_client_;
    Way to_server_;
    bool over_ = false;
    std::optional<WebSocketEnd> client_said_;
    std::optional<WebSocketEnd> server_said_;
    std::exception_ptr failure_;
    Event ended_;
    TaskGroup group_;
};

namespace {

class ServerEnd final : public WebSocket {
public:
    ServerEnd(std::shared_ptr<Link> link, std::string protocol) : link_(std::move(link)), protocol_(std::move(protocol))
    {
    }

    const std::string& protocol() const noexcept override { return protocol_; }
    Task<> send(const WebSocketMessage& message) override { return link_->put(Side::server, message); }
    Task<std::optional<WebSocketMessage>> receive() override { return link_->take(Side::server); }
    using WebSocket::close;
    Task<> close(std::uint16_t code, std::string_view reason) override
    {
        link_->say_farewell(Side::server, code, std::string(reason));
        co_return;
    }
    const std::optional<WebSocketEnd>& end() const noexcept override { return link_->said_to(Side::server); }

private:
    std::shared_ptr<Link> link_;
    std::string protocol_;
};

Task<> serve_into(WebSocketService& service, WebSocket& socket, std::exception_ptr& failure)
{
    try {
        co_await service.serve(socket);
    } catch (...) {
        failure = std::current_exception();
    }
}

Task<> watch(Link& link)
{
    co_await link.ended().wait();
    if (link.said_to(Side::server))
        co_await link.time().sleep_for(service_limit, "a service to end after its websocket");
}

bool is_transport_error(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const TransportError&) {
        return true;
    } catch (...) {
        return false;
    }
}

// The handler is kept as long as its service works.
Task<> serve(
    [[maybe_unused]] std::shared_ptr<Handler> handler, std::shared_ptr<WebSocketService> service,
    std::shared_ptr<Link> link, std::string protocol)
{
    ServerEnd socket(link, std::move(protocol));
    std::exception_ptr failure;
    auto serving = serve_into(*service, socket, failure);
    auto watching = watch(*link);
    const auto first = co_await first_of(std::move(serving), std::move(watching));
    if (first == 1 || is_cancelled(failure))
        link->finish(nullptr);
    else if (!failure)
        link->say_farewell(Side::server, 1000, std::string());
    else if (is_transport_error(failure))
        link->finish(nullptr);
    else
        link->finish(failure); // A defect shows at the caller.
}

// The client's hold on a link: when the last one goes, so does the connection, over there.
std::shared_ptr<Link> held_from(const std::optional<Executor>& home, std::shared_ptr<Link> link)
{
    auto* const plain = link.get();
    return std::shared_ptr<Link>(plain, [home, link](Link*) mutable {
        if (home)
            asio::post(*home, [link = std::move(link)] { link->finish(nullptr); });
        else
            link->finish(nullptr);
    });
}

struct Opened {
    Response response;
    std::shared_ptr<Link> link;
};

Task<Opened> open(
    std::shared_ptr<Handler> handler, std::shared_ptr<const Request> request, Executor executor,
    std::optional<Executor> home, TimeSource* time)
{
    Opened opened;
    opened.response = co_await handler->handle(*request);
    const auto service = opened.response.websocket();
    opened.response.set_websocket(nullptr);
    if (const auto source = opened.response.source()) {
        opened.response.set_source(nullptr);
        opened.response.body().clear();
        while (opened.response.body().size() <= request->response_limit()) {
            const auto piece = co_await source->next();
            if (!piece)
                break;
            opened.response.body() += *piece;
        }
    }
    if (!service)
        co_return opened;
    auto link = std::make_shared<Link>(executor, time, request->response_limit(), service->message_limit());
    const std::string protocol(opened.response.headers().get("Sec-WebSocket-Protocol").value_or(""));
    link->group().spawn(
        "websocket", [handler, service, link, protocol] { return serve(handler, service, link, protocol); });
    opened.link = held_from(home, std::move(link));
    co_return opened;
}

// Waits for the handler's side as long as the transport is open.
template <typename T>
Task<T> guarded(std::shared_ptr<State> state, const Request& request, Task<T> work)
{
    const auto executor = co_await asio::this_coro::executor;
    Active active(*state, executor);
    std::optional<T> result;
    std::exception_ptr failure;
    auto working = work_into(std::move(work), result, failure);
    auto closed = active.closed().wait();
    co_await first_of(std::move(working), std::move(closed));
    const auto after = co_await asio::this_coro::cancellation_state;
    if (state->closed)
        fail_closed(request, TransportError::Sent::unknown);
    if (after.cancelled() != asio::cancellation_type::none && !result)
        throw boost::system::system_error(asio::error::operation_aborted);
    if (failure)
        std::rethrow_exception(failure);
    co_return std::move(*result);
}

struct Taken {
    std::optional<WebSocketMessage> message;
    std::optional<WebSocketEnd> end;
};

Task<Taken> take(std::shared_ptr<Link> link)
{
    Taken taken;
    taken.message = co_await link->take(Side::client);
    if (!taken.message)
        taken.end = link->said_to(Side::client);
    co_return taken;
}

Task<bool> put(std::shared_ptr<Link> link, std::shared_ptr<const WebSocketMessage> message)
{
    co_await link->put(Side::client, *message);
    co_return true;
}

Task<bool> say_farewell(std::shared_ptr<Link> link, std::uint16_t code, std::string reason)
{
    link->say_farewell(Side::client, code, std::move(reason));
    co_return true;
}

class ClientEnd final : public WebSocket {
public:
    ClientEnd(std::shared_ptr<State> state, const Request& request, std::shared_ptr<Link> link, std::string protocol)
        : state_(std::move(state)), request_(request), link_(std::move(link)), protocol_(std::move(protocol))
    {
    }

    const std::string& protocol() const noexcept override { return protocol_; }

    Task<> send(const WebSocketMessage& message) override
    {
        check_open();
        const auto executor = co_await asio::this_coro::executor;
        std::function<Task<bool>()> function = [link = link_, copy = std::make_shared<WebSocketMessage>(message)] {
            return put(link, copy);
        };
        auto putting = start(*state_, executor, std::move(function));
        co_await guarded(state_, request_, std::move(putting));
    }

    Task<std::optional<WebSocketMessage>> receive() override
    {
        check_open();
        const auto executor = co_await asio::this_coro::executor;
        std::function<Task<Taken>()> function = [link = link_] { return take(link); };
        auto taking = start(*state_, executor, std::move(function));
        auto taken = co_await guarded(state_, request_, std::move(taking));
        if (taken.end)
            end_ = std::move(taken.end);
        co_return std::move(taken.message);
    }

    using WebSocket::close;
    Task<> close(std::uint16_t code, std::string_view reason) override
    {
        if (state_->closed)
            co_return;
        const auto executor = co_await asio::this_coro::executor;
        std::function<Task<bool>()> function = [link = link_, code, text = std::string(reason)] {
            return say_farewell(link, code, text);
        };
        auto saying = start(*state_, executor, std::move(function));
        co_await guarded(state_, request_, std::move(saying));
    }

    const std::optional<WebSocketEnd>& end() const noexcept override { return end_; }

private:
    void check_open() const
    {
        if (state_->closed)
            fail_closed(request_, TransportError::Sent::unknown);
    }

    std::shared_ptr<State> state_;
    Request request_;
    std::shared_ptr<Link> link_;
    std::string protocol_;
    std::optional<WebSocketEnd> end_;
};

} // namespace

Task<WebSocketAnswer> open_websocket(std::shared_ptr<State> state, const Request& request)
{
    detail::check(request);
    if (request.method() != Method::get)
        throw Error(Errc::invalid_input, detail::describe(request), "a websocket is asked for by GET");
    if (state->closed)
        fail_closed(request, TransportError::Sent::no);
    const auto executor = co_await asio::this_coro::executor;
    std::optional<Executor> home;
    TimeSource* time = &state->time;
    if (executor != state->handler_executor) {
        home = state->handler_executor;
        time = nullptr;
    }
    auto copy = std::make_shared<Request>(request);
    copy->headers().set("Upgrade", "websocket");
    copy->headers().set("Connection", "Upgrade");
    std::function<Task<Opened>()> function = [handler = state->handler, copy = std::shared_ptr<const Request>(copy),
                                              home, executor = state->handler_executor,
                                              time] { return open(handler, copy, executor, home, time); };
    auto opening = start(*state, executor, std::move(function));
    auto guard = guarded(state, request, std::move(opening));
    auto opened = co_await with_timeout(state->time, request.limit(), std::move(guard), "limit of a request");
    if (!opened)
        fail(
            request, Errc::timed_out, "no answer from " + state->origin + " within " + detail::to_text(request.limit()),
            TransportError::Sent::unknown, true);
    WebSocketAnswer answer;
    answer.response = std::move(opened->response);
    if (!opened->link)
        co_return answer;
    std::erase_if(state->links, [](const std::weak_ptr<Link>& link) { return link.expired(); });
    state->links.push_back(opened->link);
    std::string protocol(answer.response.headers().get("Sec-WebSocket-Protocol").value_or(""));
    answer.socket = std::make_unique<ClientEnd>(state, request, std::move(opened->link), std::move(protocol));
    co_return answer;
}

void drop(const State& state) noexcept
{
    for (const auto& weak : state.links) {
        if (auto link = weak.lock())
            asio::post(state.handler_executor, [link = std::move(link)] { link->finish(nullptr); });
    }
}

} // namespace golem::http::in_process
