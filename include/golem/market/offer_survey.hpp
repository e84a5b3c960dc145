#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace golem {

/// Why the offers that are on the market do not fit what was asked for. A value, taken at one moment.
struct OfferSurvey {
    /// One condition, and the offers that fail it.
    struct Exclusion {
        std::string condition;   ///< "golem.inf.mem.gib>=64"
        std::size_t offers = 0;  ///< How many fail it, or do not tell.
        std::size_t alone = 0;   ///< How many of these fail nothing else: giving up the condition gains them.
        std::string they_have{}; ///< What these offers have instead: "the best has 32"; may be empty.
    };

    std::size_t offers = 0;  ///< Seen in all.
    bool is_complete = true; ///< False if there are more than were looked at.
    std::size_t fitting = 0;
    /// Of those that fit, the ones whose own conditions our demand fails, and the first such condition.
    std::size_t unwilling = 0;
    std::string their_condition{};
    /// Of those that fit and are willing, the ones that price caps or the strategy refuse, and the first reason.
    std::size_t unwanted = 0;
    std::string objection{};
    std::vector<Exclusion> exclusions; ///< Those with the most offers first.

    /// For people, on one line: "12 offers seen, none fits: 12 fail golem.inf.mem.gib>=64 (the best has 32); …".
    std::string to_string() const;
};

} // namespace golem
