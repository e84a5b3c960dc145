// Answers that come in pieces: the same behaviour over a connection and in process.
#include <golem/core/race.hpp>
#include <golem/http/counting.hpp>
#include <golem/http/in_process.hpp>
#include <golem/http/stream.hpp>

#include <tests/http/support.hpp>

#include <boost/asio/thread_pool.hpp>

#include <atomic>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;

namespace {

class FunctionSource final : public BodySource {
public:
    using Function = std::function<Task<std::optional<std::string>>()>;

    FunctionSource(Function function, std::atomic<int>& alive) : function_(std::move(function)), alive_(alive)
    {
        ++alive_;
    }

    ~FunctionSource() override { --alive_; }

    Task<std::optional<std::string>> next() override { return function_(); }

private:
    Function function_;
    std::atomic<int>& alive_;
};

struct World {
    std::atomic<int> alive{0};
    std::atomic<int> asked{0};
    Event* gate = nullptr;
};

// /count/N: N pieces; /gate: a piece, then nothing until the gate opens; /break, /break-late: an end in the middle;
// /throw: a defect; /empty: only a head; anything else is a whole answer.
std::shared_ptr<Handler> make_streamer(World& world)
{
    return make_handler([&world](const Request& request) -> Task<Response> {
        const auto target = request.target();
        FunctionSource::Function function;
        if (target.starts_with("/count/")) {
            function = [&world, left = std::stoi(target.substr(7))]() mutable -> Task<std::optional<std::string>> {
                ++world.asked;
                std::optional<std::string> piece;
                if (left > 0)
                    piece = "piece " + std::to_string(left--) + "\n";
                co_return piece;
            };
        } else if (target == "/large") {
            function = [&world, left = 64]() mutable -> Task<std::optional<std::string>> {
                ++world.asked;
                std::optional<std::string> piece;
                if (left-- > 0)
                    piece = std::string(1 << 20, 'x');
                co_return piece;
            };
        } else if (target == "/gate") {
            function = [&world, begun = false]() mutable -> Task<std::optional<std::string>> {
                std::optional<std::string> piece;
                if (std::exchange(begun, true))
                    co_await world.gate->wait();
                else
                    piece = "first";
                co_return piece;
            };
        } else if (target == "/break") {
            function = []() -> Task<std::optional<std::string>> {
                throw TransportError(Errc::closed, "x", "broken on purpose", TransportError::Sent::unknown);
                co_return std::nullopt;
            };
        } else if (target == "/break-late") {
            function = [begun = false]() mutable -> Task<std::optional<std::string>> {
                if (begun)
                    throw TransportError(Errc::closed, "x", "broken on purpose", TransportError::Sent::unknown);
                begun = true;
                std::optional<std::string> piece("half");
                co_return piece;
            };
        } else if (target == "/empty") {
            function = [begun = false]() mutable -> Task<std::optional<std::string>> {
                std::optional<std::string> piece;
                if (!std::exchange(begun, true))
                    piece.emplace();
                co_return piece;
            };
        } else {
            Response response(404, "whole", "text/plain");
            co_return response;
        }
        Response response(200, std::string(), "text/event-stream");
        response.set_source(std::make_shared<FunctionSource>(std::move(function), world.alive));
        co_return response;
    });
}

using Body = std::function<Task<>(Transport&, TimeSource&, World&)>;

// Over a connection, in process, and in process with the handler on a thread of its own.
void run_all(const Body& body)
{
    SECTION("over a connection")
    {
        World world;
        run_with_server(make_streamer(world), [&](Server& server, TimeSource& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            Event gate(executor);
            world.gate = &gate;
            const auto transport = make_transport(executor, time, url_of(server.port()));
            std::exception_ptr failure;
            try {
                co_await body(*transport, time, world);
            } catch (...) {
                failure = std::current_exception();
            }
            transport->close();
            // The server notices; before that its sources may wait at the gate.
            while (world.alive > 0)
                co_await time.sleep_for(5ms, "the sources go");
            if (failure)
                std::rethrow_exception(failure);
        });
        CHECK(world.alive == 0);
    }
    SECTION("in process")
    {
        World world;
        golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            Event gate(executor);
            world.gate = &gate;
            const auto transport = make_in_process_transport(executor, time, make_streamer(world), "devnet");
            co_await body(*transport, time, world);
        });
        CHECK(world.alive == 0);
    }
    SECTION("in process, from another thread")
    {
        World world;
        boost::asio::thread_pool pool(1);
        Event gate(pool.get_executor());
        world.gate = &gate;
        golem::test::run_real([&]() -> Task<> {
            RealTime time;
            const auto transport = make_in_process_transport(pool.get_executor(), time, make_streamer(world), "devnet");
            co_await body(*transport, time, world);
        });
        pool.join();
        CHECK(world.alive == 0);
    }
}

Task<Failure> fail_reading(ResponseStream& stream)
{
    Failure failure;
    try {
        for (;;) {
            const auto piece = co_await stream.read();
            failure.text += piece ? *piece : "END";
            if (!piece)
                break;
        }
    } catch (const TransportError& error) {
        failure.code = error.errc();
        failure.text += std::string("|") + error.what();
        failure.transient = error.is_transient();
    } catch (const boost::system::system_error& error) {
        failure.cancelled = is_cancelled(error.code());
    }
    co_return failure;
}

} // namespace

TEST_CASE("a streamed answer is read in pieces, and its connection is used again")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        const Request request(Method::get, "/count/3");
        for (int i = 0; i < 2; ++i) {
            const auto stream = co_await transport.open(request);
            CHECK(stream->head().status() == 200);
            CHECK(stream->head().content_type() == "text/event-stream");
            CHECK(!stream->head().headers().get("Content-Length"));
            const auto text = co_await read_all(*stream, 100);
            CHECK(text == "piece 3\npiece 2\npiece 1\n");
            const auto more = co_await stream->read();
            CHECK(!more);
        }
        // The whole of it for those who do not stream; a whole answer for those who do; a head for HEAD.
        const auto whole = co_await transport.send(request);
        CHECK(whole.body() == "piece 3\npiece 2\npiece 1\n");
        const Request other(Method::get, "/nothing");
        const auto stream = co_await transport.open(other);
        CHECK(stream->head().status() == 404);
        CHECK(stream->head().body().empty());
        const auto text = co_await read_all(*stream, 100);
        CHECK(text == "whole");
        const Request head(Method::head, "/count/3");
        const auto headed = co_await transport.open(head);
        CHECK(headed->head().status() == 200);
        const auto nothing = co_await headed->read();
        CHECK(!nothing);
    });
}

TEST_CASE("a head can go out alone")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        const Request request(Method::get, "/empty");
        const auto stream = co_await transport.open(request);
        const auto piece = co_await stream->read();
        CHECK(!piece);
    });
}

TEST_CASE("an answer that breaks off is told as such, and its head comes first")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        const Request request(Method::get, "/break");
        const auto stream = co_await transport.open(request);
        CHECK(stream->head().status() == 200);
        const auto failure = co_await fail_reading(*stream);
        CHECK(failure.code == Errc::protocol);
        CHECK(failure.transient);
        CHECK(contains(failure.text, "was cut off"));
        const auto more = co_await stream->read();
        CHECK(!more);
        const Request late(Method::get, "/break-late");
        const auto other = co_await transport.open(late);
        const auto broken = co_await fail_reading(*other);
        CHECK(broken.code == Errc::protocol);
        CHECK(contains(broken.text, "half|"));
    });
}

TEST_CASE("a stream that is larger than allowed is refused")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        Request request(Method::get, "/count/100");
        request.set_response_limit(50);
        const auto stream = co_await transport.open(request);
        const auto failure = co_await fail_reading(*stream);
        CHECK(failure.code == Errc::protocol);
        CHECK(contains(failure.text, "larger than allowed"));
    });
}

TEST_CASE("silence has a limit of its own")
{
    run_all([](Transport& transport, TimeSource&, World&) -> Task<> {
        Request request(Method::get, "/gate");
        request.set_idle_limit(50ms);
        const auto stream = co_await transport.open(request);
        const auto failure = co_await fail_reading(*stream);
        CHECK(failure.code == Errc::timed_out);
        CHECK(contains(failure.text, "sent nothing for 50 ms"));
    });
}

TEST_CASE("a reader who is cancelled drops the connection, and the source goes")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        Request request(Method::get, "/gate");
        request.set_idle_limit(Duration::max());
        auto stream = co_await transport.open(request);
        auto reading = fail_reading(*stream);
        const auto result = co_await with_timeout(time, 20ms, std::move(reading), "patience of a test");
        CHECK((!result || result->cancelled));
        const auto more = co_await stream->read();
        CHECK(!more);
        stream.reset();
        for (int i = 0; i < 100 && world.alive > 0; ++i)
            co_await time.sleep_for(10ms, "the source goes");
        CHECK(world.alive == 0);
    });
}

TEST_CASE("a stream that is given up ends its source")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        const Request request(Method::get, "/gate");
        auto stream = co_await transport.open(request);
        const auto piece = co_await stream->read();
        CHECK(piece == "first");
        stream.reset();
        for (int i = 0; i < 100 && world.alive > 0; ++i)
            co_await time.sleep_for(10ms, "the source goes");
        CHECK(world.alive == 0);
    });
}

TEST_CASE("a closed transport ends its streams")
{
    run_all([](Transport& transport, TimeSource& time, World&) -> Task<> {
        const Request request(Method::get, "/gate");
        const auto stream = co_await transport.open(request);
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        auto closing = [&]() -> Task<> {
            co_await time.sleep_for(10ms, "before closing");
            transport.close();
        };
        group.spawn("closing", closing);
        const auto failure = co_await fail_reading(*stream);
        CHECK(failure.code == Errc::closed);
        co_await group.join();
    });
}

TEST_CASE("nothing is read ahead for a reader who does not read")
{
    run_all([](Transport& transport, TimeSource& time, World& world) -> Task<> {
        Request request(Method::get, "/large");
        request.set_response_limit(1u << 30);
        const auto stream = co_await transport.open(request);
        co_await time.sleep_for(100ms, "a reader who does not read");
        // What the system buffers of a connection is some megabytes of the 64.
        CHECK(world.asked < 32);
        std::size_t size = 0;
        for (;;) {
            const auto piece = co_await stream->read();
            if (!piece)
                break;
            size += piece->size();
        }
        CHECK(size == 64u << 20);
    });
}

TEST_CASE("streams are counted as long as they are held")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        World world;
        const auto inner = make_in_process_transport(executor, time, make_streamer(world), "devnet");
        int seen = 0;
        auto observer = [&](const Exchange& exchange) { seen = static_cast<int>(exchange.response->status()); };
        CountingTransport transport(inner, time, observer);
        const Request request(Method::get, "/count/2");
        auto stream = co_await transport.open(request);
        CHECK(seen == 200);
        CHECK(transport.total() == 1);
        CHECK(transport.under_way() == 1);
        const auto text = co_await read_all(*stream, 100);
        CHECK(text.size() == 16);
        stream.reset();
        CHECK(transport.under_way() == 0);
    });
}

TEST_CASE("old clients get a streamed body until the end of the connection")
{
    World world;
    run_with_server(make_streamer(world), [](Server& server, TimeSource&) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Tcp::socket socket(executor);
        const Tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), server.port());
        co_await socket.async_connect(endpoint, boost::asio::deferred);
        co_await write_text(socket, "GET /count/1 HTTP/1.0\r\n\r\n");
        const auto text = co_await golem::http::test::read_all(socket);
        CHECK(contains(text, "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n"));
        CHECK(!contains(text, "transfer-encoding"));
        CHECK(contains(text, "\r\n\r\npiece 1\n"));
    });
    run_with_server(make_streamer(world), [](Server& server, TimeSource&) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Tcp::socket socket(executor);
        const Tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), server.port());
        co_await socket.async_connect(endpoint, boost::asio::deferred);
        co_await write_text(socket, "GET /count/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const auto text = co_await golem::http::test::read_all(socket);
        CHECK(contains(text, "transfer-encoding: chunked\r\n"));
        CHECK(contains(text, "8\r\npiece 2\n\r\n8\r\npiece 1\n\r\n0\r\n\r\n"));
    });
}
