#include "network/listener.hpp"
#include "network/network_core.hpp"

#include <golem/core/race.hpp>
#include <golem/http/server.hpp>
#include <golem/http/transport.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace golem::detail {

namespace {

namespace beast = boost::beast;
using boost::system::error_code;
using Parser = beast::http::response_parser<beast::http::buffer_body>;

constexpr std::size_t piece_size = 32u << 10;
constexpr std::size_t header_limit = 64u << 10;
constexpr std::size_t request_limit = 16u << 20;
// Up to here an answer whose length is told is passed on with it; more goes on as it comes.
constexpr std::uint64_t whole_limit = 1u << 20;

bool same(std::string_view left, std::string_view right)
{
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    });
}

// Fields that are about one connection, and those that the server on our side writes itself.
bool belongs_to_connection(std::string_view name)
{
    for (const std::string_view one :
         {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect",
          "content-length"}) {
        if (same(name, one))
            return true;
    }
    return false;
}

std::string text_of(const http::Request& request)
{
    std::string text(http::to_string(request.method()));
    text += ' ' + request.target() + " HTTP/1.1\r\n";
    for (const auto& [name, value] : request.headers()) {
        if (!belongs_to_connection(name))
            text += name + ": " + value + "\r\n";
    }
    const bool has_body = request.method() == http::Method::post || request.method() == http::Method::put;
    if (has_body || !request.body().empty())
        text += "Content-Length: " + std::to_string(request.body().size()) + "\r\n";
    text += "Connection: close\r\n\r\n";
    return text + request.body();
}

// One request's way through the network, and its answer as it comes.
class Exchange final : public http::BodySource {
public:
    Exchange(std::shared_ptr<NetworkLink> link, TimeSource& time, const ProxyOptions& options, http::Method method)
        : link_(std::move(link)), time_(time), options_(options), is_head_(method == http::Method::head)
    {
        new_parser();
    }

    Task<> ask(const http::Request& request)
    {
        const auto text = text_of(request);
        co_await NetworkLink::write(link_, text);
    }

    Task<http::Response> read_head()
    {
        for (;;) {
            error_code error;
            if (buffer_.size() > 0)
                buffer_.consume(parser_->put(buffer_.data(), error));
            if (error && error != beast::http::error::need_more)
                refuse(error.message());
            if (parser_->is_header_done() && parser_->get().result_int() == 101)
                refuse("the service changed the protocol");
            if (parser_->is_header_done() && parser_->get().result_int() >= 200)
                break;
            // An interim answer is followed by another.
            if (parser_->is_header_done()) {
                new_parser();
                continue;
            }
            co_await more();
            if (at_end_)
                refuse("it ended before its head did");
        }
        parser_->eager(true);
        http::Response response(parser_->get().result_int());
        for (const auto& field : parser_->get()) {
            const std::string name(field.name_string());
            if (!belongs_to_connection(name))
                response.headers().add(name, std::string(field.value()));
        }
        co_return response;
    }

    std::optional<std::uint64_t> length() const
    {
        if (is_head_)
            return 0;
        const auto length = parser_->content_length();
        return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
    }

    Task<std::optional<std::string>> next() override
    {
        std::string piece(piece_size, '\0');
        for (;;) {
            auto& body = parser_->get().body();
            body.data = piece.data();
            body.size = piece.size();
            body.more = true;
            error_code error;
            if (buffer_.size() > 0 && !parser_->is_done())
                buffer_.consume(parser_->put(buffer_.data(), error));
            if (error && error != beast::http::error::need_more && error != beast::http::error::need_buffer)
                refuse(error.message());
            if (body.size < piece.size()) {
                piece.resize(piece.size() - body.size);
                co_return piece;
            }
            if (parser_->is_done())
                break;
            co_await more();
            if (!at_end_)
                continue;
            if (!parser_->need_eof())
                refuse("it ended before it was complete");
            break;
        }
        link_->end("the answer is complete");
        co_return std::nullopt;
    }

private:
    void new_parser()
    {
        parser_.emplace();
        parser_->header_limit(header_limit);
        parser_->body_limit(boost::none);
        parser_->skip(is_head_);
    }

    // Where nothing but TCP tells the end, silence does.
    Task<> more()
    {
        const bool by_silence = parser_->is_header_done() && parser_->need_eof();
        auto reading = read();
        const auto limit = by_silence ? std::min(options_.linger, options_.idle_limit) : options_.idle_limit;
        const auto in_time = co_await with_timeout(time_, limit, std::move(reading), "an answer of a service");
        if (!in_time && !by_silence)
            throw Error(Errc::timed_out, "ask the service", "it was silent for longer than ProxyOptions::idle_limit");
        if (!in_time)
            at_end_ = true;
    }

    Task<> read()
    {
        std::optional<std::string> bytes;
        std::exception_ptr failure;
        try {
            bytes = co_await NetworkLink::read(link_);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && (is_cancelled(failure) || !parser_->is_header_done() || !parser_->need_eof()))
            std::rethrow_exception(failure);
        at_end_ = !bytes;
        if (!bytes)
            co_return;
        const auto room = buffer_.prepare(bytes->size());
        std::copy(bytes->begin(), bytes->end(), static_cast<char*>(room.data()));
        buffer_.commit(bytes->size());
    }

    [[noreturn]] static void refuse(const std::string& why)
    {
        throw Error(Errc::protocol, "ask the service", "its answer is no HTTP that can be passed on: " + why);
    }

    std::shared_ptr<NetworkLink> link_;
    TimeSource& time_;
    const ProxyOptions options_;
    const bool is_head_;
    std::optional<Parser> parser_;
    beast::flat_buffer buffer_;
    bool at_end_ = false;
};

http::Response failed(const std::exception_ptr& failure)
{
    unsigned status = 502;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        if (error.errc() == Errc::timed_out || error.errc() == Errc::unreachable)
            status = 504;
    } catch (...) {
        std::rethrow_exception(failure);
    }
    return http::Response(status, describe(failure) + "\n", "text/plain; charset=utf-8");
}

class Forwarder final : public http::Handler {
public:
    Forwarder(std::shared_ptr<NetworkCore> network, std::string member, std::uint16_t port, const ProxyOptions& options)
        : network_(std::move(network)), member_(std::move(member)), port_(port), options_(options)
    {
    }

    Task<http::Response> handle(const http::Request& request) override
    {
        // The server keeps the beginning of a body that is too large, and says so.
        if (request.headers().get("X-Golem-Body-Size"))
            co_return http::Response(413, "a request's body may have 16 MiB\n", "text/plain");
        if (request.headers().get("Upgrade"))
            co_return http::Response(501, "no upgrades here: use a TCP proxy\n", "text/plain");
        std::exception_ptr failure;
        http::Response response;
        try {
            response = co_await forward(request);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancelled(failure))
            std::rethrow_exception(failure);
        if (failure) {
            network_->log().warning("http proxy to ", member_, ": ", describe(failure));
            response = failed(failure);
        }
        co_return response;
    }

private:
    Task<http::Response> forward(const http::Request& request)
    {
        auto link = co_await network_->connect(member_, port_);
        const auto exchange = std::make_shared<Exchange>(std::move(link), network_->time(), options_, request.method());
        co_await exchange->ask(request);
        auto response = co_await exchange->read_head();
        const auto length = exchange->length();
        if (!length || *length > whole_limit) {
            response.set_source(exchange);
            co_return response;
        }
        for (;;) {
            auto piece = co_await exchange->next();
            if (!piece)
                break;
            response.body() += *piece;
        }
        co_return response;
    }

    const std::shared_ptr<NetworkCore> network_;
    const std::string member_;
    const std::uint16_t port_;
    const ProxyOptions options_;
};

http::ServerOptions server_options(const ProxyOptions& options)
{
    http::ServerOptions server;
    server.address = options.address;
    server.port = options.port;
    server.body_limit = request_limit;
    return server;
}

class HttpProxy final : public ProxyCore, public std::enable_shared_from_this<HttpProxy> {
public:
    HttpProxy(
        const std::shared_ptr<NetworkCore>& network, const std::string& member, std::uint16_t port,
        const ProxyOptions& options)
        : executor_(network->executor()),
          server_(
              executor_, network->time(), std::make_shared<Forwarder>(network, member, port, options),
              server_options(options), network->log())
    {
        const bool is_v6 = options.address.find(':') != std::string::npos;
        address_ = (is_v6 ? "[" + options.address + "]" : options.address) + ":" + std::to_string(server_.port());
    }

    std::uint16_t port() const noexcept override { return server_.port(); }
    const std::string& address() const noexcept override { return address_; }
    const Executor& executor() const noexcept override { return executor_; }

    Task<> run() override
    {
        const auto self = shared_from_this();
        co_await server_.run();
    }

    void close() noexcept override { server_.close(); }

private:
    const Executor executor_;
    std::string address_;
    http::Server server_;
};

} // namespace

std::shared_ptr<ProxyCore> make_http_proxy(
    const std::shared_ptr<NetworkCore>& network, const std::string& member, std::uint16_t port,
    const ProxyOptions& options)
{
    check_proxy(network->time(), port, options);
    return std::make_shared<HttpProxy>(network, member, port, options);
}

} // namespace golem::detail
