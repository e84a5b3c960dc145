#pragma once

#include <golem/core/error.hpp>

#include <string>
#include <string_view>

namespace golem::yagna::detail {

/// An answer that is not a success, and what had been asked.
struct FailedAnswer {
    std::string_view operation; ///< "create agreement"
    std::string_view target;    ///< Path and query; the API is told from its first segment.
    unsigned status = 0;
    std::string_view content_type; ///< Without parameters, in lower case; empty if there was none.
    std::string_view body;
};

/// What an answer means for a caller.
struct MappedError {
    Errc code = Errc::protocol;
    /// The same call may succeed later.
    bool transient = false;
    std::string explanation;
    /// The daemon's words: `message`, else `detail` with what completes it, else the raw text; at most some 500 bytes.
    std::string their_words;
};

/// The one table that says what the daemon's refusals mean. Pure.
///
/// The daemon has four shapes of error body and the same status for very different things, so rows are told apart by
/// what the text contains; texts that cross the network differ with the daemon's net type.
MappedError map_error(const FailedAnswer& answer);

/// The same as an exception.
Error to_error(const FailedAnswer& answer);

} // namespace golem::yagna::detail
