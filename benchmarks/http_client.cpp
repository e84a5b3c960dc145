// What the pooled client costs beside the barest Beast loop, on the same server in the same run.
//
//   http_client [REQUESTS] [CONNECTIONS] [ROUNDS]   CPU per keep-alive GET of a small JSON body, rounds alternating
//   http_client --polls N                           memory of N waiting long polls, one connection each
//
// The server is another process, so only the client's processor time is counted.

#include "measuring.hpp"

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr char answer[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{\"state\":[\"Ready\",null]  }";

golem::Task<> answer_connection(asio::ip::tcp::socket socket)
{
    std::string buffer;
    char chunk[4096];
    for (;;) {
        auto into = asio::buffer(chunk);
        const auto count = co_await socket.async_read_some(into, asio::use_awaitable);
        buffer.append(chunk, count);
        for (auto end = buffer.find("\r\n\r\n"); end != std::string::npos; end = buffer.find("\r\n\r\n")) {
            const bool is_poll = buffer.compare(0, 10, "GET /poll ") == 0;
            buffer.erase(0, end + 4);
            if (is_poll)
                continue; // A long poll is never answered here.
            auto text = asio::buffer(answer, sizeof answer - 1);
            co_await asio::async_write(socket, text, asio::use_awaitable);
        }
    }
}

// Serves until killed; writes its port to `report`.
[[noreturn]] void serve(int report)
{
    asio::io_context context(1);
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0}, true);
    acceptor.listen(16384);
    const auto port = acceptor.local_endpoint().port();
    if (write(report, &port, sizeof port) != sizeof port)
        _exit(1);
    golem::TaskGroup group(context.get_executor(), [](const std::string&, std::exception_ptr) {}); // Clients hang up.
    group.spawn("accept", [&]() -> golem::Task<> {
        for (;;) {
            auto socket = co_await acceptor.async_accept(asio::use_awaitable);
            auto shared = std::make_shared<asio::ip::tcp::socket>(std::move(socket));
            group.spawn("connection", [shared] { return answer_connection(std::move(*shared)); });
        }
    });
    context.run();
    _exit(0);
}

struct ServerProcess {
    pid_t pid = 0;
    std::uint16_t port = 0;

    ServerProcess()
    {
        int ends[2];
        if (pipe(ends) != 0)
            std::abort();
        pid = fork();
        if (pid == 0)
            serve(ends[1]);
        if (read(ends[0], &port, sizeof port) != sizeof port)
            std::abort();
    }

    ~ServerProcess()
    {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
};

double resident_kib()
{
    std::ifstream file("/proc/self/statm");
    double total = 0, resident = 0;
    file >> total >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

struct Cost {
    double cpu_us = 0;
    double wall_us = 0;
};

Cost measure(std::size_t requests, asio::io_context& context)
{
    const double cpu = benchmarks::cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    context.run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    return {
        (benchmarks::cpu_seconds() - cpu) * 1e6 / static_cast<double>(requests),
        wall.count() * 1e6 / static_cast<double>(requests)};
}

golem::Task<> bare_loop(std::uint16_t port, std::size_t requests)
{
    namespace http = beast::http;
    const auto executor = co_await asio::this_coro::executor;
    beast::tcp_stream stream(executor);
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address("127.0.0.1"), port);
    co_await stream.async_connect(endpoint, asio::use_awaitable);
    stream.socket().set_option(asio::ip::tcp::no_delay(true));
    http::request<http::empty_body> request(http::verb::get, "/activity-api/v1/activity/0/state", 11);
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::authorization, "Bearer benchmark");
    beast::flat_buffer buffer;
    for (std::size_t i = 0; i < requests; ++i) {
        stream.expires_after(std::chrono::seconds(30));
        co_await http::async_write(stream, request, asio::use_awaitable);
        http::response<http::string_body> response;
        co_await http::async_read(stream, buffer, response, asio::use_awaitable);
        if (response.body().size() != 26)
            std::abort();
    }
}

golem::Task<> pooled_loop(golem::http::Transport& transport, std::size_t requests)
{
    golem::http::Request request(golem::http::Method::get, "/activity-api/v1/activity/0/state");
    request.headers().set("Authorization", "Bearer benchmark");
    for (std::size_t i = 0; i < requests; ++i) {
        const auto response = co_await transport.send(request);
        if (response.body().size() != 26)
            std::abort();
    }
}

// A loop that ended early would look cheap.
void give_up(const std::string& name, std::exception_ptr failure)
{
    std::fprintf(stderr, "%s: %s\n", name.c_str(), golem::describe(failure).c_str());
    std::exit(1);
}

Cost run_bare(std::uint16_t port, std::size_t requests, std::size_t connections)
{
    asio::io_context context(1);
    golem::TaskGroup group(context.get_executor(), give_up);
    for (std::size_t i = 0; i < connections; ++i)
        group.spawn("bare", [=] { return bare_loop(port, requests / connections); });
    return measure(requests, context);
}

Cost run_pooled(std::uint16_t port, std::size_t requests, std::size_t connections)
{
    asio::io_context context(1);
    golem::RealTime time;
    golem::http::ClientOptions options;
    options.max_idle = connections;
    const auto url = golem::http::Url::parse("http://127.0.0.1:" + std::to_string(port));
    auto transport = golem::http::make_transport(context.get_executor(), time, url, options);
    golem::TaskGroup group(context.get_executor(), give_up);
    for (std::size_t i = 0; i < connections; ++i)
        group.spawn("pooled", [&] { return pooled_loop(*transport, requests / connections); });
    const auto cost = measure(requests, context);
    transport->close();
    return cost;
}

void compare(std::size_t requests, std::size_t connections, int rounds)
{
    const ServerProcess server;
    run_bare(server.port, requests / 10, connections);
    run_pooled(server.port, requests / 10, connections);
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
        const auto bare = run_bare(server.port, requests, connections);
        const auto pooled = run_pooled(server.port, requests, connections);
        ratios.push_back(pooled.cpu_us / bare.cpu_us);
        std::printf(
            "round %d: bare Beast %.2f us CPU, %.0f requests/s; client %.2f us CPU, %.0f requests/s; CPU ratio %.3f\n",
            round + 1, bare.cpu_us, 1e6 / bare.wall_us, pooled.cpu_us, 1e6 / pooled.wall_us, ratios.back());
    }
    std::sort(ratios.begin(), ratios.end());
    std::printf(
        "median CPU ratio %.3f over %zu requests, %zu connections\n", ratios[ratios.size() / 2], requests, connections);
}

void measure_polls(std::size_t count)
{
    const ServerProcess server;
    asio::io_context context(1);
    golem::RealTime time;
    const auto url = golem::http::Url::parse("http://127.0.0.1:" + std::to_string(server.port));
    auto transport = golem::http::make_transport(context.get_executor(), time, url);
    golem::http::Request request(golem::http::Method::get, "/poll");
    request.set_limit(std::chrono::minutes(2));
    golem::TaskGroup group(context.get_executor());
    const double before = resident_kib();
    const double cpu = benchmarks::cpu_seconds();
    for (std::size_t i = 0; i < count; ++i)
        group.spawn("poll", [&]() -> golem::Task<> { co_await transport->send(request); });
    context.run_for(std::chrono::seconds(2 + count / 2000));
    std::printf(
        "%zu waiting long polls: %.2f KiB each, %.2f s CPU to set up\n", count,
        (resident_kib() - before) / static_cast<double>(count), benchmarks::cpu_seconds() - cpu);
    group.cancel();
    context.restart();
    context.run_for(std::chrono::seconds(20));
    transport->close();
    if (group.size() != 0)
        std::abort();
}

} // namespace

int main(int argc, char** argv)
{
    const auto argument = [&](int index, std::size_t otherwise) {
        return argc > index ? static_cast<std::size_t>(std::strtoull(argv[index], nullptr, 10)) : otherwise;
    };
    if (argc > 1 && std::strcmp(argv[1], "--polls") == 0) {
        measure_polls(argument(2, 1000));
        return 0;
    }
    compare(argument(1, 100000), argument(2, 8), static_cast<int>(argument(3, 5)));
}
