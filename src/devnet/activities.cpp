#include <golem/devnet/activities.hpp>

#include <utility>

namespace golem::devnet {

namespace {

Failure unknown(const std::string& activity)
{
    return Failure(500, "DAO error: Not found: agreement id for activity: " + activity);
}

} // namespace

std::string Activities::create(
    const std::string& agreement, const std::string& requestor, const std::string& provider, Timestamp now)
{
    Activity activity;
    activity.id = random_.hex(32);
    activity.agreement = agreement;
    activity.requestor = requestor;
    activity.provider = provider;
    activity.created = now;
    of_agreement_[agreement].push_back(activity.id);
    tell(activity, ActivityLogEntry::Kind::create, now);
    const auto id = activity.id;
    activities_.emplace(id, std::move(activity));
    return id;
}

Creation Activities::creation(const std::string& activity) const
{
    const auto& entry = activities_.at(activity);
    if (entry.was_attached)
        return Creation::up;
    return entry.ended ? Creation::refused : Creation::under_way;
}

Failure Activities::refusal(const std::string& activity) const
{
    const auto& entry = activities_.at(activity);
    std::string text = "Service error: Activity " + activity + " was abruptly terminated.";
    if (!entry.reason.empty())
        text += " Reason: " + entry.reason;
    if (!entry.error_message.empty())
        text += ", message: " + entry.error_message;
    return Failure(500, std::move(text));
}

void Activities::give_up(const std::string& activity, Timestamp now)
{
    auto& entry = activities_.at(activity);
    entry.abandoned = true;
    if (!std::exchange(entry.destroy_asked, true))
        tell(entry, ActivityLogEntry::Kind::destroy, now);
}

bool Activities::destroy(const std::string& activity, Timestamp now)
{
    auto& entry = activities_.at(activity);
    if (entry.ended)
        return true;
    if (!std::exchange(entry.destroy_asked, true))
        tell(entry, ActivityLogEntry::Kind::destroy, now);
    return false;
}

void Activities::forget_reason(const std::string& activity)
{
    auto& entry = activities_.at(activity);
    entry.destroyed = true;
    entry.reason.clear();
    entry.error_message.clear();
}

Result<Done>
Activities::attach(const std::string& provider, const std::string& activity, std::shared_ptr<provider::ExeUnit> unit)
{
    const auto found = activities_.find(activity);
    if (found == activities_.end() || found->second.provider != provider)
        return unknown(activity);
    if (found->second.ended)
        return Failure(400, "Bad request: Activity " + activity + " is terminated");
    found->second.unit = std::move(unit);
    found->second.was_attached = true;
    touched_.push_back("activity/" + activity);
    return Done();
}

Result<Done> Activities::detach(
    const std::string& provider, const std::string& activity, const std::string& reason, const std::string& message,
    Timestamp now)
{
    const auto found = activities_.find(activity);
    if (found == activities_.end() || found->second.provider != provider)
        return unknown(activity);
    auto& entry = found->second;
    if (entry.ended)
        return Done();
    entry.ended = true;
    if (entry.unit)
        entry.final_usage = entry.unit->usage();
    entry.unit.reset();
    entry.reason = reason;
    entry.error_message = message;
    touched_.push_back("activity/" + activity);
    // The daemon answers the end of one that never came up with a destroy, too.
    if (!entry.was_attached && !std::exchange(entry.destroy_asked, true))
        tell(entry, ActivityLogEntry::Kind::destroy, now);
    return Done();
}

Result<Activity> Activities::find(const std::string& reader, const std::string& activity) const
{
    const auto found = activities_.find(activity);
    if (found == activities_.end())
        return unknown(activity);
    // The requestor's daemon learns of an activity when it has come up in time.
    if (!found->second.was_attached || found->second.abandoned)
        return unknown(activity);
    if (found->second.requestor != reader)
        return Failure(404, "Not found: " + found->second.agreement);
    return found->second;
}

Result<std::shared_ptr<provider::ExeUnit>>
Activities::reach(const std::string& reader, const std::string& activity, std::string_view service) const
{
    const auto found = find(reader, activity);
    if (!found)
        return found.failure();
    if (!found->unit)
        return no_such_service(*found, "exeunit/" + activity + "/" + std::string(service));
    return found->unit;
}

Failure Activities::no_such_service(const Activity& activity, std::string_view path) const
{
    if (wording_ == Wording::hybrid)
        return Failure(500, "GSB error: Bad request: Bad request: endpoint address not found");
    return Failure(
        500, "GSB error: Remote service at `/net/" + activity.provider + "/" + std::string(path) +
                 "` error: GSB failure: Bad request: endpoint address not found");
}

StateAnswer Activities::state(const Activity& activity) const
{
    StateAnswer answer;
    if (activity.unit) {
        answer.pair = activity.unit->state();
        return answer;
    }
    answer.pair.now = activity.ended ? provider::UnitState::terminated : provider::UnitState::initialized;
    answer.reason = activity.reason;
    answer.error_message = activity.error_message;
    return answer;
}

Result<UsageAnswer> Activities::usage(const std::string& activity, Timestamp now)
{
    auto& entry = activities_.at(activity);
    UsageAnswer answer;
    answer.timestamp = entry.created;
    if (entry.unit) {
        answer.usage = entry.unit->usage();
        if (answer.usage) {
            answer.timestamp = now;
            entry.last_usage = answer.usage;
            entry.last_usage_at = now;
        }
        return answer;
    }
    // Until it destroyed the activity, the requestor's daemon asks the provider's.
    if (!entry.destroyed && entry.final_usage)
        entry.last_usage = entry.final_usage;
    if (!entry.last_usage && entry.ended)
        return Failure(500, "DAO error: Serde Json error: invalid type: null, expected a sequence at line 1 column 4");
    answer.usage = entry.last_usage;
    if (entry.last_usage)
        answer.timestamp = entry.last_usage_at;
    return answer;
}

std::vector<std::string> Activities::of_agreement(const std::string& reader, const std::string& agreement) const
{
    std::vector<std::string> list;
    const auto found = of_agreement_.find(agreement);
    if (found == of_agreement_.end())
        return list;
    for (const auto& id : found->second) {
        const auto& activity = activities_.at(id);
        const bool never_was = activity.abandoned || (activity.ended && !activity.was_attached);
        if (activity.requestor == reader && !never_was)
            list.push_back(id);
    }
    return list;
}

const std::vector<ActivityLogEntry>& Activities::log(const std::string& provider) const
{
    static const std::vector<ActivityLogEntry> empty;
    const auto found = logs_.find(provider);
    return found == logs_.end() ? empty : found->second;
}

void Activities::tell(const Activity& activity, ActivityLogEntry::Kind kind, Timestamp now)
{
    ActivityLogEntry entry;
    entry.kind = kind;
    entry.activity = activity.id;
    entry.agreement = activity.agreement;
    entry.date = stamps_.next(now);
    logs_[activity.provider].push_back(std::move(entry));
    touched_.push_back("activities/" + activity.provider);
}

std::vector<std::string> Activities::take_touched() { return std::exchange(touched_, {}); }

} // namespace golem::devnet
