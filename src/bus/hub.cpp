#include <golem/bus/hub.hpp>

#include <bus/link.hpp>

#include <golem/bus/detail/router.hpp>
#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/core/task_group.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <map>
#include <utility>

namespace golem::bus {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using detail::Delivery;
using detail::PeerId;

namespace {

constexpr Duration accept_pause = std::chrono::milliseconds(100);

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "start the bus hub", explanation);
}

} // namespace

class Hub::Implementation {
public:
    Implementation(
        const Executor& executor, TimeSource& time, const HubOptions& options, const Random& random, Logger log)
        : time_(time), options_(options), log_(std::move(log)), acceptor_(executor),
          group_(executor, [this](const std::string& name, std::exception_ptr failure) {
              log_.error("bus hub: ", name, " ended: ", describe(failure));
          })
    {
        if (time.is_virtual())
            refuse("sockets take real time: use RealTime");
        if (options_.largest_message == 0 || options_.most_unsent == 0)
            refuse("HubOptions::largest_message and most_unsent must be more than zero");
        Random source = random;
        hello_.name = "golem-hub";
        hello_.version = library_version;
        hello_.instance = source.hex(16);
        listen();
    }

    std::uint16_t port() const noexcept { return port_; }
    std::size_t peers() const noexcept { return peers_.size(); }

    void close()
    {
        if (std::exchange(closed_, true))
            return;
        error_code ignored; // There is nobody to tell, and nothing to do about it.
        acceptor_.close(ignored);
        for (const auto& [id, link] : peers_)
            link->close();
        group_.cancel();
    }

    Task<> run()
    {
        std::exception_ptr failure;
        try {
            co_await accept();
        } catch (...) {
            failure = std::current_exception();
        }
        // Also if the caller was cancelled: no connection outlives this.
        close();
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto rest = group_.join();
        co_await shield(std::move(rest));
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (failure)
            std::rethrow_exception(failure);
    }

private:
    void listen()
    {
        const std::string place = options_.address + " port " + std::to_string(options_.port);
        error_code error;
        const auto address = asio::ip::make_address(options_.address, error);
        if (error)
            refuse("HubOptions::address \"" + options_.address + "\" is not an IP address");
        const Tcp::endpoint endpoint(address, options_.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error)
            acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
        if (!error)
            acceptor_.bind(endpoint, error);
        if (!error)
            acceptor_.listen(Tcp::acceptor::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            refuse(place + " is taken: choose another HubOptions::port, or 0");
        if (error)
            refuse("cannot listen on " + place + " (" + error.message() + ")");
        port_ = acceptor_.local_endpoint().port();
    }

    Task<> accept()
    {
        while (!closed_) {
            auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::deferred));
            if (closed_)
                co_return;
            if (error == asio::error::operation_aborted)
                throw boost::system::system_error(error);
            if (error == asio::error::connection_aborted)
                continue;
            if (error) {
                // Too many open files, as a rule: connections that end make room.
                log_.warning("bus hub: cannot accept a connection: ", error.message());
                co_await time_.sleep_for(accept_pause, "room for a connection");
                continue;
            }
            const auto id = ++last_peer_;
            auto link = std::make_shared<Link>(std::move(socket), options_.largest_message, options_.most_unsent);
            peers_.emplace(id, link);
            group_.spawn("peer", [this, id, link] { return serve(id, *link); });
        }
    }

    Task<> serve(PeerId id, Link& link)
    {
        log_.debug("bus hub: peer ", id, " came");
        link.send(hello_);
        std::exception_ptr failure;
        try {
            auto reading = read_from(id, link);
            auto writing = link.write();
            co_await first_of(std::move(reading), std::move(writing));
        } catch (...) {
            failure = std::current_exception();
        }
        link.close();
        peers_.erase(id);
        const auto deliveries = router_.leave(id);
        deliver(deliveries);
        log_.debug("bus hub: peer ", id, " left; calls it failed: ", deliveries.size());
        if (failure && !is_cancelled(failure))
            log_.warning("bus hub: peer ", id, ": ", describe(failure));
    }

    Task<> read_from(PeerId id, Link& link)
    {
        for (;;) {
            auto message = co_await link.read();
            if (!message)
                co_return;
            note(id, *message);
            const auto deliveries = router_.receive(id, *std::move(message), time_.now());
            deliver(deliveries);
        }
    }

    void note(PeerId id, const detail::Message& message) const
    {
        if (const auto* request = std::get_if<detail::Register>(&message))
            log_.debug("bus hub: peer ", id, " registers ", request->prefix);
        else if (const auto* call = std::get_if<detail::CallRequest>(&message))
            log_.trace("bus hub: peer ", id, " calls ", call->address);
        else if (const auto* news = std::get_if<detail::Broadcast>(&message))
            log_.trace("bus hub: peer ", id, " tells ", news->topic);
    }

    void deliver(const std::vector<Delivery>& deliveries)
    {
        for (const auto& [to, message] : deliveries) {
            const auto peer = peers_.find(to);
            if (peer == peers_.end())
                continue;
            const auto link = peer->second;
            link->send(message);
            if (link->unsent() > options_.most_unsent && !link->is_closed()) {
                log_.warning("bus hub: peer ", to, " does not read and is disconnected");
                link->close();
            }
        }
    }

    TimeSource& time_;
    HubOptions options_;
    Logger log_;
    Tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    detail::Hello hello_;
    detail::Router router_;
    std::map<PeerId, std::shared_ptr<Link>> peers_;
    PeerId last_peer_ = 0;
    bool closed_ = false;
    TaskGroup group_;
};

Hub::Hub(const Executor& executor, TimeSource& time, const HubOptions& options, const Random& random, Logger log)
    : implementation_(std::make_unique<Implementation>(executor, time, options, random, std::move(log)))
{
}

Hub::~Hub() = default;

std::uint16_t Hub::port() const noexcept { return implementation_->port(); }

std::size_t Hub::peers() const noexcept { return implementation_->peers(); }

Task<> Hub::run() { return implementation_->run(); }

void Hub::close() { implementation_->close(); }

} // namespace golem::bus
