// What real daemons said, as tests/data keeps it, and where the devnet deliberately says something else.
#pragma once

#include <golem/core/time_source.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace golem::test {

struct Recording {
    /// Of sessions that are replayed: their answers tell times.
    std::optional<Timestamp> start;
    /// The order of members matters in what is sent: complaints name columns.
    std::vector<nlohmann::ordered_json> rows;
};

/// `name` is a file of tests/data/devnet, without its ending. Throws runtime_error if there is none.
Recording load_recording(const std::string& name);

/// What deviates deliberately: the beginnings of lines of differences, each with its reason in
/// tests/data/devnet/deviations.json. Takes those lines out; returns entries that fit no line.
std::vector<std::string> take_deviations(const std::string& name, std::vector<std::string>& differences);

} // namespace golem::test
