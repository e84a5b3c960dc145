// Connections and hubs whose other side misbehaves: silent, slow, or speaking nonsense.
#include <golem/bus/connection.hpp>
#include <golem/bus/detail/wire.hpp>
#include <golem/bus/hub.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

using namespace golem;
using namespace golem::bus;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace wire = golem::bus::detail;
using Tcp = asio::ip::tcp;

namespace {

constexpr std::size_t megabyte = 1u << 20;

// The other side by hand: what is said, and when something is read.
class Peer {
public:
    explicit Peer(const Executor& executor) : socket_(executor) {}

    Task<> connect(std::uint16_t port)
    {
        const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
        socket_.open(Tcp::v4());
        socket_.set_option(asio::socket_base::receive_buffer_size(16384));
        co_await socket_.async_connect(endpoint, asio::use_awaitable);
    }

    Task<> accept(Tcp::acceptor& acceptor) { co_await acceptor.async_accept(socket_, asio::use_awaitable); }

    Task<> say(const wire::Message& message)
    {
        const auto frame = wire::encode_frame(message);
        co_await say_bytes(frame);
    }

    Task<> say_bytes(const std::string& text)
    {
        const auto bytes = asio::buffer(text);
        co_await asio::async_write(socket_, bytes, asio::use_awaitable);
    }

    // How many bytes came; none at the end.
    Task<std::size_t> read()
    {
        const auto space = asio::buffer(input_);
        auto [error, count] = co_await socket_.async_read_some(space, asio::as_tuple(asio::use_awaitable));
        co_return error ? 0 : count;
    }

    Task<> read_to_end()
    {
        for (std::size_t count = 1; count > 0;)
            count = co_await read();
    }

    void close() { socket_.close(); }

private:
    Tcp::socket socket_;
    std::string input_ = std::string(65536, '\0');
};

struct Bench {
    explicit Bench(const Executor& its_executor)
        : executor(its_executor), acceptor(executor, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
          peer(executor), tasks(executor)
    {
    }

    std::unique_ptr<Connection> connection(std::uint16_t port, ConnectionOptions options = ConnectionOptions())
    {
        options.url = "tcp://127.0.0.1:" + std::to_string(port);
        return std::make_unique<Connection>(executor, time, options, Random(++seed), Logger());
    }

    // To the peer, which says hello and nothing else.
    Task<std::unique_ptr<Connection>> greeted(ConnectionOptions options)
    {
        tasks.spawn("peer", [this]() -> Task<> {
            co_await peer.accept(acceptor);
            const wire::Message hello = wire::Hello();
            co_await peer.say(hello);
        });
        auto made = connection(acceptor.local_endpoint().port(), options);
        co_await made->open();
        co_await tasks.join();
        co_return made;
    }

    Executor executor;
    RealTime time;
    Tcp::acceptor acceptor;
    Peer peer;
    std::uint64_t seed = 1;
    TaskGroup tasks;
};

void with_bench(const std::function<Task<>(Bench&)>& body)
{
    test::run_real([&]() -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        Bench bench(executor);
        co_await body(bench);
    });
}

std::string words_of(const std::exception_ptr& failure)
{
    if (!failure)
        return "none";
    try {
        std::rethrow_exception(failure);
    } catch (const CallError& error) {
        return error.their_words();
    } catch (const Error& error) {
        return error.explanation();
    }
}

Task<std::string> outcome_of(Task<> action)
{
    std::exception_ptr failure;
    try {
        co_await std::move(action);
    } catch (...) {
        failure = std::current_exception();
    }
    co_return words_of(failure);
}

} // namespace

TEST_CASE("an open that is cancelled leaves nothing running")
{
    with_bench([](Bench& bench) -> Task<> {
        // The system accepts for a listener that says nothing.
        {
            const auto connection = bench.connection(bench.acceptor.local_endpoint().port());
            auto opening = connection->open();
            const bool opened = co_await with_timeout(bench.time, 20ms, std::move(opening), "the test");
            CHECK_FALSE(opened);
            CHECK_FALSE(connection->is_open());
        }
        // And by its owner.
        const auto connection = bench.connection(bench.acceptor.local_endpoint().port());
        bench.tasks.spawn("open", [&] { return connection->open(); });
        co_await bench.peer.accept(bench.acceptor);
        bench.tasks.cancel();
        co_await bench.tasks.join();
        CHECK_FALSE(connection->is_open());
    });
}

TEST_CASE("a bus that does not answer is not waited for")
{
    with_bench([](Bench& bench) -> Task<> {
        ConnectionOptions options;
        options.reply_limit = 20ms;
        options.call_limit = 20ms;
        const auto connection = co_await bench.greeted(options);
        const Handler handler = [](const Call&, Answer&) -> Task<> { co_return; };
        auto outcome = co_await outcome_of(connection->add_service("/s", handler));
        CHECK(outcome == "the service bus does not answer");
        const std::string address = "/other/x";
        const std::string body;
        const auto call = [&]() -> Task<> { co_await connection->call(address, body); };
        outcome = co_await outcome_of(call());
        CHECK(outcome == "no reply came in time");
        co_await connection->close();
    });
}

TEST_CASE("parts of an answer wait for a bus that reads slowly")
{
    with_bench([](Bench& bench) -> Task<> {
        ConnectionOptions options;
        options.most_unsent = megabyte;
        const auto connection = co_await bench.greeted(options);
        constexpr std::size_t parts = 64;
        std::size_t given = 0;
        const Handler handler = [&](const Call&, Answer& answer) -> Task<> {
            const std::string part(megabyte, 'x');
            for (; given < parts; ++given)
                co_await answer.part(part);
        };
        bench.tasks.spawn("registration", [&]() -> Task<> {
            const wire::Message registered = wire::Registered();
            co_await bench.peer.say(registered);
        });
        co_await connection->add_service("/s", handler);
        wire::CallRequest request;
        request.caller = "me";
        request.address = "/s/x";
        request.id = "r";
        const wire::Message message = request;
        co_await bench.peer.say(message);
        std::size_t most_ahead = 0;
        std::size_t received = 0;
        while (given < parts) {
            received += co_await bench.peer.read();
            const auto given_bytes = given * megabyte;
            most_ahead = std::max(most_ahead, given_bytes > received ? given_bytes - received : 0);
        }
        // What waits with us, and what the system keeps between us.
        CHECK(most_ahead < parts / 2 * megabyte);
        co_await bench.tasks.join();
        co_await connection->close();
    });
}

TEST_CASE("a hub disconnects peers that speak nonsense, and nobody else")
{
    with_bench([](Bench& bench) -> Task<> {
        Hub hub(bench.executor, bench.time, HubOptions(), Random(1), Logger());
        TaskGroup net(bench.executor);
        net.spawn("hub", [&] { return hub.run(); });
        const auto good = bench.connection(hub.port());
        co_await good->open();
        const wire::Message not_for_clients = wire::Registered();
        const std::string rows[] = {
            std::string("\0\0\0\4abcd", 8),              // no protobuf
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", // a length beyond all limits
            wire::encode_frame(not_for_clients),
        };
        for (const auto& nonsense : rows) {
            Peer peer(bench.executor);
            co_await peer.connect(hub.port());
            co_await peer.say_bytes(nonsense);
            auto end = peer.read_to_end();
            const bool ended = co_await with_timeout(bench.time, 5s, std::move(end), "a hub to hang up");
            CHECK(ended);
        }
        CHECK(good->is_open());
        co_await good->close();
        hub.close();
        co_await net.join();
    });
}

TEST_CASE("a hub disconnects a peer that does not read, and tells those who wait for it")
{
    with_bench([](Bench& bench) -> Task<> {
        HubOptions options;
        options.most_unsent = 4 * megabyte;
        Hub hub(bench.executor, bench.time, options, Random(1), Logger());
        TaskGroup net(bench.executor);
        net.spawn("hub", [&] { return hub.run(); });
        co_await bench.peer.connect(hub.port());
        const wire::Message registration = wire::Register{"/slow"};
        co_await bench.peer.say(registration);
        co_await bench.peer.read(); // Its greeting; nothing after that.
        const auto client = bench.connection(hub.port());
        co_await client->open();
        const std::string address = "/slow/x";
        const std::string body(megabyte, 'x');
        std::size_t told = 0;
        std::size_t refused = 0;
        for (int number = 0; number < 32; ++number)
            bench.tasks.spawn("call", [&]() -> Task<> {
                const auto call = [&]() -> Task<> { co_await client->call(address, body); };
                const auto outcome = co_await outcome_of(call());
                told += outcome == "lost connection";
                refused += outcome == "endpoint address not found";
            });
        co_await bench.tasks.join();
        CHECK(told >= 2);
        CHECK(told + refused == 32);
        CHECK(client->is_open());
        co_await client->close();
        hub.close();
        co_await net.join();
    });
}
