#include <golem/properties/detail/wildcard.hpp>

#include <algorithm>
#include <limits>

namespace golem::properties::detail {

namespace {

constexpr std::size_t most_atoms = 2000; // A bounded repetition is written out.

// Code points of UTF-8 text; a malformed byte stands for itself.
std::u32string code_points(std::string_view text)
{
    std::u32string points;
    points.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        char32_t point = more == 0 ? lead : lead & (0x3f >> more);
        bool whole = at + more < text.size();
        for (std::size_t next = 1; whole && next <= more; ++next) {
            const auto byte = static_cast<unsigned char>(text[at + next]);
            whole = (byte & 0xc0) == 0x80;
            point = (point << 6) | (byte & 0x3f);
        }
        points += whole ? point : static_cast<char32_t>(lead);
        at += whole ? more + 1 : 1;
    }
    return points;
}

bool is_digit(char32_t c) noexcept { return c >= U'0' && c <= U'9'; }

} // namespace

class Wildcard::Compiler {
public:
    explicit Compiler(const std::u32string& pattern) noexcept : pattern_(pattern) {}

    bool compile(std::vector<Sequence>& alternatives)
    {
        alternatives.emplace_back();
        while (at_ < pattern_.size()) {
            if (skip(U'|')) {
                alternatives.emplace_back();
                continue;
            }
            Atom atom;
            if (!read_atom(atom) || !read_repetitions(atom, alternatives.back()))
                return false;
        }
        return true;
    }

private:
    bool skip(char32_t character) noexcept
    {
        if (at_ == pattern_.size() || pattern_[at_] != character)
            return false;
        ++at_;
        return true;
    }

    bool read_atom(Atom& atom)
    {
        const auto character = pattern_[at_++];
        switch (character) {
        case U'^': atom.kind = Atom::Kind::start; return true;
        case U'$': atom.kind = Atom::Kind::end; return true;
        case U'.':
            atom.negated = true;
            atom.ranges = {{U'\n', U'\n'}};
            return true;
        case U'[': return read_class(atom);
        case U'\\': return read_escape(atom);
        case U'*':
        case U'+':
        case U'?':
        case U'{':
        case U'(':
        case U')': return false;
        default: atom.ranges = {{character, character}}; return true;
        }
    }

    // After the backslash: a class of characters or a literal one.
    bool read_escape(Atom& atom)
    {
        if (at_ == pattern_.size())
            return false;
        const auto character = pattern_[at_++];
        switch (character) {
        case U'D': atom.negated = true; [[fallthrough]];
        case U'd': atom.ranges = {{U'0', U'9'}}; return true;
        case U'W': atom.negated = true; [[fallthrough]];
        case U'w': atom.ranges = {{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}; return true;
        case U'S': atom.negated = true; [[fallthrough]];
        case U's': atom.ranges = {{U'\t', U'\r'}, {U' ', U' '}}; return true;
        case U'n': atom.ranges = {{U'\n', U'\n'}}; return true;
        case U't': atom.ranges = {{U'\t', U'\t'}}; return true;
        case U'r': atom.ranges = {{U'\r', U'\r'}}; return true;
        default: break;
        }
        const bool punctuation = character < 0x80 && character > U' ' && !is_digit(character) &&
                                 !(character >= U'A' && character <= U'Z') && !(character >= U'a' && character <= U'z');
        atom.ranges = {{character, character}};
        return punctuation;
    }

    // After the opening bracket.
    bool read_class(Atom& atom)
    {
        atom.negated = skip(U'^');
        for (bool first = true; at_ < pattern_.size(); first = false) {
            const auto character = pattern_[at_++];
            if (character == U']' && !first)
                return true;
            if (character == U'[')
                return false;
            Range range{character, character};
            if (character == U'\\') {
                Atom escaped;
                if (!read_escape(escaped) || escaped.negated)
                    return false;
                if (escaped.ranges.size() > 1 || escaped.ranges[0].low != escaped.ranges[0].high) {
                    atom.ranges.insert(atom.ranges.end(), escaped.ranges.begin(), escaped.ranges.end());
                    continue;
                }
                range = escaped.ranges[0];
            }
            if (at_ + 1 < pattern_.size() && pattern_[at_] == U'-' && pattern_[at_ + 1] != U']') {
                ++at_;
                range.high = pattern_[at_++];
                if (range.high == U'[' || range.high == U'\\' || range.high < range.low)
                    return false;
            }
            atom.ranges.push_back(range);
        }
        return false;
    }

    bool read_count(std::size_t& count)
    {
        const auto start = at_;
        count = 0;
        for (; at_ < pattern_.size() && is_digit(pattern_[at_]); ++at_)
            count = std::min<std::size_t>(count * 10 + (pattern_[at_] - U'0'), most_atoms + 1);
        return at_ != start;
    }

    // All quantifiers after an atom. Several of them multiply; "lazy" makes no difference to whether there is a match.
    bool read_repetitions(Atom atom, Sequence& sequence)
    {
        std::size_t least = 1;
        std::size_t most = 1;
        constexpr auto unbounded = std::numeric_limits<std::size_t>::max();
        while (at_ < pattern_.size()) {
            std::size_t low = 0;
            std::size_t high = unbounded;
            if (skip(U'?')) {
                high = 1;
            } else if (skip(U'+')) {
                low = 1;
            } else if (skip(U'{')) {
                if (!read_count(low))
                    return false;
                high = low;
                if (skip(U',') && !read_count(high))
                    high = unbounded;
                if (!skip(U'}') || high < low)
                    return false;
            } else if (!skip(U'*')) {
                break;
            }
            skip(U'?');
            least *= low;
            most = most == 0 || high == 0 ? 0 : (most == unbounded || high == unbounded) ? unbounded : most * high;
            if (least > most_atoms || (most != unbounded && most > most_atoms))
                return false;
        }
        const auto copies = most == unbounded ? std::max<std::size_t>(least, 1) : most;
        if (sequence.size() + copies > most_atoms)
            return false;
        for (std::size_t copy = 0; copy < copies; ++copy) {
            atom.optional = copy >= least;
            atom.repeated = most == unbounded && copy + 1 == copies;
            sequence.push_back(atom);
        }
        return true;
    }

    const std::u32string& pattern_;
    std::size_t at_ = 0;
};

std::optional<Wildcard> Wildcard::compile(std::string_view pattern)
{
    // As the daemon puts it together, so that `|` binds as weakly as it does there.
    std::u32string expression = U"^";
    for (const auto character : code_points(pattern)) {
        if (character == U'*')
            expression += U'.';
        expression += character;
    }
    expression += U'$';
    Wildcard wildcard;
    if (!Compiler(expression).compile(wildcard.alternatives_))
        return std::nullopt;
    return wildcard;
}

bool Wildcard::Atom::accepts(char32_t character) const noexcept
{
    const auto within = [character](const Range& range) { return character >= range.low && character <= range.high; };
    return std::any_of(ranges.begin(), ranges.end(), within) != negated;
}

bool Wildcard::matches(std::string_view text) const
{
    const auto points = code_points(text);
    return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const Sequence& sequence) {
        return matches(sequence, points);
    });
}

bool Wildcard::matches(const Sequence& sequence, const std::u32string& text)
{
    // active[i]: the text so far can be followed by what the sequence has from position i on.
    std::vector<char> active(sequence.size() + 1, 0);
    for (std::size_t at = 0;; ++at) {
        active[0] = 1; // A match may begin anywhere; the assertions say where it may not.
        for (std::size_t position = 0; position < sequence.size(); ++position) {
            const auto& atom = sequence[position];
            const bool passes = atom.optional || (atom.kind == Atom::Kind::start && at == 0) ||
                                (atom.kind == Atom::Kind::end && at == text.size());
            if (active[position] && passes)
                active[position + 1] = 1;
        }
        if (active[sequence.size()])
            return true;
        if (at == text.size())
            return false;
        std::vector<char> next(active.size(), 0);
        for (std::size_t position = 0; position < sequence.size(); ++position) {
            const auto& atom = sequence[position];
            if (!active[position] || atom.kind != Atom::Kind::characters || !atom.accepts(text[at]))
                continue;
            next[position + 1] = 1;
            if (atom.repeated)
                next[position] = 1;
        }
        active = std::move(next);
    }
}

} // namespace golem::properties::detail
