#pragma once

#include <golem/core/random.hpp>
#include <golem/devnet/failure.hpp>
#include <golem/devnet/stamps.hpp>
#include <golem/provider/exe_unit.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::devnet {

/// How errors that cross the network are worded: as on the public network, or as between daemons on a central net.
enum class Wording { hybrid, central };

/// One activity, as the requestor's daemon knows it.
struct Activity {
    std::string id;
    std::string agreement;
    std::string requestor;
    std::string provider;
    Timestamp created{};
    /// The exe-unit while it can be reached.
    std::shared_ptr<provider::ExeUnit> unit;
    bool was_attached = false;
    /// It ended, by itself or because it was destroyed; or never came up.
    bool ended = false;
    /// The requestor waited for it in vain.
    bool abandoned = false;
    bool destroy_asked = false;
    std::string reason;
    std::string error_message;
    /// What the last question for usage brought.
    std::optional<std::vector<double>> last_usage;
    /// The last report.
    std::optional<std::vector<double>> final_usage;
    /// At the requestor's wish.
    bool destroyed = false;
    Timestamp last_usage_at{};
};

struct ActivityLogEntry {
    enum class Kind { create, destroy };
    Kind kind = Kind::create;
    std::string activity;
    std::string agreement;
    Timestamp date{};
};

struct StateAnswer {
    provider::UnitStatePair pair;
    std::string reason;
    std::string error_message;
};

struct UsageAnswer {
    std::optional<std::vector<double>> usage;
    Timestamp timestamp{};
};

enum class Creation { under_way, up, refused };

/// Activities of all nodes: the activity part of their daemons. No I/O; time is told with each call.
class Activities {
public:
    Activities(Wording wording, Random random) : wording_(wording), random_(random) {}

    /// Asks `provider` for an activity; whether its agreement allows that was checked before.
    std::string
    create(const std::string& agreement, const std::string& requestor, const std::string& provider, Timestamp now);
    Creation creation(const std::string& activity) const;
    /// Why it was refused: the answer to who wanted it.
    Failure refusal(const std::string& activity) const;
    /// The requestor waits no longer.
    void give_up(const std::string& activity, Timestamp now);

    /// Asks for the end. True if it had ended already.
    bool destroy(const std::string& activity, Timestamp now);
    /// The requestor heard that it ended: from now on it remembers no reason.
    void forget_reason(const std::string& activity);

    /// The provider's exe-unit reports in. Not found: unknown here, or given to another provider.
    Result<Done>
    attach(const std::string& provider, const std::string& activity, std::shared_ptr<provider::ExeUnit> unit);
    Result<Done> detach(
        const std::string& provider, const std::string& activity, const std::string& reason, const std::string& message,
        Timestamp now);

    /// What its parties may know: 500 for an unknown activity, 404 for strangers.
    Result<Activity> find(const std::string& reader, const std::string& activity) const;
    /// The unit, or how `service` ("Exec", "GetExecBatchResults") of one that is gone answers.
    Result<std::shared_ptr<provider::ExeUnit>>
    reach(const std::string& reader, const std::string& activity, std::string_view service) const;
    /// The answer to a question that no daemon answers: which command runs.
    Failure no_such_service(const Activity& activity, std::string_view path) const;

    std::string new_batch() { return random_.hex(32); }

    StateAnswer state(const Activity& activity) const;
    Result<UsageAnswer> usage(const std::string& activity, Timestamp now);
    std::vector<std::string> of_agreement(const std::string& reader, const std::string& agreement) const;

    /// The provider's events after position `from`.
    const std::vector<ActivityLogEntry>& log(const std::string& provider) const;

    const std::map<std::string, Activity>& all() const noexcept { return activities_; }

    /// Names of what changed: "activity/" and an id, "activities/" and a provider.
    std::vector<std::string> take_touched();

private:
    void tell(const Activity& activity, ActivityLogEntry::Kind kind, Timestamp now);

    Wording wording_;
    Random random_;
    Stamps stamps_;
    std::map<std::string, Activity> activities_;
    std::map<std::string, std::vector<std::string>> of_agreement_;
    std::map<std::string, std::vector<ActivityLogEntry>> logs_;
    std::vector<std::string> touched_;
};

} // namespace golem::devnet
