// Compares JSON of a recording with the devnet's, whose ids, times and amounts are others.
#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

namespace golem::test {

class Comparison {
public:
    using Json = nlohmann::json;

    explicit Comparison(bool amounts_differ) : amounts_differ_(amounts_differ) {}

    /// The first difference, or nothing. Ids that stand in the same place are the same from now on.
    std::optional<std::string> compare(const Json& recorded, const Json& ours);

    /// Recorded text in the devnet's words.
    std::string translated(std::string text) const;

    void learn(const std::string& recorded, const std::string& ours);

private:
    void walk(const Json& recorded, const Json& ours, const std::string& path, std::optional<std::string>& first);
    std::optional<std::string>
    compare_text(const std::string& recorded, const std::string& ours, const std::string& path);

    bool amounts_differ_;
    std::map<std::string, std::string> words_;
};

} // namespace golem::test
