#include <provider/loopback_connection.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace golem::provider {

namespace {

using boost::asio::ip::tcp;

constexpr std::size_t piece_size = 32u << 10;

auto as_tuple() { return boost::asio::as_tuple(boost::asio::deferred); }

[[noreturn]] void fail(const char* operation, const boost::system::error_code& error)
{
    if (error == boost::asio::error::operation_aborted)
        throw boost::system::system_error(error);
    const bool refused = error == boost::asio::error::connection_refused;
    throw Error(refused ? Errc::refused : Errc::closed, operation, error.message());
}

class LoopbackConnection final : public MachineConnection {
public:
    explicit LoopbackConnection(tcp::socket socket) : socket_(std::move(socket)) {}

    Task<std::optional<std::string>> read() override
    {
        std::string piece(piece_size, '\0');
        auto [error, size] = co_await socket_.async_read_some(boost::asio::buffer(piece), as_tuple());
        if (error == boost::asio::error::eof)
            co_return std::nullopt;
        if (error)
            fail("read from a machine", error);
        piece.resize(size);
        co_return piece;
    }

    Task<> write(std::string_view bytes) override
    {
        auto [error, size] = co_await boost::asio::async_write(socket_, boost::asio::buffer(bytes), as_tuple());
        if (error)
            fail("write to a machine", error);
    }

private:
    tcp::socket socket_;
};

} // namespace

Task<std::unique_ptr<MachineConnection>> connect_to_loopback(std::uint16_t port)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    tcp::socket socket(executor);
    const tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
    auto [error] = co_await socket.async_connect(endpoint, as_tuple());
    if (error)
        fail("connect to a machine", error);
    co_return std::make_unique<LoopbackConnection>(std::move(socket));
}

} // namespace golem::provider
