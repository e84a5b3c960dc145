// Paths and queries of the daemon's API.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/url.hpp>

#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

namespace golem::yagna {

/// Puts a path and its query together; everything that comes from outside is percent-encoded.
class Target {
public:
    explicit Target(std::string_view base) : text_(base) {}

    Target& segment(std::string_view id)
    {
        text_ += '/';
        text_ += http::percent_encode(id);
        return *this;
    }

    Target& literal(std::string_view path)
    {
        text_ += path;
        return *this;
    }

    Target& query(std::string_view name, std::string_view value)
    {
        text_ += has_query_ ? '&' : '?';
        has_query_ = true;
        text_ += name;
        text_ += '=';
        text_ += http::percent_encode(value);
        return *this;
    }

    /// Leaves the parameter out if there is nothing to say.
    Target& query_unless_empty(std::string_view name, std::string_view value)
    {
        return value.empty() ? *this : query(name, value);
    }

    Target& query(std::string_view name, int value) { return query(name, std::string_view(std::to_string(value))); }

    /// The daemon takes seconds, with a fraction.
    Target& query(std::string_view name, Duration value)
    {
        const double seconds = value > Duration::zero() ? std::chrono::duration<double>(value).count() : 0.0;
        char digits[64];
        const auto [end, error] = std::to_chars(digits, digits + sizeof digits, seconds, std::chars_format::fixed);
        return query(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
    }

    const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
    bool has_query_ = false;
};

} // namespace golem::yagna
