#include <golem/http/stream.hpp>

#include <golem/http/transport.hpp>

#include <utility>

namespace golem::http {

namespace {

class WholeStream final : public ResponseStream {
public:
    explicit WholeStream(Response response) : head_(std::move(response)), body_(std::move(head_.body()))
    {
        head_.body().clear();
    }

    const Response& head() const noexcept override { return head_; }

    Task<std::optional<std::string>> read() override
    {
        std::optional<std::string> piece;
        if (!body_.empty())
            piece = std::exchange(body_, std::string());
        co_return piece;
    }

private:
    Response head_;
    std::string body_;
};

} // namespace

std::unique_ptr<ResponseStream> make_stream(Response response)
{
    return std::make_unique<WholeStream>(std::move(response));
}

Task<std::string> read_all(ResponseStream& stream, std::size_t limit)
{
    std::string body;
    for (;;) {
        const auto piece = co_await stream.read();
        if (!piece)
            co_return body;
        if (piece->size() > limit - body.size()) {
            throw TransportError(
                Errc::protocol, "read an answer", "it is larger than allowed (" + std::to_string(limit) + " bytes)",
                TransportError::Sent::unknown);
        }
        body += *piece;
    }
}

Task<std::unique_ptr<ResponseStream>> Transport::open(const Request& request)
{
    auto response = co_await send(request);
    auto stream = make_stream(std::move(response));
    co_return stream;
}

} // namespace golem::http
