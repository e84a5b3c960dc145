#include <golem/market/detail/offer_survey.hpp>

#include <golem/market/detail/offer_facts.hpp>
#include <golem/properties/constraint.hpp>
#include <golem/properties/detail/constraint_node.hpp>
#include <golem/properties/json_text.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace golem {

namespace {

using properties::Constraint;
using properties::Truth;
using properties::Value;
using properties::detail::ConstraintNode;
using properties::detail::Operator;

// How many different values are told, and how long a text may get.
constexpr std::size_t most_values = 4;
constexpr std::size_t most_letters = 60;

std::string shortened(std::string text)
{
    if (text.size() > most_letters) {
        text.resize(most_letters);
        while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U)
            text.pop_back();
        text += "…";
    }
    return text;
}

// A condition as people write it, on one line.
std::string shown(const std::string& condition)
{
    std::string flat;
    for (const char c : condition) {
        if (c != '\n' && c != '\t')
            flat += c;
    }
    const bool is_plain =
        flat.size() > 2 && flat.front() == '(' && flat.back() == ')' && flat.find('(', 1) == std::string::npos;
    return is_plain ? flat.substr(1, flat.size() - 2) : flat;
}

std::string shown(const Value& value)
{
    if (const auto text = value.as_string())
        return shortened(std::string(*text));
    return shortened(properties::to_json_text(value));
}

// What the offers that fail a comparison have in its place.
class Alternatives {
public:
    void add(const Value* value)
    {
        if (!value) {
            ++silent_;
            return;
        }
        if (const auto number = value->as_number()) {
            if (!least_ || *number < *least_->as_number())
                least_ = *value;
            if (!most_ || *number > *most_->as_number())
                most_ = *value;
        } else {
            all_numbers_ = false;
        }
        if (const auto* list = value->as_list()) {
            for (const auto& item : *list)
                ++values_[shown(item)];
        } else {
            ++values_[shown(*value)];
        }
        ++telling_;
    }

    std::string to_string(Operator comparison) const
    {
        if (telling_ == 0)
            return silent_ == 1 ? "it does not have this property" : "none of them has this property";
        std::string text;
        const bool wants_more = comparison == Operator::more || comparison == Operator::at_least;
        const bool wants_less = comparison == Operator::less || comparison == Operator::at_most;
        if (all_numbers_ && wants_more)
            text = "the best has " + shown(*most_);
        else if (all_numbers_ && wants_less)
            text = "the best has " + shown(*least_);
        else
            text = "they have " + list();
        if (silent_ > 0)
            text += "; " + std::to_string(silent_) + " without this property";
        return text;
    }

private:
    // The most frequent ones first.
    std::string list() const
    {
        std::vector<std::pair<std::size_t, std::string>> ordered;
        for (const auto& [value, count] : values_)
            ordered.emplace_back(count, value);
        std::sort(ordered.begin(), ordered.end(), [](const auto& left, const auto& right) {
            return std::tie(right.first, left.second) < std::tie(left.first, right.second);
        });
        std::string text;
        for (std::size_t index = 0; index < std::min(ordered.size(), most_values); ++index)
            text += (text.empty() ? "" : ", ") + ordered[index].second;
        if (ordered.size() > most_values)
            text += " and " + std::to_string(ordered.size() - most_values) + " more";
        return text.empty() ? "an empty list" : text;
    }

    std::size_t silent_ = 0;
    std::size_t telling_ = 0;
    bool all_numbers_ = true;
    std::optional<Value> least_;
    std::optional<Value> most_;
    std::map<std::string, std::size_t> values_;
};

struct Condition {
    explicit Condition(const std::string& written) : text(shown(written)), constraint(Constraint::try_parse(written))
    {
        if (constraint)
            node = properties::detail::parse_constraint(written);
    }

    bool is_met(const properties::PropertySet& offer) const
    {
        return constraint && constraint->evaluate(offer) == Truth::yes;
    }

    std::string text;
    std::optional<Constraint> constraint;
    properties::detail::ConstraintPointer node;
    std::size_t offers = 0;
    std::size_t alone = 0;
    Alternatives alternatives;
};

std::string number_of(std::size_t count, const char* noun)
{
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// Nothing if it accepts our demand.
std::optional<std::string> condition_of(const yagna::ScannedOffer& offer, const properties::PropertySet& demand)
{
    const auto constraint = Constraint::try_parse(offer.content.constraints);
    if (!constraint)
        return "one that cannot be read";
    const auto evaluation = constraint->explain(demand);
    if (evaluation.truth == Truth::yes)
        return std::nullopt;
    if (!evaluation.mismatched.empty())
        return evaluation.mismatched.front();
    return shortened(shown(offer.content.constraints));
}

std::optional<std::string> objection_to(const yagna::ScannedOffer& offer, const MarketOptions& options)
{
    yagna::Proposal proposal;
    proposal.issuer = offer.provider;
    proposal.content = offer.content;
    const auto reading = detail::read_offer(proposal);
    if (!reading.facts)
        return reading.problem;
    if (auto problem = detail::above_caps(*reading.facts, options.caps))
        return problem;
    const auto appraisal = detail::appraise(options.strategy, *reading.facts);
    if (!appraisal.score)
        return appraisal.problem;
    return std::nullopt;
}

} // namespace

namespace detail {

OfferSurvey survey_offers(
    const std::vector<std::string>& conditions, const properties::PropertySet& demand,
    const std::vector<yagna::ScannedOffer>& offers, const MarketOptions& options)
{
    std::vector<Condition> ours(conditions.begin(), conditions.end());
    OfferSurvey survey;
    survey.offers = offers.size();
    for (const auto& offer : offers) {
        std::vector<Condition*> failed;
        for (auto& condition : ours) {
            if (!condition.is_met(offer.content.properties))
                failed.push_back(&condition);
        }
        for (auto* condition : failed) {
            ++condition->offers;
            condition->alone += failed.size() == 1 ? 1 : 0;
            if (condition->node && condition->node->kind == ConstraintNode::Kind::comparison)
                condition->alternatives.add(offer.content.properties.get(condition->node->reference.shown()));
        }
        if (!failed.empty())
            continue;
        ++survey.fitting;
        if (auto theirs = condition_of(offer, demand)) {
            if (survey.unwilling++ == 0)
                survey.their_condition = std::move(*theirs);
        } else if (auto objection = objection_to(offer, options)) {
            if (survey.unwanted++ == 0)
                survey.objection = std::move(*objection);
        }
    }
    // Equal ones as they were asked for.
    std::vector<const Condition*> ordered;
    for (const auto& condition : ours) {
        if (condition.offers > 0)
            ordered.push_back(&condition);
    }
    std::sort(ordered.begin(), ordered.end(), [](const Condition* left, const Condition* right) {
        return std::tie(right->offers, right->alone, left) < std::tie(left->offers, left->alone, right);
    });
    for (const auto* condition : ordered) {
        OfferSurvey::Exclusion exclusion;
        exclusion.condition = condition->text;
        exclusion.offers = condition->offers;
        exclusion.alone = condition->alone;
        if (!condition->constraint)
            exclusion.they_have = "it cannot be read";
        else if (condition->node->kind == ConstraintNode::Kind::comparison)
            exclusion.they_have = condition->alternatives.to_string(condition->node->comparison);
        survey.exclusions.push_back(std::move(exclusion));
    }
    return survey;
}

} // namespace detail

std::string OfferSurvey::to_string() const
{
    if (offers == 0)
        return "no offers seen: the daemon has not heard of any provider. It hears of them only after its first "
               "demand, and some minutes after it was started";
    std::string text = (is_complete ? "" : "more than ") + number_of(offers, "offer") + " seen, ";
    text += fitting == 0 ? (offers == 1 ? "it does not fit" : "none fits")
                         : std::to_string(fitting) + (fitting == 1 ? " fits" : " fit");
    if (unwilling > 0)
        text += ", but " + std::to_string(unwilling) + " of these would not take this demand (" + their_condition + ")";
    if (unwanted > 0)
        text += ", but " + std::to_string(unwanted) + " of these would not be answered (" + objection + ")";
    if (exclusions.empty())
        return text;
    text += ": ";
    bool first = true;
    for (const auto& exclusion : exclusions) {
        text += (first ? "" : "; ") + std::to_string(exclusion.offers) +
                (exclusion.offers == 1 ? " fails " : " fail ") + exclusion.condition;
        first = false;
        std::string note = exclusion.they_have;
        if (exclusion.alone > 0 && exclusions.size() > 1)
            note += (note.empty() ? "" : "; ") + std::to_string(exclusion.alone) + " would fit without it";
        if (!note.empty())
            text += " (" + note + ")";
    }
    return text;
}

} // namespace golem
