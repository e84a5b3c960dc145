#include <golem/http/url.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <charconv>

namespace golem::http {

namespace {

bool is_alphanumeric(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
}

bool is_host_letter(char letter) { return is_alphanumeric(letter) || letter == '.' || letter == '-' || letter == '_'; }

// The text itself is not repeated: it may hold a password.
[[noreturn]] void refuse(const std::string& what)
{
    throw Error(Errc::invalid_input, "read URL", what + "; the form is http://127.0.0.1:7465 or http://[::1]:7465");
}

int hex_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'a' && letter <= 'f')
        return letter - 'a' + 10;
    if (letter >= 'A' && letter <= 'F')
        return letter - 'A' + 10;
    return -1;
}

} // namespace

Url Url::parse(std::string_view text)
{
    Url url;
    const auto colon = text.find("://");
    if (colon == std::string_view::npos)
        refuse("the scheme (http://) is missing");
    std::string scheme(text.substr(0, colon));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    if (scheme != "http" && scheme != "https")
        refuse("the scheme must be http or https");
    url.tls_ = scheme == "https";

    auto authority = text.substr(colon + 3);
    if (authority.find('@') != std::string_view::npos)
        refuse("a user or password is not allowed");
    // A lone slash at the end says nothing and is often written.
    if (authority.ends_with('/'))
        authority.remove_suffix(1);
    if (authority.find_first_of("/?#") != std::string_view::npos)
        refuse("a path or query is not allowed");

    std::string_view port;
    bool has_port = false;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos)
            refuse("the bracket around the IPv6 address is not closed");
        url.host_ = authority.substr(1, end - 1);
        boost::system::error_code error;
        boost::asio::ip::make_address_v6(url.host_, error);
        if (error)
            refuse("[" + url.host_ + "] is not an IPv6 address");
        const auto rest = authority.substr(end + 1);
        if (!rest.empty() && rest.front() != ':')
            refuse("only a port may follow the IPv6 address");
        has_port = !rest.empty();
        port = has_port ? rest.substr(1) : rest;
    } else {
        const auto end = authority.find(':');
        url.host_ = authority.substr(0, end);
        has_port = end != std::string_view::npos;
        if (has_port)
            port = authority.substr(end + 1);
        if (port.find(':') != std::string_view::npos)
            refuse("an IPv6 address stands in brackets");
        if (url.host_.empty() || !std::all_of(url.host_.begin(), url.host_.end(), is_host_letter))
            refuse("the host is not a name or an address");
    }

    url.port_ = url.tls_ ? 443 : 80;
    if (has_port) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port_);
        if (error != std::errc() || end != port.data() + port.size() || url.port_ == 0)
            refuse("the port must be a number from 1 to 65535");
    }
    return url;
}

std::string Url::to_string() const
{
    const bool brackets = host_.find(':') != std::string::npos;
    std::string text = tls_ ? "https://" : "http://";
    text += brackets ? "[" + host_ + "]" : host_;
    return text + ":" + std::to_string(port_);
}

std::string percent_encode(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char letter : text) {
        if (is_host_letter(letter) || letter == '~') {
            encoded += letter;
        } else {
            const auto byte = static_cast<unsigned char>(letter);
            encoded += '%';
            encoded += digits[byte >> 4];
            encoded += digits[byte & 15];
        }
    }
    return encoded;
}

std::string percent_decode(std::string_view text)
{
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

} // namespace golem::http
