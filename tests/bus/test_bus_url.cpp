#include <golem/bus/detail/bus_url.hpp>
#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>

using golem::bus::detail::BusUrl;
using golem::bus::detail::parse_bus_url;

TEST_CASE("what GSB_URL may hold")
{
    struct Row {
        const char* text;
        BusUrl url;
    };
    const Row rows[] = {
        {"tcp://127.0.0.1:7464", {"127.0.0.1", 7464, ""}},
        {"tcp://127.0.0.1:7464/", {"127.0.0.1", 7464, ""}},
        {"tcp://localhost:81", {"127.0.0.1", 81, ""}},
        {"10.9.8.7:1234", {"10.9.8.7", 1234, ""}},
        {"tcp://127.0.0.1", {"127.0.0.1", 7464, ""}},
        {"tcp://[::1]:7464", {"::1", 7464, ""}},
        {"tcp://[::1]", {"::1", 7464, ""}},
        {"unix:/tmp/yagna.sock", {"", 0, "/tmp/yagna.sock"}},
        {"unix:///tmp/a b", {"", 0, "/tmp/a b"}},
    };
    for (const auto& row : rows) {
        INFO(row.text);
        CHECK(parse_bus_url(row.text) == row.url);
    }
}

TEST_CASE("what is no URL of a bus is refused by name")
{
    for (const auto* text :
         {"", "tcp://", "http://127.0.0.1:7464", "tcp://yagna:7464", "tcp://127.0.0.1:", "tcp://127.0.0.1:0",
          "tcp://127.0.0.1:65536", "tcp://127.0.0.1:74x", "tcp://127.0.0.1:7464x", "tcp://[::1", "tcp://[::1]7464",
          "unix:", "unix:relative", "tcp://1.2.3:5"}) {
        INFO(text);
        try {
            parse_bus_url(text);
            FAIL("accepted");
        } catch (const golem::Error& error) {
            CHECK(error.errc() == golem::Errc::invalid_input);
            CHECK_THAT(error.what(), golem::test::contains_text('"' + std::string(text) + '"'));
        }
    }
}
