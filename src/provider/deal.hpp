#pragma once

#include <golem/core/event.hpp>
#include <golem/provider/agent.hpp>
#include <golem/provider/detail/billing.hpp>
#include <golem/provider/script_unit.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace golem::provider {

// One activity of an agreement, from the request for it to its last debit note.
struct Agent::Activity {
    Activity(const Executor& executor, std::string activity_id)
        : id(std::move(activity_id)), killed(executor), settled(executor)
    {
    }

    std::vector<double> usage(std::size_t counters) const
    {
        const auto reported = unit ? unit->usage() : std::nullopt;
        return reported ? *reported : std::vector<double>(counters, 0.0);
    }

    // How the real exe-unit reports that it was asked to go.
    std::string interruption() const { return unit ? "Interrupted by signal: 15: " + unit->report() : std::string(); }

    std::string id;
    std::shared_ptr<ScriptUnit> unit;
    // Of its last debit note.
    Amount billed;
    // An interval note is under way.
    bool sends_note = false;
    // Somebody is ending it; `killed` tells when its unit is gone.
    bool ends = false;
    Event killed;
    // Somebody sends its last debit note; `settled` tells when that is sent, or given up.
    bool settles = false;
    Event settled;
};

// One agreement, from its arrival to its invoice.
struct Agent::Deal {
    Deal(const Executor& executor, std::string agreement_id, detail::Deadlines agreement_deadlines)
        : id(std::move(agreement_id)), deadlines(std::move(agreement_deadlines)), changed(executor)
    {
    }

    static Reason reason_of(std::string message, const char* code)
    {
        Reason reason;
        reason.message = std::move(message);
        reason.extra.set("golem.provider.code", code);
        return reason;
    }

    static Reason shutdown() { return reason_of("Shutting down Provider", "Shutdown"); }

    std::shared_ptr<Activity> running() const
    {
        if (activities.empty() || activities.back()->ends)
            return nullptr;
        return activities.back();
    }

    std::string id;
    detail::Deadlines deadlines;
    std::vector<std::shared_ptr<Activity>> activities;
    bool approved = false;
    // The daemon tells of the approval.
    bool confirmed = false;
    bool cancelled = false;
    // Ended by the requestor.
    bool ended = false;
    // To be ended by us.
    std::optional<Reason> broken;
    // Its slot is free.
    bool over = false;
    Event changed;
};

} // namespace golem::provider
