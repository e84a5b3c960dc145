#include <devnet/rest_call.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/http/url.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace golem::devnet::detail {

namespace {

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
        into.set(name, value_from_json(json));
        return;
    }
    for (const auto& [key, value] : json.items()) {
        if (key == "@tag" && !name.empty())
            flatten(value, name, into);
        else
            flatten(value, name.empty() ? key : name + "." + key, into);
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
    const bool is_hexadecimal = found->find_first_of("xX(") != std::string::npos;
    if (*end != '\0' || is_hexadecimal)
        refuse_query("invalid float literal");
    constexpr double longest = 10.0 * 365 * 24 * 3600;
    if (std::isnan(value))
        return Duration(0);
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
    if (const auto complaint = date_complaint(*found))
        refuse_query(*complaint);
    return try_parse_timestamp(*found);
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

std::optional<std::string> proposal_complaint(const std::string& id)
{
    const auto dash = id.find('-');
    if (dash == std::string::npos)
        return "Id [" + id + "] has invalid format.";
    const auto owner = id.substr(0, dash);
    if (owner != "R" && owner != "P")
        return "Id [" + owner + "] has invalid owner type.";
    if (!is_hex(id.substr(2)))
        return "Id [" + id + "] contains non hexadecimal characters.";
    if (id.size() != 66)
        return "Id [" + id + "] hash has invalid length. Should be |64|";
    return std::nullopt;
}

const std::string& proposal_id(const Call& call, std::size_t place)
{
    const auto& id = call.ids.at(place);
    if (const auto complaint = proposal_complaint(id))
        refuse_path(*complaint);
    return id;
}

std::optional<std::string> date_complaint(const std::string& text)
{
    // The daemon's parser wants a zone.
    const bool has_zone = text.size() > 19 && text.find_first_of("Zz+-", 19) != std::string::npos;
    if (try_parse_timestamp(text))
        return has_zone ? std::nullopt : std::optional<std::string>("premature end of input");
    const bool could_go_on = text.size() < 19 && text.find_first_not_of("0123456789-:T") == std::string::npos;
    return could_go_on ? "premature end of input" : "input contains invalid characters";
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
    case BodyKind::empty: return http::Response(failure.status());
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

properties::Value value_from_json(const Json& json)
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
            list.push_back(value_from_json(item));
        return properties::Value(std::move(list));
    }
    default: return properties::Value::raw(json.dump());
    }
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
