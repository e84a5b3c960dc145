#include <golem/http/counting.hpp>

#include <golem/http/detail/wire.hpp>

#include <optional>
#include <utility>

namespace golem::http {

CountingTransport::CountingTransport(std::shared_ptr<Transport> inner, TimeSource& time, Observer observer)
    : inner_(std::move(inner)), time_(time), observer_(std::move(observer))
{
}

Task<Response> CountingTransport::send(const Request& request)
{
    ++total_;
    ++under_way_;
    ++by_route_[detail::route_of(request)];
    const auto started = time_.now();
    std::optional<Response> response;
    std::exception_ptr error;
    try {
        auto answer = co_await inner_->send(request);
        response = std::move(answer);
    } catch (...) {
        error = std::current_exception();
    }
    --under_way_;
    if (observer_) {
        const Exchange exchange{request, response ? &*response : nullptr, error, started, time_.now()};
        observer_(exchange);
    }
    if (error)
        std::rethrow_exception(error);
    co_return std::move(*response);
}

} // namespace golem::http
