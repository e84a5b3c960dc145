#include <golem/core/race.hpp>

#include <tests/http/support.hpp>

#include <boost/asio/connect.hpp>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;

namespace {

Task<Tcp::socket> connect_to(std::uint16_t port)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    Tcp::socket socket(executor);
    const Tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
    co_await socket.async_connect(endpoint, boost::asio::deferred);
    co_return socket;
}

// Sends the text, then reads all that comes until the server closes.
Task<std::string> talk(std::uint16_t port, std::string text)
{
    auto socket = co_await connect_to(port);
    co_await write_text(socket, text);
    auto answer = co_await read_all(socket);
    co_return answer;
}

std::size_t count(const std::string& text, const std::string& part)
{
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

} // namespace

TEST_CASE("the server keeps connections as HTTP says")
{
    struct Row {
        const char* request;
        std::size_t answers;
        const char* part;
    };
    const Row rows[] = {
        {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 1, "connection: close"},
        {"GET /a HTTP/1.0\r\n\r\n", 1, "connection: close"},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n", 2, "connection: keep-alive"},
        // Pipelined.
        {"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n", 3, "GET /b "},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nxyz\r\n0\r\n\r\n", 1,
         "POST /a xyz"},
        {"HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n", 1, "content-length: 8\r\n"},
        {"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", 0,
         "HTTP/1.1 100 Continue\r\n\r\n"},
        {"PATCH /a HTTP/1.1\r\nConnection: close\r\n\r\n", 0, "HTTP/1.1 501 "},
        {"rubbish\r\n\r\n", 0, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n"},
        {"GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n", 0, "HTTP/1.1 400 Bad Request\r\n"},
        {"POST /a HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 0, "HTTP/1.1 413 "},
    };
    run_with_server(make_echo(), [&](Server& server, TimeSource&) -> Task<> {
        for (const auto& row : rows) {
            auto socket = co_await connect_to(server.port());
            co_await write_text(socket, row.request);
            if (contains(row.request, "100-continue")) {
                co_await read_head(socket);
                co_await write_text(socket, "xy");
                const auto answer = co_await read_all(socket);
                CHECK(contains(answer, "POST /a xy"));
                continue;
            }
            const auto answer = co_await read_all(socket);
            INFO(row.request << "\n" << answer);
            CHECK(count(answer, " 200 OK\r\n") == row.answers);
            CHECK(contains(answer, row.part));
            CHECK(contains(answer, "\r\ndate: "));
        }
        const auto large = co_await talk(server.port(), "GET / HTTP/1.1\r\nX: " + std::string(200'000, 'x'));
        CHECK(contains(large, "HTTP/1.1 431 "));
        const auto head = co_await talk(server.port(), "HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n");
        CHECK(head.ends_with("\r\n\r\n"));
    });
}

TEST_CASE("an answer without content has no length and no type")
{
    const auto handler = make_handler([](const Request&) -> Task<Response> {
        Response response(204, "dropped");
        co_return response;
    });
    run_with_server(handler, [](Server& server, TimeSource&) -> Task<> {
        const auto answer = co_await talk(server.port(), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        CHECK(contains(answer, "HTTP/1.1 204 No Content\r\ndate: "));
        CHECK(!contains(answer, "content"));
        CHECK(!contains(answer, "dropped"));
    });
}

TEST_CASE("a body over the limit reaches the handler cut, with its size")
{
    const auto handler = make_handler([](const Request& request) -> Task<Response> {
        const std::string size(request.headers().get("X-Golem-Body-Size").value_or("none"));
        Response response(200, size + " " + std::to_string(request.body().size()));
        co_return response;
    });
    golem::test::run_real([&]() -> Task<> {
        ServerOptions options;
        options.body_limit = 1000;
        const std::function<Task<>(Server&, TimeSource&)> body = [](Server& server, TimeSource& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            const auto transport = make_transport(executor, time, url_of(server.port()));
            Request request(Method::post, "/");
            request.headers().add("X-Golem-Body-Size", "7");
            request.set_body(std::string(1000, 'x'));
            const auto whole = co_await transport->send(request);
            CHECK(whole.body() == "none 1000");
            request.set_body(std::string(5'000'000, 'x'));
            const auto cut = co_await transport->send(request);
            CHECK(cut.body() == "5000000 1000");
        };
        co_await with_server(handler, options, body);
    });
}

TEST_CASE("a handler that fails answers 500, and the connection lives on")
{
    int calls = 0;
    const auto handler = make_handler([&](const Request&) -> Task<Response> {
        ++calls;
        if (calls == 1)
            throw std::runtime_error("as planned");
        Response response(200, "fine");
        if (calls == 2)
            response.headers().add("X", "a\r\nb");
        co_return response;
    });
    run_with_server(handler, [&](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_transport(executor, time, url_of(server.port()));
        const Request request(Method::get, "/");
        const auto first = co_await transport->send(request);
        CHECK(first.status() == 500);
        CHECK(first.body().empty());
        const auto second = co_await transport->send(request);
        CHECK(second.status() == 500);
        const auto third = co_await transport->send(request);
        CHECK(third.body() == "fine");
    });
}

namespace {

// A long poll: tells that it has begun, and how it ended.
struct Poll {
    explicit Poll(const Executor& executor) : begun(executor), ended(executor), never(executor) {}

    std::shared_ptr<Handler> handler()
    {
        return make_handler([this](const Request&) -> Task<Response> {
            ++waiting;
            begun.set();
            std::exception_ptr failure;
            try {
                co_await never.wait();
            } catch (...) {
                failure = std::current_exception();
            }
            --waiting;
            cancelled += is_cancelled(failure) ? 1 : 0;
            if (waiting == 0)
                ended.set();
            if (failure)
                std::rethrow_exception(failure);
            co_return Response(200);
        });
    }

    Event begun;
    Event ended;
    Event never;
    int waiting = 0;
    int cancelled = 0;
};

} // namespace

TEST_CASE("a client that goes away cancels the handler")
{
    const bool hard = GENERATE(false, true);
    golem::test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Poll poll(executor);
        const std::function<Task<>(Server&, TimeSource&)> body = [&](Server& server, TimeSource&) -> Task<> {
            auto socket = co_await connect_to(server.port());
            co_await write_text(socket, "GET /poll HTTP/1.1\r\n\r\n");
            co_await poll.begun.wait();
            CHECK(poll.cancelled == 0);
            if (hard)
                reset(socket);
            else
                socket.close();
            co_await poll.ended.wait();
            CHECK(poll.cancelled == 1);
        };
        co_await with_server(poll.handler(), ServerOptions(), body);
    });
}

TEST_CASE("cancelling a request of our client withdraws the poll at the server")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Poll poll(executor);
        const std::function<Task<>(Server&, TimeSource&)> body = [&](Server& server, TimeSource& time) -> Task<> {
            const auto transport = make_transport(executor, time, url_of(server.port()));
            const Request request(Method::get, "/poll");
            auto sending = [&]() -> Task<> { co_await transport->send(request); };
            auto watching = [&]() -> Task<> { co_await poll.begun.wait(); };
            auto first = sending();
            auto second = watching();
            const auto ended = co_await first_of(std::move(first), std::move(second));
            CHECK(ended == 1);
            co_await poll.ended.wait();
            CHECK(poll.cancelled == 1);
        };
        co_await with_server(poll.handler(), ServerOptions(), body);
    });
}

TEST_CASE("bytes of a next request leave the handler alone")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Poll poll(executor);
        const std::function<Task<>(Server&, TimeSource&)> body = [&](Server& server, TimeSource&) -> Task<> {
            auto socket = co_await connect_to(server.port());
            co_await write_text(socket, "GET /poll HTTP/1.1\r\n\r\n");
            co_await poll.begun.wait();
            co_await write_text(socket, "GET /next HTTP/1.1\r\nConnection: close\r\n\r\n");
            poll.never.set();
            const auto answers = co_await read_all(socket);
            CHECK(count(answers, " 200 OK\r\n") == 2);
            CHECK(poll.cancelled == 0);
        };
        co_await with_server(poll.handler(), ServerOptions(), body);
    });
}

TEST_CASE("closing the server ends connections, handlers and run")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        Poll poll(executor);
        const bool by_cancellation = GENERATE(false, true);
        Server server(executor, time, poll.handler(), ServerOptions(), Logger());
        TaskGroup group(executor);
        group.spawn("server", [&] { return server.run(); });
        auto idle = co_await connect_to(server.port());
        auto busy = co_await connect_to(server.port());
        co_await write_text(busy, "GET /poll HTTP/1.1\r\n\r\n");
        co_await poll.begun.wait();
        if (by_cancellation)
            group.cancel();
        else
            server.close();
        co_await group.join();
        CHECK(poll.cancelled == 1);
        const auto nothing = co_await read_all(busy);
        CHECK(nothing.empty());
        const auto less = co_await read_all(idle);
        CHECK(less.empty());
    });
}

TEST_CASE("idle connections are closed after their limit")
{
    golem::test::run_real([]() -> Task<> {
        ServerOptions options;
        options.idle_limit = 20ms;
        const std::function<Task<>(Server&, TimeSource&)> body = [](Server& server, TimeSource& time) -> Task<> {
            const auto start = time.now();
            const auto answer = co_await talk(server.port(), "GET /a HTTP/1.1\r\n\r\n");
            CHECK(count(answer, " 200 OK\r\n") == 1);
            CHECK(time.now() - start >= 20ms);
        };
        co_await with_server(make_echo(), options, body);
    });
}

TEST_CASE("a port that is taken or an address that is none is refused")
{
    boost::asio::io_context context;
    RealTime time;
    VirtualTime jumping;
    const auto executor = context.get_executor();
    ServerOptions options;
    const Server first(executor, time, make_echo(), options, Logger());
    options.port = first.port();
    std::string text;
    try {
        const Server second(executor, time, make_echo(), options, Logger());
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        text = error.what();
    }
    CHECK(contains(text, std::to_string(first.port()) + " is taken"));
    options.address = "localhost";
    CHECK_THROWS_AS(Server(executor, time, make_echo(), options, Logger()), Error);
    options = ServerOptions();
    CHECK_THROWS_AS(Server(executor, jumping, make_echo(), options, Logger()), Error);
}

TEST_CASE("hundreds of polls wait at the same time and are withdrawn together")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Poll poll(executor);
        const std::function<Task<>(Server&, TimeSource&)> body = [&](Server& server, TimeSource& time) -> Task<> {
            const auto transport = make_transport(executor, time, url_of(server.port()));
            TaskGroup group(executor);
            constexpr int polls = 400; // Two descriptors each, and 1024 are usual.
            for (int i = 0; i < polls; ++i)
                group.spawn("poll", [&]() -> Task<> {
                    const Request request(Method::get, "/poll");
                    co_await transport->send(request);
                });
            while (poll.waiting < polls)
                co_await boost::asio::post(boost::asio::deferred);
            group.cancel();
            co_await group.join();
            co_await poll.ended.wait();
            CHECK(poll.cancelled == polls);
        };
        co_await with_server(poll.handler(), ServerOptions(), body);
    });
}
