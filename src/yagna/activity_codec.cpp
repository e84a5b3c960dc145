#include "activity_codec.hpp"

#include "json_codec.hpp"

#include <golem/core/timestamp.hpp>

#include <algorithm>
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

/// Reads the list of byte values of an output event into `bytes`, and returns the text with an empty list in its place;
/// the text itself if it has no such list, or one with anything else in it.
std::string take_bytes(const std::string& data, std::string& bytes)
{
    constexpr std::string_view heads[] = {R"("kind":{"stdout":[)", R"("kind":{"stderr":[)"};
    for (const auto head : heads) {
        const auto found = data.find(head);
        if (found == std::string::npos)
            continue;
        const auto begin = found + head.size();
        unsigned value = 0;
        unsigned digits = 0;
        for (auto at = begin; at < data.size(); ++at) {
            const char letter = data[at];
            if (letter >= '0' && letter <= '9' && digits < 3) {
                value = value * 10 + static_cast<unsigned>(letter - '0');
                ++digits;
            } else if ((letter == ',' || letter == ']') && digits > 0 && value < 256) {
                bytes += static_cast<char>(value);
                value = digits = 0;
                if (letter == ']')
                    return data.substr(0, begin) + data.substr(at);
            } else {
                break;
            }
        }
        bytes.clear();
    }
    return data;
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

/// Reads members of the items of a list until the text ends, wherever that is.
class HeadReader : public nlohmann::json_sax<Json> {
public:
    explicit HeadReader(int wanted) : wanted_(wanted) {}

    std::optional<CommandResult> found;

    bool key(string_t& name) override
    {
        key_ = depth_ == 1 ? name : string_t();
        return true;
    }
    bool number_integer(number_integer_t value) override
    {
        if (key_ == "index")
            index_ = value;
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override
    {
        return number_integer(static_cast<number_integer_t>(value));
    }
    bool string(string_t& value) override
    {
        if (key_ != "result" || index_ != wanted_)
            return true;
        found.emplace();
        found->index = wanted_;
        found->ok = value == "Ok";
        return false;
    }
    bool start_object(std::size_t) override
    {
        if (++depth_ == 1)
            index_.reset();
        return true;
    }
    bool end_object() override
    {
        --depth_;
        return true;
    }
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

private:
    int wanted_;
    int depth_ = 0;
    string_t key_;
    std::optional<number_integer_t> index_;
};

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

std::optional<CommandResult> decode_result_head(const std::string& beginning, int index)
{
    HeadReader reader(index);
    Json::sax_parse(beginning, &reader);
    return std::move(reader.found);
}

std::optional<BatchEvent> decode_batch_event(std::string_view operation, const std::string& data)
{
    // Bytes come as a list of numbers, in bulk: reading them as any other JSON would cost ten times as much.
    std::string bytes;
    const auto rest = take_bytes(data, bytes);
    const Document document(operation, rest);
    const auto root = document.root();
    BatchEvent event;
    event.index = static_cast<int>(root.at("index").integer());
    if (const auto stamp = root.find("timestamp")) {
        // Times of streams have no zone.
        const auto& text = stamp->string();
        event.date = try_parse_timestamp(text.ends_with('Z') ? text : text + "Z").value_or(Timestamp{});
    }
    const auto kind = root.at("kind");
    if (const auto started = kind.find("started")) {
        event.kind = BatchEvent::Kind::started;
        event.text = started->at("command").json().dump();
    } else if (const auto finished = kind.find("finished")) {
        event.kind = BatchEvent::Kind::finished;
        const auto code = finished->find("return_code");
        event.exit_code = static_cast<int>((code ? *code : finished->at("returnCode")).integer());
        event.text = finished->string_or("message", {});
    } else if (const auto progress = kind.find("progress")) {
        event.kind = BatchEvent::Kind::progress;
        event.text = progress->string_or("message", {});
        event.unit = progress->string_or("unit", {});
        const auto amount = progress->at("progress").items();
        if (!amount.empty() && !amount[0].is_null())
            event.done = static_cast<std::uint64_t>(std::max<std::int64_t>(amount[0].integer(), 0));
        if (amount.size() > 1 && !amount[1].is_null())
            event.total = static_cast<std::uint64_t>(std::max<std::int64_t>(amount[1].integer(), 0));
    } else if (kind.json().contains("stdout") || kind.json().contains("stderr")) {
        const bool is_out = kind.json().contains("stdout");
        event.kind = is_out ? BatchEvent::Kind::out : BatchEvent::Kind::err;
        event.text = bytes.empty() ? output(kind, is_out ? "stdout" : "stderr") : std::move(bytes);
    } else {
        return std::nullopt;
    }
    return event;
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
