#include <golem/bus/connection.hpp>

#include <bus/link.hpp>

#include <golem/bus/detail/bus_url.hpp>
#include <golem/bus/detail/prefix_table.hpp>
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
constexpr std::string_view not_found_words = "endpoint address not found";

CallError call_error(int code, const std::string& address, const std::string& words)
{
    return CallError(
        code == detail::reply_bad_request ? ReplyCode::bad_request : ReplyCode::service_failure, address, words);
}

Errc errc_of(ReplyCode code, const std::string& words)
{
    if (code != ReplyCode::bad_request)
        return Errc::daemon_failed;
    return words == not_found_words ? Errc::not_found : Errc::refused;
}

std::string explanation_of(Errc code)
{
    switch (code) {
    case Errc::not_found: return "nobody has this address: the service is not there yet, or has left";
    case Errc::refused: return "the bus refuses the call";
    default: return "the service failed";
    }
}

detail::CallReply reply_to(const std::string& id, int code, int type, std::string body)
{
    detail::CallReply reply;
    reply.id = id;
    reply.code = code;
    reply.type = type;
    reply.body = std::move(body);
    return reply;
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

class Connection::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, const ConnectionOptions& options, const Random& random, Logger log)
        : executor_(executor), time_(time), options_(options), log_(std::move(log)),
          url_(detail::parse_bus_url(options.url)), greeted_(executor), ended_(executor), finished_(executor),
          unused_(executor), tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
              log_.error("service bus: ", name, " ended: ", describe(failure));
          })
    {
        unused_.set();
        if (time.is_virtual())
            refuse("sockets take real time: use RealTime");
        for (const auto& [limit, name] : std::initializer_list<std::pair<Duration, const char*>>{
                 {options_.connect_limit, "connect_limit"},
                 {options_.reply_limit, "reply_limit"},
                 {options_.call_limit, "call_limit"},
                 {options_.handler_limit, "handler_limit"}})
            if (limit <= Duration(0))
                refuse("ConnectionOptions::" + std::string(name) + " must be more than zero");
        if (options_.largest_message == 0 || options_.most_unsent == 0)
            refuse("ConnectionOptions::largest_message and most_unsent must be more than zero");
        Random source = random;
        instance_ = source.hex(16);
    }

    bool is_open() const noexcept { return open_; }
    Event& ended() noexcept { return ended_; }
    std::exception_ptr failure() const noexcept { return failure_; }

    Task<> open()
    {
        std::exception_ptr failure;
        try {
            auto connecting = connect();
            const bool done =
                co_await with_timeout(time_, options_.connect_limit, std::move(connecting), "a bus to say hello");
            if (!done)
                failure = std::make_exception_ptr(unreachable("nobody says hello there; is it a service bus?"));
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure)
            co_return;
        co_await close();
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

    Task<> add_service(const std::string& prefix, Handler handler)
    {
        require_open("offer " + prefix);
        const Use use(*this);
        auto service = std::make_shared<Service>(*this, prefix, std::move(handler));
        if (!services_.add(prefix, service))
            throw Error(Errc::refused, "offer " + prefix, "this connection offers it already");
        Registering registering(*this, service);
        detail::Register request;
        request.prefix = prefix;
        link_->send(request);
        registering_.push_back(registering.waiter());
        const int code = co_await reply_of_bus(registering.waiter(), "offer " + prefix);
        if (code != detail::reply_ok)
            throw Error(
                Errc::refused, "offer " + prefix,
                code == detail::reply_conflict ? "somebody else offers it" : "the bus does not like this address");
        registering.succeed();
    }

    Task<> remove_service(const std::string& prefix)
    {
        const Use use(*this);
        const auto* found = services_.at(prefix);
        if (!found)
            co_return;
        const auto service = *found;
        dismiss(service);
        std::exception_ptr failure;
        if (open_) {
            auto waiter = std::make_shared<Waiter>(executor_);
            detail::Unregister request;
            request.prefix = prefix;
            link_->send(request);
            unregistering_.push_back(waiter);
            try {
                co_await reply_of_bus(waiter, "withdraw " + prefix);
            } catch (...) {
                failure = std::current_exception();
            }
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        co_await end_of(*service);
        std::erase(leaving_, service);
        // That the connection ended meanwhile has withdrawn it as well.
        if (failure && open_)
            std::rethrow_exception(failure);
    }

    Task<std::string> call(const std::string& address, const std::string& body, PartHandler on_part)
    {
        require_open("call " + address);
        const Use use(*this);
        detail::CallRequest request;
        request.caller = options_.caller;
        request.address = address;
        request.id = instance_ + "-" + std::to_string(++last_call_);
        request.body = body;
        const auto pending = std::make_shared<Pending>(executor_);
        const Waiting waiting(calls_, request.id, pending);
        link_->send(request);
        for (;;) {
            if (pending->replies.empty() && open_) {
                auto arrival = pending->arrived.wait();
                const bool came =
                    co_await with_timeout(time_, options_.call_limit, std::move(arrival), "a reply on the bus");
                if (!came)
                    throw Error(Errc::timed_out, "call " + address, "no reply came in time").set_transient(true);
            }
            if (pending->replies.empty())
                require_open("call " + address);
            auto reply = std::move(pending->replies.front());
            pending->replies.pop_front();
            if (pending->replies.empty() && open_)
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
    // Somebody is in here; close() waits until they have left.
    class Use {
    public:
        explicit Use(Implementation& owner) : owner_(owner)
        {
            ++owner_.users_;
            owner_.unused_.reset();
        }
        ~Use()
        {
            if (--owner_.users_ == 0)
                owner_.unused_.set();
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

    private:
        Implementation& owner_;
    };

    // Someone who waits for the bus to confirm something.
    struct Waiter {
        explicit Waiter(const Executor& executor) : done(executor) {}
        Event done;
        int code = 0;
        std::string abandoned; // the prefix that must not stay registered
    };

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

    struct Service {
        Service(Implementation& owner, std::string its_prefix, Handler its_handler)
            : prefix(std::move(its_prefix)), handler(std::move(its_handler)),
              calls(owner.executor_, [&owner, name = prefix](const std::string&, std::exception_ptr failure) {
                  owner.log_.error("service bus: a call to ", name, " ended: ", describe(failure));
              })
        {
        }

        std::string prefix;
        Handler handler;
        TaskGroup calls;
    };

    // Takes a service back unless the bus confirmed it.
    class Registering {
    public:
        Registering(Implementation& owner, std::shared_ptr<Service> service)
            : owner_(owner), service_(std::move(service)), waiter_(std::make_shared<Waiter>(owner.executor_))
        {
        }
        ~Registering()
        {
            if (succeeded_)
                return;
            if (!waiter_->done.is_set())
                waiter_->abandoned = service_->prefix;
            owner_.dismiss(service_);
        }
        Registering(const Registering&) = delete;
        Registering& operator=(const Registering&) = delete;

        const std::shared_ptr<Waiter>& waiter() const noexcept { return waiter_; }
        void succeed() noexcept { succeeded_ = true; }

    private:
        Implementation& owner_;
        std::shared_ptr<Service> service_;
        std::shared_ptr<Waiter> waiter_;
        bool succeeded_ = false;
    };

    class ReplyWriter final : public Answer {
    public:
        ReplyWriter(Implementation& owner, std::string id, bool wants_reply)
            : owner_(owner), id_(std::move(id)), wants_reply_(wants_reply)
        {
        }

        Task<> part(const std::string& body) override
        {
            if (finished_)
                co_return;
            write(detail::reply_ok, detail::type_part, body);
            co_await owner_.link_->room();
        }
        void finish(const std::string& body) override { end(detail::reply_ok, body); }
        void fail(const std::string& words) override { end(detail::reply_failure, words); }
        bool is_finished() const noexcept override { return finished_; }

    private:
        void end(int code, const std::string& body)
        {
            if (!std::exchange(finished_, true))
                write(code, detail::type_full, body);
        }
        void write(int code, int type, const std::string& body)
        {
            if (wants_reply_)
                owner_.link_->send(reply_to(id_, code, type, body));
        }

        Implementation& owner_;
        std::string id_;
        bool wants_reply_;
        bool finished_ = false;
    };

    Error unreachable(const std::string& explanation) const
    {
        return Error(Errc::unreachable, "connect to the service bus at " + options_.url, explanation)
            .set_transient(true);
    }

    void require_open(const std::string& operation) const
    {
        if (open_)
            return;
        Error error(Errc::closed, operation, "the connection to the service bus has ended");
        if (failure_)
            error.set_their_words(describe(failure_));
        throw error;
    }

    Task<> connect()
    {
        Link::Socket socket(executor_);
        const auto endpoint = endpoint_of(url_);
        auto [error] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::deferred));
        if (error == asio::error::operation_aborted)
            throw boost::system::system_error(error);
        if (error)
            throw unreachable("nobody listens there (" + error.message() + "); is the daemon running?");
        if (closing_)
            throw Error(Errc::closed, "connect to the service bus", "the connection was closed meanwhile");
        link_ = std::make_unique<Link>(std::move(socket), options_.largest_message, options_.most_unsent);
        open_ = true;
        tasks_.spawn("reader", [this] { return read(); });
        tasks_.spawn("writer", [this] { return write(); });
        detail::Hello hello;
        hello.name = options_.name;
        hello.version = "0.1.0";
        hello.instance = instance_;
        link_->send(hello);
        co_await greeted_.wait();
        if (!open_)
            throw unreachable("the connection ended before anybody said hello; is it a service bus?");
    }

    Task<> read()
    {
        std::exception_ptr failure;
        try {
            for (bool more = true; more;) {
                auto message = co_await link_->read();
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
            co_await link_->write();
        } catch (...) {
            failure = std::current_exception();
        }
        end(failure);
    }

    // The connection is over, from either side. What runs is told; close() waits for it.
    void end(const std::exception_ptr& failure)
    {
        if (!std::exchange(open_, false)) {
            greeted_.set();
            ended_.set();
            return;
        }
        if (!closing_) {
            failure_ = failure;
            log_.debug("service bus: the connection ended: ", describe(failure));
            link_->close();
        }
        greeted_.set();
        ended_.set();
        for (const auto& [id, pending] : calls_)
            pending->arrived.set();
        for (auto* queue : {&registering_, &unregistering_}) {
            for (const auto& waiter : *queue)
                waiter->done.set();
            queue->clear();
        }
        services_.for_each([](const std::string&, const auto& service) { service->calls.cancel(); });
    }

    Task<> finish()
    {
        if (std::exchange(closing_, true)) {
            co_await finished_.wait();
            co_return;
        }
        end(nullptr);
        std::vector<std::shared_ptr<Service>> services = leaving_;
        services_.for_each([&](const std::string&, const auto& service) { services.push_back(service); });
        for (const auto& service : services)
            co_await end_of(*service);
        co_await unused_.wait();
        services_ = {};
        leaving_.clear();
        if (link_) {
            auto drained = link_->drained();
            co_await with_timeout(time_, drain_limit, std::move(drained), "the last replies to be sent");
            link_->close();
        }
        tasks_.cancel();
        co_await tasks_.join();
        finished_.set();
    }

    void take(detail::Message message)
    {
        if (auto* request = std::get_if<detail::CallRequest>(&message))
            start(std::move(*request));
        else if (auto* reply = std::get_if<detail::CallReply>(&message))
            arrive(std::move(*reply));
        else if (const auto* registered = std::get_if<detail::Registered>(&message))
            confirm(registering_, registered->code);
        else if (const auto* unregistered = std::get_if<detail::Unregistered>(&message))
            confirm(unregistering_, unregistered->code);
        else if (std::holds_alternative<detail::Hello>(message))
            greeted_.set();
        else if (std::holds_alternative<detail::Ping>(message))
            link_->send(detail::Pong());
    }

    void start(detail::CallRequest request)
    {
        const auto* found = services_.find(request.address);
        if (!found) {
            // It was removed while the call was on its way.
            if (!request.no_reply)
                link_->send(
                    reply_to(request.id, detail::reply_bad_request, detail::type_full, std::string(not_found_words)));
            return;
        }
        const auto service = *found;
        const auto call = std::make_shared<Call>(
            std::move(request.caller), std::move(request.address), service->prefix.size(), std::move(request.body),
            !request.no_reply);
        service->calls.spawn(
            "call", [this, service, call, id = std::move(request.id)] { return serve(*service, *call, id); });
    }

    Task<> serve(Service& service, const Call& call, const std::string& id)
    {
        ReplyWriter answer(*this, id, call.wants_reply());
        std::exception_ptr failure;
        try {
            auto serving = service.handler(call, answer);
            co_await std::move(serving);
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) {
            answer.Answer::finish();
        } else if (is_cancelled(failure)) {
            answer.fail("the service has left");
        } else {
            log_.warning("service bus: ", call.address(), " failed: ", describe(failure));
            answer.fail(describe(failure));
        }
    }

    void arrive(detail::CallReply reply)
    {
        const auto waiting = calls_.find(reply.id);
        if (waiting == calls_.end())
            return;
        waiting->second->replies.push_back(std::move(reply));
        waiting->second->arrived.set();
    }

    // The bus answers in the order of the requests.
    void confirm(std::deque<std::shared_ptr<Waiter>>& queue, int code)
    {
        if (queue.empty())
            throw Error(Errc::protocol, "read the service bus", "it confirms what nobody asked for");
        const auto waiter = queue.front();
        queue.pop_front();
        waiter->code = code;
        waiter->done.set();
        if (waiter->abandoned.empty() || code != detail::reply_ok)
            return;
        detail::Unregister request;
        request.prefix = waiter->abandoned;
        link_->send(request);
        unregistering_.push_back(std::make_shared<Waiter>(executor_));
    }

    Task<int> reply_of_bus(std::shared_ptr<Waiter> waiter, std::string operation)
    {
        auto done = waiter->done.wait();
        const bool came = co_await with_timeout(time_, options_.reply_limit, std::move(done), "the bus to confirm");
        if (!came)
            throw Error(Errc::timed_out, operation, "the service bus does not answer").set_transient(true);
        require_open(operation);
        co_return waiter->code;
    }

    // No call reaches it any more, and those that run are told to end.
    void dismiss(const std::shared_ptr<Service>& service)
    {
        services_.remove(service->prefix);
        service->calls.cancel();
        std::erase_if(leaving_, [](const auto& left) { return left->calls.size() == 0; });
        leaving_.push_back(service);
    }

    Task<> end_of(Service& service)
    {
        auto joining = service.calls.join();
        const bool done =
            co_await with_timeout(time_, options_.handler_limit, std::move(joining), "cancelled calls to end");
        if (done)
            co_return;
        log_.warning("service bus: calls to ", service.prefix, " do not end though they were cancelled");
        co_await service.calls.join();
    }

    Executor executor_;
    TimeSource& time_;
    ConnectionOptions options_;
    Logger log_;
    detail::BusUrl url_;
    std::string instance_;
    std::unique_ptr<Link> link_;
    bool open_ = false;
    bool closing_ = false;
    std::exception_ptr failure_;
    Event greeted_;
    Event ended_;
    Event finished_;
    Event unused_;
    int users_ = 0;
    detail::PrefixTable<std::shared_ptr<Service>> services_;
    std::vector<std::shared_ptr<Service>> leaving_;
    std::deque<std::shared_ptr<Waiter>> registering_;
    std::deque<std::shared_ptr<Waiter>> unregistering_;
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
    return implementation_->add_service(prefix, std::move(handler));
}

Task<> Connection::remove_service(const std::string& prefix) { return implementation_->remove_service(prefix); }

Task<std::string> Connection::call(const std::string& address, const std::string& body)
{
    return implementation_->call(address, body, PartHandler());
}

Task<std::string> Connection::call(const std::string& address, const std::string& body, PartHandler on_part)
{
    return implementation_->call(address, body, std::move(on_part));
}

} // namespace golem::bus
