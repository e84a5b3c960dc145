// https: who is believed, and what is said of those who are not. A proxy in this process puts TLS before our server.
#include "certificates.hpp"
#include "support.hpp"

#include <golem/core/race.hpp>
#include <golem/http/websocket.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace golem;
using namespace golem::http;
using namespace golem::http::test;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

// A file that goes with it.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& content)
    {
        char name[] = "/tmp/golem-test-XXXXXX";
        const int descriptor = mkstemp(name);
        REQUIRE(descriptor >= 0);
        ::close(descriptor);
        path_ = name;
        std::ofstream(path_) << content;
    }

    ~TemporaryFile() { std::remove(path_.c_str()); }

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Decrypts what comes, and hands it to a port in the clear.
class TlsProxy {
public:
    TlsProxy(const Executor& executor, std::uint16_t behind, const Certificate& certificate)
        : context_(asio::ssl::context::tls_server),
          acceptor_(executor, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)), behind_(behind), group_(executor)
    {
        context_.use_certificate(asio::buffer(certificate.certificate_pem()), asio::ssl::context::pem);
        context_.use_private_key(asio::buffer(certificate.key_pem()), asio::ssl::context::pem);
        group_.spawn("accept", [this] { return accept(); });
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    Task<> end()
    {
        group_.cancel();
        co_await group_.join();
    }

    int accepted = 0;

private:
    using Secure = asio::ssl::stream<Tcp::socket>;

    Task<> accept()
    {
        for (;;) {
            auto socket = co_await acceptor_.async_accept(asio::deferred);
            ++accepted;
            auto client = std::make_shared<Secure>(std::move(socket), context_);
            group_.spawn("connection", [this, client] { return serve(client); });
        }
    }

    Task<> serve(std::shared_ptr<Secure> client)
    {
        const auto [refused] =
            co_await client->async_handshake(asio::ssl::stream_base::server, asio::as_tuple(asio::deferred));
        if (refused)
            co_return;
        Tcp::socket server(acceptor_.get_executor());
        const Tcp::endpoint there(asio::ip::address_v4::loopback(), behind_);
        co_await server.async_connect(there, asio::deferred);
        auto up = pump(*client, server);
        auto down = pump(server, *client);
        co_await first_of(std::move(up), std::move(down));
    }

    template <typename From, typename To>
    static Task<> pump(From& from, To& to)
    {
        std::array<char, 4096> data{};
        for (;;) {
            const auto space = asio::buffer(data);
            const auto [error, count] = co_await from.async_read_some(space, asio::as_tuple(asio::deferred));
            if (error)
                co_return;
            const auto part = asio::buffer(data.data(), count);
            const auto [failure, written] = co_await asio::async_write(to, part, asio::as_tuple(asio::deferred));
            if (failure)
                co_return;
        }
    }

    asio::ssl::context context_;
    Tcp::acceptor acceptor_;
    std::uint16_t behind_;
    TaskGroup group_;
};

using Body = std::function<Task<>(TlsProxy&, TimeSource&)>;

// The echo behind TLS.
void with_tls(const Certificate& certificate, const Body& body, std::shared_ptr<Handler> handler = make_echo())
{
    run_with_server(std::move(handler), [&](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        TlsProxy proxy(executor, server.port(), certificate);
        std::exception_ptr failure;
        try {
            auto task = body(proxy, time);
            co_await std::move(task);
        } catch (...) {
            failure = std::current_exception();
        }
        co_await proxy.end();
        if (failure)
            std::rethrow_exception(failure);
    });
}

Url https(std::uint16_t port, const std::string& host)
{
    return Url::parse("https://" + host + ":" + std::to_string(port));
}

Certificate authority()
{
    CertificateWish wish;
    wish.common_name = "An authority of this test";
    wish.is_authority = true;
    return Certificate(wish);
}

CertificateWish for_this_machine()
{
    CertificateWish wish;
    wish.names = "DNS:localhost,IP:127.0.0.1";
    return wish;
}

// What becomes of one request.
Failure ask(const Certificate& certificate, const std::string& host, const TlsOptions& tls)
{
    Failure failure;
    with_tls(certificate, [&](TlsProxy& proxy, TimeSource& time) -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        ClientOptions options;
        options.tls = tls;
        const auto transport = make_transport(executor, time, https(proxy.port(), host), options);
        const Request request(Method::get, "/hello");
        failure = co_await fail(*transport, request);
    });
    return failure;
}

} // namespace

TEST_CASE("requests, streams and websockets go through TLS")
{
    const auto root = authority();
    const TemporaryFile trusted(root.certificate_pem());
    const Certificate certificate(for_this_machine(), &root);
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        with_tls(certificate, [&](TlsProxy& proxy, TimeSource& time) -> Task<> {
            const auto executor = co_await asio::this_coro::executor;
            ClientOptions options;
            options.tls.ca_file = trusted.path();
            options.tls.trust_system_authorities = false;
            const auto transport = make_transport(executor, time, https(proxy.port(), host), options);
            for (int round = 0; round < 3; ++round) {
                Request request(Method::post, "/a");
                request.set_body(std::string(200'000, 'x'), "text/plain");
                const auto response = co_await transport->send(request);
                CHECK(response.status() == 200);
                CHECK(response.body().size() == 200'008);
            }
            // The connection was kept.
            CHECK(proxy.accepted == 1);
            const Request request(Method::get, "/b");
            const auto stream = co_await transport->open(request);
            std::string text;
            for (auto piece = co_await stream->read(); piece; piece = co_await stream->read())
                text += *piece;
            CHECK(text == "GET /b ");
            // Cancelled in the middle of the answer's wait.
            Request slow(Method::get, "/c");
            slow.set_limit(1ns);
            const auto late = co_await fail(*transport, slow);
            CHECK(late.code == Errc::timed_out);
        });
    }
}

TEST_CASE("a websocket goes through TLS")
{
    class Echo final : public WebSocketService {
        Task<> serve(WebSocket& socket) override
        {
            for (;;) {
                const auto message = co_await socket.receive();
                if (!message)
                    co_return;
                co_await socket.send(*message);
            }
        }
    };
    const auto handler = make_handler([](const Request&) -> Task<Response> {
        auto answer = make_websocket_answer(std::make_shared<Echo>());
        co_return answer;
    });
    const auto root = authority();
    const TemporaryFile trusted(root.certificate_pem());
    const Certificate certificate(for_this_machine(), &root);
    const auto body = [&](TlsProxy& proxy, TimeSource& time) -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        ClientOptions options;
        options.tls.ca_file = trusted.path();
        const auto transport = make_transport(executor, time, https(proxy.port(), "localhost"), options);
        const Request request(Method::get, "/socket");
        const auto answer = co_await transport->open_websocket(request);
        REQUIRE(answer.socket);
        const WebSocketMessage message(std::string(100'000, 'x'));
        co_await answer.socket->send(message);
        const auto echoed = co_await answer.socket->receive();
        REQUIRE(echoed);
        CHECK(echoed->data() == message.data());
        co_await answer.socket->close();
    };
    with_tls(certificate, body, handler);
}

TEST_CASE("a certificate that proves nothing is refused in words that help")
{
    const auto root = authority();
    const auto stranger = authority();
    const TemporaryFile trusted(root.certificate_pem());
    TlsOptions tls;
    tls.ca_file = trusted.path();
    auto wish = for_this_machine();

    const auto check = [](const Failure& failure, const std::string& words) {
        INFO(failure.text);
        CHECK(failure.code == Errc::protocol);
        CHECK(failure.sent == TransportError::Sent::no);
        CHECK(!failure.transient);
        CHECK(contains(failure.text, words));
        CHECK(contains(failure.text, "https://"));
    };
    check(ask(Certificate(wish, &stranger), "localhost", tls), "TlsOptions::ca_file");
    check(ask(Certificate(wish), "localhost", tls), "not trusted here");
    // The machine's authorities are trusted, but it is none of them.
    check(ask(Certificate(wish, &root), "localhost", TlsOptions()), "not trusted here");

    wish.valid_to = -60;
    check(ask(Certificate(wish, &root), "localhost", tls), "has expired");
    wish.valid_to = 7200;
    wish.valid_from = 3600;
    check(ask(Certificate(wish, &root), "localhost", tls), "not valid yet");

    wish = for_this_machine();
    wish.names = "DNS:elsewhere.example,IP:127.0.0.2";
    check(ask(Certificate(wish, &root), "localhost", tls), "is not for \"localhost\"");
    check(ask(Certificate(wish, &root), "127.0.0.1", tls), "is not for \"127.0.0.1\"");

    tls.insecure_accept_any_certificate = true;
    CHECK(ask(Certificate(wish), "localhost", tls).text == "200");
}

TEST_CASE("who does not speak TLS is told apart, and so is a file of authorities that is none")
{
    run_with_server(make_echo(), [](Server& server, TimeSource& time) -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        const auto transport = make_transport(executor, time, https(server.port(), "127.0.0.1"));
        const Request request(Method::get, "/hello");
        const auto failure = co_await fail(*transport, request);
        CHECK(failure.code == Errc::protocol);
        CHECK(contains(failure.text, "is it an http:// URL?"));
        ClientOptions options;
        options.tls.ca_file = "/nowhere/ca.pem";
        CHECK_THROWS_AS(make_transport(executor, time, https(1, "localhost"), options), Error);
        const TemporaryFile nonsense("no certificate");
        options.tls.ca_file = nonsense.path();
        CHECK_THROWS_AS(make_transport(executor, time, https(1, "localhost"), options), Error);
    });
}

TEST_CASE("a host that says nothing in the handshake costs no more than the limit of a connection")
{
    golem::test::run_real([]() -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        RealTime time;
        ScriptedServer silent(executor);
        ClientOptions options;
        options.connect_limit = 50ms;
        const auto transport = make_transport(executor, time, https(silent.port(), "127.0.0.1"), options);
        const Request request(Method::get, "/hello");
        const auto failure = co_await fail(*transport, request);
        CHECK(failure.code == Errc::unreachable);
        CHECK(failure.transient);
    });
}
