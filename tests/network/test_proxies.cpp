// Proxies to ports of this machine, which is the services' machine: real bytes, by way of the devnet's port.
#include <golem/core/real_time.hpp>
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>
#include <golem/http/client.hpp>
#include <golem/http/server.hpp>
#include <golem/http/transport.hpp>
#include <golem/provider/process_runtime.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

auto as_tuple() { return boost::asio::as_tuple(boost::asio::deferred); }

tcp::endpoint loopback(std::uint16_t port) { return tcp::endpoint(boost::asio::ip::address_v4::loopback(), port); }

/// A server of the service's machine.
class Listener {
public:
    using Talk = std::function<Task<>(tcp::socket&)>;

    Listener(const Executor& executor, Talk talk)
        : talk_(std::move(talk)), acceptor_(executor, loopback(0)), tasks_(executor, [](const auto&, auto) {})
    {
        tasks_.spawn("listen", [this] { return run(); });
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    Task<> close()
    {
        acceptor_.close();
        tasks_.cancel();
        co_await tasks_.join();
    }

private:
    Task<> run()
    {
        for (;;) {
            auto socket = co_await acceptor_.async_accept(boost::asio::use_awaitable);
            auto shared = std::make_shared<tcp::socket>(std::move(socket));
            tasks_.spawn("talk", [this, shared] { return talk_(*shared); });
        }
    }

    Talk talk_;
    tcp::acceptor acceptor_;
    TaskGroup tasks_;
};

Task<> say(tcp::socket& socket, std::string text)
{
    co_await boost::asio::async_write(socket, boost::asio::buffer(text), boost::asio::use_awaitable);
}

/// All that comes until the other side ends it.
Task<std::string> read_rest(tcp::socket& socket)
{
    std::string all;
    std::string piece(65536, '\0');
    for (;;) {
        auto [error, size] = co_await socket.async_read_some(boost::asio::buffer(piece), as_tuple());
        all.append(piece, 0, size);
        if (error)
            co_return all;
    }
}

Task<std::string> read_until(tcp::socket& socket, std::string mark)
{
    std::string all;
    while (all.find(mark) == std::string::npos) {
        std::string piece(1024, '\0');
        const auto size = co_await socket.async_read_some(boost::asio::buffer(piece), boost::asio::use_awaitable);
        all.append(piece, 0, size);
    }
    co_return all;
}

Task<> echo(tcp::socket& socket)
{
    std::string piece(65536, '\0');
    for (;;) {
        auto [error, size] = co_await socket.async_read_some(boost::asio::buffer(piece), as_tuple());
        if (error)
            co_return;
        const auto bytes = piece.substr(0, size);
        co_await say(socket, bytes);
    }
}

class Idle : public Service {
public:
    Payload payload() const override
    {
        return vm_image("9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae", "http://127.0.0.1/image.gvmi");
    }
};

/// A devnet behind a port, a manager, and a service "web" that runs in a network.
struct Bed {
    Executor executor;
    RealTime& time;
    ServiceManager& manager;
    std::shared_ptr<Network> network;
    std::shared_ptr<ServiceWrapper> web;
    std::vector<std::unique_ptr<Listener>> listeners{};

    Listener& listen(Listener::Talk talk)
    {
        listeners.push_back(std::make_unique<Listener>(executor, std::move(talk)));
        return *listeners.back();
    }
};

void with_bed(const std::function<Task<>(Bed&)>& body)
{
    RealTime time;
    run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const devnet::DevnetOptions options;
        devnet::Devnet net(executor, time, options);
        provider::ProviderOptions provider;
        provider.capabilities = {"vpn"};
        net.add_provider(provider, provider::make_process_runtime(executor, time, provider::ProcessRuntimeOptions()));
        const http::ServerOptions server_options;
        http::Server server(executor, time, net.rest_face(), server_options, Logger());
        TaskGroup tasks(executor);
        tasks.spawn("devnet", [&net] { return net.run(); });
        tasks.spawn("server", [&server] { return server.run(); });
        ServiceManagerOptions manager_options;
        manager_options.daemon.emplace("http://127.0.0.1:" + std::to_string(server.port()), "devnet");
        manager_options.market.subnet = "public";
        manager_options.time = &time;
        std::exception_ptr failure;
        {
            ServiceManager manager(executor, manager_options);
            Bed bed{executor, time, manager, manager.create_network(), nullptr};
            try {
                ServiceOptions service;
                service.network = bed.network;
                service.network_name = "web";
                bed.web = manager.create_service<Idle>(service);
                co_await bed.web->wait_for(ServiceStatus::running);
                co_await body(bed);
            } catch (...) {
                failure = std::current_exception();
            }
            for (const auto& listener : bed.listeners)
                co_await listener->close();
            const auto left = co_await manager.close();
            CHECK(left.empty());
        }
        CHECK(net.report().networks == 0);
        net.stop();
        server.close();
        co_await tasks.join();
        if (failure)
            std::rethrow_exception(failure);
    });
}

Task<http::Response> fetch(Bed& bed, const NetworkProxy& proxy, http::Request request)
{
    const auto transport = http::make_transport(bed.executor, bed.time, http::Url::parse("http://" + proxy.address()));
    auto response = co_await transport->send(request);
    transport->close();
    co_return response;
}

Task<tcp::socket> call(Bed& bed, const NetworkProxy& proxy)
{
    tcp::socket socket(bed.executor);
    co_await socket.async_connect(loopback(proxy.port()), boost::asio::use_awaitable);
    co_return socket;
}

std::string pattern(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>(i * 31 + i / 251);
    return text;
}

} // namespace

TEST_CASE("a TCP proxy passes on what both sides say", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        auto& listener = bed.listen(echo);
        auto proxy = bed.network->tcp_proxy("web", listener.port());
        CHECK(proxy->address() == "127.0.0.1:" + std::to_string(proxy->port()));
        auto first = co_await call(bed, *proxy);
        auto second = co_await call(bed, *proxy);
        const auto much = pattern(3'000'000);
        TaskGroup writers(bed.executor);
        writers.spawn("writer", [&] { return say(first, much); });
        std::string back(much.size(), '\0');
        auto [error, size] = co_await boost::asio::async_read(first, boost::asio::buffer(back), as_tuple());
        CHECK(error.message() == "Success");
        CHECK(size == much.size());
        writers.cancel();
        co_await writers.join();
        CHECK((back == much));
        co_await say(second, "and the other");
        const auto other = co_await read_until(second, "other");
        CHECK(other == "and the other");
        first.close();
        second.close();
    });
}

TEST_CASE("a client that has said its last word still gets the answer", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        auto& listener = bed.listen([](tcp::socket& socket) -> Task<> {
            const auto question = co_await read_until(socket, "?");
            co_await say(socket, "answer to " + question);
        });
        ProxyOptions options;
        options.linger = 300ms;
        auto proxy = bed.network->tcp_proxy("web", listener.port(), options);
        auto socket = co_await call(bed, *proxy);
        co_await say(socket, "what?");
        socket.shutdown(tcp::socket::shutdown_send);
        // The machine's last word is not told: the silence after it ends the connection.
        const auto answer = co_await read_rest(socket);
        CHECK(answer == "answer to what?");
    });
}

TEST_CASE("where nobody listens a proxy's clients are turned away, and all of them with their service", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        auto& listener = bed.listen(echo);
        auto nowhere = bed.network->tcp_proxy("nobody", 80);
        auto refused = co_await call(bed, *nowhere);
        auto nothing = co_await read_rest(refused);
        CHECK(nothing.empty());
        auto proxy = bed.network->tcp_proxy("web", listener.port());
        auto socket = co_await call(bed, *proxy);
        co_await say(socket, "there?");
        const auto there = co_await read_until(socket, "?");
        CHECK(there == "there?");
        bed.web->stop();
        nothing = co_await read_rest(socket);
        CHECK(nothing.empty());
        co_await bed.web->wait_for(ServiceStatus::stopped);
        // The proxy is there still: for the next service of that name.
        auto late = co_await call(bed, *proxy);
        nothing = co_await read_rest(late);
        CHECK(nothing.empty());
        proxy->close();
        co_await bed.manager.sleep(10ms);
        CHECK_THROWS(co_await call(bed, *proxy));
    });
}

TEST_CASE("more connections than a proxy may have wait for their turn", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        auto& listener = bed.listen(echo);
        ProxyOptions options;
        options.max_connections = 1;
        auto proxy = bed.network->tcp_proxy("web", listener.port(), options);
        auto first = co_await call(bed, *proxy);
        auto second = co_await call(bed, *proxy);
        co_await say(second, "second!");
        co_await say(first, "first!");
        auto answer = co_await read_until(first, "!");
        CHECK(answer == "first!");
        CHECK(second.available() == 0);
        first.close();
        answer = co_await read_until(second, "!");
        CHECK(answer == "second!");
        second.close();
    });
}

TEST_CASE("an HTTP proxy knows where answers end", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        std::string asked;
        // It never closes a connection, so that nothing but HTTP tells the end.
        auto& listener = bed.listen([&asked](tcp::socket& socket) -> Task<> {
            asked = co_await read_until(socket, "\r\n\r\n");
            const auto path = asked.substr(asked.find(' ') + 1, asked.find(" HTTP") - asked.find(' ') - 1);
            if (path == "/length")
                co_await say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Own: 1\r\n\r\nhello");
            else if (path == "/chunks")
                co_await say(
                    socket,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
            else if (path == "/interim")
                co_await say(
                    socket, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: "
                            "2\r\n\r\nno");
            else if (path == "/nothing")
                co_await say(socket, "HTTP/1.1 204 No Content\r\n\r\n");
            else if (path == "/head")
                co_await say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            else if (path == "/large")
                co_await say(
                    socket, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + std::string(3'000'000, 'x'));
            else if (path == "/open")
                co_await say(socket, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
            else if (path == "/garbage")
                co_await say(socket, "what do you want?\r\n\r\n");
            co_await read_rest(socket);
        });
        ProxyOptions options;
        options.linger = 300ms;
        auto proxy = bed.network->http_proxy("web", listener.port(), options);
        struct Row {
            http::Method method;
            std::string path;
            unsigned status;
            std::string body;
        };
        const Row rows[] = {
            {http::Method::get, "/length", 200, "hello"},
            {http::Method::get, "/chunks", 200, "hello world"},
            {http::Method::get, "/interim", 404, "no"},
            {http::Method::get, "/nothing", 204, ""},
            {http::Method::head, "/head", 200, ""},
            {http::Method::get, "/large", 200, std::string(3'000'000, 'x')},
            {http::Method::get, "/open", 200, "until the end"},
        };
        for (const auto& row : rows) {
            INFO(row.path);
            const auto response = co_await fetch(bed, *proxy, http::Request(row.method, row.path));
            CHECK(response.status() == row.status);
            CHECK((response.body() == row.body));
        }
        const auto own = co_await fetch(bed, *proxy, http::Request(http::Method::get, "/length"));
        CHECK(own.headers().get("X-Own") == "1");
        CHECK_THAT(asked, contains_text("Host: " + proxy->address()));
        CHECK_THAT(asked, contains_text("Connection: close"));
        const auto garbage = co_await fetch(bed, *proxy, http::Request(http::Method::get, "/garbage"));
        CHECK(garbage.status() == 502);
        CHECK_THAT(garbage.body(), contains_text("no HTTP"));
        http::Request post(http::Method::post, "/length");
        post.set_body("some words", "text/plain");
        const auto posted = co_await fetch(bed, *proxy, post);
        CHECK(posted.body() == "hello");
        CHECK_THAT(asked, contains_text("Content-Length: 10"));
        co_await listener.close();

        const auto refused = co_await fetch(bed, *proxy, http::Request(http::Method::get, "/length"));
        CHECK(refused.status() == 502);
        CHECK_THAT(refused.body(), contains_text("nobody listens"));
        auto nobody = bed.network->http_proxy("nobody", 80);
        const auto lost = co_await fetch(bed, *nobody, http::Request(http::Method::get, "/"));
        CHECK(lost.status() == 502);
        CHECK_THAT(lost.body(), contains_text("\"nobody\" is nobody here"));
    });
}

// Takes 17 s, longer than the daemon and the devnet wait for a silent client: run it by its name.
TEST_CASE("a connection may be silent for as long as it likes", "[.][proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        auto& listener = bed.listen(echo);
        auto connection = co_await bed.network->connect("web", listener.port());
        co_await bed.manager.sleep(17s);
        const std::string word = "still there?";
        co_await connection->write(word);
        const auto answer = co_await connection->read();
        CHECK(answer == word);
    });
}

TEST_CASE("options of proxies are checked at once", "[proxy]")
{
    with_bed([](Bed& bed) -> Task<> {
        ProxyOptions options;
        CHECK_THROWS_AS(bed.network->tcp_proxy("web", 0), Error);
        options.address = "nowhere";
        CHECK_THROWS_AS(bed.network->tcp_proxy("web", 80, options), Error);
        CHECK_THROWS_AS(bed.network->http_proxy("web", 80, options), Error);
        options = ProxyOptions();
        options.max_connections = 0;
        CHECK_THROWS_AS(bed.network->tcp_proxy("web", 80, options), Error);
        options = ProxyOptions();
        options.idle_limit = 0s;
        CHECK_THROWS_AS(bed.network->http_proxy("web", 80, options), Error);
        options = ProxyOptions();
        auto first = bed.network->tcp_proxy("web", 80);
        options.port = first->port();
        CHECK_THROWS_AS(bed.network->tcp_proxy("web", 80, options), Error);
        co_return;
    });
}
