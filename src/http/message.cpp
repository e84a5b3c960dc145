#include <golem/http/message.hpp>
#include <golem/http/transport.hpp>

#include <algorithm>

namespace golem::http {

namespace {

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool same_name(std::string_view left, std::string_view right)
{
    return std::equal(
        left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) { return lower(a) == lower(b); });
}

} // namespace

std::string_view to_string(Method method) noexcept
{
    switch (method) {
    case Method::get: return "GET";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::del: return "DELETE";
    case Method::head: return "HEAD";
    case Method::options: return "OPTIONS";
    }
    return "GET";
}

void Headers::set(std::string_view name, std::string value)
{
    std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
    fields_.emplace_back(name, std::move(value));
}

void Headers::remove(std::string_view name)
{
    std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
}

std::optional<std::string_view> Headers::get(std::string_view name) const noexcept
{
    for (const auto& [key, value] : fields_) {
        if (same_name(key, name))
            return value;
    }
    return std::nullopt;
}

Request::Request(Method method, std::string target)
    : method_(method), target_(std::move(target)), limit_(std::chrono::seconds(30)), response_limit_(8u << 20),
      idle_limit_(std::chrono::seconds(60))
{
}

Request& Request::set_body(std::string body, std::string content_type)
{
    body_ = std::move(body);
    if (content_type.empty())
        headers_.remove("Content-Type");
    else
        headers_.set("Content-Type", std::move(content_type));
    return *this;
}

Request& Request::set_limit(Duration limit) noexcept
{
    limit_ = limit;
    return *this;
}

Request& Request::set_idle_limit(Duration limit) noexcept
{
    idle_limit_ = limit;
    return *this;
}

Request& Request::set_response_limit(std::size_t bytes) noexcept
{
    response_limit_ = bytes;
    return *this;
}

Response::Response(unsigned status, std::string body, std::string content_type)
    : status_(status), body_(std::move(body))
{
    if (!content_type.empty())
        headers_.add("content-type", std::move(content_type));
}

Response& Response::set_source(std::shared_ptr<BodySource> source) noexcept
{
    source_ = std::move(source);
    return *this;
}

Response& Response::set_websocket(std::shared_ptr<WebSocketService> service) noexcept
{
    websocket_ = std::move(service);
    return *this;
}

std::string Response::content_type() const
{
    std::string_view value = headers_.get("Content-Type").value_or("");
    value = value.substr(0, value.find(';'));
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
        value.remove_suffix(1);
    std::string type(value);
    std::transform(type.begin(), type.end(), type.begin(), lower);
    return type;
}

TransportError::TransportError(Errc code, std::string operation, std::string explanation, Sent sent)
    : Error(code, std::move(operation), std::move(explanation)), sent_(sent)
{
}

} // namespace golem::http
