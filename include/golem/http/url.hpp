#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace golem::http {

/// Scheme, host and port of a daemon. Paths, queries and users are refused: the API's paths start at the root.
class Url {
public:
    /// Reads "http://127.0.0.1:7465", "http://[::1]:7465", "http://host"; the scheme is http or https. Throws
    /// Error invalid_input with a sentence that shows the right form.
    static Url parse(std::string_view text);

    bool is_tls() const noexcept { return tls_; }
    /// Without brackets.
    const std::string& host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }
    /// "http://[::1]:7465"
    std::string to_string() const;

private:
    bool tls_ = false;
    std::string host_;
    std::uint16_t port_ = 0;
};

/// Percent-encodes a path segment or query value (everything but unreserved characters).
std::string percent_encode(std::string_view text);
/// Decodes %XX; '+' stays. Malformed sequences stay as they are.
std::string percent_decode(std::string_view text);

} // namespace golem::http
