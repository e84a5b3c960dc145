// A TCP stream, in the clear or through TLS.
#pragma once

#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/http/tls.hpp>
#include <golem/http/url.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace golem::http::connections {

/// What Asio and Beast call an AsyncStream. Limits and cancellation are those of the TCP stream below.
class SecureStream {
public:
    using executor_type = boost::beast::tcp_stream::executor_type;
    using Tls = boost::asio::ssl::stream<boost::beast::tcp_stream&>;

    explicit SecureStream(const Executor& executor) : tcp_(executor) {}

    executor_type get_executor() noexcept { return tcp_.get_executor(); }
    boost::asio::ip::tcp::socket& socket() noexcept { return tcp_.socket(); }
    const boost::asio::ip::tcp::socket& socket() const noexcept { return tcp_.socket(); }
    void expires_at(Instant when) { tcp_.expires_at(when); }
    void expires_after(Duration duration) { tcp_.expires_after(duration); }
    void expires_never() { tcp_.expires_never(); }
    void close() { tcp_.close(); }

    template <typename Endpoint, typename Token>
    auto async_connect(const Endpoint& endpoint, Token&& token)
    {
        return tcp_.async_connect(endpoint, std::forward<Token>(token));
    }

    /// From here on all bytes are encrypted; a handshake comes first.
    Tls& secure(boost::asio::ssl::context& context)
    {
        tls_ = std::make_unique<Tls>(tcp_, context);
        return *tls_;
    }

    bool is_secure() const noexcept { return tls_ != nullptr; }

    template <typename Buffers, typename Token>
    auto async_read_some(const Buffers& buffers, Token&& token)
    {
        return initiate(buffers, token, [](auto& stream, const Buffers& where, auto handler) {
            stream.async_read_some(where, std::move(handler));
        });
    }

    template <typename Buffers, typename Token>
    auto async_write_some(const Buffers& buffers, Token&& token)
    {
        return initiate(buffers, token, [](auto& stream, const Buffers& what, auto handler) {
            stream.async_write_some(what, std::move(handler));
        });
    }

private:
    template <typename Buffers, typename Token, typename Start>
    auto initiate(const Buffers& buffers, Token& token, Start start)
    {
        using Signature = void(boost::system::error_code, std::size_t);
        return boost::asio::async_initiate<Token, Signature>(
            [this, start](auto handler, const Buffers& content) {
                if (tls_)
                    start(*tls_, content, std::move(handler));
                else
                    start(tcp_, content, std::move(handler));
            },
            token, buffers);
    }

    boost::beast::tcp_stream tcp_;
    std::unique_ptr<Tls> tls_;
};

/// Who is believed. Null for a URL without TLS. Throws Error invalid_input for a file that cannot be used.
std::unique_ptr<boost::asio::ssl::context> make_tls_context(const Url& url, const TlsOptions& options);

/// What to say of a handshake that failed; `verification` is OpenSSL's verdict on the certificate.
std::string explain_handshake(
    const std::string& origin, const std::string& host, const boost::system::error_code& error, long verification);

/// Completes when the other side has proved to be `host`. Else returns the error, with words for people.
struct Handshake {
    boost::system::error_code error;
    std::string explanation; ///< Empty if the connection broke or the time passed.
};
Task<Handshake> shake_hands(
    SecureStream& stream, boost::asio::ssl::context& context, const std::string& host, const std::string& origin);

} // namespace golem::http::connections
