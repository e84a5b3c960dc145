#include <devnet/rest_call.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/http/url.hpp>

#include <provider/serde_reader.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace golem::devnet::detail {

namespace {

constexpr std::size_t body_limit = 2u << 20;
// Bodies of less depth are not read twice to learn whether the daemon would.
constexpr std::size_t surely_readable = 100;

[[noreturn]] void refuse_query(const std::string& complaint)
{
    refuse(Failure(400, "Query deserialize error: " + complaint, BodyKind::text));
}

std::string decode(std::string_view text)
{
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return http::percent_decode(spaced);
}

bool is_hex(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

[[noreturn]] void refuse_path(const std::string& complaint)
{
    refuse(Failure(400, "Path deserialize error: " + complaint, BodyKind::typed_message));
}

properties::Value value_from(const Json& json)
{
    switch (json.type()) {
    case Json::value_t::null: return properties::Value();
    case Json::value_t::boolean: return properties::Value(json.get<bool>());
    case Json::value_t::number_integer: return properties::Value(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: return properties::Value(json.get<std::uint64_t>());
    case Json::value_t::number_float: return properties::Value(json.get<double>());
    case Json::value_t::string: return properties::Value(json.get<std::string>());
    case Json::value_t::array: {
        properties::Value::List list;
        for (const auto& item : json)
            list.push_back(value_from(item));
        return properties::Value(std::move(list));
    }
    default: return properties::Value::raw(json.dump());
    }
}

Json value_to(const properties::Value& value)
{
    using Kind = properties::Value::Kind;
    switch (value.kind()) {
    case Kind::null: return nullptr;
    case Kind::boolean: return *value.as_bool();
    case Kind::integer: return *value.as_int();
    case Kind::number: return *value.as_number();
    case Kind::string: return std::string(*value.as_string());
    case Kind::list: {
        Json list = Json::array();
        for (const auto& item : *value.as_list())
            list.push_back(value_to(item));
        return list;
    }
    case Kind::raw: return Json::parse(*value.as_raw());
    }
    return nullptr;
}

void flatten(const Json& json, const std::string& name, properties::PropertySet& into)
{
    if (!json.is_object() || json.empty()) {
        into.set(name, value_from(json));
        return;
    }
    for (const auto& [key, value] : json.items()) {
        if (key == "@tag" && !name.empty())
            flatten(value, name, into);
        else
            flatten(value, name.empty() ? key : name + "." + key, into);
    }
}

// What the daemon's JSON parser says when `read` complains; nothing if it does not.
std::optional<std::string> complaint_of(const std::function<void()>& read)
{
    try {
        read();
    } catch (const provider::SerdeReader::Complaint& complaint) {
        return "Json deserialize error: " + complaint.text + " at line " + std::to_string(complaint.line) + " column " +
               std::to_string(complaint.column);
    }
    return std::nullopt;
}

// Where our reading and the daemon's differ.
constexpr auto unexplained = "Json deserialize error: expected value at line 1 column 1";

std::optional<std::string> syntax_complaint(const std::string& text)
{
    return complaint_of([&text] {
        provider::SerdeReader reader(text);
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

// Ids of a path and texts of providers may be no UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string shown(Timestamp when) { return format_timestamp(when); }

} // namespace

Query::Query(std::string_view text)
{
    while (!text.empty()) {
        const auto item = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), item.size() + 1));
        const auto equals = item.find('=');
        if (item.empty())
            continue;
        const auto value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
        items_.emplace_back(decode(item.substr(0, equals)), decode(value));
    }
}

std::optional<std::string> Query::text(std::string_view name) const
{
    std::optional<std::string> found;
    for (const auto& [key, value] : items_) {
        if (key != name)
            continue;
        if (found)
            refuse_query("duplicate field `" + key + "`");
        found = value;
    }
    return found;
}

std::string Query::required(std::string_view name) const
{
    auto found = text(name);
    if (!found)
        refuse_query("missing field `" + std::string(name) + "`");
    return *found;
}

Duration Query::seconds(std::string_view name, Duration otherwise) const
{
    const auto found = text(name);
    if (!found)
        return otherwise;
    char* end = nullptr;
    const double value = std::strtod(found->c_str(), &end);
    if (found->empty())
        refuse_query("cannot parse float from empty string");
    if (*end != '\0' || !std::isfinite(value))
        refuse_query("invalid float literal");
    constexpr double longest = 10.0 * 365 * 24 * 3600;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::clamp(value, 0.0, longest)));
}

std::optional<long long> Query::integer(std::string_view name) const
{
    const auto found = text(name);
    if (!found)
        return std::nullopt;
    long long value = 0;
    const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), value);
    if (found->empty())
        refuse_query("cannot parse integer from empty string");
    if (error != std::errc() || end != found->data() + found->size())
        refuse_query("invalid digit found in string");
    return value;
}

std::optional<Timestamp> Query::time(std::string_view name) const
{
    const auto found = text(name);
    if (!found)
        return std::nullopt;
    const auto when = try_parse_timestamp(*found);
    if (!when)
        refuse_query("input contains invalid characters");
    return when;
}

void Routes::add(http::Method method, std::string_view pattern, Plain plain)
{
    add_waiting(method, pattern, {});
    routes_.back().plain = std::move(plain);
}

void Routes::add_waiting(http::Method method, std::string_view pattern, Waiting waiting)
{
    Route route{method, {}, {}, std::move(waiting)};
    while (!pattern.empty()) {
        pattern.remove_prefix(1);
        const auto segment = pattern.substr(0, pattern.find('/'));
        route.pattern.emplace_back(segment);
        pattern.remove_prefix(segment.size());
    }
    routes_.push_back(std::move(route));
}

const Routes::Route* Routes::find(Call& call) const
{
    std::vector<std::string_view> segments;
    std::string_view rest = call.path;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        segments.push_back(rest.substr(0, rest.find('/')));
        rest.remove_prefix(segments.back().size());
    }
    for (const auto& route : routes_) {
        if (route.method != call.request.method() || route.pattern.size() != segments.size())
            continue;
        call.ids.clear();
        bool fits = true;
        for (std::size_t place = 0; fits && place < segments.size(); ++place) {
            if (route.pattern[place] == "*")
                call.ids.push_back(http::percent_decode(segments[place]));
            else
                fits = route.pattern[place] == segments[place];
        }
        if (fits)
            return &route;
    }
    return nullptr;
}

void refuse_body(const Call& call, const std::string& complaint)
{
    refuse(Failure(400, complaint, call.is_market ? BodyKind::message : BodyKind::text));
}

Json body_of(const Call& call)
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
    auto json = Json::parse(call.request.body(), nullptr, false);
    if (json.is_discarded())
        refuse_body(call, syntax_complaint(call.request.body()).value_or(unexplained));
    return json;
}

const Json& member(const Call& call, const Json& object, const char* name)
{
    if (object.is_object()) {
        const auto found = object.find(name);
        if (found != object.end())
            return *found;
    }
    const auto complaint = complaint_of([&call, name] {
        provider::SerdeReader reader(call.request.body());
        reader.object(
            "a map", [&reader](const std::string&) { reader.ignore(); },
            [name] { provider::SerdeReader::complain("missing field `" + std::string(name) + "`"); });
    });
    refuse_body(call, complaint.value_or(unexplained));
}

std::string string_member(const Call& call, const Json& object, const char* name)
{
    const auto& found = member(call, object, name);
    if (!found.is_string())
        refuse_body(
            call, "Json deserialize error: invalid type: " + std::string(found.type_name()) +
                      ", expected a string at line 1 column " + std::to_string(call.request.body().size()));
    return found.get<std::string>();
}

bool bool_member(const Call& call, const Json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end())
        return false;
    if (!found->is_boolean())
        refuse_body(
            call, "Json deserialize error: invalid type: " + described(*found) +
                      ", expected a boolean at line 1 column " + std::to_string(call.request.body().size()));
    return found->get<bool>();
}

Decimal decimal_from(const Call& call, const Json& value)
{
    std::optional<Decimal> decimal;
    if (value.is_string())
        decimal = Decimal::parse(value.get<std::string>());
    else if (value.is_number_integer())
        decimal = Decimal::parse(value.dump());
    else if (value.is_number())
        decimal = Decimal::from_number(value.get<double>());
    if (!decimal)
        refuse_body(
            call, "Json deserialize error: invalid digit found in string at line 1 column " +
                      std::to_string(call.request.body().find(value.dump()) + value.dump().size()));
    return *decimal;
}

std::optional<Reason> reason_of(const Call& call)
{
    const auto body = body_of(call);
    if (body.is_null())
        return std::nullopt;
    Reason reason;
    reason.message = string_member(call, body, "message");
    for (const auto& [key, value] : body.items()) {
        if (key != "message")
            reason.extra.set(key, value_from(value));
    }
    return reason;
}

const std::string& subscription_id(const Call& call, std::size_t place)
{
    const auto& id = call.ids.at(place);
    const auto dash = id.find('-');
    if (dash == std::string::npos || id.find('-', dash + 1) != std::string::npos)
        refuse_path("Subscription id [" + id + "] has invalid format.");
    if (!is_hex(id.substr(0, dash)) || !is_hex(id.substr(dash + 1)))
        refuse_path("Subscription id [" + id + "] contains non hexadecimal characters.");
    if (dash != 32 || id.size() != 97)
        refuse_path("Subscription id [" + id + "] has invalid length. Should be |32|-|64|");
    return id;
}

std::optional<std::string> hash_complaint(const std::string& id)
{
    if (!is_hex(id))
        return "Id [" + id + "] contains non hexadecimal characters.";
    if (id.size() != 64)
        return "Id [" + id + "] hash has invalid length. Should be |64|";
    return std::nullopt;
}

const std::string& proposal_id(const Call& call, std::size_t place)
{
    const auto& id = call.ids.at(place);
    if (id.size() < 2 || id[1] != '-')
        refuse_path("Id [" + id + "] has invalid format.");
    if (id[0] != 'R' && id[0] != 'P')
        refuse_path("Id [" + id + "] has invalid owner type.");
    if (hash_complaint(id.substr(2)))
        refuse_path(
            "Id [" + id +
            (is_hex(id.substr(2)) ? "] hash has invalid length. Should be |64|"
                                  : "] contains non hexadecimal characters."));
    return id;
}

const std::string& agreement_id(const Call& call, std::size_t place)
{
    const auto& id = call.ids.at(place);
    if (const auto complaint = hash_complaint(id))
        refuse(Failure(400, "Invalid Agreement id. " + *complaint));
    return id;
}

http::Response answer(unsigned status, const Json& body) { return http::Response(status, text_of(body)); }

http::Response answer_nothing(unsigned status) { return http::Response(status); }

http::Response answer(const Failure& failure)
{
    Json body;
    switch (failure.kind()) {
    case BodyKind::text: return http::Response(failure.status(), failure.text(), "text/plain; charset=utf-8");
    case BodyKind::null_message: body["message"] = nullptr; break;
    case BodyKind::message: body["message"] = failure.text(); break;
    case BodyKind::typed_message:
        body["message"] = failure.text();
        return http::Response(failure.status(), text_of(body), "text/plain; charset=utf-8");
    case BodyKind::problem: return problem(failure, Json::object());
    }
    return answer(failure.status(), body);
}

http::Response problem(const Failure& failure, const Json& more)
{
    const std::string prefix = "/payment-api/v1/allocations/";
    Json body;
    for (const auto& [name, value] : failure.members()) {
        if (name == "type")
            body["type"] = prefix + value;
    }
    body["detail"] = failure.text();
    for (const auto& [name, value] : failure.members()) {
        if (name != "type")
            body[name] = name == "instance" ? prefix + value : value;
    }
    for (const auto& [name, value] : more.items())
        body[name] = value;
    return http::Response(failure.status(), text_of(body), "application/problem+json");
}

std::string date(Timestamp when) { return shown(when); }

std::string date_in_micros(Timestamp when) { return shown(std::chrono::floor<std::chrono::microseconds>(when)); }

std::string date_in_millis(Timestamp when) { return shown(std::chrono::floor<std::chrono::milliseconds>(when)); }

Json properties_to_json(const properties::PropertySet& properties)
{
    Json json = Json::object();
    for (const auto& [name, value] : properties)
        json[name] = value_to(value);
    return json;
}

properties::PropertySet properties_from_json(const Json& json)
{
    properties::PropertySet properties;
    if (json.is_object() && json.empty())
        return properties;
    flatten(json, "", properties);
    return properties;
}

Json reason_to_json(const Reason& reason)
{
    Json json;
    json["message"] = reason.message;
    for (const auto& [name, value] : reason.extra)
        json[name] = value_to(value);
    return json;
}

} // namespace golem::devnet::detail
