#include "network/listener.hpp"
#include "network/network_core.hpp"

#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;

constexpr std::size_t piece_size = 32u << 10;
// After a failure to accept, such as too many open files.
constexpr Duration accept_pause = 1s;

auto as_tuple() { return boost::asio::as_tuple(boost::asio::deferred); }

// One connection of a client, and what it is joined to.
class Joint {
public:
    Joint(tcp::socket socket, std::shared_ptr<NetworkLink> link, TimeSource& time, const ProxyOptions& options)
        : socket_(std::move(socket)), link_(std::move(link)), time_(time), options_(options),
          news_(socket_.get_executor()), pumps_(socket_.get_executor()), last_(time.now())
    {
    }

    Task<> run()
    {
        pumps_.spawn("up", [this] { return up(); });
        pumps_.spawn("down", [this] { return down(); });
        std::exception_ptr cancellation;
        try {
            co_await watch();
        } catch (...) {
            cancellation = std::current_exception();
        }
        co_await ignore_cancellation();
        boost::system::error_code ignored; // There is nothing left to be done about it.
        socket_.close(ignored);
        link_->end("the proxy has closed the connection");
        pumps_.cancel();
        co_await pumps_.join();
        if (cancellation)
            std::rethrow_exception(cancellation);
    }

private:
    Task<> watch()
    {
        while (!over_) {
            const auto limit = client_is_done_ ? options_.linger : options_.idle_limit;
            const auto until = limit > Instant::max() - last_ ? Instant::max() : last_ + limit;
            if (until <= time_.now())
                co_return;
            news_.reset();
            auto news = news_.wait();
            co_await with_timeout(time_, until - time_.now(), std::move(news), "a proxy's connection");
        }
    }

    Task<> up()
    {
        std::array<char, piece_size> piece;
        for (;;) {
            auto [error, size] = co_await socket_.async_read_some(boost::asio::buffer(piece), as_tuple());
            if (error == boost::asio::error::eof) {
                tell(client_is_done_);
                co_return;
            }
            if (error)
                break;
            last_ = time_.now();
            const std::string_view bytes(piece.data(), size);
            try {
                co_await NetworkLink::write(link_, bytes);
            } catch (const Error&) {
                break; // The other direction meets the same, and says it if it is news.
            }
        }
        tell(over_);
    }

    Task<> down()
    {
        for (;;) {
            std::optional<std::string> bytes;
            try {
                bytes = co_await NetworkLink::read(link_);
            } catch (const Error&) {
                bytes.reset(); // Lost or ended: the client sees the end of its connection.
            }
            if (!bytes)
                break;
            last_ = time_.now();
            auto [error, size] = co_await boost::asio::async_write(socket_, boost::asio::buffer(*bytes), as_tuple());
            if (error)
                break;
        }
        tell(over_);
    }

    void tell(bool& what)
    {
        what = true;
        news_.set();
    }

    tcp::socket socket_;
    std::shared_ptr<NetworkLink> link_;
    TimeSource& time_;
    const ProxyOptions& options_;
    Event news_;
    TaskGroup pumps_;
    Instant last_;
    bool client_is_done_ = false;
    bool over_ = false;
};

class TcpProxy final : public ProxyCore, public std::enable_shared_from_this<TcpProxy> {
public:
    TcpProxy(
        const std::shared_ptr<NetworkCore>& network, std::string member, std::uint16_t port,
        const ProxyOptions& options)
        : network_(network), executor_(network->executor()), member_(std::move(member)), to_(port), options_(options),
          log_(network->log()), acceptor_(executor_), ended_(executor_), connections_(executor_)
    {
        check_proxy(network->time(), port, options_);
        boost::system::error_code error;
        const auto host = boost::asio::ip::make_address(options_.address, error);
        const auto wrong = [this](const boost::system::error_code& why) {
            if (why)
                throw Error(
                    Errc::invalid_input, "listen at " + options_.address + ":" + std::to_string(options_.port),
                    why.message() + ": choose another address or port (ProxyOptions)");
        };
        wrong(error);
        const tcp::endpoint endpoint(host, options_.port);
        acceptor_.open(endpoint.protocol(), error);
        wrong(error);
        acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        wrong(error);
        acceptor_.bind(endpoint, error);
        wrong(error);
        acceptor_.listen(tcp::acceptor::max_listen_connections, error);
        wrong(error);
        const auto bound = acceptor_.local_endpoint();
        port_ = bound.port();
        address_ = text_of(bound);
    }

    std::uint16_t port() const noexcept override { return port_; }
    const std::string& address() const noexcept override { return address_; }
    const Executor& executor() const noexcept override { return executor_; }

    Task<> run() override
    {
        const auto self = shared_from_this();
        std::exception_ptr cancellation;
        try {
            co_await accept_all();
        } catch (...) {
            cancellation = std::current_exception();
        }
        co_await ignore_cancellation();
        close();
        connections_.cancel();
        co_await connections_.join();
        network_.reset();
        if (cancellation && !is_cancelled(cancellation))
            std::rethrow_exception(cancellation);
    }

    void close() noexcept override
    {
        closed_ = true;
        boost::system::error_code ignored; // It is closed in any case.
        acceptor_.close(ignored);
        connections_.cancel();
        ended_.pulse();
    }

private:
    Task<> accept_all()
    {
        auto& time = network_->time();
        while (!closed_) {
            if (open_ >= options_.max_connections) {
                co_await ended_.wait();
                continue;
            }
            auto [error, socket] = co_await acceptor_.async_accept(as_tuple());
            if (closed_ || error == boost::asio::error::operation_aborted)
                co_return;
            if (error) {
                log_.warning("proxy at ", address_, ": ", error.message());
                co_await time.sleep_for(accept_pause, "a proxy that cannot accept");
                continue;
            }
            auto client = std::make_shared<tcp::socket>(std::move(socket));
            ++open_;
            connections_.spawn("connection", [this, client] { return serve(std::move(*client)); });
        }
    }

    Task<> serve(tcp::socket client)
    {
        std::exception_ptr failure;
        std::shared_ptr<NetworkLink> link;
        try {
            link = co_await network_->connect(member_, to_);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && !is_cancelled(failure)) {
            log_.warning("proxy at ", address_, ": ", describe(failure));
            failure = nullptr;
        }
        if (link) {
            Joint joint(std::move(client), std::move(link), network_->time(), options_);
            try {
                co_await joint.run();
            } catch (...) {
                failure = std::current_exception();
            }
        }
        --open_;
        ended_.pulse();
        if (failure)
            std::rethrow_exception(failure);
    }

    std::shared_ptr<NetworkCore> network_;
    const Executor executor_;
    const std::string member_;
    const std::uint16_t to_;
    const ProxyOptions options_;
    Logger log_;
    tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    std::string address_;
    bool closed_ = false;
    std::size_t open_ = 0;
    Event ended_; // Pulsed when a connection has.
    TaskGroup connections_;
};

} // namespace

std::shared_ptr<ProxyCore> make_tcp_proxy(
    const std::shared_ptr<NetworkCore>& network, const std::string& member, std::uint16_t port,
    const ProxyOptions& options)
{
    return std::make_shared<TcpProxy>(network, member, port, options);
}

} // namespace golem::detail
