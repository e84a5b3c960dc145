#include <golem/core/amount.hpp>
#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>

#include <limits>
#include <sstream>

using golem::Amount;

static_assert(Amount(2) > Amount(1) && Amount(-1).is_negative() && Amount().is_zero());
static_assert(Amount(1).units() == 1'000'000'000'000'000'000);

namespace {

constexpr auto largest = Amount::from_units(~(static_cast<Amount::Units>(1) << 127));
const std::string largest_text = "170141183460469231731.687303715884105727";

} // namespace

TEST_CASE("amounts are read exactly, and written as short as they can be")
{
    const std::pair<const char*, const char*> table[] = {
        {"0", "0"},
        {"-0", "0"},
        {"0.000", "0"},
        {"12", "12"},
        {"+12.50", "12.5"},
        {"-0.000000000000000001", "-0.000000000000000001"},
        {"13.14000", "13.14"},
        {".5", "0.5"},
        {"5.", "5"},
        {"1e-3", "0.001"},
        {"25E2", "2500"},
        {"1.5e+1", "15"},
        {"0e999999999999", "0"},
        {"0.1000000000000000000000000", "0.1"},
        {"1000e-21", "0.000000000000000001"},
        {"0.0000000000000000000001e4", "0.000000000000000001"},
        {"007", "7"},
        {"170141183460469231731.687303715884105727", "170141183460469231731.687303715884105727"},
        {"-170141183460469231731.687303715884105727", "-170141183460469231731.687303715884105727"},
    };
    for (const auto& [text, expected] : table) {
        CAPTURE(text);
        CHECK(Amount::parse(text).to_string() == expected);
    }
}

TEST_CASE("what is not an amount is refused, and the text is named")
{
    const std::pair<const char*, const char*> table[] = {
        {"", "is not a decimal number"},
        {".", "is not a decimal number"},
        {"-", "is not a decimal number"},
        {"1,5", "is not a decimal number"},
        {" 1", "is not a decimal number"},
        {"1 ", "is not a decimal number"},
        {"1.2.3", "is not a decimal number"},
        {"--1", "is not a decimal number"},
        {"1e", "is not a decimal number"},
        {"1e1.5", "is not a decimal number"},
        {"e5", "is not a decimal number"},
        {"0x10", "is not a decimal number"},
        {"nan", "is not a decimal number"},
        {"0.0000000000000000001", "more than 18 decimals"},
        {"1e-19", "more than 18 decimals"},
        {"1e-999999999999", "more than 18 decimals"},
        {"170141183460469231731.687303715884105728", "beyond the range"},
        {"-170141183460469231731.687303715884105728", "beyond the range"},
        {"1e21", "beyond the range"},
        {"1e999999999999", "beyond the range"},
        {"99999999999999999999999999999999999999999999", "beyond the range"},
    };
    for (const auto& [text, reason] : table) {
        CAPTURE(text);
        CHECK(!Amount::try_parse(text));
        CHECK_THROWS_WITH(
            Amount::parse(text),
            golem::test::contains_text(reason) && golem::test::contains_text("\"" + std::string(text) + "\""));
    }
}

TEST_CASE("amounts are written with the decimals that are asked for")
{
    CHECK(Amount::parse("1.005").to_string(2) == "1.01");
    CHECK(Amount::parse("-1.005").to_string(2) == "-1.01");
    CHECK(Amount::parse("1.0049").to_string(2) == "1.00");
    CHECK(Amount::parse("0.5").to_string(0) == "1");
    CHECK(Amount::parse("0.49").to_string(0) == "0");
    CHECK(Amount::parse("-0.4").to_string(0) == "0");
    CHECK(Amount::parse("999.999").to_string(1) == "1000.0");
    CHECK(Amount(3).to_string(18) == "3.000000000000000000");
    CHECK(largest.to_string() == largest_text);
    CHECK(Amount::from_units(~largest.units()).to_string() == "-170141183460469231731.687303715884105728");
    CHECK_THROWS_AS(Amount(1).to_string(19), golem::Error);
    CHECK_THROWS_AS(Amount(1).to_string(-1), golem::Error);
}

TEST_CASE("sums of amounts are exact, or refused")
{
    CHECK(Amount::parse("0.1") + Amount::parse("0.2") == Amount::parse("0.3"));
    CHECK(Amount(1) - Amount::parse("0.000000000000000001") == Amount::parse("0.999999999999999999"));
    CHECK(-Amount::parse("2.5") == Amount::parse("-2.5"));
    CHECK(Amount(-3) < Amount(2));
    const auto smallest = Amount::from_units(~largest.units());
    CHECK_THROWS_AS(largest + Amount::from_units(1), golem::Error);
    CHECK_THROWS_AS(smallest - Amount::from_units(1), golem::Error);
    CHECK_THROWS_AS(-smallest, golem::Error);

    // A refused sum changes nothing.
    auto kept = largest;
    CHECK_THROWS_AS(kept += Amount(1), golem::Error);
    CHECK(kept == largest);
}

TEST_CASE("a product of doubles is rounded to the nearest amount")
{
    CHECK(Amount::rounded(0.0) == Amount());
    CHECK(Amount::rounded(0.25).to_string() == "0.25");
    CHECK(Amount::rounded(-0.25).to_string() == "-0.25");
    CHECK(Amount::rounded(0.1).to_string() == "0.1");
    CHECK(Amount::rounded(1e-18).to_string() == "0.000000000000000001");
    CHECK(Amount::rounded(4e-19).is_zero());
    CHECK(Amount::rounded(123456789.5).to_string() == "123456789.5");
    CHECK_THROWS_AS(Amount::rounded(1e21), golem::Error);
    CHECK_THROWS_AS(Amount::rounded(std::numeric_limits<double>::quiet_NaN()), golem::Error);
    CHECK(Amount::parse("2.5").to_double() == 2.5);
}

TEST_CASE("an amount is printed exactly")
{
    std::ostringstream out;
    out << Amount::parse("-0.000000000000000001");
    CHECK(out.str() == "-0.000000000000000001");
}
