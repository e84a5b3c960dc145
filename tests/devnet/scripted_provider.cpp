#include <tests/devnet/scripted_provider.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/properties/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <sys/wait.h>
#include <unistd.h>

namespace golem::test {

namespace {

using devnet::DocumentKind;
using devnet::Side;
using Json = nlohmann::json;

std::string segment(const std::string& target, std::size_t place)
{
    std::istringstream path(target.substr(0, target.find('?')));
    std::string found;
    for (std::size_t i = 0; i <= place; ++i) {
        if (!std::getline(path, found, '/'))
            return "";
    }
    return found;
}

Duration wait_of(const std::string& target)
{
    static const std::regex shape("[?&]timeout=([0-9.]+)");
    std::smatch match;
    if (!std::regex_search(target, match, shape))
        return std::chrono::seconds(5);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::stod(match[1])));
}

provider::Content content_of(const Json& sent)
{
    provider::Content content;
    content.properties = properties::from_json(sent.at("properties"));
    content.constraints = sent.at("constraints").get<std::string>();
    return content;
}

std::optional<provider::Reason> reason_of(const Json& sent)
{
    if (!sent.is_object())
        return std::nullopt;
    provider::Reason reason;
    for (const auto& [name, value] : sent.items()) {
        if (name == "message")
            reason.message = value.get<std::string>();
        else
            reason.extra.set(name, properties::value_from_json(value));
    }
    return reason;
}

std::optional<Timestamp> due_of(const Json& draft)
{
    if (!draft.contains("paymentDueDate"))
        return std::nullopt;
    return parse_timestamp(draft["paymentDueDate"].get<std::string>());
}

std::string read(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string quoted(const std::string& argument)
{
    std::string text = "'";
    for (const char c : argument)
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

provider::RunOutput run_in_shell(const std::string& command)
{
    static int count = 0;
    const auto base = std::filesystem::temp_directory_path() /
                      ("golem-replay-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    const auto out = base.string() + ".out";
    const auto err = base.string() + ".err";
    // What a recorded command writes shall not land where the tests are run.
    const auto enter = "cd " + quoted(base.parent_path().string());
    const int status =
        std::system(("exec 2>/dev/null; " + enter + "; (exec " + command + ") >" + out + " 2>" + err).c_str());
    provider::RunOutput output;
    output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    output.out = read(out);
    output.err = read(err);
    std::filesystem::remove(out);
    std::filesystem::remove(err);
    return output;
}

Task<provider::RunOutput> perform(TimeSource& time, std::string command, Instant death)
{
    static const std::regex sleep("(?:/bin/)?sleep '?([0-9.]+)'?");
    double seconds = 0;
    for (std::sregex_iterator found(command.begin(), command.end(), sleep), end; found != end; ++found)
        seconds += std::stod((*found)[1]);
    command = std::regex_replace(command, sleep, "true");
    const auto duration = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    const bool ends_first = time.now() + duration >= death;
    const auto until = ends_first ? death : time.now() + duration;
    co_await time.sleep_until(until, "a command that sleeps");
    if (!ends_first)
        co_return run_in_shell(command);
    provider::RunOutput killed;
    killed.exit_code = 1;
    co_return killed;
}

} // namespace

provider::ScriptedBehaviour shell_behaviour(TimeSource& time, Instant end)
{
    provider::ScriptedBehaviour behaviour;
    behaviour.slow_reply = [&time, end](const provider::RunRequest& request) {
        std::string command = request.entry_point;
        for (const auto& argument : request.args)
            command += " " + quoted(argument);
        return perform(time, command, end);
    };
    return behaviour;
}

ScriptedProvider::ScriptedProvider(devnet::Host& host, Comparison& comparison)
    : host_(host), comparison_(comparison), node_(host.world().node_of_provider("scripted"))
{
}

Task<> ScriptedProvider::act(const std::string& method, const std::string& target, const Json& sent, const Json& answer)
{
    auto& market = host_.world().market();
    const auto now = host_.now();
    const auto kind = segment(target, 3);
    const auto id = comparison_.translated(segment(target, 4));
    const auto what = segment(target, 5);
    if (target == "/me") {
        comparison_.learn(answer.at("identity").get<std::string>(), node_);
    } else if (kind == "offers" && method == "POST" && id.empty()) {
        comparison_.learn(answer.get<std::string>(), market.publish(Side::provider, node_, content_of(sent), now));
    } else if (kind == "offers" && method == "DELETE") {
        market.withdraw(Side::provider, node_, id, now);
    } else if (kind == "offers" && what == "events") {
        co_await learn_proposals(id, wait_of(target), answer);
    } else if (kind == "offers" && what == "proposals" && method == "POST") {
        const auto proposal = comparison_.translated(segment(target, 6));
        if (segment(target, 7) != "reject")
            counter(id, proposal, sent, answer);
        else if (!answer.contains("message"))
            market.reject(Side::provider, id, proposal, reason_of(sent), now);
    } else if (kind == "agreements" && what == "approve") {
        market.approve(node_, id, "provider session", now);
    } else if (kind == "agreements" && what == "reject") {
        market.refuse(node_, id, reason_of(sent), now);
    } else if (kind == "agreements" && what == "terminate") {
        market.terminate(Side::provider, node_, id, reason_of(sent), now);
    } else if (kind == "events") {
        co_await learn_activities(wait_of(target), answer);
    } else if (kind == "activity" && what == "state" && method == "PUT") {
        co_await report_state(id, sent);
    } else if ((kind == "debitNotes" || kind == "invoices") && method == "POST") {
        const auto document = kind == "invoices" ? DocumentKind::invoice : DocumentKind::debit_note;
        if (segment(target, 4).empty()) {
            if (answer.contains("status"))
                drafts_.emplace(answer.at(kind == "invoices" ? "invoiceId" : "debitNoteId").get<std::string>(), answer);
        } else if (what == "send") {
            send_document(document, segment(target, 4));
        } else if (what == "cancel") {
            host_.world().payments().cancel(node_, id, now);
        }
    }
    host_.settle();
}

Task<> ScriptedProvider::learn_proposals(const std::string& offer, Duration wait, const Json& answer)
{
    auto& market = host_.world().market();
    const auto until = host_.time().deadline(wait);
    const std::string topic = "subscription/" + offer;
    bool changed = true;
    while (changed) {
        const auto waiting = market.waiting(Side::provider, node_, offer, host_.now());
        if (!waiting)
            co_return;
        if (*waiting > 0)
            break;
        changed = co_await host_.wait(topic, until);
    }
    std::size_t place = 0;
    for (const auto& event : market.take_events(offer, 100)) {
        if (!answer.is_array() || place >= answer.size())
            break;
        const auto& recorded = answer[place++];
        if (event.kind == devnet::QueuedEvent::Kind::proposal && recorded.contains("proposal"))
            comparison_.learn(
                recorded["proposal"]["proposalId"].get<std::string>(), market.view(Side::provider, event.id).id);
    }
}

Task<> ScriptedProvider::learn_activities(Duration wait, const Json& answer)
{
    const auto until = host_.time().deadline(wait);
    const std::string topic = "activities/" + node_;
    for (const auto& recorded : answer.is_array() ? answer : Json::array()) {
        const bool is_creation = recorded["eventType"].contains("CreateActivity");
        const auto known = comparison_.translated(recorded["activityId"].get<std::string>());
        if (!is_creation || known != recorded["activityId"].get<std::string>())
            continue;
        bool found = false;
        bool changed = true;
        while (!found && changed) {
            const auto& log = host_.world().activities().log(node_);
            for (; !found && activities_read_ < log.size(); ++activities_read_) {
                found = log[activities_read_].kind == devnet::ActivityLogEntry::Kind::create;
                if (found)
                    comparison_.learn(known, log[activities_read_].activity);
            }
            if (!found)
                changed = co_await host_.wait(topic, until);
        }
    }
}

void ScriptedProvider::counter(
    const std::string& offer, const std::string& proposal, const Json& sent, const Json& answer)
{
    const auto made = host_.world().market().counter(Side::provider, offer, proposal, content_of(sent), host_.now());
    if (made && answer.is_string())
        comparison_.learn(answer.get<std::string>(), *made);
}

Task<> ScriptedProvider::report_state(const std::string& activity, const Json& sent)
{
    auto& activities = host_.world().activities();
    const auto state = sent.at("state").at(0).get<std::string>();
    if (state == "Initialized" && !units_.contains(activity)) {
        provider::ScriptedRuntimeFactory factory(host_.executor(), host_.time(), shell_behaviour(host_.time()));
        provider::UnitOptions options;
        options.command_latency = std::chrono::milliseconds(2);
        auto unit =
            std::make_shared<provider::ScriptUnit>(host_.executor(), host_.time(), factory.make(activity), options);
        units_.emplace(activity, unit);
        activities.attach(node_, activity, unit);
    }
    if (state == "Terminated") {
        const auto unit = units_.find(activity);
        if (unit != units_.end())
            co_await unit->second->stop();
        activities.detach(node_, activity, sent.value("reason", ""), sent.value("errorMessage", ""), host_.now());
    }
}

void ScriptedProvider::send_document(DocumentKind kind, const std::string& recorded)
{
    const auto found = drafts_.find(recorded);
    if (found == drafts_.end())
        return;
    const auto draft = found->second;
    drafts_.erase(found);
    auto& world = host_.world();
    const auto agreement = comparison_.translated(draft.at("agreementId").get<std::string>());
    const auto billing = world.billing(node_, agreement, host_.now());
    if (!billing)
        return;
    std::string id;
    if (kind == DocumentKind::debit_note) {
        std::optional<std::vector<double>> usage;
        if (draft.contains("usageCounterVector"))
            usage = draft["usageCounterVector"].get<std::vector<double>>();
        const auto amount = devnet::Decimal::parse(draft.at("totalAmountDue").get<std::string>());
        const auto activity = comparison_.translated(draft.at("activityId").get<std::string>());
        id = world.payments().send_note(*billing, activity, *amount, usage, due_of(draft), host_.now());
    } else {
        std::vector<std::string> activities;
        for (const auto& activity : draft.at("activityIds"))
            activities.push_back(comparison_.translated(activity.get<std::string>()));
        const auto amount = devnet::Decimal::parse(draft.at("amount").get<std::string>());
        id = world.payments().send_invoice(*billing, activities, *amount, due_of(draft), host_.now());
    }
    comparison_.learn(recorded, id);
}

Task<> ScriptedProvider::stop()
{
    for (const auto& [activity, unit] : units_)
        co_await unit->stop();
}

} // namespace golem::test
