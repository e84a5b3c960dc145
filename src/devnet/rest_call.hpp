// What the routes of the REST face share: the call, its query and body, and the shapes of answers.
#pragma once

#include <golem/devnet/decimal.hpp>
#include <golem/devnet/failure.hpp>
#include <golem/devnet/host.hpp>
#include <golem/http/message.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem::devnet::detail {

// Keeps the order in which members are written, as the daemon does.
using Json = nlohmann::ordered_json;

// A Failure on its way to the answer.
struct Refused {
    Failure failure;
};

[[noreturn]] inline void refuse(Failure failure) { throw Refused{std::move(failure)}; }

template <typename T>
T unwrap(Result<T> result)
{
    if (!result)
        refuse(result.failure());
    return std::move(result.value());
}

// Complaints are worded as those of the daemon's query parser.
class Query {
public:
    explicit Query(std::string_view text);

    std::optional<std::string> text(std::string_view name) const;
    std::string required(std::string_view name) const;
    // Seconds, may be fractions; below zero is zero.
    Duration seconds(std::string_view name, Duration otherwise) const;
    std::optional<long long> integer(std::string_view name) const;
    std::optional<Timestamp> time(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

struct Call {
    Call(const http::Request& the_request, Host& the_host, std::string_view query_text)
        : request(the_request), host(the_host), query(query_text)
    {
    }

    const http::Request& request;
    Host& host;
    Query query;
    std::string path;
    // What stood in the places of the pattern's `*`.
    std::vector<std::string> ids;
    std::string node;
    bool is_market = false;
};

using Plain = std::function<http::Response(const Call&)>;
using Waiting = std::function<Task<http::Response>(const Call&)>;

class Routes {
public:
    void add(http::Method method, std::string_view pattern, Plain plain);
    void add_waiting(http::Method method, std::string_view pattern, Waiting waiting);

    struct Route {
        http::Method method;
        std::vector<std::string> pattern;
        Plain plain;
        Waiting waiting;
    };

    // Null for an unknown path or method; else fills in the call's ids.
    const Route* find(Call& call) const;

private:
    std::vector<Route> routes_;
};

void add_market_routes(Routes& routes);
void add_scan_routes(Routes& routes);
void add_image_routes(Routes& routes);
void add_payment_routes(Routes& routes);
void add_agreement_routes(Routes& routes);
void add_activity_routes(Routes& routes);
// Results of a batch as server-sent events: its `Accept` is exactly `text/event-stream`.
bool wants_events(const Call& call);
http::Response results_as_events(const Call& call);
// Text, or a list of byte values; null for nothing.
Json output_to_json(const std::string& output, bool is_binary);
void add_allocation_routes(Routes& routes);
void add_document_routes(Routes& routes);
void add_net_routes(Routes& routes);
void add_gsb_routes(Routes& routes);

// The JSON body. Refuses other content types, malformed, too large and too deep ones, in the daemon's words.
Json body_of(const Call& call);
// One of several forms: `otherwise` is the complaint if it is none of them, whatever comes behind it.
Json any_body_of(const Call& call, const std::string& otherwise);
// A struct of the daemon's, as its complaints tell of it. `elements` it has in the form of a list, 0: it has none.
struct Shape {
    const char* name;
    std::size_t elements;
    std::vector<const char*> required;
    bool or_null = false;
};
// An object with the required members.
Json body_of(const Call& call, const Shape& shape);
// The same for a Reason or `null`.
std::optional<Reason> reason_of(const Call& call);
// What is said of a node that is gone.
std::string session_closed(const Call& call);
// How a member that is missing or of a wrong kind is complained about.
[[noreturn]] void refuse_body(const Call& call, const std::string& complaint);
std::string string_member(const Call& call, const Json& object, const char* name);
// False if it is missing.
bool bool_member(const Call& call, const Json& object, const char* name);
// Nothing if it is missing or null.
std::optional<std::uint64_t> unsigned_member(const Call& call, const Json& object, const char* name);
// One of these texts.
std::string choice_member(
    const Call& call, const Json& object, const char* name, const std::vector<std::string>& choices);
// Nothing if it is missing or no text.
std::optional<Timestamp> time_member(const Call& call, const Json& object, const char* name);
// From a text or a number.
Decimal decimal_from(const Call& call, const Json& value);

// Ids that do not parse are refused in the form that each route uses.
const std::string& subscription_id(const Call& call, std::size_t place);
const std::string& proposal_id(const Call& call, std::size_t place);
const std::string& agreement_id(const Call& call, std::size_t place);
// "Id [xyz] contains non hexadecimal characters." or the like; nothing if it is fine.
std::optional<std::string> hash_complaint(const std::string& id);

// "Id [0] has invalid owner type." or the like.
std::optional<std::string> proposal_complaint(const std::string& id);
// What the daemon says of a text that is no date to it.
std::optional<std::string> date_complaint(const std::string& text);

http::Response answer(unsigned status, const Json& body);
http::Response answer(const Failure& failure);
// A problem of allocations, with members beside those of the failure.
http::Response problem(const Failure& failure, const Json& more);
http::Response answer_nothing(unsigned status);

// Dates keep what the daemon stores of them, and lose trailing zeros in groups of three.
std::string date(Timestamp when);
std::string date_in_micros(Timestamp when);
std::string date_in_millis(Timestamp when);

Json properties_to_json(const properties::PropertySet& properties);
properties::Value value_from_json(const Json& json);
// Flattened as the daemon does.
properties::PropertySet properties_from_json(const Json& json);
Json reason_to_json(const Reason& reason);

} // namespace golem::devnet::detail
