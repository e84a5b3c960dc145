#pragma once

#include <golem/properties/property_set.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::properties {

namespace detail {
struct ConstraintNode;
}

/// The answer to "does it match?"; undefined if a property is missing, and then nothing matches.
enum class Truth { no, undefined, yes };

std::string_view to_string(Truth truth) noexcept;

/// What a demand requires of an offer, or an offer of a demand: an LDAP-like filter such as
/// "(&(golem.runtime.name=vm)(golem.inf.mem.gib>=0.5))". Immutable and cheap to copy. Any thread.
class Constraint {
public:
    struct Evaluation {
        Truth truth = Truth::no;
        /// The attributes that were missing, as far as the daemon names them: none once a term is plainly false.
        std::vector<std::string> mismatched;
    };

    /// "()", which everything matches.
    Constraint();

    /// Reads a constraint with all peculiarities of the daemon's grammar (text after the first filter is ignored).
    /// Throws Error (invalid_input) whose explanation() is the daemon's own text, e.g. "Parsing error: Alternative".
    static Constraint parse(std::string_view text);
    /// Nothing for what parse() refuses. A demand with such a constraint is accepted by the daemon and never matches.
    static std::optional<Constraint> try_parse(std::string_view text);

    /// Terms. A `*` in a string is a wildcard, but not as its first character; with one, other regular-expression
    /// characters have their meaning too. Equality with a list property asks for membership.
    /// Throw Error (invalid_input) for names and values that the grammar cannot express (a `)`, say).
    static Constraint equals(std::string_view name, const Value& value);
    static Constraint less(std::string_view name, const Value& value);
    static Constraint at_most(std::string_view name, const Value& value);
    static Constraint more(std::string_view name, const Value& value);
    static Constraint at_least(std::string_view name, const Value& value);
    /// The property is there, whatever its value.
    static Constraint present(std::string_view name);

    /// Neutral parts are left out; one part stands alone; none give "(&)".
    static Constraint all_of(const std::vector<Constraint>& parts);
    static Constraint any_of(const std::vector<Constraint>& parts);
    static Constraint negation(const Constraint& part);

    Truth evaluate(const PropertySet& properties) const;
    Evaluation explain(const PropertySet& properties) const;

    /// True for "()" and "(&)".
    bool is_neutral() const noexcept;

    /// In the layout of the other SDKs: "(&(a=b)\n\t(c>=d))".
    std::string to_string() const;

    friend bool operator==(const Constraint& left, const Constraint& right)
    {
        return left.to_string() == right.to_string();
    }

private:
    explicit Constraint(std::shared_ptr<const detail::ConstraintNode> root) noexcept;

    std::shared_ptr<const detail::ConstraintNode> root_;
};

/// One side of the market.
struct Side {
    const PropertySet& properties;
    const Constraint& constraint;
};

struct Match {
    Truth truth = Truth::no;
    std::vector<std::string> offer;  ///< What the demand misses in the offer.
    std::vector<std::string> demand; ///< What the offer misses in the demand.

    explicit operator bool() const noexcept { return truth == Truth::yes; }
};

/// Whether each side's properties satisfy the other side's constraint; undefined if either is.
Match match(const Side& demand, const Side& offer);

} // namespace golem::properties
