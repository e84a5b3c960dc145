#pragma once

#include <golem/core/time_source.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace golem::devnet {

/// What happened, in order: for people who look for the first difference of two runs, and for tests that compare runs
/// by their digest. Holds no secrets.
class Transcript {
public:
    struct Line {
        Timestamp when{};
        std::string who;
        std::string what;
    };

    void add(Timestamp when, std::string who, std::string what);

    const std::vector<Line>& lines() const noexcept { return lines_; }
    /// FNV-1a over all lines.
    std::uint64_t digest() const noexcept { return digest_; }
    /// One line a line: "2026-01-01T00:00:00Z who what".
    std::string to_string() const;

private:
    std::vector<Line> lines_;
    std::uint64_t digest_ = 0xcbf29ce484222325;
};

} // namespace golem::devnet
