#pragma once

#include <golem/core/time_source.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::http {

enum class Method { get, post, put, del, head, options };

std::string_view to_string(Method method) noexcept;

/// Header fields in the order they came. Names compare without regard to case.
class Headers {
public:
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    /// Replaces every field of that name.
    void set(std::string_view name, std::string value);
    /// Removes every field of that name.
    void remove(std::string_view name);
    /// The first field of that name.
    std::optional<std::string_view> get(std::string_view name) const noexcept;

    auto begin() const noexcept { return fields_.begin(); }
    auto end() const noexcept { return fields_.end(); }
    std::size_t size() const noexcept { return fields_.size(); }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

/// One request. A class with constructors, not an aggregate, so that it may be built inside a statement that awaits
/// (g++ 12); still it must be a named object that outlives the await.
class Request {
public:
    /// `target` is path and query, percent-encoded, e.g. "/me".
    Request(Method method, std::string target);

    Method method() const noexcept { return method_; }
    const std::string& target() const noexcept { return target_; }
    const Headers& headers() const noexcept { return headers_; }
    Headers& headers() noexcept { return headers_; }
    const std::string& body() const noexcept { return body_; }
    Duration limit() const noexcept { return limit_; }
    std::size_t response_limit() const noexcept { return response_limit_; }
    Duration idle_limit() const noexcept { return idle_limit_; }

    /// Sets the body and its Content-Type; an empty type means a body without one.
    Request& set_body(std::string body, std::string content_type = "application/json");
    /// From sending to the last byte of the answer, of a stream to its head; then Error timed_out. Default 30 s.
    Request& set_limit(Duration limit) noexcept;
    /// The longest silence between two pieces of a stream; then Error timed_out. Default 60 s; Duration::max() is none.
    /// Of a websocket: how long a peer may be silent that is pinged in half that time. It is noticed after one and a
    /// half times this at the latest.
    Request& set_idle_limit(Duration limit) noexcept;
    /// The most bytes a response body, or one message of a websocket, may have; more is Error protocol. Default 8 MiB.
    Request& set_response_limit(std::size_t bytes) noexcept;

private:
    Method method_;
    std::string target_;
    Headers headers_;
    std::string body_;
    Duration limit_;
    std::size_t response_limit_;
    Duration idle_limit_;
};

class BodySource;
class WebSocketService;

class Response {
public:
    Response() = default;
    explicit Response(unsigned status) : status_(status) {}
    /// An empty type means a response without Content-Type.
    Response(unsigned status, std::string body, std::string content_type = "application/json");

    unsigned status() const noexcept { return status_; }
    bool is_success() const noexcept { return status_ >= 200 && status_ < 300; }
    const Headers& headers() const noexcept { return headers_; }
    Headers& headers() noexcept { return headers_; }
    const std::string& body() const noexcept { return body_; }
    std::string& body() noexcept { return body_; }
    /// A handler's answer may come piece by piece (stream.hpp); then body() does not count.
    const std::shared_ptr<BodySource>& source() const noexcept { return source_; }
    Response& set_source(std::shared_ptr<BodySource> source) noexcept;
    /// A handler's agreement to a websocket (websocket.hpp), with status 101 and no body.
    const std::shared_ptr<WebSocketService>& websocket() const noexcept { return websocket_; }
    Response& set_websocket(std::shared_ptr<WebSocketService> service) noexcept;
    /// Content-Type without its parameters, in lower case; empty if there is none.
    std::string content_type() const;

private:
    unsigned status_ = 0;
    Headers headers_;
    std::string body_;
    std::shared_ptr<BodySource> source_;
    std::shared_ptr<WebSocketService> websocket_;
};

} // namespace golem::http
