#include <golem/http/detail/wire.hpp>

#include <golem/core/error.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace golem::http::detail {

namespace {

bool is_hex(char letter)
{
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f') || (letter >= 'A' && letter <= 'F');
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// RFC 9110, 5.6.2
bool is_token(std::string_view text)
{
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char letter) {
        return is_digit(letter) || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               others.find(letter) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view text)
{
    constexpr std::string_view breakers("\r\n\0", 3);
    return text.find_first_of(breakers) == std::string_view::npos;
}

bool is_target(std::string_view text)
{
    return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char letter) {
               return static_cast<unsigned char>(letter) > ' ' && letter != 0x7f;
           });
}

std::string lower(std::string_view text)
{
    std::string result(text);
    for (auto& letter : result) {
        if (letter >= 'A' && letter <= 'Z')
            letter = static_cast<char>(letter - 'A' + 'a');
    }
    return result;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names)
{
    return std::find(names.begin(), names.end(), lower(name)) != names.end();
}

void append_field(std::string& head, std::string_view name, std::string_view value)
{
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool is_hex_run(std::string_view text, std::size_t least)
{
    return text.size() >= least && std::all_of(text.begin(), text.end(), is_hex);
}

// Ids as the daemon writes them: hex (uuid without dashes, hash), dashed uuid, node id 0x…, demand id uuid-hash,
// proposal id R-hash; besides numbers and addresses of a virtual network.
bool is_id(std::string_view segment)
{
    if (segment.empty())
        return false;
    if (std::all_of(segment.begin(), segment.end(), is_digit))
        return true;
    if (segment.starts_with("0x") && is_hex_run(segment.substr(2), 16))
        return true;
    if ((segment.starts_with("R-") || segment.starts_with("P-")) && is_hex_run(segment.substr(2), 8))
        return true;
    std::size_t digits = 0;
    const bool hex_and_dashes = std::all_of(segment.begin(), segment.end(), [&](char letter) {
        digits += is_hex(letter) ? 1 : 0;
        return is_hex(letter) || letter == '-';
    });
    if (hex_and_dashes && digits >= 32)
        return true;
    boost::system::error_code error;
    boost::asio::ip::make_address(std::string(segment), error);
    return !error;
}

std::string_view reason(unsigned status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Payload Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return {}; // The phrase may be empty (RFC 9112, 4).
    }
}

} // namespace

std::string describe(const Request& request)
{
    return std::string(to_string(request.method())) + " " + std::string(path_of(request.target()));
}

std::string to_text(Duration duration)
{
    const bool small = duration < std::chrono::seconds(1);
    const double value = std::chrono::duration<double>(duration).count() * (small ? 1000 : 1);
    char text[40];
    std::snprintf(text, sizeof text, small ? "%.4g ms" : "%.10g s", value);
    return text;
}

void check(const Request& request)
{
    if (!is_target(request.target()))
        throw Error(
            Errc::invalid_input, std::string(to_string(request.method())),
            "the request target must begin with / and have no spaces or control characters: percent-encode its parts");
    if (!is_writable(request.headers()))
        throw Error(Errc::invalid_input, describe(request), "a header field has a malformed name or a line break");
}

bool is_writable(const Headers& headers) noexcept
{
    return std::all_of(headers.begin(), headers.end(), [](const auto& field) {
        return is_token(field.first) && is_field_value(field.second);
    });
}

bool is_repeatable(Method method) noexcept { return method != Method::post; }

bool may_have_body(unsigned status) noexcept { return status >= 200 && status != 204 && status != 304; }

std::string request_head(const Request& request, std::string_view host)
{
    std::string head;
    head.reserve(256);
    head += to_string(request.method());
    head += ' ';
    head += request.target();
    head += " HTTP/1.1\r\n";
    append_field(head, "Host", host);
    for (const auto& [name, value] : request.headers()) {
        if (!is_one_of(name, {"host", "content-length", "transfer-encoding", "connection"}))
            append_field(head, name, value);
    }
    const bool usual = request.method() == Method::post || request.method() == Method::put;
    if (usual || !request.body().empty())
        append_field(head, "Content-Length", std::to_string(request.body().size()));
    head += "\r\n";
    return head;
}

std::string websocket_head(const Request& request, std::string_view host, std::string_view key)
{
    std::string head(to_string(request.method()));
    head += ' ' + request.target() + " HTTP/1.1\r\n";
    append_field(head, "Host", host);
    append_field(head, "Connection", "Upgrade");
    append_field(head, "Upgrade", "websocket");
    append_field(head, "Sec-WebSocket-Version", "13");
    append_field(head, "Sec-WebSocket-Key", key);
    for (const auto& [name, value] : request.headers()) {
        const bool ours = is_one_of(
            name, {"host", "content-length", "transfer-encoding", "connection", "upgrade", "sec-websocket-version",
                   "sec-websocket-key", "sec-websocket-extensions"});
        if (!ours)
            append_field(head, name, value);
    }
    head += "\r\n";
    return head;
}

std::string websocket_answer_head(const Response& response, std::string_view accept, std::string_view date)
{
    std::string head = "HTTP/1.1 101 Switching Protocols\r\n";
    append_field(head, "connection", "Upgrade");
    append_field(head, "upgrade", "websocket");
    append_field(head, "sec-websocket-accept", accept);
    for (const auto& [name, value] : response.headers()) {
        const bool ours = is_one_of(
            name, {"content-length", "transfer-encoding", "connection", "upgrade", "sec-websocket-accept",
                   "sec-websocket-extensions", "content-type", "date"});
        if (!ours)
            append_field(head, name, value);
    }
    append_field(head, "date", date);
    head += "\r\n";
    return head;
}

std::string response_head(const Response& response, const AnswerForm& form, std::string_view date)
{
    const bool body = may_have_body(response.status());
    std::string head;
    head.reserve(256);
    head += form.old ? "HTTP/1.0 " : "HTTP/1.1 ";
    head += std::to_string(response.status());
    head += ' ';
    head += reason(response.status());
    head += "\r\n";
    if (form.chunked)
        append_field(head, "transfer-encoding", "chunked");
    else if (body && !response.source())
        append_field(head, "content-length", std::to_string(response.body().size()));
    for (const auto& [name, value] : response.headers()) {
        const bool ours = is_one_of(name, {"content-length", "transfer-encoding", "connection", "date"});
        if (!ours && (body || !is_one_of(name, {"content-type"})))
            append_field(head, name, value);
    }
    append_field(head, "date", date);
    if (!form.keep_alive)
        append_field(head, "connection", "close");
    else if (form.old)
        append_field(head, "connection", "keep-alive");
    head += "\r\n";
    return head;
}

std::string http_date(Timestamp when)
{
    constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto midnight = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::weekday day(midnight);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(when - midnight));
    char text[64];
    std::snprintf(
        text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", days[day.c_encoding()],
        static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
        static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    return text;
}

void cut_body(Request& request, std::size_t limit)
{
    const auto size = request.body().size();
    if (size <= limit)
        return;
    std::string type(request.headers().get("Content-Type").value_or(""));
    request.set_body(request.body().substr(0, limit), std::move(type));
    request.headers().set(body_size_header, std::to_string(size));
}

std::string route_of(const Request& request)
{
    std::string route(to_string(request.method()));
    route += ' ';
    auto path = path_of(request.target());
    while (!path.empty()) {
        const auto end = path.find('/');
        const auto segment = path.substr(0, end);
        route += is_id(segment) ? "{id}" : segment;
        if (end == std::string_view::npos)
            break;
        route += '/';
        path.remove_prefix(end + 1);
    }
    return route;
}

} // namespace golem::http::detail
