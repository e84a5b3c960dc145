#include <golem/bus/connection.hpp>

#include <bus/services.hpp>

#include <golem/bus/detail/bus_url.hpp>
#include <golem/bus/words.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace golem::bus {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr Duration drain_limit = std::chrono::seconds(1);

CallError call_error(int code, const std::string& address, const std::string& words)
{
    return CallError(
        code == detail::reply_bad_request ? ReplyCode::bad_request : ReplyCode::service_failure, address, words);
}

Errc errc_of(ReplyCode code, const std::string& words)
{
    if (code != ReplyCode::bad_request)
        return Errc::daemon_failed;
    return words == address_not_found ? Errc::not_found : Errc::refused;
}

std::string explanation_of(Errc code)
{
    switch (code) {
    case Errc::not_found: return "nobody has this address: the service is not there yet, or has left";
    case Errc::refused: return "the bus refuses the call";
    default: return "the service failed";
    }
}

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "connect to the service bus", explanation);
}

asio::generic::stream_protocol::endpoint endpoint_of(const detail::BusUrl& url)
{
    if (url.path.empty())
        return asio::ip::tcp::endpoint(asio::ip::make_address(url.address), url.port);
    if (url.path.size() > 107)
        refuse("the path \"" + url.path + "\" is too long for a socket");
    return asio::local::stream_protocol::endpoint(url.path);
}

} // namespace

CallError::CallError(ReplyCode code, const std::string& address, const std::string& words)
    : Error(errc_of(code, words), "call " + address, explanation_of(errc_of(code, words))), code_(code)
{
    set_their_words(words);
}

Call::Call(std::string caller, std::string address, std::size_t prefix_length, std::string body, bool wants_reply)
    : caller_(std::move(caller)), address_(std::move(address)), prefix_length_(prefix_length), body_(std::move(body)),
      wants_reply_(wants_reply)
{
}

std::string_view Call::component() const noexcept
{
    const auto rest = std::string_view(address_).substr(std::min(prefix_length_, address_.size()));
    return rest.empty() ? rest : rest.substr(1);
}

void ConnectionState::require_open(const std::string& operation) const
{
    if (open)
        return;
    Error error(Errc::closed, operation, "the connection to the service bus has ended");
    if (failure)
        error.set_their_words(describe(failure));
    throw error;
}

class Connection::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, const ConnectionOptions& options, const Random& random, Logger log)
        : state_(executor, time, options, std::move(log)), url_(detail::parse_bus_url(options.url)), greeted_(executor),
          ended_(executor), finished_(executor), services_(state_),
          tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
              state_.log.error("service bus: ", name, " ended: ", describe(failure));
          })
    {
        if (time.is_virtual())
            refuse("sockets take real time: use RealTime");
        for (const auto& [limit, name] : std::initializer_list<std::pair<Duration, const char*>>{
                 {state_.options.connect_limit, "connect_limit"},
                 {state_.options.reply_limit, "reply_limit"},
                 {state_.options.call_limit, "call_limit"},
                 {state_.options.handler_limit, "handler_limit"}})
            if (limit <= Duration(0))
                refuse("ConnectionOptions::" + std::string(name) + " must be more than zero");
        if (state_.options.largest_message == 0 || state_.options.most_unsent == 0)
            refuse("ConnectionOptions::largest_message and most_unsent must be more than zero");
        Random source = random;
        instance_ = source.hex(16);
    }

    bool is_open() const noexcept { return state_.open; }
    Event& ended() noexcept { return ended_; }
    std::exception_ptr failure() const noexcept { return state_.failure; }

    Task<> open()
    {
        std::exception_ptr failure;
        try {
            auto connecting = connect();
            const bool done = co_await with_timeout(
                state_.time, state_.options.connect_limit, std::move(connecting), "a bus to say hello");
            if (!done)
                failure = std::make_exception_ptr(unreachable("nobody says hello there; is it a service bus?"));
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            co_return;
        // Also if the caller was cancelled: then any await that is not prepared would throw at once, and reader and
        // writer would go on without their owner.
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await close();
        co_await asio::this_coro::throw_if_cancelled(throws);
        std::rethrow_exception(failure);
    }

    Task<> close()
    {
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto rest = finish();
        co_await shield(std::move(rest));
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

    Services& services() noexcept { return services_; }

    Task<std::string> call(const std::string& address, const std::string& body, PartHandler on_part)
    {
        state_.require_open("call " + address);
        const Use use(state_);
        detail::CallRequest request;
        request.caller = state_.options.caller;
        request.address = address;
        request.id = instance_ + "-" + std::to_string(++last_call_);
        request.body = body;
        const auto pending = std::make_shared<Pending>(state_.executor);
        const Waiting waiting(calls_, request.id, pending);
        state_.link->send(request);
        for (;;) {
            if (pending->replies.empty() && state_.open) {
                auto arrival = pending->arrived.wait();
                const bool came = co_await with_timeout(
                    state_.time, state_.options.call_limit, std::move(arrival), "a reply on the bus");
                if (!came)
                    throw Error(Errc::timed_out, "call " + address, "no reply came in time").set_transient(true);
            }
            if (pending->replies.empty())
                state_.require_open("call " + address);
            auto reply = std::move(pending->replies.front());
            pending->replies.pop_front();
            if (pending->replies.empty() && state_.open)
                pending->arrived.reset();
            if (reply.code != detail::reply_ok)
                throw call_error(reply.code, address, reply.body);
            if (reply.type != detail::type_part)
                co_return std::move(reply.body);
            if (on_part)
                on_part(std::move(reply.body));
        }
    }

private:
    // Someone who waits for a service.
    struct Pending {
        explicit Pending(const Executor& executor) : arrived(executor) {}
        Event arrived;
        std::deque<detail::CallReply> replies;
    };

    using Calls = std::map<std::string, std::shared_ptr<Pending>>;

    class Waiting {
    public:
        Waiting(Calls& calls, const std::string& id, const std::shared_ptr<Pending>& pending) : calls_(calls), id_(id)
        {
            calls_.emplace(id_, pending);
        }
        ~Waiting() { calls_.erase(id_); }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;

    private:
        Calls& calls_;
        std::string id_;
    };

    Error unreachable(const std::string& explanation) const
    {
        return Error(Errc::unreachable, "connect to the service bus at " + state_.options.url, explanation)
            .set_transient(true);
    }

    Task<> connect()
    {
        Link::Socket socket(state_.executor);
        const auto endpoint = endpoint_of(url_);
        auto [error] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::deferred));
        if (error == asio::error::operation_aborted)
            throw boost::system::system_error(error);
        if (error)
            throw unreachable("nobody listens there (" + error.message() + "); is the daemon running?");
        if (closing_)
            throw Error(Errc::closed, "connect to the service bus", "the connection was closed meanwhile");
        state_.link =
            std::make_unique<Link>(std::move(socket), state_.options.largest_message, state_.options.most_unsent);
        state_.open = true;
        tasks_.spawn("reader", [this] { return read(); });
        tasks_.spawn("writer", [this] { return write(); });
        detail::Hello hello;
        hello.name = state_.options.name;
        hello.version = library_version;
        hello.instance = instance_;
        state_.link->send(hello);
        co_await greeted_.wait();
        if (!state_.open)
            throw unreachable("the connection ended before anybody said hello; is it a service bus?");
    }

    Task<> read()
    {
        std::exception_ptr failure;
        try {
            for (bool more = true; more;) {
                auto message = co_await state_.link->read();
                more = message.has_value();
                if (more)
                    take(*std::move(message));
            }
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            failure = std::make_exception_ptr(Error(Errc::closed, "read the service bus", "the other side has left"));
        end(failure);
    }

    Task<> write()
    {
        std::exception_ptr failure;
        try {
            co_await state_.link->write();
        } catch (...) {
            failure = std::current_exception();
        }
        end(failure);
    }

    // The connection is over, from either side. What runs is told; close() waits for it.
    void end(const std::exception_ptr& failure)
    {
        if (!std::exchange(state_.open, false)) {
            greeted_.set();
            ended_.set();
            return;
        }
        if (!closing_) {
            state_.failure = failure;
            state_.log.debug("service bus: the connection ended: ", describe(failure));
            state_.link->close();
        }
        greeted_.set();
        ended_.set();
        for (const auto& [id, pending] : calls_)
            pending->arrived.set();
        services_.end();
    }

    Task<> finish()
    {
        if (std::exchange(closing_, true)) {
            co_await finished_.wait();
            co_return;
        }
        end(nullptr);
        co_await services_.join();
        co_await state_.unused.wait();
        services_.clear();
        if (state_.link) {
            auto drained = state_.link->drained();
            co_await with_timeout(state_.time, drain_limit, std::move(drained), "the last replies to be sent");
            state_.link->close();
        }
        tasks_.cancel();
        co_await tasks_.join();
        finished_.set();
    }

    void take(detail::Message message)
    {
        if (auto* request = std::get_if<detail::CallRequest>(&message))
            services_.take(std::move(*request));
        else if (auto* reply = std::get_if<detail::CallReply>(&message))
            arrive(std::move(*reply));
        else if (const auto* registered = std::get_if<detail::Registered>(&message))
            services_.take(*registered);
        else if (const auto* unregistered = std::get_if<detail::Unregistered>(&message))
            services_.take(*unregistered);
        else if (std::holds_alternative<detail::Hello>(message))
            greeted_.set();
        else if (std::holds_alternative<detail::Ping>(message))
            state_.link->send(detail::Pong());
    }

    void arrive(detail::CallReply reply)
    {
        const auto waiting = calls_.find(reply.id);
        if (waiting == calls_.end())
            return;
        waiting->second->replies.push_back(std::move(reply));
        waiting->second->arrived.set();
    }

    ConnectionState state_;
    detail::BusUrl url_;
    std::string instance_;
    bool closing_ = false;
    Event greeted_;
    Event ended_;
    Event finished_;
    Services services_;
    Calls calls_;
    std::uint64_t last_call_ = 0;
    TaskGroup tasks_;
};

Connection::Connection(
    const Executor& executor, TimeSource& time, const ConnectionOptions& options, const Random& random, Logger log)
    : implementation_(std::make_unique<Implementation>(executor, time, options, random, std::move(log)))
{
}

Connection::~Connection() = default;

Task<> Connection::open() { return implementation_->open(); }

Task<> Connection::close() { return implementation_->close(); }

bool Connection::is_open() const noexcept { return implementation_->is_open(); }

Event& Connection::ended() noexcept { return implementation_->ended(); }

std::exception_ptr Connection::failure() const noexcept { return implementation_->failure(); }

Task<> Connection::add_service(const std::string& prefix, Handler handler)
{
    return implementation_->services().add(prefix, std::move(handler));
}

Task<> Connection::remove_service(const std::string& prefix) { return implementation_->services().remove(prefix); }

Task<std::string> Connection::call(const std::string& address, const std::string& body)
{
    return implementation_->call(address, body, PartHandler());
}

Task<std::string> Connection::call(const std::string& address, const std::string& body, PartHandler on_part)
{
    return implementation_->call(address, body, std::move(on_part));
}

} // namespace golem::bus
