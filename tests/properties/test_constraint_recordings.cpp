// Every line of matching.jsonl is a constraint that was judged by the market of a real daemon.
#include <golem/core/error.hpp>
#include <golem/properties/constraint.hpp>
#include <golem/properties/json.hpp>

#include <tests/support/catch.hpp>

#include <fstream>
#include <string>

using namespace golem::properties;

namespace {

std::string answer_to(const std::string& text, const PropertySet& properties)
{
    try {
        return Constraint::parse(text).evaluate(properties) == Truth::yes ? "match" : "no match";
    } catch (const golem::Error& error) {
        return "400 Invalid constraint. " + error.explanation();
    }
}

} // namespace

TEST_CASE("constraints are judged as by yagna 0.17.6")
{
    std::ifstream file(GOLEM_TEST_DATA "/matching.jsonl");
    std::string line;
    REQUIRE(std::getline(file, line));
    const auto properties = from_json(nlohmann::json::parse(line).at("properties"));
    int judged = 0;
    for (; std::getline(file, line); ++judged) {
        const auto record = nlohmann::json::parse(line);
        const auto constraint = record.at("constraint").get<std::string>();
        CAPTURE(constraint);
        CHECK(answer_to(constraint, properties) == record.at("answer").get<std::string>());

        // Written again it means the same.
        if (const auto parsed = Constraint::try_parse(constraint)) {
            const auto again = Constraint::parse(parsed->to_string());
            CHECK(again.to_string() == parsed->to_string());
            CHECK(again.evaluate(properties) == parsed->evaluate(properties));
        }
    }
    CHECK(judged == 101);
}
