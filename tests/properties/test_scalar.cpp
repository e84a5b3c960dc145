#include <golem/properties/detail/scalar.hpp>

#include <tests/support/catch.hpp>

#include <cmath>

using namespace golem::properties::detail;

TEST_CASE("decimals are compared exactly")
{
    const char* const ascending[] = {
        "-1e3",  "-20",  "-19.9999999999999999999999999999",         "-0.1", "0",    "1e-30",
        "0.09",  "0.1",  "0.10000000000000000000000000000000000001", "5",    "10.5", "1e2",
        "100.5", "1e400"};
    for (std::size_t left = 0; left < std::size(ascending); ++left) {
        for (std::size_t right = 0; right < std::size(ascending); ++right) {
            CAPTURE(ascending[left], ascending[right]);
            CHECK((*Decimal::parse(ascending[left]) <=> *Decimal::parse(ascending[right])) == (left <=> right));
        }
    }
    CHECK(*Decimal::parse("1.50") == *Decimal::parse("+15e-1"));
    CHECK(*Decimal::parse("-0.0") == *Decimal::parse("0"));
    CHECK(*Decimal::parse("00100") == *Decimal::parse("1E+2"));
    for (const char* text : {"", ".", "-", "a", "1a", "1e", "1e1.5", "1e99999999999999999999", " 1", "NaN", "--1"}) {
        CAPTURE(text);
        CHECK(!Decimal::parse(text));
    }
}

TEST_CASE("versions follow the rules of semver")
{
    const char* const ascending[] = {"0.3.0",      "0.10.0",       "1.0.0-alpha",   "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                     "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",    "1.0.0",
                                     "1.0.1",      "2.0.0"};
    for (std::size_t left = 0; left < std::size(ascending); ++left) {
        for (std::size_t right = 0; right < std::size(ascending); ++right) {
            CAPTURE(ascending[left], ascending[right]);
            CHECK((*Version::parse(ascending[left]) <=> *Version::parse(ascending[right])) == (left <=> right));
        }
    }
    CHECK(*Version::parse("1.0.0+build.1") == *Version::parse("1.0.0"));
    CHECK(*Version::parse("1.0.0-rc.1+b") == *Version::parse("1.0.0-rc.1"));
    for (const char* text :
         {"", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+", "v1.0.0", "1.0.x",
          "99999999999999999999.0.0", "1.-1.0"}) {
        CAPTURE(text);
        CHECK(!Version::parse(text));
    }
}

TEST_CASE("numbers are read as in constraints")
{
    CHECK(parse_number("-2.5e1") == -25.0);
    CHECK(parse_number("+.5") == 0.5);
    CHECK(parse_number("5.") == 5.0);
    CHECK(std::isinf(*parse_number("-inf")));
    CHECK(std::isnan(*parse_number("NaN")));
    CHECK(parse_number("1e999") == HUGE_VAL);
    CHECK(parse_number("-1e999") == -HUGE_VAL);
    CHECK(parse_number("1e-999") == 0.0);
    CHECK(parse_number("0." + std::string(400, '0') + "1") == 0.0);
    CHECK(parse_number("1" + std::string(400, '0')) == HUGE_VAL);
    for (const char* text : {"", "+", "+-1", "++1", " 1", "1 ", "0x1", "1,5", "two", "nan(x)"}) {
        CAPTURE(text);
        CHECK(!parse_number(text));
    }
}
