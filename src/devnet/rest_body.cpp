// What requests carry, and the daemon's words for what it cannot read.
#include <devnet/rest_call.hpp>

#include <golem/core/timestamp.hpp>

#include <properties/serde_reader.hpp>

#include <algorithm>
#include <cstdlib>

namespace golem::devnet::detail {

namespace {

constexpr std::size_t body_limit = 2u << 20;
// Bodies of less depth are not read twice to learn whether the daemon would.
constexpr std::size_t surely_readable = 100;

// What the daemon's JSON parser says when `read` complains; nothing if it does not.
std::optional<std::string> complaint_of(const std::function<void()>& read)
{
    try {
        read();
    } catch (const properties::SerdeReader::Complaint& complaint) {
        return "Json deserialize error: " + complaint.text + " at line " + std::to_string(complaint.line) + " column " +
               std::to_string(complaint.column);
    }
    return std::nullopt;
}

// Where our reading and the daemon's differ.
constexpr auto unexplained = "Json deserialize error: expected value at line 1 column 1";

// After the last character of the value, where the daemon's parser stands when it complains of it.
std::string behind(const Call& call, const Json& value)
{
    const auto& text = call.request.body();
    const auto words = value.dump();
    const auto place = text.find(words);
    const auto column = place == std::string::npos ? text.size() : place + words.size();
    return " at line 1 column " + std::to_string(column);
}

std::optional<std::string> syntax_complaint(const std::string& text)
{
    return complaint_of([&text] {
        properties::SerdeReader reader(text);
        reader.ignore();
        reader.end();
    });
}

std::size_t depth_of(std::string_view text)
{
    std::size_t deepest = 0;
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t place = 0; place < text.size(); ++place) {
        const char c = text[place];
        if (quoted && c == '\\')
            ++place;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            deepest = std::max(deepest, ++depth);
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            --depth;
    }
    return deepest;
}

// As serde names what it did not expect.
std::string described(const Json& value)
{
    switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return "boolean `" + value.dump() + "`";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return "integer `" + value.dump() + "`";
    case Json::value_t::number_float: return "floating point `" + value.dump() + "`";
    case Json::value_t::string: return "string " + value.dump();
    case Json::value_t::array: return "sequence";
    default: return "map";
    }
}

// Whether it may be read at all.
void check_body(const Call& call)
{
    const auto type = call.request.headers().get("Content-Type");
    if (!type || type->substr(0, type->find(';')) != "application/json")
        refuse_body(call, "Content type error");
    auto size = call.request.body().size();
    if (const auto true_size = call.request.headers().get("X-Golem-Body-Size"))
        size = std::max<std::size_t>(size, std::strtoull(std::string(*true_size).c_str(), nullptr, 10));
    if (size > body_limit) {
        const auto text = "JSON payload (" + std::to_string(size) +
                          " bytes) is larger than allowed (limit: " + std::to_string(body_limit) + " bytes).";
        refuse(call.is_market ? Failure(400, text) : Failure(413, text, BodyKind::text));
    }
    if (depth_of(call.request.body()) > surely_readable) {
        if (const auto complaint = syntax_complaint(call.request.body()))
            refuse_body(call, *complaint);
    }
}

} // namespace

void refuse_body(const Call& call, const std::string& complaint)
{
    refuse(Failure(400, complaint, call.is_market ? BodyKind::message : BodyKind::text));
}

Json body_of(const Call& call)
{
    check_body(call);
    auto json = Json::parse(call.request.body(), nullptr, false);
    if (json.is_discarded())
        refuse_body(call, syntax_complaint(call.request.body()).value_or(unexplained));
    return json;
}

Json any_body_of(const Call& call, const std::string& otherwise)
{
    check_body(call);
    const auto& text = call.request.body();
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_discarded())
        return json;
    const auto complaint = complaint_of([&text] {
        properties::SerdeReader reader(text);
        reader.ignore();
    });
    refuse_body(call, complaint.value_or(otherwise));
}

Json body_of(const Call& call, const Shape& shape)
{
    check_body(call);
    const auto& text = call.request.body();
    auto json = Json::parse(text, nullptr, false);
    const auto missing = [&json](const char* name) { return !json.contains(name); };
    const bool is_fine = json.is_object() && std::none_of(shape.required.begin(), shape.required.end(), missing);
    if (is_fine || (shape.or_null && json.is_null()))
        return json;
    if (json.is_array() && shape.elements > json.size())
        refuse_body(
            call, "Json deserialize error: invalid length " + std::to_string(json.size()) + ", expected struct " +
                      shape.name + " with " + std::to_string(shape.elements) +
                      (shape.elements == 1 ? " element" : " elements") + behind(call, json));
    // What the daemon complains of first: it looks at members as it reads them.
    const auto complaint = complaint_of([&text, &shape] {
        std::vector<std::string> seen;
        properties::SerdeReader reader(text);
        const auto read = [&reader, &seen](const std::string& name) {
            seen.push_back(name);
            reader.ignore();
        };
        const auto check = [&shape, &seen] {
            for (const char* name : shape.required) {
                if (std::find(seen.begin(), seen.end(), name) == seen.end())
                    properties::SerdeReader::complain("missing field `" + std::string(name) + "`");
            }
        };
        reader.object("struct " + std::string(shape.name), read, check);
        reader.end();
    });
    refuse_body(call, complaint.value_or(unexplained));
}

std::string string_member(const Call& call, const Json& object, const char* name)
{
    const auto& found = object.at(name);
    if (!found.is_string())
        refuse_body(
            call,
            "Json deserialize error: invalid type: " + described(found) + ", expected a string" + behind(call, found));
    return found.get<std::string>();
}

std::optional<Timestamp> time_member(const Call& call, const Json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string())
        return std::nullopt;
    const auto text = found->get<std::string>();
    if (const auto complaint = date_complaint(text))
        refuse_body(call, "Json deserialize error: " + *complaint + behind(call, *found));
    return try_parse_timestamp(text);
}

bool bool_member(const Call& call, const Json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end())
        return false;
    if (!found->is_boolean())
        refuse_body(
            call, "Json deserialize error: invalid type: " + described(*found) + ", expected a boolean" +
                      behind(call, *found));
    return found->get<bool>();
}

std::optional<std::uint64_t> unsigned_member(const Call& call, const Json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end() || found->is_null())
        return std::nullopt;
    if (!found->is_number_unsigned())
        refuse_body(
            call, std::string("Json deserialize error: invalid ") +
                      (found->is_number_integer() ? "value: " : "type: ") + described(*found) + ", expected u64" +
                      behind(call, *found));
    return found->get<std::uint64_t>();
}

std::string
choice_member(const Call& call, const Json& object, const char* name, const std::vector<std::string>& choices)
{
    auto text = string_member(call, object, name);
    if (std::find(choices.begin(), choices.end(), text) != choices.end())
        return text;
    std::string expected;
    for (const auto& choice : choices)
        expected += (expected.empty() ? "`" : " or `") + choice + "`";
    refuse_body(
        call,
        "Json deserialize error: unknown variant `" + text + "`, expected " + expected + behind(call, object.at(name)));
}

Decimal decimal_from(const Call& call, const Json& value)
{
    if (!value.is_string() && !value.is_number())
        refuse_body(
            call, "Json deserialize error: invalid type: " + described(value) +
                      ", expected a number or formatted decimal string" + behind(call, value));
    std::optional<Decimal> decimal;
    if (value.is_string())
        decimal = Decimal::parse(value.get<std::string>());
    else if (value.is_number_integer())
        decimal = Decimal::parse(value.dump());
    else
        decimal = Decimal::from_number(value.get<double>());
    if (!decimal)
        refuse_body(call, "Json deserialize error: invalid digit found in string" + behind(call, value));
    return *decimal;
}

std::string session_closed(const Call& call)
{
    const std::string words = "Net: error sending message: session closed";
    return call.host.options().wording == Wording::hybrid ? "GSB failure: " + words : words;
}

std::optional<Reason> reason_of(const Call& call)
{
    // Further members are allowed, so that its form is no list.
    static const Shape shape{"Reason", 0, {"message"}, true};
    const auto body = body_of(call, shape);
    if (body.is_null())
        return std::nullopt;
    Reason reason;
    reason.message = string_member(call, body, "message");
    for (const auto& [key, value] : body.items()) {
        if (key != "message")
            reason.extra.set(key, value_from_json(value));
    }
    return reason;
}

} // namespace golem::devnet::detail
