#include <golem/bus/detail/bus_url.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/ip/address.hpp>

#include <charconv>

namespace golem::bus::detail {

namespace {

constexpr std::uint16_t usual_port = 7464;

[[noreturn]] void refuse(std::string_view text)
{
    throw Error(
        Errc::invalid_input, "find the service bus",
        "the URL \"" + std::string(text) + "\" is neither tcp://IP:PORT nor unix:/path/of/a/socket");
}

bool take(std::string_view& text, std::string_view prefix)
{
    if (!text.starts_with(prefix))
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

} // namespace

BusUrl parse_bus_url(std::string_view text)
{
    auto rest = text;
    BusUrl url;
    if (take(rest, "unix:")) {
        take(rest, "//");
        if (rest.empty() || rest.front() != '/')
            refuse(text);
        url.path = rest;
        return url;
    }
    if (!take(rest, "tcp://") && rest.find("://") != std::string_view::npos)
        refuse(text);
    if (rest.ends_with('/'))
        rest.remove_suffix(1);
    const bool bracket = take(rest, "[");
    const auto end = bracket ? rest.find(']') : rest.find(':');
    url.address = rest.substr(0, end);
    if (url.address == "localhost")
        url.address = "127.0.0.1";
    boost::system::error_code error;
    boost::asio::ip::make_address(url.address, error);
    if (error || (bracket && end == std::string_view::npos))
        refuse(text);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(bracket ? end + 1 : end);
    url.port = usual_port;
    if (!rest.empty()) {
        const auto* last = rest.data() + rest.size();
        const auto [stop, failure] = std::from_chars(rest.data() + 1, last, url.port);
        if (rest.front() != ':' || rest.size() < 2 || failure != std::errc() || stop != last || url.port == 0)
            refuse(text);
    }
    return url;
}

} // namespace golem::bus::detail
