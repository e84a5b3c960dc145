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

/// Where `part` begins in `whole` at or after `from`; npos if nowhere. Linear in the sizes of both, whatever they hold:
/// both are a provider's (Knuth, Morris, Pratt).
inline std::size_t find_part(std::string_view whole, std::string_view part, std::size_t from)
{
    if (part.empty())
        return from;
    // The longest proper prefix of the part that ends at each of its places.
    std::vector<std::size_t> border(part.size(), 0);
    for (std::size_t place = 1, length = 0; place < part.size(); ++place) {
        while (length > 0 && part[place] != part[length])
            length = border[length - 1];
        if (part[place] == part[length])
            ++length;
        border[place] = length;
    }
    for (std::size_t place = from, length = 0; place < whole.size(); ++place) {
        while (length > 0 && whole[place] != part[length])
            length = border[length - 1];
        if (whole[place] == part[length])
            ++length;
        if (length == part.size())
            return place + 1 - length;
    }
    return std::string_view::npos;
}

/// A piece of output that was not told yet.
struct MissingPiece {
    std::string text;
    /// It belongs before something that was told.
    bool is_late = false;
    bool operator==(const MissingPiece&) const = default;
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

    /// What is missing of the whole output, in its order. A whole that does not hold what was told is told anew.
    std::vector<MissingPiece> missing_of(std::string_view whole) const
    {
        std::vector<MissingPiece> missing;
        std::size_t place = 0;
        for (const auto& part : parts_) {
            const auto found = find_part(whole, part, place);
            if (found == std::string_view::npos)
                return {MissingPiece{std::string(whole), told_ > 0}};
            if (found > place)
                missing.push_back(MissingPiece{std::string(whole.substr(place, found - place)), true});
            place = found + part.size();
        }
        if (place < whole.size())
            missing.push_back(MissingPiece{std::string(whole.substr(place)), false});
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
