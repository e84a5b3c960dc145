#include <golem/properties/constraint.hpp>

#include <golem/core/error.hpp>
#include <golem/properties/detail/constraint_node.hpp>
#include <golem/properties/json_text.hpp>

#include <cmath>
#include <iterator>
#include <utility>

namespace golem::properties {

namespace {

using detail::ConstraintNode;
using detail::ConstraintPointer;
using detail::Operator;
using Evaluation = Constraint::Evaluation;

void append(std::vector<std::string>& names, std::vector<std::string>& more)
{
    names.insert(names.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

const Value* visible(const ConstraintNode& node, const PropertySet& properties)
{
    const auto* value = properties.get(node.reference.name);
    return value && detail::is_visible(node.reference.name, *value) ? value : nullptr;
}

Evaluation evaluate(const ConstraintNode& node, const PropertySet& properties);

Evaluation evaluate_comparison(const ConstraintNode& node, const PropertySet& properties)
{
    const auto* value = visible(node, properties);
    // Aspects exist in the grammar, but nothing can define one.
    if (!value || node.reference.aspect)
        return {Truth::undefined, {node.reference.shown()}};
    return {detail::compare(*value, node.reference.conversion, node.comparison, node.text), {}};
}

// Left to right, and the first no ends it: then nothing is named, whatever was missing before.
Evaluation evaluate_all(const ConstraintNode& node, const PropertySet& properties)
{
    Evaluation result{Truth::yes, {}};
    for (const auto& child : node.children) {
        auto part = evaluate(*child, properties);
        if (part.truth == Truth::no)
            return {Truth::no, {}};
        if (part.truth == Truth::undefined) {
            result.truth = Truth::undefined;
            append(result.mismatched, part.mismatched);
        }
    }
    return result;
}

Evaluation evaluate_any(const ConstraintNode& node, const PropertySet& properties)
{
    Evaluation result{Truth::no, {}};
    for (const auto& child : node.children) {
        auto part = evaluate(*child, properties);
        if (part.truth == Truth::yes)
            return {Truth::yes, {}};
        if (part.truth == Truth::undefined)
            result.truth = Truth::undefined;
        append(result.mismatched, part.mismatched);
    }
    return result;
}

Evaluation evaluate(const ConstraintNode& node, const PropertySet& properties)
{
    switch (node.kind) {
    case ConstraintNode::Kind::constant: return {node.value ? Truth::yes : Truth::no, {}};
    case ConstraintNode::Kind::comparison: return evaluate_comparison(node, properties);
    case ConstraintNode::Kind::present:
        if (visible(node, properties) && !node.reference.aspect)
            return {Truth::yes, {}};
        return {Truth::no, {node.reference.shown()}};
    case ConstraintNode::Kind::all: return evaluate_all(node, properties);
    case ConstraintNode::Kind::any: return evaluate_any(node, properties);
    case ConstraintNode::Kind::negation: {
        auto part = evaluate(*node.children.front(), properties);
        if (part.truth == Truth::undefined)
            return part;
        return {part.truth == Truth::no ? Truth::yes : Truth::no, {}};
    }
    }
    return {};
}

std::string_view spelling(Operator comparison) noexcept
{
    switch (comparison) {
    case Operator::equal: return "=";
    case Operator::less: return "<";
    case Operator::at_most: return "<=";
    case Operator::more: return ">";
    case Operator::at_least: return ">=";
    }
    return "=";
}

void write(const ConstraintNode& node, std::string& text)
{
    text += '(';
    switch (node.kind) {
    case ConstraintNode::Kind::constant: text += node.value ? "" : "|"; break;
    case ConstraintNode::Kind::comparison:
        text += node.attribute;
        text += spelling(node.comparison);
        text += node.text;
        break;
    case ConstraintNode::Kind::present: text += node.attribute + "=*"; break;
    case ConstraintNode::Kind::negation:
        text += '!';
        write(*node.children.front(), text);
        break;
    case ConstraintNode::Kind::all:
    case ConstraintNode::Kind::any: {
        text += node.kind == ConstraintNode::Kind::all ? '&' : '|';
        const char* separator = "";
        for (const auto& child : node.children) {
            text += separator;
            write(*child, text);
            separator = "\n\t";
        }
        break;
    }
    }
    text += ')';
}

Error refusal(std::string explanation)
{
    return Error(Errc::invalid_input, "build a constraint", std::move(explanation));
}

ConstraintNode node_for(std::string_view name)
{
    const auto first = name.empty() ? '(' : name.front();
    if (name.find_first_of("=<>~()") != std::string_view::npos ||
        std::string_view("&|! \t\r\n(").find(first) != std::string_view::npos)
        throw refusal("the name \"" + std::string(name) + "\" cannot be written in a constraint");
    ConstraintNode node;
    node.attribute = name;
    node.reference = detail::parse_reference(node.attribute);
    return node;
}

ConstraintPointer term(std::string_view name, Operator comparison, const Value& value)
{
    auto node = node_for(name);
    node.kind = ConstraintNode::Kind::comparison;
    node.comparison = comparison;
    const auto string = value.as_string();
    const auto number = value.as_number();
    const bool simple = string || value.as_bool() || (number && std::isfinite(*number));
    if (!simple)
        throw refusal(
            "\"" + node.attribute + "\" is compared with a value that is not a string, a number, true or false");
    node.text = string ? detail::escaped(*string) : to_json_text(value);
    if (node.text.find(')') != std::string::npos)
        throw refusal(
            "the value \"" + node.text + "\" of \"" + node.attribute + "\" holds a \")\", which ends a constraint");
    const bool reads_otherwise =
        comparison == Operator::equal
            ? node.text.starts_with('*')
            : node.text.starts_with('=') && (comparison == Operator::less || comparison == Operator::more);
    if (reads_otherwise)
        throw refusal(
            "the value \"" + node.text + "\" of \"" + node.attribute +
            "\" begins with a sign that reads as another operator");
    return std::make_shared<ConstraintNode>(std::move(node));
}

} // namespace

std::string_view to_string(Truth truth) noexcept
{
    switch (truth) {
    case Truth::no: return "no";
    case Truth::undefined: return "undefined";
    case Truth::yes: return "yes";
    }
    return "no";
}

Constraint::Constraint() : root_(std::make_shared<ConstraintNode>()) {}

Constraint::Constraint(ConstraintPointer root) noexcept : root_(std::move(root)) {}

Constraint Constraint::parse(std::string_view text) { return Constraint(detail::parse_constraint(text)); }

std::optional<Constraint> Constraint::try_parse(std::string_view text)
{
    try {
        return parse(text);
    } catch (const Error&) {
        return std::nullopt;
    }
}

Constraint Constraint::equals(std::string_view name, const Value& value)
{
    return Constraint(term(name, Operator::equal, value));
}

Constraint Constraint::less(std::string_view name, const Value& value)
{
    return Constraint(term(name, Operator::less, value));
}

Constraint Constraint::at_most(std::string_view name, const Value& value)
{
    return Constraint(term(name, Operator::at_most, value));
}

Constraint Constraint::more(std::string_view name, const Value& value)
{
    return Constraint(term(name, Operator::more, value));
}

Constraint Constraint::at_least(std::string_view name, const Value& value)
{
    return Constraint(term(name, Operator::at_least, value));
}

Constraint Constraint::present(std::string_view name)
{
    auto node = node_for(name);
    node.kind = ConstraintNode::Kind::present;
    return Constraint(std::make_shared<ConstraintNode>(std::move(node)));
}

Constraint Constraint::all_of(const std::vector<Constraint>& parts)
{
    ConstraintNode node;
    node.kind = ConstraintNode::Kind::all;
    for (const auto& part : parts) {
        if (!part.is_neutral())
            node.children.push_back(part.root_);
    }
    if (node.children.size() == 1)
        return Constraint(node.children.front());
    return Constraint(std::make_shared<ConstraintNode>(std::move(node)));
}

Constraint Constraint::any_of(const std::vector<Constraint>& parts)
{
    ConstraintNode node;
    node.kind = ConstraintNode::Kind::any;
    for (const auto& part : parts)
        node.children.push_back(part.root_);
    if (node.children.size() == 1)
        return Constraint(node.children.front());
    return Constraint(std::make_shared<ConstraintNode>(std::move(node)));
}

Constraint Constraint::negation(const Constraint& part)
{
    ConstraintNode node;
    node.kind = ConstraintNode::Kind::negation;
    node.children.push_back(part.root_);
    return Constraint(std::make_shared<ConstraintNode>(std::move(node)));
}

Truth Constraint::evaluate(const PropertySet& properties) const { return explain(properties).truth; }

Constraint::Evaluation Constraint::explain(const PropertySet& properties) const
{
    return properties::evaluate(*root_, properties);
}

bool Constraint::is_neutral() const noexcept
{
    return root_->kind == ConstraintNode::Kind::all ? root_->children.empty()
                                                    : root_->kind == ConstraintNode::Kind::constant && root_->value;
}

std::string Constraint::to_string() const
{
    std::string text;
    write(*root_, text);
    return text;
}

Match match(const Side& demand, const Side& offer)
{
    auto of_offer = demand.constraint.explain(offer.properties);
    auto of_demand = offer.constraint.explain(demand.properties);
    Match result;
    result.offer = std::move(of_offer.mismatched);
    result.demand = std::move(of_demand.mismatched);
    if (of_offer.truth == Truth::undefined || of_demand.truth == Truth::undefined)
        result.truth = Truth::undefined;
    else if (of_offer.truth == Truth::yes && of_demand.truth == Truth::yes)
        result.truth = Truth::yes;
    return result;
}

} // namespace golem::properties
