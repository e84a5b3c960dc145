// Why no offers: which condition excludes how many.
#include <golem/market/detail/offer_survey.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::detail;
using properties::PropertySet;
using properties::Value;

namespace {

yagna::ScannedOffer offer(double memory, const std::string& runtime = "vm", const std::string& constraints = "()")
{
    yagna::ScannedOffer made;
    made.provider = "0x1";
    made.content.constraints = constraints;
    auto& properties = made.content.properties;
    properties.set("golem.inf.mem.gib", memory);
    properties.set("golem.runtime.name", runtime);
    properties.set("golem.runtime.capabilities", Value(Value::List{"vpn", "inet"}));
    properties.set("golem.com.pricing.model", "linear");
    properties.set("golem.com.usage.vector", Value(Value::List{"golem.usage.duration_sec"}));
    properties.set("golem.com.pricing.model.linear.coeffs", Value(Value::List{0.5, 0.0}));
    return made;
}

std::string told(
    const std::vector<std::string>& conditions, const std::vector<yagna::ScannedOffer>& offers,
    const MarketOptions& options = MarketOptions())
{
    PropertySet demand;
    demand.set("golem.srv.comp.expiration", std::int64_t(1));
    return survey_offers(conditions, demand, offers, options).to_string();
}

const std::string memory_64 = "(golem.inf.mem.gib>=64)";
const std::string is_vm = "(golem.runtime.name=vm)";

} // namespace

TEST_CASE("a survey tells which condition excludes how many offers")
{
    const std::vector<yagna::ScannedOffer> three{offer(8), offer(32), offer(128, "wasmtime")};
    CHECK(
        told({is_vm, memory_64}, three) ==
        "3 offers seen, none fits: 2 fail golem.inf.mem.gib>=64 (the best has 32.0; 2 would fit without it); "
        "1 fails golem.runtime.name=vm (they have wasmtime; 1 would fit without it)");
    CHECK(
        told({memory_64}, {offer(32)}) ==
        "1 offer seen, it does not fit: 1 fails golem.inf.mem.gib>=64 (the best has 32.0)");
    CHECK(
        told({is_vm}, {offer(1), offer(2, "x")}) ==
        "2 offers seen, 1 fits: 1 fails golem.runtime.name=vm (they have x)");
    CHECK(told({is_vm}, {offer(1)}) == "1 offer seen, 1 fits");
    CHECK(told({is_vm}, {}).find("no offers seen") == 0);
}

TEST_CASE("what the offers have instead is told by the kind of the condition")
{
    const auto instead = [](const std::string& condition, const std::vector<yagna::ScannedOffer>& offers) {
        const PropertySet demand;
        const auto survey = survey_offers({condition}, demand, offers, MarketOptions());
        REQUIRE(survey.exclusions.size() == 1);
        return survey.exclusions.front().they_have;
    };
    const std::vector<yagna::ScannedOffer> two{offer(8), offer(32)};
    CHECK(instead("(golem.inf.mem.gib>40)", two) == "the best has 32.0");
    CHECK(instead("(golem.inf.mem.gib<4)", two) == "the best has 8.0");
    CHECK(instead("(golem.inf.mem.gib=4)", two) == "they have 32.0, 8.0");
    CHECK(instead("(golem.runtime.capabilities=cuda)", two) == "they have inet, vpn");
    CHECK(instead("(golem.inf.gpu.model=A1)", two) == "none of them has this property");
    CHECK(instead("(golem.inf.gpu.model=A1)", {offer(1)}) == "it does not have this property");
    auto silent = offer(1);
    silent.content.properties.erase("golem.inf.mem.gib");
    CHECK(instead("(golem.inf.mem.gib>40)", {offer(8), silent}) == "the best has 8.0; 1 without this property");
    CHECK(instead("(missing=*)", two).empty());
    CHECK(instead("(|(golem.inf.mem.gib>100)(golem.runtime.name=x))", two).empty());
    CHECK(instead("(a", two) == "it cannot be read");
    std::vector<yagna::ScannedOffer> many;
    for (const std::string runtime : {"a", "b", "b", "c", "d", "e", "f"})
        many.push_back(offer(1, runtime));
    CHECK(instead("(golem.runtime.name=x)", many) == "they have b, a, c, d and 2 more");
}

TEST_CASE("an offer that fits may still refuse the demand, or be refused")
{
    MarketOptions options;
    options.caps.per_second = 0.1;
    CHECK(
        told({is_vm}, {offer(1), offer(2)}, options) ==
        "2 offers seen, 2 fit, but 2 of these would not be answered (its price of time is above the cap)");
    CHECK(
        told({is_vm}, {offer(1, "vm", "(golem.srv.comp.expiration>5)")}) ==
        "1 offer seen, 1 fits, but 1 of these would not take this demand (golem.srv.comp.expiration>5)");
    CHECK(
        told({is_vm}, {offer(1, "vm", "(golem.com.nothing>5)")}) ==
        "1 offer seen, 1 fits, but 1 of these would not take this demand (golem.com.nothing)");
}

TEST_CASE("the conditions with most offers come first, and those that cost most alone")
{
    const PropertySet demand;
    const std::vector<yagna::ScannedOffer> offers{offer(1, "a"), offer(2, "b"), offer(100, "c"), offer(3)};
    const auto survey = survey_offers({"(golem.runtime.name=c)", memory_64, "(x=1)"}, demand, offers, MarketOptions());
    REQUIRE(survey.exclusions.size() == 3);
    CHECK(survey.exclusions[0].condition == "x=1");
    CHECK(survey.exclusions[0].alone == 1);
    CHECK(survey.exclusions[1].condition == "golem.runtime.name=c");
    CHECK(survey.exclusions[2].offers == 3);
    CHECK(survey.offers == 4);
    CHECK(survey.fitting == 0);
}
