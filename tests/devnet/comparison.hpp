// Compares what two daemons said, of which ids and times are others: the devnet and a recording of the real one, or two
// performances of a scenario.
#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace golem::test {

class Comparison {
public:
    using Json = nlohmann::json;

    explicit Comparison(bool amounts_differ) : amounts_differ_(amounts_differ) {}

    /// The first difference, or nothing. Ids that stand in the same place are the same from now on.
    std::optional<std::string> compare(const Json& recorded, const Json& ours);

    /// The same for two exchanges: status, headers that matter, body, and the time it took where both tell it.
    std::optional<std::string> compare_rows(const Json& recorded, const Json& ours);

    /// Recorded text in the devnet's words.
    std::string translated(std::string text) const;

    void learn(const std::string& recorded, const std::string& ours);

    /// Whole performances, row by row: one line for each exchange that differs.
    std::vector<std::string> compare_all(const std::vector<Json>& recorded, const std::vector<Json>& ours);

private:
    void walk(const Json& recorded, const Json& ours, const std::string& path, std::optional<std::string>& first);
    std::optional<std::string>
    compare_text(const std::string& recorded, const std::string& ours, const std::string& path);

    bool is_same_set(const Json& recorded, const Json& ours) const;

    bool amounts_differ_;
    int short_dates_ = 0;
    std::map<std::string, std::string> words_;
};

} // namespace golem::test
