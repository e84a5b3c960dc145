#include <golem/core/error.hpp>
#include <golem/http/detail/wire.hpp>
#include <golem/http/url.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::http;
using namespace std::chrono_literals;

TEST_CASE("URLs of a daemon are read")
{
    struct Row {
        const char* text;
        bool tls;
        const char* host;
        unsigned port;
        const char* written;
    };
    const Row rows[] = {
        {"http://127.0.0.1:7465", false, "127.0.0.1", 7465, "http://127.0.0.1:7465"},
        {"http://127.0.0.1:7465/", false, "127.0.0.1", 7465, "http://127.0.0.1:7465"},
        {"HTTP://localhost", false, "localhost", 80, "http://localhost:80"},
        {"https://daemon.example", true, "daemon.example", 443, "https://daemon.example:443"},
        {"http://[::1]:7465", false, "::1", 7465, "http://[::1]:7465"},
        {"http://[fe80::1]", false, "fe80::1", 80, "http://[fe80::1]:80"},
        {"http://my_host-2:65535", false, "my_host-2", 65535, "http://my_host-2:65535"},
    };
    for (const auto& row : rows) {
        INFO(row.text);
        const auto url = Url::parse(row.text);
        CHECK(url.is_tls() == row.tls);
        CHECK(url.host() == row.host);
        CHECK(url.port() == row.port);
        CHECK(url.to_string() == row.written);
    }
}

TEST_CASE("what is not the URL of a daemon is refused without repeating it")
{
    for (const auto* text :
         {"",
          "127.0.0.1:7465",
          "ftp://127.0.0.1",
          "http://",
          "http:///",
          "http://:7465",
          "http://host:0",
          "http://host:65536",
          "http://host:",
          "http://host:1x",
          "http://host:-1",
          "http://host/path",
          "http://host?a",
          "http://host#a",
          "http://user:secret@host",
          "http://::1",
          "http://[::1",
          "http://[::1]7465",
          "http://[host]",
          "http://ho st",
          "http://host//",
          "http://a,b"}) {
        INFO(text);
        std::string message;
        try {
            Url::parse(text);
        } catch (const Error& error) {
            message = error.what();
            CHECK(error.errc() == Errc::invalid_input);
        }
        CHECK(message.find("http://127.0.0.1:7465") != std::string::npos);
        CHECK(message.find("secret") == std::string::npos);
    }
}

TEST_CASE("percent-encoding comes back as it was")
{
    CHECK(percent_encode("aZ09-._~") == "aZ09-._~");
    CHECK(percent_encode("a b/c?d=e&f+g%h") == "a%20b%2Fc%3Fd%3De%26f%2Bg%25h");
    CHECK(percent_encode("\xc3\xbc") == "%C3%BC");
    CHECK(percent_decode("a%20b%2fc+%C3%bc") == "a b/c+\xc3\xbc");
    CHECK(percent_decode("%") == "%");
    CHECK(percent_decode("%4") == "%4");
    CHECK(percent_decode("%zz%41") == "%zzA");
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    CHECK(percent_decode(percent_encode(all)) == all);
}

TEST_CASE("header fields are found without regard to case")
{
    Headers headers;
    headers.add("Content-Type", "a");
    headers.add("X-Other", "b");
    headers.add("content-type", "c");
    CHECK(headers.get("CONTENT-TYPE") == std::string_view("a"));
    CHECK(!headers.get("Content"));
    headers.set("content-Type", "d");
    CHECK(headers.size() == 2);
    CHECK(headers.get("Content-Type") == std::string_view("d"));
    headers.remove("x-other");
    CHECK(headers.size() == 1);
    CHECK(Response(200, "", "Application/JSON ; charset=utf-8").content_type() == "application/json");
    CHECK(Response(200, "", "").content_type().empty());
}

TEST_CASE("a request is written with its own fields and ours")
{
    Request request(Method::post, "/a?b=c");
    request.headers().add("Authorization", "Bearer key");
    request.headers().add("Connection", "close");
    CHECK(
        detail::request_head(request, "h:1") ==
        "POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer key\r\nContent-Length: 0\r\n\r\n");
    request.set_body("null");
    CHECK(
        detail::request_head(request, "h:1") ==
        "POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer key\r\nContent-Type: application/json\r\n"
        "Content-Length: 4\r\n\r\n");
    CHECK(detail::request_head(Request(Method::get, "/"), "h") == "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(detail::describe(request) == "POST /a");
}

TEST_CASE("what would break out of its line is refused")
{
    for (const auto* target : {"", "a", "/a b", "/a\r\nX: y", "/\x7f"}) {
        INFO(target);
        CHECK_THROWS_AS(detail::check(Request(Method::get, target)), Error);
    }
    for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
             {"", "a"}, {"A B", "a"}, {"A:", "a"}, {"A", "a\r\nB: c"}, {"A", std::string("\0", 1)}}) {
        Request request(Method::get, "/");
        request.headers().add(name, value);
        CHECK_THROWS_AS(detail::check(request), Error);
    }
    Request good(Method::get, "/%20?x=\xc3\xbc");
    good.headers().add("X-Some_thing", "a b: \t c");
    CHECK_NOTHROW(detail::check(good));
}

TEST_CASE("a response is written in the daemon's form")
{
    detail::AnswerForm form;
    CHECK(
        detail::response_head(Response(200, "null"), form, "now") ==
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: application/json\r\ndate: now\r\n\r\n");
    CHECK(
        detail::response_head(Response(200), form, "now") ==
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: now\r\n\r\n");
    CHECK(detail::response_head(Response(204, ""), form, "now") == "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n");
    form.keep_alive = false;
    CHECK(
        detail::response_head(Response(404), form, "now") ==
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\ndate: now\r\nconnection: close\r\n\r\n");
    form.keep_alive = true;
    form.old = true;
    CHECK(
        detail::response_head(Response(599), form, "now") ==
        "HTTP/1.0 599 \r\ncontent-length: 0\r\ndate: now\r\nconnection: keep-alive\r\n\r\n");
}

TEST_CASE("dates and durations are written for their readers")
{
    CHECK(detail::http_date(Timestamp(784111777s)) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(detail::http_date(Timestamp(951782400s + 999ms)) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(detail::to_text(50ms) == "50 ms");
    CHECK(detail::to_text(30s) == "30 s");
    CHECK(detail::to_text(1500ms) == "1.5 s");
    CHECK(detail::to_text(24h) == "86400 s");
}

TEST_CASE("a long body is cut, and its size told")
{
    Request request(Method::post, "/");
    request.set_body("123456", "text/plain");
    detail::cut_body(request, 6);
    CHECK(request.body() == "123456");
    CHECK(!request.headers().get(detail::body_size_header));
    detail::cut_body(request, 4);
    CHECK(request.body() == "1234");
    CHECK(request.headers().get("x-golem-body-size") == std::string_view("6"));
    CHECK(request.headers().get("content-type") == std::string_view("text/plain"));
}

TEST_CASE("routes are without ids and queries")
{
    const std::string hex = "f0780de91ece49139a28ea6e9eee86dc";
    const std::string hash = hex + hex;
    const std::pair<std::string, std::string> rows[] = {
        {"/me", "/me"},
        {"/version/get?x=" + hex, "/version/get"},
        {"/market-api/v1/demands/" + hex + "-" + hash + "/events?timeout=5", "/market-api/v1/demands/{id}/events"},
        {"/market-api/v1/demands/" + hex + "-" + hash + "/proposals/R-" + hash,
         "/market-api/v1/demands/{id}/proposals/{id}"},
        {"/market-api/v1/agreements/" + hash + "/wait", "/market-api/v1/agreements/{id}/wait"},
        {"/payment-api/v1/allocations/6b3a0f0e-1111-4222-8333-0123456789ab", "/payment-api/v1/allocations/{id}"},
        {"/net-api/v1/net/" + hex + "/tcp/192.168.0.2/80", "/net-api/v1/net/{id}/tcp/{id}/{id}"},
        {"/activity-api/v1/activity/" + hex + "/exec/" + hex, "/activity-api/v1/activity/{id}/exec/{id}"},
        {"/a/0x5f4a0123456789abcdef5f4a0123456789abcdef/", "/a/{id}/"},
        {"/dead/beef", "/dead/beef"},
    };
    for (const auto& [target, route] : rows)
        CHECK(detail::route_of(Request(Method::del, target)) == "DELETE " + route);
}
