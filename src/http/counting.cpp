#include <golem/http/counting.hpp>

#include <golem/http/detail/wire.hpp>

#include <optional>
#include <utility>

namespace golem::http {

CountingTransport::CountingTransport(std::shared_ptr<Transport> inner, TimeSource& time, Observer observer)
    : inner_(std::move(inner)), time_(time), observer_(std::move(observer))
{
}

class CountingTransport::CountedStream final : public ResponseStream {
public:
    CountedStream(std::unique_ptr<ResponseStream> inner, std::shared_ptr<std::size_t> under_way)
        : inner_(std::move(inner)), under_way_(std::move(under_way))
    {
    }

    ~CountedStream() override { --*under_way_; }

    const Response& head() const noexcept override { return inner_->head(); }

    Task<std::optional<std::string>> read() override { return inner_->read(); }

private:
    std::unique_ptr<ResponseStream> inner_;
    std::shared_ptr<std::size_t> under_way_;
};

class CountingTransport::CountedSocket final : public WebSocket {
public:
    CountedSocket(std::unique_ptr<WebSocket> inner, std::shared_ptr<std::size_t> under_way)
        : inner_(std::move(inner)), under_way_(std::move(under_way))
    {
    }

    ~CountedSocket() override { --*under_way_; }

    const std::string& protocol() const noexcept override { return inner_->protocol(); }
    Task<> send(const WebSocketMessage& message) override { return inner_->send(message); }
    Task<std::optional<WebSocketMessage>> receive() override { return inner_->receive(); }
    Task<> close(std::uint16_t code, std::string_view reason) override { return inner_->close(code, reason); }
    const std::optional<WebSocketEnd>& end() const noexcept override { return inner_->end(); }

private:
    std::unique_ptr<WebSocket> inner_;
    std::shared_ptr<std::size_t> under_way_;
};

void CountingTransport::begin(const Request& request)
{
    ++total_;
    ++*under_way_;
    ++by_route_[detail::route_of(request)];
}

void CountingTransport::end(
    const Request& request, const Response* response, const std::exception_ptr& error, Instant started) const
{
    if (!observer_)
        return;
    const Exchange exchange{request, response, error, started, time_.now()};
    observer_(exchange);
}

Task<Response> CountingTransport::send(const Request& request)
{
    begin(request);
    const auto started = time_.now();
    std::optional<Response> response;
    std::exception_ptr error;
    try {
        auto answer = co_await inner_->send(request);
        response = std::move(answer);
    } catch (...) {
        error = std::current_exception();
    }
    --*under_way_;
    end(request, response ? &*response : nullptr, error, started);
    if (error)
        std::rethrow_exception(error);
    co_return std::move(*response);
}

Task<std::unique_ptr<ResponseStream>> CountingTransport::open(const Request& request)
{
    begin(request);
    const auto started = time_.now();
    std::unique_ptr<ResponseStream> stream;
    std::exception_ptr error;
    try {
        stream = co_await inner_->open(request);
    } catch (...) {
        error = std::current_exception();
    }
    if (error)
        --*under_way_;
    end(request, stream ? &stream->head() : nullptr, error, started);
    if (error)
        std::rethrow_exception(error);
    stream = std::make_unique<CountedStream>(std::move(stream), under_way_);
    co_return stream;
}

Task<WebSocketAnswer> CountingTransport::open_websocket(const Request& request)
{
    begin(request);
    const auto started = time_.now();
    WebSocketAnswer answer;
    std::exception_ptr error;
    try {
        answer = co_await inner_->open_websocket(request);
    } catch (...) {
        error = std::current_exception();
    }
    if (!answer.socket)
        --*under_way_;
    end(request, error ? nullptr : &answer.response, error, started);
    if (error)
        std::rethrow_exception(error);
    if (answer.socket)
        answer.socket = std::make_unique<CountedSocket>(std::move(answer.socket), under_way_);
    co_return answer;
}

} // namespace golem::http
