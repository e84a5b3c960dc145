// An Erigon node on a provider, and the handle that the API shows to its user.
#pragma once

#include "json.hpp"

#include <golem/core/timestamp.hpp>
#include <golem/golem.hpp>

#include <optional>
#include <string>
#include <utility>

namespace erigon {

// Runs on a provider's own runtime, "erigon", which has no image: it is started with the init params and asked with the
// command STATUS.
class Node : public golem::Service {
public:
    golem::Payload payload() const override { return golem::Payload("erigon").min_memory(0.5).min_storage(0.5); }

    golem::Task<> start(golem::WorkContext& work) override
    {
        co_await Service::start(work); // Deploys, and starts with ServiceOptions::start_args.
        co_await ask_status(work);
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        for (;;) {
            co_await work.sleep(std::chrono::seconds(3));
            co_await ask_status(work); // Throws when the node has died: then the service has failed, and this is why.
        }
    }

    // How to reach it: {"url", "auth": {"user", "password"}, "network"}.
    const Json& access() const noexcept { return access_; }

private:
    golem::Task<> ask_status(golem::WorkContext& work)
    {
        const auto status = co_await work.run("STATUS");
        const auto answer = read_json(status.out);
        if (!answer.is_object())
            throw golem::Error(golem::Errc::protocol, "ask a node for its status", "the answer is no JSON object");
        for (const auto* name : {"url", "auth", "network"})
            access_[name] = answer.value(name, Json());
    }

    Json access_;
};

class Instance : public golem::ServiceWrapper {
public:
    Instance(golem::WrapperInit init, std::string name, Json params, golem::Timestamp now)
        : ServiceWrapper(std::move(init)), name_(std::move(name)), params_(std::move(params)), created_at_(now)
    {
    }

    // On the manager's executor.
    Json to_json() const
    {
        const auto report = status();
        const bool is_stopping = stopped() && !golem::is_final(report.status);
        Json json;
        json["id"] = id();
        json["status"] = is_stopping ? "stopping" : to_string(report.status);
        json["name"] = name_;
        json["init_params"] = params_;
        json["created_at"] = golem::format_timestamp(created_at_, 3);
        const auto node = service<Node>();
        if (node && report == golem::ServiceStatus::running && !is_stopping)
            json.update(node->access());
        if (stopped_at_)
            json["stopped_at"] = golem::format_timestamp(*stopped_at_, 3);
        if (!report.cause.empty())
            json["cause"] = report.cause;
        return json;
    }

    // As its user asks.
    void stop_at(golem::Timestamp now)
    {
        note_end(now);
        stop();
    }

protected:
    void on_status_changed(const golem::StatusReport&, const golem::StatusReport& now) noexcept override
    {
        if (now.status == golem::ServiceStatus::stopping || golem::is_final(now.status))
            note_end(now.since);
    }

private:
    void note_end(golem::Timestamp when) noexcept
    {
        if (!stopped_at_)
            stopped_at_ = when;
    }

    std::string name_;
    Json params_;
    golem::Timestamp created_at_;
    std::optional<golem::Timestamp> stopped_at_;
};

} // namespace erigon
