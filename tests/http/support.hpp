// Handlers, servers and failures for the tests of this folder.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/client.hpp>
#include <golem/http/server.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace golem::http::test {

using Tcp = boost::asio::ip::tcp;

class FunctionHandler final : public Handler {
public:
    using Function = std::function<Task<Response>(const Request&)>;

    explicit FunctionHandler(Function function) : function_(std::move(function)) {}

    Task<Response> handle(const Request& request) override { return function_(request); }

private:
    Function function_;
};

inline std::shared_ptr<Handler> make_handler(FunctionHandler::Function function)
{
    return std::make_shared<FunctionHandler>(std::move(function));
}

/// Answers with method, target and body.
inline std::shared_ptr<Handler> make_echo()
{
    return make_handler([](const Request& request) -> Task<Response> {
        std::string text(to_string(request.method()));
        text += " " + request.target() + " " + request.body();
        Response response(200, text, "text/plain");
        co_return response;
    });
}

/// How a request failed.
struct Failure {
    Errc code = Errc::internal;
    std::optional<TransportError::Sent> sent;
    std::string text;
    bool transient = false;
    bool cancelled = false;
};

/// Sends a request that is meant to fail; the status of an answer is the text of a failure `internal`.
inline Task<Failure> fail(Transport& transport, const Request& request)
{
    Failure failure;
    try {
        auto response = co_await transport.send(request);
        failure.text = std::to_string(response.status());
    } catch (const TransportError& error) {
        failure.code = error.errc();
        failure.sent = error.sent();
        failure.text = error.what();
        failure.transient = error.is_transient();
    } catch (const Error& error) {
        failure.code = error.errc();
        failure.text = error.what();
    } catch (const boost::system::system_error& error) {
        failure.text = error.what();
        failure.cancelled = is_cancelled(error.code());
    }
    co_return failure;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A server during `body`, which gets its port. Whatever becomes of the body, the server is closed and joined.
inline Task<>
with_server(std::shared_ptr<Handler> handler, ServerOptions options, std::function<Task<>(Server&, TimeSource&)> body)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    RealTime time;
    Server server(executor, time, std::move(handler), options, Logger());
    TaskGroup group(executor);
    group.spawn("server", [&] { return server.run(); });
    std::exception_ptr failure;
    try {
        co_await body(server, time);
    } catch (...) {
        failure = std::current_exception();
    }
    server.close();
    co_await group.join();
    if (failure)
        std::rethrow_exception(failure);
}

inline void run_with_server(std::shared_ptr<Handler> handler, std::function<Task<>(Server&, TimeSource&)> body)
{
    golem::test::run_real([&] { return with_server(handler, ServerOptions(), body); });
}

inline Url url_of(std::uint16_t port, const std::string& host = "127.0.0.1")
{
    return Url::parse("http://" + host + ":" + std::to_string(port));
}

/// Accepts connections and runs the next script on each; the connection is closed when its script ends.
class ScriptedServer {
public:
    using Script = std::function<Task<>(Tcp::socket&)>;

    explicit ScriptedServer(const Executor& executor)
        : acceptor_(executor, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0))
    {
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    /// Plays the scripts one after the other, a connection each.
    Task<> play(std::vector<Script> scripts)
    {
        for (const auto& script : scripts) {
            auto socket = co_await acceptor_.async_accept(boost::asio::deferred);
            ++accepted;
            co_await script(socket);
        }
    }

    int accepted = 0;

private:
    Tcp::acceptor acceptor_;
};

/// Reads to the end of a request's header fields.
inline Task<std::string> read_head(Tcp::socket& socket)
{
    std::string data;
    auto buffer = boost::asio::dynamic_buffer(data);
    co_await boost::asio::async_read_until(socket, buffer, "\r\n\r\n", boost::asio::deferred);
    co_return data;
}

inline Task<> write_text(Tcp::socket& socket, const std::string& text)
{
    const auto buffer = boost::asio::buffer(text);
    co_await boost::asio::async_write(socket, buffer, boost::asio::as_tuple(boost::asio::deferred));
}

/// Reads until the other side closes.
inline Task<std::string> read_all(Tcp::socket& socket)
{
    std::string data;
    char part[4096];
    for (;;) {
        const auto buffer = boost::asio::buffer(part);
        auto [error, count] = co_await socket.async_read_some(buffer, boost::asio::as_tuple(boost::asio::deferred));
        data.append(part, count);
        if (error)
            break;
    }
    co_return data;
}

/// Closing sends a reset instead of an end.
inline void reset(Tcp::socket& socket)
{
    socket.set_option(boost::asio::socket_base::linger(true, 0));
    socket.close();
}

} // namespace golem::http::test
