#pragma once

#include <golem/properties/detail/comparison.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::properties::detail {

/// What stands before the operator: "name", "name[aspect]", each with an optional "$d", "$v" or "$t".
struct Reference {
    std::string name;
    std::optional<std::string> aspect;
    Conversion conversion = Conversion::none;

    /// Without the conversion, as the daemon lists it.
    std::string shown() const { return aspect ? name + "[" + *aspect + "]" : name; }
};

/// Throws Error (invalid_input) with the daemon's text.
Reference parse_reference(const std::string& attribute);

struct ConstraintNode {
    enum class Kind { constant, comparison, present, all, any, negation };

    Kind kind = Kind::constant;
    bool value = true;                     // constant
    std::string attribute;                 // comparison, present: as written
    Reference reference;                   // the same, taken apart
    Operator comparison = Operator::equal; // comparison
    std::string text;                      // comparison: what the attribute is compared with
    std::vector<std::shared_ptr<const ConstraintNode>> children;
};

using ConstraintPointer = std::shared_ptr<const ConstraintNode>;

ConstraintPointer parse_constraint(std::string_view text);

} // namespace golem::properties::detail
