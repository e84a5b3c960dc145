#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>
#include <golem/http/counting.hpp>
#include <golem/http/in_process.hpp>

#include <tests/http/support.hpp>

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <thread>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;
using Sent = TransportError::Sent;

namespace {

constexpr auto origin = "devnet";

// Waits for `event`, then takes one from `queue`: what a long poll of the daemon does.
std::shared_ptr<Handler> make_taker(Event& event, int& queue)
{
    return make_handler([&](const Request&) -> Task<Response> {
        co_await event.wait();
        --queue;
        Response response(200, "taken");
        co_return response;
    });
}

} // namespace

TEST_CASE("a request in process reaches the handler and comes back")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_in_process_transport(executor, time, make_echo(), origin);
        Request request(Method::put, "/a?b");
        request.set_body("body");
        const auto response = co_await transport->send(request);
        CHECK(response.status() == 200);
        CHECK(response.body() == "PUT /a?b body");
        CHECK(response.content_type() == "text/plain");
        CHECK(transport->origin() == origin);
        CHECK(time.elapsed() == 0s);
    });
}

TEST_CASE("the limit of a request passes in virtual time and withdraws the poll")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Event event(executor);
        int queue = 1;
        const auto transport = make_in_process_transport(executor, time, make_taker(event, queue), origin);
        Request request(Method::get, "/poll");
        request.set_limit(90s);
        const auto failure = co_await fail(*transport, request);
        CHECK(failure.code == Errc::timed_out);
        CHECK(failure.sent == Sent::unknown);
        CHECK(contains(failure.text, "GET /poll: no answer from devnet within 90 s"));
        CHECK(time.elapsed() == 90s);
        event.set();
        co_await time.sleep_for(1s, "let it take");
        CHECK(queue == 1);
    });
}

TEST_CASE("cancellation in process withdraws the poll before an event is taken")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Event event(executor);
        int queue = 1;
        const auto transport = make_in_process_transport(executor, time, make_taker(event, queue), origin);
        Failure failure;
        TaskGroup group(executor);
        group.spawn("poll", [&]() -> Task<> {
            const Request request(Method::get, "/poll");
            auto result = co_await fail(*transport, request);
            failure = std::move(result);
        });
        co_await time.sleep_for(1s, "let it wait");
        group.cancel();
        event.set(); // At the same moment, but after.
        co_await group.join();
        CHECK(failure.cancelled);
        CHECK(queue == 1);
    });
}

TEST_CASE("clean-up after a cancellation may send requests")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto transport = make_in_process_transport(executor, time, make_echo(), origin);
        std::string body;
        TaskGroup group(executor);
        group.spawn("worker", [&]() -> Task<> {
            auto sleep = time.sleep_for(1h, "work");
            try {
                co_await std::move(sleep);
            } catch (const boost::system::system_error&) {
                body = "interrupted";
            }
            co_await ignore_cancellation();
            const Request request(Method::del, "/a");
            const auto response = co_await transport->send(request);
            body = response.body();
        });
        co_await time.sleep_for(1s, "let it work");
        group.cancel();
        co_await group.join();
        CHECK(body == "DELETE /a ");
    });
}

TEST_CASE("close in process ends requests under way and refuses new ones")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Event event(executor);
        int queue = 1;
        const auto transport = make_in_process_transport(executor, time, make_taker(event, queue), origin);
        Failure failure;
        TaskGroup group(executor);
        group.spawn("poll", [&]() -> Task<> {
            const Request request(Method::get, "/poll");
            auto result = co_await fail(*transport, request);
            failure = std::move(result);
        });
        co_await time.sleep_for(1s, "let it wait");
        transport->close();
        co_await group.join();
        CHECK(failure.code == Errc::closed);
        CHECK(failure.sent == Sent::unknown);
        const Request request(Method::get, "/late");
        const auto late = co_await fail(*transport, request);
        CHECK(late.code == Errc::closed);
        CHECK(late.sent == Sent::no);
        event.set();
        co_await time.sleep_for(1s, "let it take");
        CHECK(queue == 1);
    });
}

TEST_CASE("in process an answer is as it would be over a wire")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto handler = make_handler([](const Request& request) -> Task<Response> {
            if (request.target() == "/failing")
                throw Error(Errc::internal, "test", "as planned");
            if (request.target() == "/leaving")
                throw boost::system::system_error(boost::asio::error::operation_aborted);
            const std::string size(request.headers().get("X-Golem-Body-Size").value_or("none"));
            Response response(request.target() == "/empty" ? 204 : 200, size + " " + request.body());
            co_return response;
        });
        const auto transport = make_in_process_transport(executor, time, handler, origin);
        const Request empty(Method::get, "/empty");
        const auto nothing = co_await transport->send(empty);
        CHECK(nothing.status() == 204);
        CHECK(nothing.body().empty());
        CHECK(nothing.content_type().empty());

        Request large(Method::post, "/");
        large.set_body(std::string(3u << 20, 'x'));
        const auto cut = co_await transport->send(large);
        CHECK(cut.body().starts_with("3145728 x"));
        CHECK(cut.body().size() == (2u << 20) + 8);
        large.set_response_limit(1u << 20);
        const auto too_large = co_await fail(*transport, large);
        CHECK(too_large.code == Errc::protocol);

        const Request failing(Method::get, "/failing");
        const auto failure = co_await fail(*transport, failing);
        CHECK(contains(failure.text, "as planned"));
        const Request leaving(Method::get, "/leaving");
        const auto left = co_await fail(*transport, leaving);
        CHECK(left.code == Errc::unreachable);
        const Request malformed(Method::get, "/a b");
        const auto refused = co_await fail(*transport, malformed);
        CHECK(refused.code == Errc::invalid_input);
    });
}

TEST_CASE("requests in process cross to the handler's executor and back", "[race]")
{
    boost::asio::thread_pool pool(1);
    std::atomic<int> begun = 0;
    std::atomic<int> cancelled = 0;
    std::atomic<bool> strange = false;
    const auto home = std::this_thread::get_id();
    RealTime time;
    const auto handler = make_handler([&](const Request& request) -> Task<Response> {
        ++begun;
        if (std::this_thread::get_id() == home)
            strange = true;
        if (request.target() == "/poll") {
            const auto executor = co_await boost::asio::this_coro::executor;
            Event never(executor);
            std::exception_ptr failure;
            try {
                co_await never.wait();
            } catch (...) {
                failure = std::current_exception();
            }
            ++cancelled;
            std::rethrow_exception(failure);
        }
        Response response(200, request.target());
        co_return response;
    });
    golem::test::run_real([&]() -> Task<> {
        const auto transport = make_in_process_transport(pool.get_executor(), time, handler, origin);
        for (int i = 0; i < 50; ++i) {
            const Request request(Method::get, "/" + std::to_string(i));
            const auto response = co_await transport->send(request);
            CHECK(response.body() == request.target());
            CHECK(std::this_thread::get_id() == home);
        }
        for (int i = 0; i < 100; ++i) {
            Request request(Method::get, "/poll");
            request.set_limit(std::chrono::microseconds(i * 5));
            const auto failure = co_await fail(*transport, request);
            CHECK(failure.code == Errc::timed_out);
        }
    });
    pool.join();
    CHECK(!strange);
    CHECK(cancelled == begun - 50);
}

TEST_CASE("requests are counted by route, and each end is observed")
{
    golem::test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Event never(executor);
        const auto handler = make_handler([&](const Request& request) -> Task<Response> {
            if (request.target() == "/poll")
                co_await never.wait();
            co_return Response(200);
        });
        std::vector<std::string> lines;
        const auto observe = [&](const Exchange& exchange) {
            const auto taken = std::chrono::duration_cast<std::chrono::seconds>(exchange.finished - exchange.started);
            const auto status = exchange.response ? exchange.response->status() : 0;
            lines.push_back(
                exchange.request.target() + " " + std::to_string(status) + " " + std::to_string(taken.count()) +
                (exchange.error ? " failed" : ""));
        };
        CountingTransport transport(make_in_process_transport(executor, time, handler, origin), time, observe);
        const std::string id = "f0780de91ece49139a28ea6e9eee86dc";
        const Request first(Method::get, "/a/" + id + "/b?x=1");
        const Request second(Method::get, "/a/" + id + "0/b");
        Request poll(Method::get, "/poll");
        poll.set_limit(7s);
        co_await transport.send(first);
        co_await transport.send(second);
        const auto failure = co_await fail(transport, poll);
        CHECK(failure.code == Errc::timed_out);
        CHECK(transport.total() == 3);
        CHECK(transport.under_way() == 0);
        const std::map<std::string, std::size_t> expected{{"GET /a/{id}/b", 2}, {"GET /poll", 1}};
        CHECK(transport.by_route() == expected);
        const std::vector<std::string> observed{
            first.target() + " 200 0", second.target() + " 200 0", "/poll 0 7 failed"};
        CHECK(lines == observed);
    });
}
