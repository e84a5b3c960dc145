// The text of HTTP/1.1 messages, and what is decided by looking at a request. No I/O.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/message.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace golem::http::detail {

/// Tells how large a body was that reached the handler cut.
inline constexpr std::string_view body_size_header = "X-Golem-Body-Size";

/// "GET /me": for messages. Without the query, which may hold a key.
std::string describe(const Request& request);

/// "50 ms", "30 s", "1.5 s".
std::string to_text(Duration duration);

/// Throws Error invalid_input if the target or a header field would break out of its line.
void check(const Request& request);
/// Whether all fields can be written as they are.
bool is_writable(const Headers& headers) noexcept;

/// Whether executing the request twice does what executing it once does (RFC 9110, 9.2.2).
bool is_repeatable(Method method) noexcept;

/// Whether a response with this status has a body, be it an empty one.
bool may_have_body(unsigned status) noexcept;

/// Start line and fields, with the empty line. Fields that belong to the connection are ours: the request's own are
/// left out. `host` is the value of Host.
std::string request_head(const Request& request, std::string_view host);

/// The same for a websocket; `key` is the value of Sec-WebSocket-Key.
std::string websocket_head(const Request& request, std::string_view host, std::string_view key);
/// The agreement to one; `accept` is the value of Sec-WebSocket-Accept.
std::string websocket_answer_head(const Response& response, std::string_view accept, std::string_view date);

/// What a request wants of its connection, and what that means for the answer.
struct AnswerForm {
    bool body = true;       ///< False for an answer to HEAD: the length is told, the body is not sent.
    bool keep_alive = true; ///< The connection stays open.
    bool old = false;       ///< HTTP/1.0, where keeping alive has to be said.
    bool chunked = false;   ///< The length is not known: the body comes in chunks.
};

/// Start line and fields, with the empty line. `date` is the value of Date.
std::string response_head(const Response& response, const AnswerForm& form, std::string_view date);

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(Timestamp when);

/// Cuts a body longer than `limit` and adds the header with its true size.
void cut_body(Request& request, std::size_t limit);

/// "GET /market-api/v1/demands/{id}/events": method and path, with what differs from object to object (ids in any of
/// the daemon's forms, numbers, IP addresses) replaced, and without the query.
std::string route_of(const Request& request);

} // namespace golem::http::detail
