#include <tests/devnet/comparison.hpp>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

namespace golem::test {

namespace {

// Seconds.
constexpr double time_tolerance = 0.9;
constexpr double activity_tolerance = 4.6;
constexpr double prompt_tolerance = 4.0;

bool is_id(const std::string& text)
{
    static const std::regex shape(
        "(R-|P-)?[0-9a-f]{64}|[0-9a-f]{32}(-[0-9a-f]{64})?|0x[0-9a-f]{40}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    return std::regex_match(text, shape);
}

// The number of decimals of a date's seconds, and its zone.
std::optional<std::pair<int, std::string>> date_form(const std::string& text)
{
    static const std::regex shape(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?)");
    std::smatch match;
    if (!std::regex_match(text, match, shape))
        return std::nullopt;
    const auto decimals = match[1].matched ? static_cast<int>(match[1].length()) - 1 : 0;
    return std::make_pair(decimals, match[2].str());
}

bool is_amount(const std::string& text)
{
    static const std::regex shape(R"(\d+(\.\d+)?)");
    return std::regex_match(text, shape);
}

std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void replace_all(std::string& text, const std::string& from, const std::string& to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

// Texts tell of ids that nobody saw before, and of times.
std::string without_ids(const std::string& text)
{
    static const std::regex id("[0-9a-f]{32,}");
    static const std::regex milliseconds("\\b1[0-9]{12}\\b");
    static const std::regex scan("Iterator with id \"[0-9]+\"");
    static const std::regex date("\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?");
    auto plain = std::regex_replace(text, id, "<id>");
    plain = std::regex_replace(plain, milliseconds, "<ms>");
    plain = std::regex_replace(plain, scan, "Iterator with id <number>");
    return std::regex_replace(plain, date, "<date>");
}

std::string encoded(std::string text)
{
    replace_all(text, ":", "%3A");
    return text;
}

} // namespace

void Comparison::learn(const std::string& recorded, const std::string& ours)
{
    if (recorded.empty())
        return;
    const bool has_side = recorded.size() == 66 && recorded[1] == '-' && ours.size() == 66;
    if (has_side)
        words_.emplace(recorded.substr(2), ours.substr(2));
    else
        words_.emplace(recorded, ours);
}

std::string Comparison::translated(std::string text) const
{
    for (const auto& [recorded, ours] : words_)
        replace_all(text, recorded, ours);
    return text;
}

std::optional<std::string>
Comparison::compare_text(const std::string& recorded, const std::string& ours, const std::string& path)
{
    if (translated(recorded) == ours)
        return std::nullopt;
    const auto differ = "\"" + ours + "\", recorded \"" + recorded + "\"";
    if (is_id(recorded)) {
        if (!is_id(ours) || recorded.size() != ours.size() || translated(recorded) != recorded)
            return differ;
        learn(recorded, ours);
        return std::nullopt;
    }
    if (const auto form = date_form(recorded)) {
        const auto our_form = date_form(ours);
        // A date ends in zeros by chance, and then it is shorter.
        if (!our_form || our_form->second != form->second)
            return differ;
        // One date in a thousand ends so.
        const bool is_longer = our_form->first > std::max(form->first, 3);
        if (is_longer && (our_form->first > 6 || ++short_dates_ > 1))
            return differ;
        if (last_name(path) == "eventDate") {
            words_.emplace(recorded, ours);
            words_.emplace(encoded(recorded), encoded(ours));
        }
        return std::nullopt;
    }
    if (amounts_differ_ && is_amount(recorded) && is_amount(ours)) {
        words_.emplace(recorded, ours);
        return std::nullopt;
    }
    // Very long output was recorded by its beginning and its length.
    static const std::regex shortened("([^]*)…\\[([0-9]+) characters\\]");
    std::smatch match;
    if (std::regex_match(recorded, match, shortened)) {
        if (std::to_string(ours.size()) != match[2].str() || !ours.starts_with(match[1].str()))
            return "another long text";
        return std::nullopt;
    }
    // What a command printed may tell of its time and place.
    const bool is_of_the_place =
        recorded.find("UTC") != std::string::npos || recorded.find("/golem") != std::string::npos;
    if (last_name(path) == "stdout" && is_of_the_place)
        return std::nullopt;
    if (without_ids(translated(recorded)) == without_ids(ours))
        return std::nullopt;
    return differ;
}

std::optional<std::string> Comparison::compare(const Json& recorded, const Json& ours)
{
    std::optional<std::string> first;
    walk(recorded, ours, "", first);
    return first;
}

std::optional<std::string> Comparison::compare_rows(const Json& recorded, const Json& ours)
{
    const auto body_of = [](const Json& row) { return row.value("body", Json()).dump().substr(0, 300); };
    if (recorded.value("status", 0) != ours.value("status", 0))
        return "status " + std::to_string(ours.value("status", 0)) + " " + body_of(ours) + ", recorded " +
               std::to_string(recorded.value("status", 0)) + " " + body_of(recorded);
    if (recorded.value("error", "") != ours.value("error", ""))
        return "error \"" + ours.value("error", "") + "\", recorded \"" + recorded.value("error", "") + "\"";
    if (recorded.value("headers", Json()) != ours.value("headers", Json()))
        return "headers " + ours.value("headers", Json()).dump() + ", recorded " +
               recorded.value("headers", Json()).dump();
    if (recorded.contains("body") != ours.contains("body"))
        return "body " + body_of(ours) + ", recorded " + body_of(recorded);
    // Scans are counted from the start of a daemon.
    if (recorded.value("target", "").ends_with("/scan") && recorded.value("status", 0) == 201)
        return std::nullopt;
    const auto difference = compare(recorded.value("body", Json()), ours.value("body", Json()));
    if (difference)
        return difference;
    // Polls that sit out their time, and those that do not.
    const auto took = recorded.value("took", -1.0);
    const auto we_took = ours.value("took", -1.0);
    // Daemons and agents look for activities from time to time.
    const auto path = recorded.value("target", "").substr(0, recorded.value("target", "").find('?'));
    const bool is_of_activity = path == "/activity-api/v1/activity" ||
                                (recorded.value("method", "") == "DELETE" && path.starts_with("/activity-api/v1/"));
    // Who does not say how long to wait is answered at once, or after the daemon's five seconds.
    const bool names_wait = recorded.value("target", "").find("timeout=") != std::string::npos;
    const auto tolerance = is_of_activity ? activity_tolerance : names_wait ? time_tolerance : prompt_tolerance;
    if (took >= 0 && we_took >= 0 && std::abs(took - we_took) > tolerance)
        return "took " + std::to_string(we_took) + " s, recorded " + std::to_string(took) + " s";
    return std::nullopt;
}

std::vector<std::string> Comparison::compare_all(const std::vector<Json>& recorded, const std::vector<Json>& ours)
{
    std::vector<std::string> differences;
    for (std::size_t i = 0; i < std::max(recorded.size(), ours.size()); ++i) {
        const bool both = i < recorded.size() && i < ours.size();
        const auto& row = i < recorded.size() ? recorded[i] : ours[i];
        if (row.contains("names")) {
            for (std::size_t k = 0; both && k < row["names"].size(); ++k)
                learn(row["names"][k].get<std::string>(), ours[i]["names"][k].get<std::string>());
            continue;
        }
        const auto name = std::to_string(row.value("n", 0)) + " " + row.value("method", "") + row.value("what", "") +
                          " " + row.value("target", "").substr(0, 90) + ": ";
        if (!both)
            differences.push_back(name + (i < ours.size() ? "is not in the recording" : "is in the recording only"));
        else if (const auto difference = compare_rows(row, ours[i]))
            differences.push_back(name + *difference);
    }
    return differences;
}

bool Comparison::is_same_set(const Json& recorded, const Json& ours) const
{
    std::multiset<std::string> expected;
    for (const auto& item : recorded)
        expected.insert(translated(item.get<std::string>()));
    std::multiset<std::string> found;
    for (const auto& item : ours)
        found.insert(item.get<std::string>());
    return expected == found;
}

// Goes on after a difference: there may be more to learn.
void Comparison::walk(
    const Json& recorded, const Json& ours, const std::string& path, std::optional<std::string>& first)
{
    const auto differ = [&first, &path](const std::string& text) {
        if (!first)
            first = path + ": " + text;
    };
    const auto kind = [](const Json& json) {
        return json.is_number_integer() ? std::string("integer") : json.is_number() ? "float" : json.type_name();
    };
    if (recorded == "*")
        return;
    // Of the chain; the first has all that the payment tells once more.
    for (const char* name : {"signedBytes", "signature"}) {
        if (last_name(path) == name && recorded.is_array() && ours.is_array()) {
            if (recorded.size() != ours.size() && last_name(path) == "signature")
                differ(std::to_string(ours.size()) + " bytes, recorded " + std::to_string(recorded.size()));
            return;
        }
    }
    if (last_name(path) == "details" && recorded.is_string() && ours.is_string() &&
        recorded.get<std::string>().size() == ours.get<std::string>().size())
        return;
    if (kind(recorded) != kind(ours)) {
        differ(ours.dump() + " is " + kind(ours) + ", recorded " + recorded.dump().substr(0, 200));
    } else if (recorded.is_string()) {
        const auto difference = compare_text(recorded.get<std::string>(), ours.get<std::string>(), path);
        if (difference)
            differ(*difference);
    } else if (recorded.is_array()) {
        // In the order of random ids.
        if (last_name(path) == "activityIds" && is_same_set(recorded, ours))
            return;
        if (recorded.size() != ours.size())
            differ(
                std::to_string(ours.size()) + " items, recorded " + std::to_string(recorded.size()) + ": " +
                ours.dump().substr(0, 300));
        for (std::size_t i = 0; i < std::min(recorded.size(), ours.size()); ++i)
            walk(recorded[i], ours[i], path + "/" + std::to_string(i), first);
    } else if (recorded.is_object()) {
        for (const auto& [name, value] : recorded.items()) {
            if (ours.contains(name))
                walk(value, ours[name], path + "/" + name, first);
            else
                differ(name + " is missing");
        }
        for (const auto& [name, value] : ours.items()) {
            if (!recorded.contains(name))
                differ(name + " is not in the recording");
        }
    } else if (recorded != ours) {
        const bool is_measured = path.find("currentUsage") != std::string::npos ||
                                 path.find("usageCounterVector") != std::string::npos || last_name(path) == "timestamp";
        // Milliseconds since 1970.
        const bool is_time = recorded.is_number_integer() && recorded > 1'500'000'000'000 && ours > 1'500'000'000'000;
        if (!recorded.is_number() || (!is_measured && !is_time))
            differ(ours.dump() + ", recorded " + recorded.dump());
    }
}

} // namespace golem::test
