#include <tests/scenes/stage.hpp>

#include <golem/core/race.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/http/event_stream.hpp>
#include <golem/http/stream.hpp>
#include <golem/properties/json.hpp>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace golem::test {

namespace {

constexpr auto patience = std::chrono::seconds(40);
// Of what is sent, in bytes.
constexpr std::size_t most_kept = 100'000;

bool matters(const std::string& name)
{
    return name == "content-type" || name == "vary" || name == "cache-control" || name == "www-authenticate" ||
           name.starts_with("access-control-");
}

std::string lower(std::string text)
{
    for (auto& c : text)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Json properties_json(const properties::PropertySet& set) { return Json(properties::to_json(set)); }

Json content_json(const provider::Content& content)
{
    Json json;
    json["properties"] = properties_json(content.properties);
    json["constraints"] = content.constraints;
    return json;
}

Json reason_json(const std::optional<provider::Reason>& reason)
{
    if (!reason)
        return nullptr;
    Json json;
    json["message"] = reason->message;
    json["extra"] = properties_json(reason->extra);
    return json;
}

Json event_json(const provider::MarketEvent& event)
{
    Json json;
    if (const auto* proposal = std::get_if<provider::ProposalArrived>(&event)) {
        json["proposal"] = proposal->proposal;
        json["requestor"] = proposal->requestor;
        json["demand"] = content_json(proposal->demand);
        json["previous"] = proposal->previous;
    } else if (const auto* refused = std::get_if<provider::ProposalRefused>(&event)) {
        json["refused"] = refused->proposal;
        json["reason"] = reason_json(refused->reason);
    } else {
        const auto& agreement = std::get<provider::AgreementArrived>(event);
        json["agreement"] = agreement.agreement;
        json["requestor"] = agreement.requestor;
        json["demand"] = content_json(agreement.demand);
        json["offer"] = content_json(agreement.offer);
    }
    return json;
}

Json event_json(const provider::AgreementEvent& event)
{
    static const char* const kinds[] = {"approved", "rejected", "cancelled", "terminated"};
    Json json;
    json["kind"] = kinds[static_cast<int>(event.kind)];
    json["agreement"] = event.agreement;
    json["byProvider"] = event.by_provider;
    json["reason"] = reason_json(event.reason);
    return json;
}

Json event_json(const provider::PaymentEvent& event)
{
    static const char* const kinds[] = {"accepted", "rejected", "settled", "cancelled"};
    Json json;
    json["kind"] = kinds[static_cast<int>(event.kind)];
    json["document"] = event.document == provider::PaymentEvent::Document::invoice ? "invoice" : "debit note";
    json["id"] = event.id;
    return json;
}

Json error_json(const std::exception_ptr& failure)
{
    Json json;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        json["error"] = error.code().message();
        json["words"] = error.their_words();
    }
    return json;
}

// Takes out of the backlog what is asked for.
template <typename Event, typename Wanted>
std::vector<Event> take(std::vector<Event>& backlog, std::size_t most, const Wanted& wanted)
{
    std::vector<Event> taken;
    for (auto event = backlog.begin(); event != backlog.end() && taken.size() < most;) {
        if (wanted(*event)) {
            taken.push_back(*event);
            event = backlog.erase(event);
        } else {
            ++event;
        }
    }
    return taken;
}

template <typename Event, typename Wanted>
Task<std::vector<Event>> follow(
    TimeSource& time, provider::Port& port, Task<std::vector<Event>> (provider::Port::*read)(Duration),
    std::vector<Event>& backlog, std::size_t count, Wanted wanted)
{
    const auto until = time.deadline(patience);
    auto found = take(backlog, count, wanted);
    while (found.size() < count && time.now() < until) {
        const auto events = co_await (port.*read)(std::chrono::seconds(5));
        backlog.insert(backlog.end(), events.begin(), events.end());
        const auto more = take(backlog, count - found.size(), wanted);
        found.insert(found.end(), more.begin(), more.end());
    }
    co_return found;
}

} // namespace

std::string quoted(const std::string& text)
{
    static const char digits[] = "0123456789ABCDEF";
    std::string quoted;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~')
            quoted += c;
        else
            quoted += std::string("%") + digits[byte / 16] + digits[byte % 16];
    }
    return quoted;
}

Json row_of(const http::Response& response)
{
    Json row;
    row["status"] = response.status();
    row["headers"] = Json::object();
    std::vector<std::pair<std::string, std::string>> fields;
    for (const auto& [name, value] : response.headers())
        fields.emplace_back(lower(name), value);
    std::sort(fields.begin(), fields.end());
    for (const auto& [name, value] : fields) {
        if (matters(name))
            row["headers"][name] = value;
    }
    if (!response.body().empty()) {
        row["body"] = Json::parse(response.body(), nullptr, false);
        if (row["body"].is_discarded())
            row["body"] = response.body();
    }
    return row;
}

Stage::Stage(const Executor& executor, TimeSource& time, Cast cast)
    : executor_(executor), time_(time), cast_(std::move(cast)), began_(quoted(format_timestamp(time.utc(), 6)))
{
}

std::string Stage::new_name() { return cast_.tag + "-" + std::to_string(++names_); }

Task<> Stage::open()
{
    http::Request request(http::Method::get, "/me");
    request.headers().set("Authorization", "Bearer " + cast_.key);
    const auto response = co_await cast_.requestor->send(request);
    requestor_ = Json::parse(response.body()).at("identity").get<std::string>();
    Json names;
    names["names"] = Json::array({cast_.tag, requestor_, cast_.provider ? cast_.provider->node_id() : ""});
    rows_.insert(rows_.begin(), names);
}

std::size_t Stage::new_row(const http::Request& request)
{
    Json row;
    row["n"] = rows_.size();
    row["method"] = std::string(http::to_string(request.method()));
    row["target"] = request.target();
    if (request.body().size() > most_kept) {
        row["sent"] = request.body().substr(0, 200);
    } else if (!request.body().empty()) {
        row["sent"] = Json::parse(request.body(), nullptr, false);
        if (row["sent"].is_discarded())
            row["sent"] = request.body().substr(0, 200);
    }
    rows_.push_back(row);
    return rows_.size() - 1;
}

void Stage::fill(std::size_t row, const http::Response& response, Duration took)
{
    rows_[row].update(row_of(response));
    rows_[row]["took"] = seconds(took);
}

void Stage::note(const std::string& what, const Json& said)
{
    Json row;
    row["n"] = rows_.size();
    row["what"] = what;
    row["body"] = said;
    rows_.push_back(row);
}

Task<Answer> Stage::exchange(http::Request request, bool with_key)
{
    if (with_key)
        request.headers().set("Authorization", "Bearer " + cast_.key);
    request.set_limit(std::chrono::seconds(40));
    const auto row = new_row(request);
    const auto start = time_.now();
    http::Response response;
    std::exception_ptr failure;
    try {
        response = co_await cast_.requestor->send(request);
    } catch (const Error&) {
        failure = std::current_exception();
    }
    Answer answer;
    if (failure) {
        rows_[row].update(error_json(failure));
        co_return answer;
    }
    fill(row, response, time_.now() - start);
    answer.status = response.status();
    answer.body = rows_[row].value("body", Json());
    co_return answer;
}

Task<Answer> Stage::send(http::Request request) { return exchange(std::move(request), true); }

Task<Answer> Stage::send_without_key(http::Request request) { return exchange(std::move(request), false); }

Task<Answer> Stage::get(std::string target)
{
    return exchange(http::Request(http::Method::get, std::move(target)), true);
}

Task<Answer> Stage::del(std::string target)
{
    return exchange(http::Request(http::Method::del, std::move(target)), true);
}

Task<Answer> Stage::post(std::string target)
{
    return exchange(http::Request(http::Method::post, std::move(target)), true);
}

Task<Answer> Stage::post(std::string target, const Json& body) { return post_text(std::move(target), body.dump()); }

Task<Answer> Stage::put(std::string target, const Json& body)
{
    http::Request request(http::Method::put, std::move(target));
    request.set_body(body.dump());
    return exchange(std::move(request), true);
}

Task<Answer> Stage::post_text(std::string target, std::string body)
{
    http::Request request(http::Method::post, std::move(target));
    request.set_body(std::move(body));
    return exchange(std::move(request), true);
}

Task<> Stage::stream(std::string target, Duration time)
{
    http::Request request(http::Method::get, std::move(target));
    request.headers().set("Authorization", "Bearer " + cast_.key);
    request.headers().set("Accept", "text/event-stream");
    request.set_limit(patience).set_idle_limit(patience);
    const auto row = new_row(request);
    const auto until = time_.deadline(time);
    std::exception_ptr failure;
    std::unique_ptr<http::ResponseStream> stream;
    auto head = open_stream(request, stream);
    try {
        co_await with_timeout(time_, time, std::move(head), "the beginning of a stream");
        if (stream)
            co_await read_stream(*stream, row, until);
    } catch (const Error&) {
        failure = std::current_exception();
    }
    // Each transport has its own words for it.
    if (failure)
        rows_[row]["error"] = "broken off";
    else if (!stream)
        rows_[row]["error"] = "no answer";
}

Task<> Stage::open_stream(const http::Request& request, std::unique_ptr<http::ResponseStream>& stream)
{
    stream = co_await cast_.requestor->open(request);
}

Task<> Stage::read_stream(http::ResponseStream& stream, std::size_t row, Instant until)
{
    rows_[row].update(row_of(stream.head()));
    if (stream.head().status() != 200) {
        const auto text = co_await http::read_all(stream, 1U << 20U);
        rows_[row]["body"] = Json::parse(text, nullptr, false);
        co_return;
    }
    rows_[row]["body"] = Json::array();
    http::EventStreamParser parser;
    while (time_.now() < until) {
        auto reading = stream.read();
        const auto piece =
            co_await with_timeout(time_, until - time_.now(), std::move(reading), "the next piece of a stream");
        if (!piece || !*piece)
            co_return;
        parser.feed(**piece);
        while (const auto item = parser.next()) {
            Json said;
            if (item->kind == http::StreamItem::Kind::comment) {
                said["comment"] = item->data;
            } else {
                said["event"] = item->type;
                said["id"] = item->id;
                said["data"] = Json::parse(item->data, nullptr, false);
            }
            rows_[row]["body"].push_back(said);
        }
    }
}

Task<Answer> Stage::collect(std::string target, std::size_t count)
{
    http::Request request(http::Method::get, std::move(target));
    request.headers().set("Authorization", "Bearer " + cast_.key);
    request.set_limit(std::chrono::minutes(2));
    const auto row = new_row(request);
    const auto until = time_.deadline(patience);
    Answer answer;
    answer.body = Json::array();
    http::Response last;
    while (answer.body.size() < count && time_.now() < until) {
        last = co_await cast_.requestor->send(request);
        if (last.status() != 200)
            break;
        for (const auto& item : Json::parse(last.body()))
            answer.body.push_back(item);
    }
    rows_[row].update(row_of(last));
    if (last.status() == 200)
        rows_[row]["body"] = answer.body;
    answer.status = last.status();
    if (answer.body.size() < count)
        throw std::runtime_error(request.target() + " brought only " + answer.body.dump());
    co_return answer;
}

Task<Answer> Stage::get_own(std::string target, std::string key, const std::set<std::string>& own)
{
    auto answer = co_await get(std::move(target));
    if (!answer.body.is_array())
        co_return answer;
    Json kept = Json::array();
    for (const auto& item : answer.body) {
        if (own.contains(item.value(key, "")))
            kept.push_back(item);
    }
    rows_.back()["body"] = kept;
    answer.body = kept;
    co_return answer;
}

Task<> Stage::meanwhile(std::function<Task<>()> make)
{
    if (!group_)
        group_ = std::make_unique<TaskGroup>(executor_);
    group_->spawn("meanwhile", std::move(make));
    // It has asked before anything else is said.
    co_await pass(std::chrono::milliseconds(20));
}

Task<> Stage::settle()
{
    if (!group_)
        co_return;
    co_await group_->join();
    group_.reset();
}

Task<> Stage::pass(Duration duration) { return time_.sleep_for(duration, "a scenario lets time pass"); }

Task<std::vector<provider::MarketEvent>> Stage::market_events(const std::string& offer, std::size_t count)
{
    std::vector<provider::MarketEvent> found;
    const auto until = time_.deadline(patience);
    while (found.size() < count && time_.now() < until) {
        const auto events = co_await cast_.provider->market_events(offer, std::chrono::seconds(5));
        found.insert(found.end(), events.begin(), events.end());
    }
    Json said = Json::array();
    for (const auto& event : found)
        said.push_back(event_json(event));
    note("the provider reads its offer's events", said);
    if (found.size() < count)
        throw std::runtime_error("the provider saw only " + said.dump());
    co_return found;
}

Task<std::vector<provider::AgreementEvent>> Stage::agreement_events(const std::string& agreement, std::size_t count)
{
    const auto wanted = [&agreement](const provider::AgreementEvent& event) { return event.agreement == agreement; };
    auto found =
        co_await follow(time_, *cast_.provider, &provider::Port::agreement_events, agreement_backlog_, count, wanted);
    Json said = Json::array();
    for (const auto& event : found)
        said.push_back(event_json(event));
    note("the provider reads agreement events", said);
    co_return found;
}

Task<> Stage::agreement_events_so_far(const std::string& agreement)
{
    const auto events = co_await cast_.provider->agreement_events(std::chrono::seconds(1));
    agreement_backlog_.insert(agreement_backlog_.end(), events.begin(), events.end());
    Json said = Json::array();
    for (const auto& event : agreement_backlog_) {
        if (event.agreement == agreement)
            said.push_back(event_json(event));
    }
    note("the provider has read of agreement events", said);
}

Task<provider::ActivityEvent> Stage::activity_event(const std::string& agreement)
{
    const auto wanted = [&agreement](const provider::ActivityEvent& event) { return event.agreement == agreement; };
    const auto found =
        co_await follow(time_, *cast_.provider, &provider::Port::activity_events, activity_backlog_, 1, wanted);
    if (found.empty())
        throw std::runtime_error("the provider saw no event of an activity");
    Json said;
    said["kind"] = found[0].kind == provider::ActivityEvent::Kind::create ? "create" : "destroy";
    said["activity"] = found[0].activity;
    note("the provider reads activity events", said);
    co_return found[0];
}

Task<std::vector<provider::PaymentEvent>> Stage::payment_events(const std::string& document, std::size_t count)
{
    const auto wanted = [&document](const provider::PaymentEvent& event) { return event.id == document; };
    auto found =
        co_await follow(time_, *cast_.provider, &provider::Port::payment_events, payment_backlog_, count, wanted);
    Json said = Json::array();
    for (const auto& event : found)
        said.push_back(event_json(event));
    note("the provider reads payment events", said);
    co_return found;
}

Task<std::string> Stage::tell(std::string what, Task<std::string> call)
{
    std::string answer;
    std::exception_ptr failure;
    try {
        answer = co_await std::move(call);
    } catch (const Error&) {
        failure = std::current_exception();
    }
    note("the provider: " + what, failure ? error_json(failure) : Json(answer));
    co_return answer;
}

Task<> Stage::tell(std::string what, Task<> call)
{
    std::exception_ptr failure;
    try {
        co_await std::move(call);
    } catch (const Error&) {
        failure = std::current_exception();
    }
    note("the provider: " + what, failure ? error_json(failure) : Json("done"));
}

} // namespace golem::test
