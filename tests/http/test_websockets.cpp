// Websockets: the same behaviour over a connection and in process.
#include <golem/core/race.hpp>
#include <golem/core/virtual_time.hpp>
#include <golem/http/counting.hpp>
#include <golem/http/detail/websocket_frames.hpp>
#include <golem/http/in_process.hpp>
#include <golem/http/websocket.hpp>

#include <tests/http/support.hpp>

#include <boost/asio/thread_pool.hpp>

#include <boost/asio/post.hpp>

#include <atomic>
#include <map>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;

namespace {

struct World {
    std::atomic<int> alive{0};
    std::atomic<int> ended{0};     // Services that were told the end.
    std::atomic<int> sent{0};      // Messages that /flood got rid of.
    std::atomic<int> cancelled{0}; // Services that were cancelled.
    std::atomic<int> code{0};      // What the client closed with.
};

using Serve = std::function<Task<>(WebSocket&, World&)>;

class FunctionService final : public WebSocketService {
public:
    FunctionService(Serve serve, World& world) : serve_(std::move(serve)), world_(world) { ++world_.alive; }
    ~FunctionService() override { --world_.alive; }

    Task<> serve(WebSocket& socket) override
    {
        std::exception_ptr failure;
        try {
            co_await serve_(socket, world_);
        } catch (...) {
            failure = std::current_exception();
        }
        if (is_cancelled(failure))
            ++world_.cancelled;
        if (failure)
            std::rethrow_exception(failure);
    }

    std::size_t message_limit() const noexcept override { return 1 << 20; }

private:
    Serve serve_;
    World& world_;
};

Task<> echo(WebSocket& socket, World& world)
{
    for (;;) {
        const auto message = co_await socket.receive();
        if (!message)
            break;
        co_await socket.send(*message);
    }
    world.code = socket.end()->code;
    ++world.ended;
}

Task<> flood(WebSocket& socket, World& world)
{
    const WebSocketMessage message(std::string(64 * 1024, 'x'));
    for (int n = 0; n < 1000; ++n) {
        co_await socket.send(message);
        ++world.sent;
    }
}

Task<> leave(WebSocket& socket, World&)
{
    const WebSocketMessage last("last words", WebSocketMessage::Kind::text);
    co_await socket.send(last);
    co_await socket.close(4001, "had enough");
}

Task<> break_off(WebSocket& socket, World&)
{
    const WebSocketMessage last("half");
    co_await socket.send(last);
    throw TransportError(Errc::closed, "x", "broken on purpose", TransportError::Sent::unknown);
}

Task<> oversized(WebSocket& socket, World&)
{
    const WebSocketMessage large(std::string(5000, 'x'));
    co_await socket.send(large);
    co_await socket.receive();
}

// Waits for something else than messages.
Task<> deaf(WebSocket&, World&)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    Event never(executor);
    co_await never.wait();
}

std::shared_ptr<Handler> make_server(World& world)
{
    return make_handler([&world](const Request& request) -> Task<Response> {
        const std::map<std::string, Serve> services = {{"/echo", echo},           {"/flood", flood},
                                                       {"/leave", leave},         {"/break", break_off},
                                                       {"/oversized", oversized}, {"/deaf", deaf}};
        const auto found = services.find(request.target());
        if (found == services.end() || !wants_websocket(request)) {
            Response refusal(found == services.end() ? 404 : 200, "no websocket here", "text/plain");
            co_return refusal;
        }
        const std::string protocol = offers_protocol(request, "gsb+flexbuffers") ? "gsb+flexbuffers" : "";
        auto response = make_websocket_answer(std::make_shared<FunctionService>(found->second, world), protocol);
        co_return response;
    });
}

using Body = std::function<Task<>(Transport&, TimeSource&, World&)>;

void run_all(const Body& body)
{
    SECTION("over a connection")
    {
        World world;
        run_with_server(make_server(world), [&](Server& server, TimeSource& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            const auto transport = make_transport(executor, time, url_of(server.port()));
            co_await body(*transport, time, world);
        });
        CHECK(world.alive == 0);
    }
    SECTION("in process, in virtual time")
    {
        World world;
        golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            const auto transport = make_in_process_transport(executor, time, make_server(world), "devnet");
            co_await body(*transport, time, world);
        });
        CHECK(world.alive == 0);
    }
    SECTION("in process, from another thread")
    {
        World world;
        boost::asio::thread_pool pool(1);
        golem::test::run_real([&]() -> Task<> {
            RealTime time;
            const auto transport = make_in_process_transport(pool.get_executor(), time, make_server(world), "devnet");
            co_await body(*transport, time, world);
        });
        pool.join();
        CHECK(world.alive == 0);
    }
}

// How receiving went on: the messages, then "END 1000 reason" or how it failed.
Task<std::string> hear(WebSocket& socket)
{
    std::string story;
    try {
        for (;;) {
            const auto message = co_await socket.receive();
            if (!message)
                break;
            story += message->data().size() > 100 ? std::to_string(message->data().size()) : message->data();
            story += "|";
        }
        story += "END " + std::to_string(socket.end()->code) + " " + socket.end()->reason;
    } catch (const TransportError& error) {
        story += make_error_code(error.errc()).message() + " " + error.explanation();
    }
    co_return story;
}

} // namespace

TEST_CASE("messages of both kinds go both ways")
{
    run_all([](Transport& transport, TimeSource&, World& world) -> Task<> {
        Request request(Method::get, "/echo");
        request.headers().add("Sec-WebSocket-Protocol", "other, gsb+flexbuffers");
        const auto answer = co_await transport.open_websocket(request);
        REQUIRE(answer.socket);
        CHECK(answer.response.status() == 101);
        CHECK(answer.socket->protocol() == "gsb+flexbuffers");
        for (const std::size_t size : {0u, 5u, 125u, 126u, 70'000u, 1u << 20}) {
            for (const auto kind : {WebSocketMessage::Kind::text, WebSocketMessage::Kind::binary}) {
                const WebSocketMessage message(std::string(size, 'x'), kind);
                co_await answer.socket->send(message);
                const auto echoed = co_await answer.socket->receive();
                REQUIRE(echoed);
                CHECK(echoed->kind() == kind);
                CHECK(echoed->data() == message.data());
            }
        }
        co_await answer.socket->close(4000, "thanks");
        co_await answer.socket->close();
        const auto story = co_await hear(*answer.socket);
        CHECK(story.find("was closed by this program") != std::string::npos);
        for (int n = 0; n < 100 && world.ended == 0; ++n)
            co_await boost::asio::post(boost::asio::deferred);
        CHECK(world.ended <= 1);
    });
}

TEST_CASE("a server's refusal is its answer")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        const Request request(Method::get, "/nothing");
        const auto answer = co_await transport.open_websocket(request);
        CHECK(!answer.socket);
        CHECK(answer.response.status() == 404);
        CHECK(answer.response.body() == "no websocket here");
        // The same route without a wish for a websocket.
        const Request plain(Method::get, "/echo");
        const auto response = co_await transport.send(plain);
        CHECK(response.status() == 200);
        const Request post(Method::post, "/echo");
        Errc code = Errc::internal;
        try {
            co_await transport.open_websocket(post);
        } catch (const Error& error) {
            code = error.errc();
        }
        CHECK(code == Errc::invalid_input);
    });
}

TEST_CASE("the end of a websocket is told as it came")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        struct Row {
            const char* target;
            const char* story;
        };
        const Row rows[] = {
            {"/leave", "last words|END 4001 had enough"},
            {"/break", "half|protocol error the websocket"},
            {"/oversized", "protocol error "},
        };
        for (const auto& row : rows) {
            INFO(row.target);
            Request request(Method::get, row.target);
            request.set_response_limit(1000);
            const auto answer = co_await transport.open_websocket(request);
            REQUIRE(answer.socket);
            const auto story = co_await hear(*answer.socket);
            CHECK(story.substr(0, std::string_view(row.story).size()) == row.story);
            const WebSocketMessage message("late");
            bool failed = false;
            try {
                co_await answer.socket->send(message);
            } catch (const TransportError&) {
                failed = true;
            }
            CHECK(failed);
        }
    });
}

TEST_CASE("a reader who does not read holds the writer up")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        const Request request(Method::get, "/flood");
        const auto answer = co_await transport.open_websocket(request);
        REQUIRE(answer.socket);
        // Until nothing moves any more.
        int before = -1;
        while (world.sent != before) {
            before = world.sent;
            co_await time.sleep_for(100ms, "the test lets the writer run");
        }
        CHECK(world.sent > 0);
        CHECK(world.sent < 500);
        std::size_t size = 0;
        for (;;) {
            const auto message = co_await answer.socket->receive();
            if (!message)
                break;
            size += message->data().size();
        }
        CHECK(size == 1000u * 64 * 1024);
        CHECK(answer.socket->end()->code == 1000);
    });
}

TEST_CASE("a service ends with its client, however that goes")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        // Dropped: the service is cancelled, wherever it waits.
        for (const auto* target : {"/deaf", "/flood"}) {
            const Request request(Method::get, target);
            auto answer = co_await transport.open_websocket(request);
            REQUIRE(answer.socket);
            answer.socket.reset();
        }
        for (int n = 0; n < 500 && world.alive > 0; ++n)
            co_await time.sleep_for(10ms, "the test waits for services to end");
        CHECK(world.alive == 0);
        // A farewell reaches who receives.
        const Request request(Method::get, "/echo");
        const auto answer = co_await transport.open_websocket(request);
        co_await answer.socket->close(4002, "bye");
        for (int n = 0; n < 500 && world.alive > 0; ++n)
            co_await time.sleep_for(10ms, "the test waits for services to end");
        CHECK(world.ended == 1);
        CHECK(world.code == 4002);
    });
}

TEST_CASE("closing the transport ends its websockets")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        const Request request(Method::get, "/echo");
        const auto answer = co_await transport.open_websocket(request);
        REQUIRE(answer.socket);
        const auto executor = co_await boost::asio::this_coro::executor;
        std::string story;
        TaskGroup group(executor);
        group.spawn("hearing", [&]() -> Task<> { story = co_await hear(*answer.socket); });
        co_await time.sleep_for(20ms, "the test lets the reader begin");
        transport.close();
        co_await group.join();
        CHECK(story.find("closed by this program") != std::string::npos);
        for (int n = 0; n < 500 && world.alive > 0; ++n)
            co_await time.sleep_for(10ms, "the test waits for services to end");
        CHECK(world.alive == 0);
        Errc code = Errc::internal;
        try {
            co_await transport.open_websocket(request);
        } catch (const Error& error) {
            code = error.errc();
        }
        CHECK(code == Errc::closed);
    });
}

TEST_CASE("a cancelled receive leaves the websocket usable")
{
    run_all([](Transport& transport, TimeSource& time, World&) -> Task<> {
        const Request request(Method::get, "/echo");
        const auto answer = co_await transport.open_websocket(request);
        REQUIRE(answer.socket);
        auto receiving = answer.socket->receive();
        const auto nothing = co_await with_timeout(time, 20ms, std::move(receiving), "a message that does not come");
        CHECK(!nothing);
        const WebSocketMessage message("still there");
        co_await answer.socket->send(message);
        const auto echoed = co_await answer.socket->receive();
        REQUIRE(echoed);
        CHECK(echoed->data() == "still there");
    });
}

TEST_CASE("websockets are counted, as long as they are held")
{
    run_all([](Transport& transport, TimeSource& time, World&) -> Task<> {
        std::shared_ptr<Transport> inner(&transport, [](Transport*) {});
        CountingTransport counting(inner, time);
        const Request request(Method::get, "/echo");
        auto answer = co_await counting.open_websocket(request);
        CHECK(counting.under_way() == 1);
        answer.socket.reset();
        CHECK(counting.under_way() == 0);
        const Request other(Method::get, "/nothing");
        const auto refused = co_await counting.open_websocket(other);
        CHECK(counting.under_way() == 0);
        CHECK(counting.total() == 2);
        CHECK(counting.by_route().at("GET /echo") == 1);
    });
}

TEST_CASE("a peer that is gone without a word is noticed by pings")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        Event over(executor);
        ScriptedServer server(executor);
        std::string heard;
        std::vector<ScriptedServer::Script> scripts = {[&](Tcp::socket& socket) -> Task<> {
            const auto head = co_await read_head(socket);
            const auto at = head.find("Sec-WebSocket-Key: ") + 19;
            const auto accept = http::detail::accept_of(head.substr(at, head.find('\r', at) - at));
            co_await write_text(
                socket, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: " +
                            accept + "\r\n\r\n\x89\x02hi\x81\x05Hello");
            heard = co_await read_all(socket);
        }};
        TaskGroup group(executor);
        group.spawn("server", [&] { return server.play(scripts); });
        const auto transport = make_transport(executor, time, url_of(server.port()));
        Request request(Method::get, "/");
        request.set_idle_limit(100ms);
        const auto answer = co_await transport->open_websocket(request);
        REQUIRE(answer.socket);
        const auto started = time.now();
        const auto story = co_await hear(*answer.socket);
        CHECK(story.starts_with("Hello|timed out "));
        CHECK(story.find("did not answer a ping") != std::string::npos);
        CHECK(time.now() - started < 2s);
        co_await group.join();
        // A pong for their ping, and a ping of ours.
        http::detail::WebSocketReader reader(true, 1000);
        reader.feed(heard);
        const auto pong = reader.next();
        REQUIRE(pong);
        CHECK(pong->kind == http::detail::Opcode::pong);
        CHECK(pong->data == "hi");
        const auto ping = reader.next();
        REQUIRE(ping);
        CHECK(ping->kind == http::detail::Opcode::ping);
    });
}

TEST_CASE("a program that stood still does not take others for dead")
{
    World world;
    run_with_server(make_server(world), [](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_transport(executor, time, url_of(server.port()));
        Request request(Method::get, "/echo");
        request.set_idle_limit(100ms);
        const auto answer = co_await transport->open_websocket(request);
        REQUIRE(answer.socket);
        for (int n = 0; n < 3; ++n) {
            // As a disk that is slow, or a debugger.
            const auto until = time.now() + 250ms;
            while (time.now() < until) {
            }
            co_await time.sleep_for(60ms, "the test lets pings go out");
            const WebSocketMessage message("alive");
            co_await answer.socket->send(message);
            const auto echoed = co_await answer.socket->receive();
            REQUIRE(echoed);
        }
    });
}

TEST_CASE("an answer that only looks like an agreement is none")
{
    struct Row {
        const char* answer;
        Errc code;
    };
    const Row rows[] = {
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", Errc::protocol},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", Errc::protocol},
        {"rubbish\r\n\r\n", Errc::protocol},
        {"", Errc::unreachable},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf", Errc::protocol},
    };
    golem::test::run_real([&]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        for (const auto& row : rows) {
            INFO(row.answer);
            ScriptedServer server(executor);
            std::vector<ScriptedServer::Script> scripts = {[&](Tcp::socket& socket) -> Task<> {
                co_await read_head(socket);
                co_await write_text(socket, row.answer);
            }};
            TaskGroup group(executor);
            group.spawn("server", [&] { return server.play(scripts); });
            const auto transport = make_transport(executor, time, url_of(server.port()));
            const Request request(Method::get, "/");
            Errc code = Errc::internal;
            try {
                co_await transport->open_websocket(request);
            } catch (const TransportError& error) {
                code = error.errc();
            }
            CHECK(code == row.code);
            co_await group.join();
        }
    });
}

TEST_CASE("the server refuses handshakes that are none")
{
    World world;
    run_with_server(make_server(world), [](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_transport(executor, time, url_of(server.port()));
        Request request(Method::get, "/echo");
        request.headers().add("Upgrade", "websocket");
        const auto no_key = co_await transport->send(request);
        CHECK(no_key.status() == 400);
        request.headers().add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.headers().add("Sec-WebSocket-Version", "8");
        const auto old = co_await transport->send(request);
        CHECK(old.status() == 400);
    });
}
