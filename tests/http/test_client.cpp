#include <golem/core/race.hpp>

#include <tests/http/support.hpp>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;
using Sent = TransportError::Sent;

namespace {

constexpr auto ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Runs `body` beside a scripted server.
void run_scripted(
    const std::vector<ScriptedServer::Script>& scripts, const std::function<Task<>(ScriptedServer&, Transport&)>& body,
    const ClientOptions& options = ClientOptions())
{
    golem::test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        ScriptedServer server(executor);
        const auto transport = make_transport(executor, time, url_of(server.port()), options);
        TaskGroup group(executor);
        group.spawn("server", [&] { return server.play(scripts); });
        std::exception_ptr failure;
        try {
            co_await body(server, *transport);
        } catch (...) {
            failure = std::current_exception();
        }
        transport->close();
        group.cancel();
        co_await group.join();
        if (failure)
            std::rethrow_exception(failure);
    });
}

// A script that answers each of its requests (without body) with the same text, then closes.
ScriptedServer::Script answering(std::string text, int times = 1)
{
    return [text, times](Tcp::socket& socket) -> Task<> {
        for (int i = 0; i < times; ++i) {
            co_await read_head(socket);
            co_await write_text(socket, text);
        }
    };
}

// Answers once and ends the connection at its second request.
ScriptedServer::Script leaving(bool hard)
{
    return [hard](Tcp::socket& socket) -> Task<> {
        co_await read_head(socket);
        co_await write_text(socket, ok);
        co_await read_head(socket);
        if (hard)
            reset(socket);
    };
}

Task<Failure> failure_of(const std::string& answer, std::size_t limit)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    RealTime time;
    ScriptedServer server(executor);
    const auto transport = make_transport(executor, time, url_of(server.port()));
    TaskGroup group(executor);
    std::vector<ScriptedServer::Script> scripts;
    scripts.push_back(answering(answer));
    group.spawn("server", [&] { return server.play(scripts); });
    Request request(Method::get, "/x");
    request.set_response_limit(limit);
    auto failure = co_await fail(*transport, request);
    group.cancel();
    co_await group.join();
    co_return failure;
}

} // namespace

TEST_CASE("a connection is kept and used again")
{
    run_scripted({answering(ok, 3)}, [](ScriptedServer& server, Transport& transport) -> Task<> {
        const Request request(Method::get, "/me");
        for (int i = 0; i < 3; ++i) {
            const auto response = co_await transport.send(request);
            CHECK(response.status() == 200);
            CHECK(response.body() == "ok");
        }
        CHECK(server.accepted == 1);
    });
}

TEST_CASE("requests at the same time have connections of their own")
{
    run_with_server(make_echo(), [](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_transport(executor, time, url_of(server.port()));
        TaskGroup group(executor);
        int good = 0;
        for (int i = 0; i < 100; ++i)
            group.spawn("request", [&, i]() -> Task<> {
                const Request request(Method::get, "/" + std::to_string(i));
                const auto response = co_await transport->send(request);
                good += response.body() == "GET /" + std::to_string(i) + " " ? 1 : 0;
            });
        co_await group.join();
        CHECK(good == 100);
    });
}

TEST_CASE("a connection that the server closed while idle is not used")
{
    run_scripted({answering(ok), answering(ok)}, [](ScriptedServer& server, Transport& transport) -> Task<> {
        Request request(Method::post, "/a");
        co_await transport.send(request);
        // The script's end has closed the socket before the second accept, so the second request meets the end.
        while (server.accepted < 1)
            co_await boost::asio::post(boost::asio::deferred);
        const auto response = co_await transport.send(request);
        CHECK(response.status() == 200);
        CHECK(server.accepted == 2);
    });
}

TEST_CASE("a connection with bytes that nobody asked for is not used")
{
    run_scripted(
        {answering(std::string(ok) + "HTTP/1.1 408 \r\nconnection: close\r\n\r\n"), answering(ok)},
        [](ScriptedServer& server, Transport& transport) -> Task<> {
            const Request request(Method::post, "/a");
            co_await transport.send(request);
            const auto response = co_await transport.send(request);
            CHECK(response.status() == 200);
            CHECK(server.accepted == 2);
        });
}

TEST_CASE("a repeatable request is sent again if its used connection breaks, a POST is not")
{
    const bool hard = GENERATE(false, true);
    for (const auto method : {Method::get, Method::put, Method::del}) {
        run_scripted({leaving(hard), answering(ok)}, [&](ScriptedServer& server, Transport& transport) -> Task<> {
            const Request request(method, "/a");
            co_await transport.send(request);
            const auto response = co_await transport.send(request);
            CHECK(response.status() == 200);
            CHECK(server.accepted == 2);
        });
    }
    run_scripted({leaving(hard), answering(ok)}, [&](ScriptedServer& server, Transport& transport) -> Task<> {
        const Request request(Method::post, "/a");
        co_await transport.send(request);
        const auto failure = co_await fail(transport, request);
        CHECK(failure.code == Errc::unreachable);
        CHECK(failure.sent == Sent::unknown);
        CHECK(failure.transient);
        CHECK(server.accepted == 1);
    });
}

TEST_CASE("a new connection that breaks is not tried again")
{
    const auto drop = [](Tcp::socket& socket) -> Task<> { co_await read_head(socket); };
    run_scripted({drop, answering(ok)}, [&](ScriptedServer& server, Transport& transport) -> Task<> {
        const Request request(Method::get, "/a");
        const auto failure = co_await fail(transport, request);
        CHECK(failure.code == Errc::unreachable);
        CHECK(failure.sent == Sent::unknown);
        CHECK(contains(failure.text, "GET /a: "));
        CHECK(server.accepted == 1);
    });
}

TEST_CASE("a refused connection says what to do")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        std::uint16_t port = 0;
        {
            Tcp::acceptor taken(executor, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
            port = taken.local_endpoint().port();
        }
        for (const auto* host : {"127.0.0.1", "localhost"}) {
            const auto transport = make_transport(executor, time, url_of(port, host));
            const Request request(Method::post, "/a?authToken=secret");
            const auto failure = co_await fail(*transport, request);
            CHECK(failure.code == Errc::unreachable);
            CHECK(failure.sent == Sent::no);
            CHECK(failure.transient);
            CHECK(contains(failure.text, "nothing listens at http://" + std::string(host)));
            CHECK(contains(failure.text, "yagna service run"));
            CHECK(!contains(failure.text, "secret"));
        }
    });
}

TEST_CASE("a name without addresses is reported as such")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        const auto transport = make_transport(executor, time, Url::parse("http://no_such_name.invalid:1"));
        Request request(Method::get, "/");
        const auto failure = co_await fail(*transport, request);
        CHECK(failure.code == Errc::unreachable);
        CHECK(failure.sent == Sent::no);
    });
}

TEST_CASE("a server that does not answer meets the limit")
{
    const auto hang = [](Tcp::socket& socket) -> Task<> { co_await read_all(socket); };
    run_scripted({hang}, [](ScriptedServer&, Transport& transport) -> Task<> {
        Request request(Method::get, "/poll");
        request.set_limit(50ms);
        const auto failure = co_await fail(transport, request);
        CHECK(failure.code == Errc::timed_out);
        CHECK(failure.sent == Sent::unknown);
        CHECK(failure.transient);
        CHECK(contains(failure.text, "within 50 ms"));
    });
    // Drop by drop it is no better.
    const auto drip = [](Tcp::socket& socket) -> Task<> {
        co_await read_head(socket);
        co_await write_text(socket, "HTTP/1.1 200 OK\r\nContent-Le");
        co_await read_all(socket);
    };
    run_scripted({drip}, [](ScriptedServer&, Transport& transport) -> Task<> {
        Request request(Method::get, "/poll");
        request.set_limit(50ms);
        const auto failure = co_await fail(transport, request);
        CHECK(failure.code == Errc::timed_out);
    });
}

TEST_CASE("answers that cannot be used are protocol errors")
{
    struct Row {
        std::string answer;
        std::string text;
        bool transient;
    };
    const std::string large(10'000'000, 'x');
    std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 3; ++i)
        chunks += "200\r\n" + std::string(512, 'x') + "\r\n";
    const Row rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "cut off", true},
        {"HTTP/1.1 200 OK\r\nContent-Le", "cut off", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut off", true},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer in HTTP", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "does not answer in HTTP", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + large, "larger than allowed", false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + large, "larger than allowed", false},
        {"HTTP/1.1 200 OK\r\nX: " + large, "larger than allowed", false},
        {chunks + "200\r\n" + std::string(512, 'x') + "\r\n0\r\n\r\n", "larger than allowed", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + large, "", false},
    };
    for (const auto& row : rows) {
        golem::test::run_real([&]() -> Task<> {
            const auto failure = co_await failure_of(row.answer, 2000);
            INFO(row.answer.substr(0, 80) << "\n" << failure.text);
            CHECK(failure.code == Errc::protocol);
            CHECK(contains(failure.text, row.text));
            CHECK(failure.transient == row.transient);
            CHECK(failure.sent == Sent::unknown);
        });
    }
}

TEST_CASE("answers in all the shapes of HTTP are understood")
{
    struct Row {
        std::string answer;
        std::string body;
    };
    const std::string large(3'000'000, 'x');
    const Row rows[] = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", "to the end"},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + large, large},
        {"HTTP/1.1 204 No Content\r\n\r\n", ""},
    };
    for (const auto& row : rows) {
        run_scripted({answering(row.answer)}, [&](ScriptedServer&, Transport& transport) -> Task<> {
            const Request request(Method::get, "/");
            const auto response = co_await transport.send(request);
            CHECK(response.is_success());
            CHECK(response.body() == row.body);
        });
    }
}

TEST_CASE("a large request that is refused before it was read gets its answer")
{
    const auto refuse = [](Tcp::socket& socket) -> Task<> {
        co_await read_head(socket);
        co_await write_text(socket, "HTTP/1.1 413 \r\nContent-Length: 3\r\n\r\nbig");
        const auto executor = co_await boost::asio::this_coro::executor;
        Event never(executor);
        co_await never.wait();
    };
    run_scripted({refuse}, [](ScriptedServer&, Transport& transport) -> Task<> {
        Request request(Method::post, "/");
        request.set_body(std::string(64u << 20, 'x'));
        request.set_limit(5s);
        const auto response = co_await transport.send(request);
        CHECK(response.status() == 413);
        CHECK(response.body() == "big");
    });
}

TEST_CASE("a connection on which a large request was refused is not used again")
{
    // A daemon with which the key does not pass reads neither the body nor what follows it.
    const auto refuse = [](Tcp::socket& socket) -> Task<> {
        co_await read_head(socket);
        co_await write_text(socket, "HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\nno");
        co_await read_all(socket);
    };
    run_scripted(
        {refuse, answering("HTTP/1.1 204 No Content\r\n\r\n")}, [](ScriptedServer&, Transport& transport) -> Task<> {
            Request large(Method::post, "/");
            large.set_body(std::string(200u << 10, 'x'));
            const auto refused = co_await transport.send(large);
            CHECK(refused.status() == 401);
            Request next(Method::get, "/");
            next.set_limit(5s);
            const auto response = co_await transport.send(next);
            CHECK(response.status() == 204);
        });
}

TEST_CASE("cancellation drops the connection")
{
    bool dropped = false;
    std::unique_ptr<Event> arrived;
    const auto watch = [&](Tcp::socket& socket) -> Task<> {
        co_await read_head(socket);
        arrived->set();
        const auto rest = co_await read_all(socket);
        dropped = rest.empty();
    };
    golem::test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        arrived = std::make_unique<Event>(executor);
        ScriptedServer server(executor);
        const auto transport = make_transport(executor, time, url_of(server.port()));
        TaskGroup servers(executor);
        std::vector<ScriptedServer::Script> scripts;
        scripts.push_back(watch);
        servers.spawn("server", [&] { return server.play(scripts); });
        Failure failure;
        TaskGroup group(executor);
        group.spawn("poll", [&]() -> Task<> {
            const Request request(Method::get, "/poll");
            auto result = co_await fail(*transport, request);
            failure = std::move(result);
        });
        co_await arrived->wait();
        group.cancel();
        co_await group.join();
        CHECK(failure.cancelled);
        co_await servers.join();
        CHECK(dropped);
        arrived.reset(); // It belongs to the context, which ends with this.
    });
}

TEST_CASE("close ends requests under way and refuses new ones")
{
    std::unique_ptr<Event> arrived;
    run_scripted(
        {[&](Tcp::socket& socket) -> Task<> {
            co_await read_head(socket);
            arrived->set();
            co_await read_all(socket);
        }},
        [&](ScriptedServer&, Transport& transport) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            arrived = std::make_unique<Event>(executor);
            Failure failure;
            TaskGroup group(executor);
            group.spawn("poll", [&]() -> Task<> {
                const Request request(Method::get, "/poll");
                auto result = co_await fail(transport, request);
                failure = std::move(result);
            });
            co_await arrived->wait();
            transport.close();
            co_await group.join();
            CHECK(failure.code == Errc::closed);
            CHECK(failure.sent == Sent::unknown);
            const Request request(Method::get, "/late");
            const auto late = co_await fail(transport, request);
            CHECK(late.code == Errc::closed);
            CHECK(late.sent == Sent::no);
            arrived.reset(); // It belongs to the context, which ends with this.
        });
}

TEST_CASE("idle connections are limited in number")
{
    ClientOptions options;
    options.max_idle = 0;
    run_scripted(
        {answering(ok), answering(ok)},
        [](ScriptedServer& server, Transport& transport) -> Task<> {
            const Request request(Method::get, "/");
            co_await transport.send(request);
            co_await transport.send(request);
            CHECK(server.accepted == 2);
        },
        options);
}

TEST_CASE("names and IPv6 addresses lead to the server")
{
    golem::test::run_real([]() -> Task<> {
        const auto body = [](const char* host) {
            return [host](Server& server, TimeSource& time) -> Task<> {
                const auto executor = co_await boost::asio::this_coro::executor;
                const auto transport = make_transport(executor, time, url_of(server.port(), host));
                const Request request(Method::get, "/a");
                const auto response = co_await transport->send(request);
                CHECK(response.body() == "GET /a ");
            };
        };
        // localhost has ::1 as well, where nobody listens: the next address is tried.
        const std::function<Task<>(Server&, TimeSource&)> by_name = body("localhost");
        ServerOptions options;
        co_await with_server(make_echo(), options, by_name);

        const auto executor = co_await boost::asio::this_coro::executor;
        boost::system::error_code error;
        Tcp::acceptor probe(executor);
        probe.open(Tcp::v6(), error);
        if (!error)
            probe.bind(Tcp::endpoint(boost::asio::ip::address_v6::loopback(), 0), error);
        if (error) {
            WARN("no IPv6 here: " << error.message());
            co_return;
        }
        const std::function<Task<>(Server&, TimeSource&)> by_address = body("[::1]");
        options.address = "::1";
        co_await with_server(make_echo(), options, by_address);
    });
}

TEST_CASE("what cannot work is refused at once")
{
    boost::asio::io_context context;
    RealTime time;
    VirtualTime jumping;
    const auto executor = context.get_executor();
    CHECK_THROWS_AS(make_transport(executor, jumping, Url::parse("http://127.0.0.1")), Error);
    ClientOptions options;
    options.connect_limit = 0s;
    CHECK_THROWS_AS(make_transport(executor, time, Url::parse("http://127.0.0.1"), options), Error);
    golem::test::run_real([&]() -> Task<> {
        const auto here = co_await boost::asio::this_coro::executor;
        const auto transport = make_transport(here, time, Url::parse("http://127.0.0.1"));
        Request request(Method::get, "/a");
        request.headers().add("X", "a\r\nb");
        const auto failure = co_await fail(*transport, request);
        CHECK(failure.code == Errc::invalid_input);
    });
}
