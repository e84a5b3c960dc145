#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace golem {

/// Replaces by `***` in texts: the secrets it was told, the value of `authToken=` in URLs, and what follows `Bearer`.
/// Not for concurrent use; Logger guards its own.
class Redactor {
public:
    /// Empty text is ignored.
    void add(std::string secret);

    std::string redact(std::string text) const;

private:
    std::vector<std::string> secrets_; // The longest first: one may be part of another.
};

} // namespace golem
