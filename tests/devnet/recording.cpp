#include <tests/devnet/recording.hpp>

#include <golem/core/timestamp.hpp>

#include <fstream>
#include <stdexcept>

namespace golem::test {

namespace {

using Json = nlohmann::ordered_json;

// Puts back what was written once.
void restore(Json& value, const Json& table)
{
    if (value.is_string()) {
        const auto text = value.get<std::string>();
        if (text.size() > 1 && text[0] == '$' && text.find_first_not_of("0123456789", 1) == std::string::npos)
            value = table.at(std::stoul(text.substr(1)));
        return;
    }
    if (!value.is_structured())
        return;
    for (auto& item : value)
        restore(item, table);
}

std::ifstream open_data(const std::string& file)
{
    std::ifstream data(std::string(GOLEM_TEST_DATA) + "/devnet/" + file);
    if (!data)
        throw std::runtime_error("there is no test data " + file);
    return data;
}

} // namespace

Recording load_recording(const std::string& name)
{
    auto data = open_data(name + ".jsonl");
    std::string line;
    std::getline(data, line);
    const auto head = Json::parse(line);
    Recording recording;
    if (head.contains("start"))
        recording.start = parse_timestamp(head["start"].get<std::string>());
    while (std::getline(data, line)) {
        auto row = Json::parse(line);
        for (const char* part : {"sent", "body", "headers"}) {
            if (row.contains(part))
                restore(row[part], head.at("table"));
        }
        recording.rows.push_back(std::move(row));
    }
    return recording;
}

std::vector<std::string> take_deviations(const std::string& name, std::vector<std::string>& differences)
{
    auto data = open_data("deviations.json");
    const auto all = Json::parse(data);
    std::vector<std::string> unused;
    if (!all.contains(name))
        return unused;
    for (const auto& [numbers, reason] : all[name].items()) {
        bool used = false;
        std::erase_if(differences, [&used, start = numbers + " "](const std::string& line) {
            const bool fits = line.starts_with(start);
            used = used || fits;
            return fits;
        });
        if (!used)
            unused.push_back(numbers + ": " + reason.get<std::string>());
    }
    return unused;
}

} // namespace golem::test
