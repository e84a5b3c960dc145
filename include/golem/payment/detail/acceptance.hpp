// What follows when a document could not be accepted. Pure: the same answer for the same facts.
#pragma once

#include <golem/core/time_source.hpp>
#include <golem/yagna/payment.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

namespace golem::detail {

/// A new allocation may be gone again, but not always.
inline constexpr int most_allocations = 3;
/// One that is overdue is tried so often all the same.
inline constexpr int fewest_attempts = 3;
/// So often refusals are asked about that may pass; with the pauses that is one to two minutes.
inline constexpr int most_refusals = 11;

/// Why an accept failed.
enum class AcceptFailure {
    later,           ///< An outage, or the provider's node is out of reach: the same accept may succeed, or has.
    passing,         ///< A refusal that may pass: the key, the document or the money is not there at this moment.
    allocation_gone, ///< The daemon has released the allocation.
    final,           ///< The daemon does not allow it.
};

struct AcceptProgress {
    int attempts = 1;         ///< Made for this document, the failed one included.
    int refusals = 0;         ///< Those of them that were refused in a way that may pass, likewise.
    int allocations_gone = 0; ///< Those that found the allocation gone, likewise.
    bool overdue = false;     ///< The agreement is over, and its time for the last invoice as well.
    bool in_doubt = false;    ///< One of the attempts may have had its effect.
};

enum class AcceptStep {
    at_once, ///< Again, with a new allocation.
    later,   ///< Again after a pause.
    refused, ///< Never: it is not accepted.
    given_up ///< Never, and it may be accepted.
};

inline bool is_over(yagna::DocumentStatus status)
{
    return status == yagna::DocumentStatus::accepted || status == yagna::DocumentStatus::settled;
}

inline AcceptStep decide_accept(AcceptFailure failure, const AcceptProgress& progress)
{
    if (failure == AcceptFailure::final)
        return AcceptStep::refused; // Such an answer tells that no earlier attempt had its effect either.
    if (failure == AcceptFailure::allocation_gone && progress.allocations_gone < most_allocations)
        return AcceptStep::at_once;
    const bool hopeless = failure == AcceptFailure::passing && progress.refusals >= most_refusals;
    const bool overdue = progress.overdue && progress.attempts >= fewest_attempts;
    if (!hopeless && !overdue)
        return AcceptStep::later;
    return progress.in_doubt ? AcceptStep::given_up : AcceptStep::refused;
}

/// The pause before an agreement's next accept after so many failures in a row; `chance` is 0 to 1. A provider that
/// comes back within the accept timeout (120 s) is paid in time; one that is gone for good is asked less and less.
inline Duration accept_pause(int failures, double chance)
{
    constexpr int failures_in_time = 10;
    constexpr Duration longest_in_time = std::chrono::seconds(20);
    constexpr Duration longest = std::chrono::minutes(5);
    Duration pause = std::chrono::milliseconds(500);
    for (int failure = 2; failure <= failures && pause < longest; ++failure)
        pause = std::min(pause * 2, failure <= failures_in_time ? longest_in_time : longest);
    return pause - Duration(static_cast<Duration::rep>(static_cast<double>(pause.count()) * 0.5 * chance));
}

/// The ids of the latest documents. Each is announced once, or twice within a moment.
class RecentDocuments {
public:
    /// False if it is there already.
    bool insert(const std::string& id)
    {
        if (std::find(ids_.begin(), ids_.end(), id) != ids_.end())
            return false;
        ids_.push_back(id);
        if (ids_.size() > most)
            ids_.pop_front();
        return true;
    }

    std::size_t size() const noexcept { return ids_.size(); }

    static constexpr std::size_t most = 32;

private:
    std::deque<std::string> ids_;
};

} // namespace golem::detail
