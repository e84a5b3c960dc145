#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/transport.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace golem::http {

/// One request and its end, for transcripts and traces; of a stream or websocket its head. The references are good
/// during the observer's call.
struct Exchange {
    const Request& request;
    const Response* response; ///< Null if there is none.
    std::exception_ptr error; ///< Null if there is a response; a cancellation counts as an error.
    Instant started;
    Instant finished;
};

/// A transport that counts what passes through it. Executor and lifetimes are those of the transport within.
class CountingTransport final : public Transport {
public:
    /// Called as each exchange ends; it must not throw.
    using Observer = std::function<void(const Exchange& exchange)>;

    CountingTransport(std::shared_ptr<Transport> inner, TimeSource& time, Observer observer = {});

    /// Requests sent, whatever became of them.
    std::size_t total() const noexcept { return total_; }
    /// The same by method and route: "GET /market-api/v1/demands/{id}/events".
    const std::map<std::string, std::size_t>& by_route() const noexcept { return by_route_; }
    /// Requests without an end so far, streams and websockets that are still held included.
    std::size_t under_way() const noexcept { return *under_way_; }

    /// The transport must outlive the task.
    Task<Response> send(const Request& request) override;
    /// The same.
    Task<std::unique_ptr<ResponseStream>> open(const Request& request) override;
    /// The same.
    Task<WebSocketAnswer> open_websocket(const Request& request) override;
    void close() noexcept override { inner_->close(); }
    const std::string& origin() const noexcept override { return inner_->origin(); }

private:
    class CountedStream;
    class CountedSocket;

    void begin(const Request& request);
    void end(const Request& request, const Response* response, const std::exception_ptr& error, Instant started) const;

    std::shared_ptr<Transport> inner_;
    TimeSource& time_;
    Observer observer_;
    std::size_t total_ = 0;
    std::shared_ptr<std::size_t> under_way_ = std::make_shared<std::size_t>(0);
    std::map<std::string, std::size_t> by_route_;
};

} // namespace golem::http
