#include <golem/market/detail/offer_facts.hpp>

#include <tests/support/catch.hpp>

#include <limits>
#include <stdexcept>

using namespace golem;
using namespace golem::detail;
using properties::Value;

namespace {

yagna::Proposal offer()
{
    yagna::Proposal proposal;
    proposal.issuer = "0xB0B";
    proposal.content.properties = properties::PropertySet{
        {"golem.com.pricing.model", "linear"},
        {"golem.com.usage.vector", Value::List{"golem.usage.cpu_sec", "golem.usage.duration_sec"}},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.5, 0.25, 1}},
        {"golem.inf.cpu.threads", 4},
        {"golem.node.id.name", "bob"},
        {"golem.inf.mem.gib", 8.0},
    };
    return proposal;
}

OfferFacts facts() { return *read_offer(offer()).facts; }

} // namespace

TEST_CASE("an offer's prices follow its usage vector, the start price comes last")
{
    const auto read = facts();
    CHECK(read.provider == "0xB0B");
    CHECK(read.provider_name == "bob");
    CHECK(read.threads == 4);
    CHECK(read.prices.of("golem.usage.cpu_sec") == 0.5);
    CHECK(read.prices.of("golem.usage.duration_sec") == 0.25);
    CHECK(read.prices.of("golem.usage.gib") == 0);
    CHECK(read.prices.start == 1); // An integer is a number too.
}

TEST_CASE("offers whose prices have another shape are not understood, and say why")
{
    struct Row {
        const char* name;
        Value value;
        const char* problem;
    };
    const Row rows[] = {
        {"golem.com.pricing.model", "flat", "not linear"},
        {"golem.com.usage.vector", "golem.usage.cpu_sec", "not a list of names"},
        {"golem.com.usage.vector", Value::List{1, 2}, "not a list of names"},
        {"golem.com.usage.vector", Value::List{"a", "a"}, "priced twice"},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.5, 0.25}, "2 prices for 2 counters"},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.5, "0.25", 1}, "not a list of numbers"},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.5, -0.25, 1}, "negative"},
    };
    for (const auto& row : rows) {
        auto changed = offer();
        changed.content.properties.set(row.name, row.value);
        const auto reading = read_offer(changed);
        CHECK_FALSE(reading.facts);
        INFO(reading.problem);
        CHECK(reading.problem.find(row.problem) != std::string::npos);
    }
}

TEST_CASE("strategies score, caps exclude")
{
    CHECK(cheapest()(facts()) == 1 + 3600 * (0.5 * 2 + 0.25));
    CHECK(excluding({"0xb0b"}, cheapest())(facts()) == std::nullopt);
    CHECK(excluding({"0xeve"}, cheapest())(facts()).has_value());

    PriceCaps caps;
    CHECK_FALSE(above_caps(facts(), caps));
    caps.start = 1;
    caps.per_cpu_second = 0.5;
    caps.per_second = 0.25;
    caps.per_hour = 1 + 3600 * (0.5 * 4 + 0.25);
    CHECK_FALSE(above_caps(facts(), caps));
    for (auto* cap : {&caps.start, &caps.per_cpu_second, &caps.per_second, &caps.per_hour}) {
        const auto before = *cap;
        *cap = *before * 0.999;
        CHECK(above_caps(facts(), caps));
        *cap = before;
    }
}

TEST_CASE("what a strategy says is a score only if it can be compared")
{
    using Limits = std::numeric_limits<double>;
    struct Row {
        Strategy strategy;
        std::optional<double> score;
        const char* problem;
        bool is_failure;
    };
    const Row rows[] = {
        {[](const OfferFacts&) { return std::optional(-2.5); }, -2.5, "", false},
        {[](const OfferFacts&) { return std::optional<double>(); }, std::nullopt, "does not want it", false},
        {[](const OfferFacts&) { return std::optional(Limits::quiet_NaN()); }, std::nullopt, "not a finite", true},
        {[](const OfferFacts&) { return std::optional(Limits::infinity()); }, std::nullopt, "not a finite", true},
        {[](const OfferFacts&) { return std::optional(-Limits::infinity()); }, std::nullopt, "not a finite", true},
        {[](const OfferFacts&) -> std::optional<double> { throw std::runtime_error("odd"); }, std::nullopt,
         "failed: odd", true},
        {[](const OfferFacts&) -> std::optional<double> { throw 7; }, std::nullopt, "no std::exception", true},
    };
    for (const auto& row : rows) {
        const auto appraisal = appraise(row.strategy, facts());
        INFO(appraisal.problem);
        CHECK(appraisal.score == row.score);
        CHECK(appraisal.problem.find(row.problem) != std::string::npos);
        CHECK(appraisal.is_failure == row.is_failure);
    }
}

TEST_CASE("what a provider may change between offer and draft")
{
    const auto before = offer().content.properties;
    yagna::DemandOfferBase ours;
    ours.constraints = "(&(golem.inf.mem.gib>=4)\n\t(golem.com.pricing.model=linear))";
    ours.properties.set(std::string(accept_timeout_property), 120);
    ours.properties.set(std::string(note_interval_property), 120);

    struct Row {
        std::string name;
        Value value;
        const char* objection; ///< Null: none.
    };
    const std::string coefficients = "golem.com.pricing.model.linear.coeffs";
    const Row rows[] = {
        {"golem.node.id.name", "robert", nullptr},
        {coefficients, Value::List{0.5, 0.25, 1.0}, nullptr},
        {coefficients, Value::List{0.4, 0.25, 0}, nullptr},
        {coefficients, Value::List{0.6, 0.25, 1}, "raises the price of golem.usage.cpu_sec"},
        {coefficients, Value::List{0.5, 0.25, 2}, "raises the start price"},
        {coefficients, "free", "not understood"},
        {"golem.com.usage.vector", Value::List{"golem.usage.duration_sec", "golem.usage.cpu_sec"}, "other counters"},
        {std::string(accept_timeout_property), 120, nullptr},
        {std::string(accept_timeout_property), 240, nullptr},
        {std::string(accept_timeout_property), 20, "shortens"},
        {std::string(note_interval_property), 60, "shortens"},
        {std::string(note_interval_property), "60", "not a number"},
        {std::string(payment_timeout_property), 120, "adds"},
        {"golem.inf.mem.gib", 2.0, "conditions"},
    };
    for (const auto& row : rows) {
        auto draft = before;
        draft.set(row.name, row.value);
        const auto objection = objection_to_draft(before, ours, draft);
        INFO(row.name << ": " << objection.value_or("no objection"));
        CHECK(objection.has_value() == (row.objection != nullptr));
        if (objection && row.objection)
            CHECK(objection->find(row.objection) != std::string::npos);
    }
}
