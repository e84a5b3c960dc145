// Connections and the hub, over loopback.
#include <golem/bus/connection.hpp>
#include <golem/bus/hub.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

using namespace golem;
using namespace golem::bus;
using namespace std::chrono_literals;

namespace {

// A hub, and connections to it.
class Net {
public:
    explicit Net(const Executor& executor, const HubOptions& options = HubOptions())
        : executor_(executor), hub_(executor, time_, options, Random(1), Logger()), group_(executor)
    {
        group_.spawn("hub", [this] { return hub_.run(); });
    }

    std::unique_ptr<Connection> connection(ConnectionOptions options = ConnectionOptions())
    {
        options.url = "tcp://127.0.0.1:" + std::to_string(hub_.port());
        return std::make_unique<Connection>(executor_, time_, options, Random(++seed_), log_);
    }

    Task<> end()
    {
        hub_.close();
        co_await group_.join();
    }

    RealTime& time() { return time_; }
    Hub& hub() { return hub_; }
    TaskGroup& tasks() { return group_; }
    std::string& log() { return lines_; }

private:
    Executor executor_;
    RealTime time_;
    std::string lines_;
    Logger log_{[this](LogLevel level, std::string_view line) {
        if (level >= LogLevel::warning)
            lines_ += std::string(line) + '\n';
    }};
    std::uint64_t seed_ = 1;
    Hub hub_;
    TaskGroup group_;
};

// Answers by component: echo, parts, fail, silent, forever.
Task<> behave(const Call& call, Answer& answer, Event& never, bool& cancelled)
{
    if (call.component() == "echo") {
        answer.finish(call.caller() + " says " + call.body());
    } else if (call.component() == "parts") {
        for (const char letter : call.body()) {
            const std::string part(1, letter);
            co_await answer.part(part);
        }
    } else if (call.component() == "fail") {
        throw Error(Errc::refused, "serve", "as planned");
    } else if (call.component() == "forever") {
        try {
            co_await never.wait();
        } catch (...) {
            cancelled = true;
            throw;
        }
    }
}

std::string error_of(const std::exception_ptr& failure)
{
    if (!failure)
        return "none";
    try {
        std::rethrow_exception(failure);
    } catch (const CallError& error) {
        return std::to_string(static_cast<int>(error.code())) + " " + error.their_words();
    } catch (const Error& error) {
        return error.explanation();
    } catch (const std::exception& error) {
        return error.what();
    }
}

Task<std::string> outcome_of(Task<std::string> call)
{
    std::string outcome;
    std::exception_ptr failure;
    try {
        outcome = co_await std::move(call);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        outcome = error_of(failure);
    co_return outcome;
}

Task<std::string> outcome_of(Task<> action)
{
    std::exception_ptr failure;
    try {
        co_await std::move(action);
    } catch (...) {
        failure = std::current_exception();
    }
    co_return error_of(failure);
}

struct Provider {
    explicit Provider(const Executor& executor) : never(executor) {}

    Handler handler()
    {
        return [this](const Call& call, Answer& answer) { return behave(call, answer, never, cancelled); };
    }

    Event never;
    bool cancelled = false;
};

} // namespace

TEST_CASE("a service is called through a hub")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        const auto client = net.connection();
        co_await server->open();
        co_await client->open();
        CHECK(net.hub().peers() == 2);
        co_await server->add_service("/public/exeunit/1", provider.handler());

        const std::string echo = "/public/exeunit/1/echo";
        const std::string parts = "/public/exeunit/1/parts";
        const std::string fail = "/public/exeunit/1/fail";
        const std::string nothing = "/public/exeunit/1/other";
        const std::string nowhere = "/public/exeunit/2/echo";
        auto reply = co_await client->call(echo, "hello");
        CHECK(reply == "/local/golem-service-manager says hello");
        const std::string large(3'000'000, 'x');
        reply = co_await client->call(echo, large);
        CHECK(reply.size() > large.size());

        std::string heard;
        const PartHandler hear = [&](std::string part) { heard += part + ","; };
        reply = co_await client->call(parts, "abc", hear);
        CHECK(reply.empty());
        CHECK(heard == "a,b,c,");
        reply = co_await client->call(nothing, "");
        CHECK(reply.empty());

        auto outcome = co_await outcome_of(client->call(fail, ""));
        CHECK(outcome == "500 serve: as planned");
        outcome = co_await outcome_of(client->call(nowhere, ""));
        CHECK(outcome == "400 endpoint address not found");
        CHECK_THAT(net.log(), test::contains_text("/public/exeunit/1/fail failed"));

        co_await client->close();
        co_await server->close();
        CHECK_FALSE(server->failure());
        co_await net.end();
    });
}

TEST_CASE("many calls at a time keep apart")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        const auto client = net.connection();
        co_await server->open();
        co_await client->open();
        co_await server->add_service("/s", provider.handler());
        int right = 0;
        TaskGroup calls(executor);
        for (int number = 0; number < 200; ++number)
            calls.spawn("call", [&, number]() -> Task<> {
                const std::string address = number % 2 ? "/s/echo" : "/s/parts";
                const std::string body = "n" + std::to_string(number);
                std::string heard;
                const PartHandler hear = [&](std::string part) { heard += part; };
                const auto reply = co_await client->call(address, body, hear);
                right += number % 2 ? reply.ends_with(" says " + body) : heard == body;
            });
        co_await calls.join();
        CHECK(right == 200);
        co_await client->close();
        co_await server->close();
        co_await net.end();
    });
}

TEST_CASE("a service that is removed ends its calls, and can be offered again")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        const auto client = net.connection();
        co_await server->open();
        co_await client->open();
        co_await server->add_service("/s/1", provider.handler());
        auto outcome = co_await outcome_of(server->add_service("/s/1", provider.handler()));
        CHECK(outcome == "this connection offers it already");
        outcome = co_await outcome_of(client->add_service("/s/1", provider.handler()));
        CHECK(outcome == "somebody else offers it");
        outcome = co_await outcome_of(client->add_service("s", provider.handler()));
        CHECK(outcome == "the bus does not like this address");

        std::string end;
        TaskGroup calls(executor);
        Event called(executor);
        calls.spawn("forever", [&]() -> Task<> {
            called.set();
            const std::string address = "/s/1/forever";
            end = co_await outcome_of(client->call(address, ""));
        });
        co_await called.wait();
        const std::string echo = "/s/1/echo";
        auto reply = co_await client->call(echo, ""); // the other has arrived before
        co_await server->remove_service("/s/1");
        CHECK(provider.cancelled);
        co_await calls.join();
        CHECK(end == "500 the service has left");
        outcome = co_await outcome_of(client->call(echo, ""));
        CHECK(outcome == "400 endpoint address not found");
        co_await server->remove_service("/s/1");

        co_await client->add_service("/s/1", provider.handler());
        reply = co_await client->call(echo, "again");
        CHECK(reply.ends_with("again"));
        co_await client->close();
        co_await server->close();
        co_await net.end();
    });
}

TEST_CASE("the end of either side reaches everybody")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        const auto client = net.connection();
        co_await server->open();
        co_await client->open();
        co_await server->add_service("/s", provider.handler());
        const std::string echo = "/s/echo";
        const std::string forever = "/s/forever";
        std::string first_end, second_end;
        TaskGroup calls(executor);
        calls.spawn("forever", [&]() -> Task<> { first_end = co_await outcome_of(client->call(forever, "")); });
        co_await client->call(echo, "");
        co_await server->close();
        co_await calls.join();
        CHECK(first_end == "500 the service has left");
        CHECK(provider.cancelled);
        const auto outcome = co_await outcome_of(server->call(echo, ""));
        CHECK(outcome == "the connection to the service bus has ended");

        // Now the hub goes.
        const auto other = net.connection();
        co_await other->open();
        co_await other->add_service("/s", provider.handler());
        calls.spawn("forever", [&]() -> Task<> { second_end = co_await outcome_of(client->call(forever, "")); });
        co_await client->call(echo, "");
        co_await net.end();
        co_await calls.join();
        co_await client->ended().wait();
        co_await other->ended().wait();
        CHECK(client->failure());
        CHECK_FALSE(client->is_open());
        CHECK((second_end == "the connection to the service bus has ended" || second_end.starts_with("500")));
        co_await other->remove_service("/s");
        co_await client->close();
        co_await other->close();
    });
}

TEST_CASE("waits are bounded")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        ConnectionOptions options;
        options.call_limit = 20ms;
        const auto client = net.connection(options);
        co_await server->open();
        co_await client->open();
        co_await server->add_service("/s", provider.handler());
        const std::string forever = "/s/forever";
        const auto outcome = co_await outcome_of(client->call(forever, ""));
        CHECK(outcome == "no reply came in time");
        co_await client->close();
        co_await server->close();
        co_await net.end();
    });
}

TEST_CASE("what is no bus is told from one that is not there")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        using Tcp = boost::asio::ip::tcp;
        RealTime time;
        ConnectionOptions options;
        options.connect_limit = 50ms;
        // Listens and says nothing: the system accepts for it.
        Tcp::acceptor acceptor(executor, Tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
        options.url = "tcp://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
        {
            Connection connection(executor, time, options, Random(1), Logger());
            const auto outcome = co_await outcome_of(connection.open());
            CHECK(outcome == "nobody says hello there; is it a service bus?");
        }
        // Speaks something else.
        TaskGroup tasks(executor);
        tasks.spawn("http", [&]() -> Task<> {
            for (int number = 0; number < 2; ++number) {
                auto socket = co_await acceptor.async_accept(boost::asio::use_awaitable);
                const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
                const auto bytes = boost::asio::buffer(text);
                co_await boost::asio::async_write(socket, bytes, boost::asio::use_awaitable);
            }
        });
        {
            options.connect_limit = 5s;
            Connection connection(executor, time, options, Random(1), Logger());
            const auto outcome = co_await outcome_of(connection.open());
            CHECK(outcome == "the connection ended before anybody said hello; is it a service bus?");
        }
        co_await tasks.join();
        acceptor.close();
        Connection connection(executor, time, options, Random(1), Logger());
        const auto outcome = co_await outcome_of(connection.open());
        CHECK_THAT(outcome, test::contains_text("is the daemon running?"));
    });
}

TEST_CASE("a cancelled call leaves nothing behind")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Net net(executor);
        Provider provider(executor);
        const auto server = net.connection();
        const auto client = net.connection();
        co_await server->open();
        co_await client->open();
        co_await server->add_service("/s", provider.handler());
        std::string end;
        TaskGroup calls(executor);
        calls.spawn("forever", [&]() -> Task<> {
            const std::string address = "/s/forever";
            end = co_await outcome_of(client->call(address, ""));
        });
        const std::string echo = "/s/echo";
        co_await client->call(echo, "");
        calls.cancel();
        co_await calls.join();
        CHECK_FALSE(end.empty());
        provider.never.set(); // a late reply, for nobody
        const auto reply = co_await client->call(echo, "x");
        CHECK(reply.ends_with("x"));
        co_await client->close();
        co_await server->close();
        co_await net.end();
    });
}

TEST_CASE("a hub ends peers that send too much")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        HubOptions options;
        options.largest_message = 1000;
        Net net(executor, options);
        const auto client = net.connection();
        co_await client->open();
        const std::string address = "/s/echo";
        const std::string large(2000, 'x');
        const auto outcome = co_await outcome_of(client->call(address, large));
        CHECK(outcome == "the connection to the service bus has ended");
        co_await client->close();
        CHECK(net.hub().peers() == 0);
        const auto other = net.connection();
        co_await other->open();
        CHECK(net.hub().peers() == 1);
        co_await other->close();
        co_await net.end();
    });
}

TEST_CASE("options are checked before anything is done")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        VirtualTime virtual_time;
        const auto refused = [&](const ConnectionOptions& options, TimeSource& source) {
            try {
                Connection connection(executor, source, options, Random(1), Logger());
                return std::string("accepted");
            } catch (const Error& error) {
                CHECK(error.errc() == Errc::invalid_input);
                return error.explanation();
            }
        };
        ConnectionOptions options;
        CHECK_THAT(refused(options, virtual_time), test::contains_text("RealTime"));
        options.call_limit = Duration(0);
        CHECK_THAT(refused(options, time), test::contains_text("ConnectionOptions::call_limit"));
        options = ConnectionOptions();
        options.url = "ftp://x";
        CHECK_THAT(refused(options, time), test::contains_text("ftp://x"));
        HubOptions hub_options;
        Hub hub(executor, time, hub_options, Random(1), Logger());
        hub_options.port = hub.port();
        CHECK_THROWS_AS(Hub(executor, time, hub_options, Random(1), Logger()), Error);
        co_return;
    });
}
