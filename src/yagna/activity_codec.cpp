#include "activity_codec.hpp"

#include "json_codec.hpp"

#include <limits>
#include <utility>

namespace golem::yagna::codec {

namespace {

ActivityStatus status_of(std::string_view text)
{
    if (text == "New")
        return ActivityStatus::fresh;
    if (text == "Initialized")
        return ActivityStatus::initialized;
    if (text == "Deployed")
        return ActivityStatus::deployed;
    if (text == "Ready")
        return ActivityStatus::ready;
    if (text == "Unresponsive")
        return ActivityStatus::unresponsive;
    if (text == "Terminated")
        return ActivityStatus::terminated;
    return ActivityStatus::unknown;
}

/// Output as the daemon writes it (text, or byte numbers), and as its specification has it ({"str": …}, {"bin": …}).
std::string output(const Node& result, std::string_view key)
{
    const auto node = result.find(key);
    if (!node)
        return {};
    if (!node->json().is_object())
        return node->bytes();
    const auto text = node->find("str");
    return text ? text->string() : node->at("bin").bytes();
}

CommandResult command_result(const Node& node)
{
    CommandResult result;
    const auto index_node = node.at("index");
    const auto index = index_node.integer();
    if (index < 0 || index > std::numeric_limits<int>::max())
        index_node.refuse("an index");
    result.index = static_cast<int>(index);
    result.ok = node.at("result").string() == "Ok";
    result.out = output(node, "stdout");
    result.err = output(node, "stderr");
    result.message = node.string_or("message", {});
    if (const auto finished = node.find("isBatchFinished"))
        result.is_batch_finished = finished->boolean();
    result.date = node.optional_timestamp("eventDate").value_or(Timestamp{});
    return result;
}

} // namespace

std::string encode_activity_request(const AgreementId& agreement)
{
    auto json = Json::object();
    json["agreementId"] = agreement;
    return encode(json);
}

std::string encode_script(const std::string& script)
{
    auto json = Json::object();
    json["text"] = script;
    return encode(json);
}

ActivityId decode_created_activity(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    const auto id = root.json().is_string() ? root : root.at("activityId");
    const auto& text = id.string();
    if (text.empty())
        id.refuse("an id");
    return text;
}

std::vector<CommandResult> decode_results(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    std::vector<CommandResult> result;
    for (const auto& item : document.root().items())
        result.push_back(command_result(item));
    return result;
}

ActivityState decode_state(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    const auto pair_node = root.at("state");
    const auto pair = pair_node.items();
    if (pair.empty())
        pair_node.refuse("a pair of states");
    ActivityState result;
    result.status = status_of(pair[0].string());
    if (pair.size() > 1 && !pair[1].is_null())
        result.entering = status_of(pair[1].string());
    result.reason = root.string_or("reason", {});
    result.error_message = root.string_or("errorMessage", {});
    return result;
}

ActivityUsage decode_usage(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    ActivityUsage result;
    if (const auto current = root.find("currentUsage"))
        result.current = current->numbers();
    // Seconds since 1970, unlike every other time of the API.
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
    const auto stamp = root.at("timestamp");
    const auto seconds = stamp.integer();
    if (seconds < 0 || seconds > latest)
        stamp.refuse("seconds since 1970");
    result.timestamp = Timestamp(std::chrono::seconds(seconds));
    return result;
}

std::vector<ActivityId> decode_activity_ids(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    return document.root().strings();
}

} // namespace golem::yagna::codec
