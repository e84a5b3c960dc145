#pragma once

#include <string>
#include <string_view>

namespace golem::yagna::codec {

/// What a failed answer's body says.
struct ErrorBody {
    /// For people: `message`, else `detail` with what completes it, else the raw text; at most some 500 bytes.
    std::string words;
    /// Type and instance of a problem (RFC 7807).
    std::string problem;
    /// Amounts of a refused allocation; empty if not given.
    std::string requested;
    std::string available;
    std::string reserved;
};

/// Never throws for what strangers wrote.
ErrorBody decode_error_body(std::string_view body);

} // namespace golem::yagna::codec
