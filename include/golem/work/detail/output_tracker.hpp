// What was told of a command's output, and what is missing of it: decisions without I/O.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::detail {

/// Where some part of a text is in another.
struct FoundPart {
    /// Where it begins; npos if nowhere.
    std::size_t place = std::string_view::npos;
    /// How much of it, from its beginning on, is there: all, unless no place has more.
    std::size_t size = 0;
};

/// The first place in `whole` at or after `from` where `part` is, or else most of its beginning. Linear in the sizes of
/// both, whatever they hold: both are a provider's (Knuth, Morris, Pratt).
inline FoundPart find_part(std::string_view whole, std::string_view part, std::size_t from)
{
    FoundPart found;
    if (part.empty())
        return FoundPart{from, 0};
    // The longest proper prefix of the part that ends at each of its places.
    std::vector<std::size_t> border(part.size(), 0);
    for (std::size_t place = 1, length = 0; place < part.size(); ++place) {
        while (length > 0 && part[place] != part[length])
            length = border[length - 1];
        if (part[place] == part[length])
            ++length;
        border[place] = length;
    }
    for (std::size_t place = from, length = 0; place < whole.size() && found.size < part.size(); ++place) {
        while (length > 0 && whole[place] != part[length])
            length = border[length - 1];
        if (whole[place] == part[length])
            ++length;
        if (length > found.size)
            found = FoundPart{place + 1 - length, length};
    }
    return found;
}

/// A piece of output that was not told yet.
struct MissingPiece {
    std::string text;
    /// It belongs before something that was told.
    bool is_late = false;
    bool operator==(const MissingPiece&) const = default;
};

struct Missing {
    std::vector<MissingPiece> pieces;
    /// Nothing else is missing.
    bool is_exact = true;
};

/// The output of one command, as far as a stream told it: each connection tells a part without gaps, and what came
/// between two of them, or before the first, is missing. Remembers up to a limit, then only counts.
class OutputTracker {
public:
    explicit OutputTracker(std::size_t most_bytes) : most_(most_bytes) {}

    /// The connection broke: what follows may have a gap before it.
    void break_off() { broken_ = true; }

    void add(std::string_view piece)
    {
        told_ += piece.size();
        if (is_large())
            return;
        if (parts_.empty() || std::exchange(broken_, false))
            parts_.emplace_back();
        parts_.back() += piece;
    }

    std::size_t told() const noexcept { return told_; }
    /// More was told than is remembered.
    bool is_large() const noexcept { return told_ > most_; }

    /// What is missing of the whole output, in its order. Nothing is told again: if the whole, as text, is not what was
    /// told of it, or ends before that, then what else may be missing is not told, and the record is not exact.
    Missing missing_of(std::string_view whole) const
    {
        Missing missing;
        std::size_t place = 0;
        for (const auto& part : parts_) {
            const auto found = find_part(whole, part, place);
            if (found.place != std::string_view::npos && found.place > place)
                missing.pieces.push_back(MissingPiece{std::string(whole.substr(place, found.place - place)), true});
            if (found.size < part.size()) {
                // A whole that was cut ends with what was told.
                missing.is_exact =
                    found.size > 0 && found.place + found.size == whole.size() && &part == &parts_.back();
                return missing;
            }
            place = found.place + found.size;
        }
        if (place < whole.size())
            missing.pieces.push_back(MissingPiece{std::string(whole.substr(place)), false});
        return missing;
    }

private:
    std::size_t most_;
    std::size_t told_ = 0;
    bool broken_ = false;
    std::vector<std::string> parts_;
};

/// Cuts output into lines, each with its line feed.
class LineCutter {
public:
    explicit LineCutter(std::size_t longest) : longest_(std::max<std::size_t>(longest, 1)) {}

    /// The lines that are complete now.
    std::vector<std::string> add(std::string_view piece)
    {
        std::vector<std::string> lines;
        while (!piece.empty()) {
            const auto end = piece.find('\n');
            const auto wanted = end == std::string_view::npos ? piece.size() : end + 1;
            const auto size = std::min(wanted, longest_ - rest_.size());
            rest_ += piece.substr(0, size);
            piece.remove_prefix(size);
            if (rest_.back() == '\n' || rest_.size() >= longest_)
                lines.push_back(std::exchange(rest_, std::string()));
        }
        return lines;
    }

    /// The last line, if it has no line feed.
    std::optional<std::string> finish()
    {
        std::optional<std::string> line;
        if (!rest_.empty())
            line = std::exchange(rest_, std::string());
        return line;
    }

private:
    std::size_t longest_;
    std::string rest_;
};

} // namespace golem::detail
