#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::properties::detail {

/// A string pattern of the market: `*` stands for any text, and the rest is an anchored regular expression, since the
/// daemon escapes nothing. Our own matcher: a pattern comes from strangers and cannot hold groups (a value ends at the
/// first parenthesis), so linear time needs no more than a set of positions, which std::regex would not promise.
class Wildcard {
public:
    /// Nothing for what is not a regular expression, or one of the few forms that are not understood (Unicode classes,
    /// nested classes, word boundaries): the daemon lets an invalid pattern match nothing.
    static std::optional<Wildcard> compile(std::string_view pattern);

    bool matches(std::string_view text) const;

private:
    struct Range {
        char32_t low;
        char32_t high;
    };

    // One position of the pattern: a set of characters, or an assertion.
    struct Atom {
        enum class Kind { characters, start, end } kind = Kind::characters;
        std::vector<Range> ranges;
        bool negated = false;
        bool optional = false;
        bool repeated = false;

        bool accepts(char32_t character) const noexcept;
    };

    using Sequence = std::vector<Atom>;

    class Compiler;

    static bool matches(const Sequence& sequence, const std::u32string& text);

    std::vector<Sequence> alternatives_;
};

} // namespace golem::properties::detail
