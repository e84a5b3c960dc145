#include <golem/properties/detail/constraint_node.hpp>

#include <golem/core/error.hpp>

#include <algorithm>
#include <utility>

namespace golem::properties::detail {

namespace {

using Node = std::shared_ptr<ConstraintNode>;

Error refusal(std::string text) { return Error(Errc::invalid_input, "read a constraint", std::move(text)); }

// The daemon's parser tries alternatives, and tells "wrong" from "more text could make it right": the latter ends the
// search at once. Both answers are kept, since its error texts show the difference.
enum class Outcome { done, wrong, incomplete };

class Parser {
public:
    explicit Parser(std::string_view text) noexcept : text_(text) {}

    Node parse()
    {
        Node root;
        switch (filter(root, 0)) {
        case Outcome::done: break;
        case Outcome::wrong: throw refusal("Parsing error: Alternative");
        case Outcome::incomplete: throw refusal("Incomplete expression: Size(" + std::to_string(needed_) + ")");
        }
        // Only now: an error of syntax is reported rather than a wrong attribute.
        for (const auto& term : terms_)
            term->reference = parse_reference(term->attribute);
        return root;
    }

private:
    static constexpr int deepest = 200;

    bool at_end() const noexcept { return at_ >= text_.size(); }

    Outcome incomplete(std::size_t missing) noexcept
    {
        needed_ = at_ + missing;
        return Outcome::incomplete;
    }

    // Reads `token`; of a text that ends within the token it says incomplete.
    Outcome token(std::string_view expected) noexcept
    {
        const auto found = text_.substr(at_, expected.size());
        if (found != expected.substr(0, found.size()))
            return Outcome::wrong;
        if (found.size() < expected.size())
            return incomplete(expected.size());
        at_ += expected.size();
        return Outcome::done;
    }

    void skip_space() noexcept { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

    Outcome filter(Node& node, int depth)
    {
        if (depth > deepest)
            throw refusal("the constraint is nested deeper than " + std::to_string(deepest) + " levels");
        node = std::make_shared<ConstraintNode>();
        const auto start = at_;
        const auto terms = terms_.size();
        auto outcome = token("()");
        if (outcome != Outcome::wrong)
            return outcome;
        skip_space();
        outcome = token("(");
        if (outcome == Outcome::done) {
            skip_space();
            outcome = content(*node, depth);
        }
        if (outcome == Outcome::done) {
            skip_space();
            outcome = token(")");
        }
        if (outcome != Outcome::done) {
            at_ = start;
            terms_.resize(terms);
            return outcome;
        }
        skip_space();
        if (node->kind == ConstraintNode::Kind::present || node->kind == ConstraintNode::Kind::comparison)
            terms_.push_back(node);
        return outcome;
    }

    Outcome content(ConstraintNode& node, int depth)
    {
        if (at_end())
            return incomplete(1);
        const auto start = at_;
        switch (text_[at_]) {
        case '&':
        case '|':
            node.kind = text_[at_] == '&' ? ConstraintNode::Kind::all : ConstraintNode::Kind::any;
            ++at_;
            skip_space();
            return list(node, depth);
        case '!': {
            node.kind = ConstraintNode::Kind::negation;
            ++at_;
            skip_space();
            Node child;
            const auto outcome = filter(child, depth + 1);
            if (outcome == Outcome::done)
                node.children.push_back(std::move(child));
            if (outcome != Outcome::wrong)
                return outcome;
            at_ = start; // Then it is an attribute that begins with an exclamation mark.
            break;
        }
        default: break;
        }
        return term(node);
    }

    Outcome list(ConstraintNode& node, int depth)
    {
        while (!at_end()) {
            Node child;
            const auto outcome = filter(child, depth + 1);
            if (outcome == Outcome::wrong)
                break;
            if (outcome == Outcome::incomplete)
                return outcome;
            node.children.push_back(std::move(child));
        }
        return Outcome::done;
    }

    Outcome term(ConstraintNode& node)
    {
        const auto end = std::min(text_.find_first_of("=<>~", at_), text_.size());
        node.attribute = text_.substr(at_, end - at_);
        at_ = end;
        // Presence goes first, whatever follows the asterisk.
        auto outcome = token("=*");
        if (outcome != Outcome::wrong) {
            node.kind = ConstraintNode::Kind::present;
            return outcome;
        }
        node.kind = ConstraintNode::Kind::comparison;
        outcome = comparison(node.comparison);
        if (outcome != Outcome::done)
            return outcome;
        if (at_end())
            return incomplete(1);
        const auto close = text_.find(')', at_);
        if (close == std::string_view::npos)
            return Outcome::wrong;
        node.text = text_.substr(at_, close - at_);
        at_ = close;
        return Outcome::done;
    }

    Outcome comparison(Operator& found) noexcept
    {
        static constexpr std::pair<std::string_view, Operator> operators[] = {
            {"=", Operator::equal},     {"<=", Operator::at_most}, {"<", Operator::less},
            {">=", Operator::at_least}, {">", Operator::more},
        };
        for (const auto& [spelling, meaning] : operators) {
            const auto outcome = token(spelling);
            if (outcome == Outcome::done)
                found = meaning;
            if (outcome != Outcome::wrong)
                return outcome;
        }
        return Outcome::wrong;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t needed_ = 0;
    std::vector<Node> terms_; // The terms of what was understood so far.
};

std::optional<Conversion> conversion_of(std::string_view suffix) noexcept
{
    if (suffix == "$d")
        return Conversion::decimal;
    if (suffix == "$v")
        return Conversion::version;
    if (suffix == "$t")
        return Conversion::time;
    return std::nullopt;
}

} // namespace

Reference parse_reference(const std::string& attribute)
{
    const auto unexpected = [&](const std::string& where, std::string_view rest) {
        return refusal(
            "Error parsing property reference " + attribute + ": Parse error Parsing " + where +
            " error: unexpected text " + std::string(rest));
    };
    const std::string_view text = attribute;
    const auto end = std::min(text.find_first_of("[]$"), text.size());
    Reference reference;
    reference.name = text.substr(0, end);
    auto rest = text.substr(end);
    if (rest.empty())
        return reference;

    const auto read_conversion = [&](const std::string& where) {
        const auto conversion = conversion_of(rest.substr(0, 2));
        if (!conversion)
            return false;
        if (rest.size() > 2)
            throw unexpected(where + " type", rest.substr(2));
        reference.conversion = *conversion;
        return true;
    };
    if (rest[0] == '$' && read_conversion("no aspect"))
        return reference;
    if (rest[0] == '[') {
        const auto close = rest.find_first_of("[]$", 1);
        if (close != std::string_view::npos && rest[close] == ']') {
            const auto whole = rest;
            reference.aspect = rest.substr(1, close - 1);
            rest.remove_prefix(close + 1);
            if (rest.empty() || read_conversion("aspect"))
                return reference;
            if (rest == "$")
                throw unexpected("aspect no type", rest);
            rest = whole;
        }
    }
    throw unexpected("no aspect no type", rest);
}

ConstraintPointer parse_constraint(std::string_view text) { return Parser(text).parse(); }

} // namespace golem::properties::detail
