#include <tests/devnet/replay.hpp>

#include <golem/core/task_group.hpp>
#include <golem/core/virtual_time.hpp>
#include <golem/devnet/in_process_port.hpp>
#include <golem/devnet/rest_face.hpp>
#include <golem/http/in_process.hpp>
#include <golem/provider/agent.hpp>

#include <tests/devnet/comparison.hpp>
#include <tests/devnet/paced_port.hpp>
#include <tests/devnet/recording.hpp>
#include <tests/devnet/scripted_provider.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

namespace golem::test {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto app_key = "recorded";

// Spaced as the recorded client wrote it: complaints name columns.
std::string spaced(const Json& json)
{
    std::string text;
    if (json.is_array()) {
        for (const auto& item : json)
            text += (text.empty() ? "" : ", ") + spaced(item);
        return "[" + text + "]";
    }
    if (json.is_object()) {
        for (const auto& [name, value] : json.items())
            text += (text.empty() ? "" : ", ") + Json(name).dump() + ": " + spaced(value);
        return "{" + text + "}";
    }
    return json.dump();
}

http::Method method_of(const std::string& name)
{
    if (name == "POST")
        return http::Method::post;
    if (name == "PUT")
        return http::Method::put;
    return name == "DELETE" ? http::Method::del : http::Method::get;
}

// As the real one, with what the recordings had: no chain, the wording of the net.
devnet::DevnetOptions options_of(const std::string& name)
{
    devnet::DevnetOptions options;
    options.app_keys = {app_key};
    options.payments.funds = Amount(1'000'000'000'000);
    options.payments.settle_after = std::nullopt;
    options.payment_poll_step = std::chrono::seconds(1);
    if (name.starts_with("payments-"))
        options.payments.settle_after = std::chrono::milliseconds(600);
    options.wording = name.starts_with("daemon") ? devnet::Wording::central : devnet::Wording::hybrid;
    return options;
}

// What was done to the recorded provider beside what its requestor did.
struct Circumstances {
    int capacity = 1;
    Duration shortest_agreement = std::chrono::minutes(5);
    /// Seconds since the beginning: its exe-units are killed; the agent ends, or is killed; another one begins.
    std::optional<double> kills_units;
    std::optional<double> stops;
    std::optional<double> vanishes;
    std::optional<double> starts_again;
    /// Seconds since the beginning: its runtime is killed under its exe-unit; it wakes from a freeze at an agreement.
    std::optional<double> kills_runtime;
    std::optional<double> thaws;
    /// Its node is killed; when that is noticed.
    std::optional<std::pair<double, double>> loses_node;
    /// As the recorded ones did: images cannot be had here.
    bool deploys_fail = false;
};

Circumstances circumstances_of(const std::string& name)
{
    const auto is_one_of = [&name](std::initializer_list<const char*> numbers) {
        return std::any_of(numbers.begin(), numbers.end(), [&name](const std::string& number) {
            return name.starts_with("provider-" + number);
        });
    };
    Circumstances circumstances;
    if (is_one_of({"05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "34", "35"})) {
        circumstances.capacity = 10;
        circumstances.shortest_agreement = std::chrono::seconds(10);
    }
    if (is_one_of({"13"}))
        circumstances.kills_units = 4.15;
    if (is_one_of({"14"}))
        circumstances.kills_runtime = 3.0;
    if (is_one_of({"33"}))
        circumstances.loses_node = std::make_pair(0.9165, 6.9265);
    if (is_one_of({"28"}))
        circumstances.thaws = 15.075;
    circumstances.deploys_fail = is_one_of({"12"});
    if (is_one_of({"19"})) {
        circumstances.stops = 2.365;
        circumstances.starts_again = 39.9;
    }
    if (is_one_of({"20"}))
        circumstances.vanishes = 1.36;
    if (is_one_of({"23"}))
        circumstances.stops = 1.06;
    if (is_one_of({"27"})) {
        circumstances.vanishes = 0.0555;
        circumstances.starts_again = 4.2;
    }
    return circumstances;
}

// Of the first command that failed.
std::optional<std::string> first_complaint(const std::vector<Json>& rows)
{
    for (const auto& row : rows) {
        const auto body = row.value("body", Json());
        for (const auto& item : body.is_array() ? body : Json::array()) {
            if (item.is_object() && item.value("result", "") == "Error")
                return item.at("message").get<std::string>();
        }
    }
    return std::nullopt;
}

// The provider whose real agent was recorded.
provider::ProviderOptions recorded_provider(const Circumstances& circumstances)
{
    provider::ProviderOptions options;
    options.capacity = circumstances.capacity;
    options.shortest_agreement = circumstances.shortest_agreement;
    options.name = "prov1";
    options.subnet = "local";
    options.runtime_version = "0.4.2";
    options.platforms = {"erc20-hoodi-tglm"};
    options.memory_gib = 4.0;
    options.storage_gib = 5.0;
    options.cpu_threads = 1;
    options.cpu_price = 0.0002;
    options.duration_price = 0.0001;
    options.start_price = 0.001;
    return options;
}

class Session {
public:
    Session(
        const Executor& executor, TimeSource& time, const Recording& recording, const std::string& name,
        ProviderPart part)
        : host_(executor, time, options_of(name)), face_(std::make_shared<devnet::RestFace>(host_)),
          transport_(http::make_in_process_transport(executor, time, face_, "http://devnet")),
          comparison_(part == ProviderPart::agent), provider_(host_, comparison_), began_(time.now()),
          door_(host_, "prov1"), port_(door_, time, [this](const auto& event) { return when_told(event); }),
          agents_(executor), daemon_(executor)
    {
        daemon_.spawn("the devnet", [this] { return host_.run(); });
        if (part == ProviderPart::recorded)
            return;
        const auto circumstances = circumstances_of(name);
        const auto runtime_ends =
            circumstances.kills_runtime ? began_ + seconds(*circumstances.kills_runtime) : Instant::max();
        auto behaviour = shell_behaviour(time, runtime_ends);
        if (circumstances.thaws)
            port_.hold_agreements_until(began_ + seconds(*circumstances.thaws));
        if (circumstances.deploys_fail)
            behaviour.deploy_failure = first_complaint(recording.rows);
        const auto runtimes = std::make_shared<provider::ScriptedRuntimeFactory>(executor, time, behaviour);
        const auto options = recorded_provider(circumstances);
        for (auto* agent : {&agent_, &successor_})
            *agent = std::make_unique<provider::Agent>(executor, time, port_, runtimes, options, Logger());
        agents_.spawn("the agent", [this] { return agent_->run(); });
        at(circumstances.kills_units, [this] {
            for (const auto& activity : agent_->activities())
                agent_->kill_unit(activity);
        });
        at(circumstances.stops, [this] { agent_->stop(); });
        at(circumstances.vanishes, [this] { agent_->vanish(); });
        if (const auto loss = circumstances.loses_node) {
            at(loss->first, [this, loss] {
                agent_->vanish();
                const auto noticed = host_.now() + seconds(loss->second - loss->first);
                host_.world().lose_node(door_.node_id(), noticed);
            });
        }
        at(circumstances.starts_again,
           [this] { agents_.spawn("its successor", [this] { return successor_->run(); }); });
    }

    Task<> exchange(const Json& row, Replayed& replayed)
    {
        const auto when = began_ + seconds(row.at("at").get<double>());
        co_await host_.time().sleep_until(when, "the recorded time of a request");
        const auto target = row.at("target").get<std::string>();
        if (row.at("who") == "p") {
            const auto method = row.at("method").get<std::string>();
            const auto sent = Json::parse(comparison_.translated(row.value("sent", Json()).dump()));
            const auto answer = row.value("body", Json());
            const nlohmann::json plain_sent = sent;
            const nlohmann::json plain_answer = answer;
            co_await provider_.act(method, target, plain_sent, plain_answer);
            co_return;
        }
        meet_documents();
        auto request = request_of(row);
        auto response = co_await transport_->send(request);
        ++replayed.compared;
        if (is_feed(row, response) && follows(row, response))
            co_return;
        if (const auto difference = difference_of(row, response))
            replayed.differences.push_back(
                std::to_string(row.at("n").get<int>()) + " " + row.at("method").get<std::string>() + " " +
                target.substr(0, 90) + ": " + *difference);
    }

    Task<> stop()
    {
        if (agent_)
            agent_->stop();
        if (successor_)
            successor_->stop();
        co_await agents_.join();
        daemon_.cancel();
        co_await daemon_.join();
        co_await provider_.stop();
        transport_->close();
    }

    /// The documents that a recorded agent sent, in their order, and when it heard of activities.
    void expect(const std::vector<Json>& rows)
    {
        for (const auto& row : rows) {
            const auto target = row.at("target").get<std::string>();
            const auto path = target.substr(0, target.find('?'));
            // Within the 750 ms before its requestor was answered.
            const auto answered = row.at("at").get<double>() + row.at("took").get<double>();
            const auto early = row.at("status") == 408 ? answered + 3 : answered - 0.7;
            const auto told = seconds(std::max(row.at("at").get<double>(), early));
            if (row.at("method") == "POST" && path == "/activity-api/v1/activity")
                creations_.push_back(told);
            else if (row.at("method") == "DELETE" && path.starts_with("/activity-api/v1/activity/"))
                ends_.emplace_back(path, told);
        }
        std::set<std::string> seen;
        for (const auto& row : rows) {
            const auto body = row.value("body", Json());
            for (const char* name : {"debitNoteId", "invoiceId"}) {
                const bool is_document = body.is_object() && body.contains(name);
                if (is_document && seen.insert(body[name].get<std::string>()).second)
                    (name[0] == 'i' ? invoices_ : notes_).push_back(body[name].get<std::string>());
            }
        }
    }

    /// Of the feeds as wholes.
    std::vector<std::string> feed_differences()
    {
        std::vector<std::string> differences;
        for (const auto& [name, feed] : feeds_) {
            for (std::size_t i = 0; i < std::max(feed.recorded.size(), feed.ours.size()); ++i) {
                const auto recorded = i < feed.recorded.size() ? feed.recorded[i] : nlohmann::json();
                const auto ours = i < feed.ours.size() ? feed.ours[i] : nlohmann::json();
                if (const auto difference = comparison_.compare(recorded, ours))
                    differences.push_back(name + " event " + std::to_string(i) + ": " + *difference);
            }
        }
        return differences;
    }

private:
    static Duration seconds(double count)
    {
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count));
    }

    struct Feed {
        std::vector<nlohmann::json> recorded;
        std::vector<nlohmann::json> ours;
    };

    static std::string path_of(const Json& row)
    {
        const auto target = row.at("target").get<std::string>();
        return target.substr(0, target.find('?'));
    }

    static bool is_feed(const Json& row, const http::Response& response)
    {
        return path_of(row).ends_with("Events") && row.at("status") == 200 && response.status() == 200 &&
               row.value("body", Json()).is_array();
    }

    // Whether an event comes at the end of one poll or with the next one is chance: beside the polls that brought the
    // same number, only the whole is compared. True if this poll brought another number.
    bool follows(const Json& row, const http::Response& response)
    {
        auto& feed = feeds_[path_of(row)];
        const auto add = [](std::vector<nlohmann::json>& events, const nlohmann::json& fresh) {
            for (const auto& event : fresh) {
                if (std::find(events.begin(), events.end(), event) == events.end())
                    events.push_back(event);
            }
        };
        const nlohmann::json recorded = row["body"];
        const auto ours = nlohmann::json::parse(response.body());
        add(feed.recorded, recorded);
        add(feed.ours, ours);
        return recorded.size() != ours.size();
    }

    Instant when_told(const provider::ActivityEvent& event)
    {
        if (event.kind == provider::ActivityEvent::Kind::create)
            return created_ < creations_.size() ? began_ + creations_[created_++] : host_.time().now();
        for (const auto& [path, told] : ends_) {
            if (comparison_.translated(path).ends_with(event.activity))
                return began_ + told;
        }
        return host_.time().now();
    }

    void at(const std::optional<double>& moment, std::function<void()> act)
    {
        if (!moment)
            return;
        const auto when = began_ + seconds(*moment);
        agents_.spawn("an act", [this, when, act = std::move(act)] { return act_at(when, act); });
    }

    Task<> act_at(Instant when, const std::function<void()>& act)
    {
        co_await host_.time().sleep_until(when, "what was done to a recorded provider");
        act();
    }

    // Ours may come earlier than the recorded ones, but in the same order.
    void meet_documents()
    {
        std::size_t notes = 0;
        std::size_t invoices = 0;
        for (const auto& document : host_.world().payments().all_documents()) {
            const bool is_invoice = document.kind == devnet::DocumentKind::invoice;
            auto& place = is_invoice ? invoices : notes;
            const auto& expected = is_invoice ? invoices_ : notes_;
            if (place < expected.size())
                comparison_.learn(expected[place], document.id);
            ++place;
        }
    }

    http::Request request_of(const Json& row) const
    {
        http::Request request(
            method_of(row.at("method").get<std::string>()),
            comparison_.translated(row.at("target").get<std::string>()));
        request.set_limit(std::chrono::minutes(5));
        if (row.contains("sent") || row.contains("sent_text")) {
            const auto body = row.contains("sent")
                                  ? (row.contains("compact") ? row["sent"].dump() : spaced(row["sent"]))
                                  : row["sent_text"].get<std::string>();
            request.set_body(comparison_.translated(body), row.value("sent_type", "application/json"));
        }
        if (row.contains("sent_type") && row["sent_type"] == "")
            request.headers().remove("Content-Type");
        if (row.contains("events"))
            request.headers().set("X-Requestor-Events", row["events"].get<std::string>());
        request.headers().set("Authorization", std::string("Bearer ") + app_key);
        return request;
    }

    std::optional<std::string> difference_of(const Json& row, const http::Response& response)
    {
        if (row.at("status") != response.status())
            return "status " + std::to_string(response.status()) + " " + response.body().substr(0, 200) +
                   ", recorded " + row.at("status").dump() + " " + row.value("body", Json()).dump().substr(0, 200);
        const auto type = response.headers().get("Content-Type");
        const auto recorded_type = row.value("type", std::string());
        if (std::string(type.value_or("")) != recorded_type)
            return "type " + std::string(type.value_or("none")) + ", recorded " + recorded_type;
        if (response.headers().get("vary").has_value() != row.at("vary").get<bool>())
            return "vary is different";
        if (!row.contains("body"))
            return response.body().empty() ? std::nullopt
                                           : std::optional<std::string>("has a body: " + response.body());
        auto ours = Json::parse(response.body(), nullptr, false);
        if (ours.is_discarded())
            ours = response.body();
        return comparison_.compare(nlohmann::json(row["body"]), nlohmann::json(ours));
    }

    devnet::Host host_;
    std::shared_ptr<devnet::RestFace> face_;
    std::shared_ptr<http::Transport> transport_;
    Comparison comparison_;
    ScriptedProvider provider_;
    Instant began_;
    devnet::InProcessPort door_;
    PacedPort port_;
    std::map<std::string, Feed> feeds_;
    std::vector<Duration> creations_;
    std::size_t created_ = 0;
    std::vector<std::pair<std::string, Duration>> ends_;
    std::unique_ptr<provider::Agent> agent_;
    std::unique_ptr<provider::Agent> successor_;
    TaskGroup agents_;
    TaskGroup daemon_;
    std::vector<std::string> notes_;
    std::vector<std::string> invoices_;
};

Task<>
play(VirtualTime& time, const Recording& recording, const std::string& name, ProviderPart part, Replayed& replayed)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    Session session(executor, time, recording, name, part);
    if (part == ProviderPart::agent)
        session.expect(recording.rows);
    TaskGroup group(executor);
    for (const auto& row : recording.rows) {
        group.spawn(std::to_string(row.at("n").get<int>()), [&session, &row, &replayed] {
            return session.exchange(row, replayed);
        });
    }
    co_await group.join();
    for (auto& difference : session.feed_differences())
        replayed.differences.push_back(std::move(difference));
    co_await session.stop();
}

} // namespace

Replayed replay(const std::string& name, ProviderPart part)
{
    const auto recording = load_recording(name);
    boost::asio::io_context context(1);
    VirtualTime time(recording.start.value());
    Replayed replayed;
    std::exception_ptr failure;
    TaskGroup group(
        context.get_executor(), [&failure](const std::string&, std::exception_ptr error) { failure = error; });
    group.spawn("replay", [&] { return play(time, recording, name, part, replayed); });
    while (group.size() > 0) {
        context.restart();
        context.poll();
        if (group.size() > 0 && !time.advance_to_next())
            throw std::runtime_error("the replay of " + name + " hangs");
    }
    if (failure)
        std::rethrow_exception(failure);
    return replayed;
}

} // namespace golem::test
