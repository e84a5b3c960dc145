#include <golem/core/error.hpp>
#include <golem/core/timestamp.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace std::chrono_literals;

TEST_CASE("times are read in every form the daemon and its clients write")
{
    constexpr Timestamp noon = std::chrono::sys_days(std::chrono::May / 15 / 2024) + 12h;
    const std::pair<const char*, Timestamp> table[] = {
        {"2024-05-15T12:00:00Z", noon},
        {"2024-05-15T12:00:00.5Z", noon + 500ms},
        {"2024-05-15T12:00:00.123Z", noon + 123ms},
        {"2024-05-15T12:00:00.123456+00:00", noon + 123456us},
        {"2024-05-15T12:00:00.123456789Z", noon + 123456789ns},
        {"2024-05-15T12:00:00.000000001", noon + 1ns},
        {"2024-05-15 12:00:00", noon},
        {"2024-05-15t12:00:00z", noon},
        {"2024-05-15T14:30:00+02:30", noon},
        {"2024-05-14T23:00:00-13:00", noon},
        {"2024-05-15T12:00:00-00:00", noon},
        {"1970-01-01T00:00:00Z", Timestamp()},
        {"2024-02-29T00:00:00Z", std::chrono::sys_days(std::chrono::February / 29 / 2024)},
        {"2000-02-29T00:00:00Z", std::chrono::sys_days(std::chrono::February / 29 / 2000)},
        {"1969-12-31T23:59:59.5Z", Timestamp(-500ms)},
    };
    for (const auto& [text, expected] : table) {
        CAPTURE(text);
        CHECK(parse_timestamp(text) == expected);
    }
}

TEST_CASE("what is not a time is refused")
{
    const char* const table[] = {
        "",
        "2024-05-15",
        "2024-05-15T12:00Z",
        "2024-5-15T12:00:00Z",
        "2024-05-15T12:00:00.Z",
        "2024-05-15T12:00:00.1234567890Z",
        "2024-05-15T24:00:00Z",
        "2024-05-15T12:60:00Z",
        "2024-12-31T23:59:60Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-05-00T00:00:00Z",
        "2024-05-15T12:00:00+0200",
        "2024-05-15T12:00:00+24:00",
        "2024-05-15T12:00:00+02:60",
        "2024-05-15T12:00:00ZZ",
        "2024-05-15T12:00:00Z ",
        " 2024-05-15T12:00:00Z",
        "1677-01-01T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "-024-05-15T12:00:00Z",
    };
    for (const auto* text : table) {
        CAPTURE(text);
        CHECK(!try_parse_timestamp(text));
        CHECK_THROWS_AS(parse_timestamp(text), Error);
    }
}

TEST_CASE("times are written with as few groups of decimals as lose nothing")
{
    const auto base = parse_timestamp("2024-05-15T12:00:00Z");
    CHECK(format_timestamp(base) == "2024-05-15T12:00:00Z");
    CHECK(format_timestamp(base + 120ms) == "2024-05-15T12:00:00.120Z");
    CHECK(format_timestamp(base + 123450us) == "2024-05-15T12:00:00.123450Z");
    CHECK(format_timestamp(base + 1ns) == "2024-05-15T12:00:00.000000001Z");
    CHECK(format_timestamp(base + 999999999ns, 0) == "2024-05-15T12:00:00Z");
    CHECK(format_timestamp(base + 987654321ns, 6) == "2024-05-15T12:00:00.987654Z");
    CHECK(format_timestamp(base, 3) == "2024-05-15T12:00:00.000Z");
    CHECK(format_timestamp(Timestamp(-1ns)) == "1969-12-31T23:59:59.999999999Z");
    CHECK_THROWS_AS(format_timestamp(base, 10), Error);
    CHECK(format_timestamp(Timestamp::min()) == "1677-09-21T00:12:43.145224192Z");
    CHECK(format_timestamp(Timestamp::max()) == "2262-04-11T23:47:16.854775807Z");
}
