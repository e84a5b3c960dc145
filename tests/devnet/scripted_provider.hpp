// A provider that does by the world's operations what a recorded one did by REST.
#pragma once

#include <golem/devnet/host.hpp>
#include <golem/provider/script_unit.hpp>
#include <golem/provider/scripted_runtime.hpp>

#include <tests/devnet/comparison.hpp>

#include <map>
#include <memory>
#include <string>

namespace golem::test {

class ScriptedProvider {
public:
    ScriptedProvider(devnet::Host& host, Comparison& comparison);

    const std::string& node() const noexcept { return node_; }

    /// Carries out one recorded request; `answer` is what the real daemon said.
    Task<>
    act(const std::string& method, const std::string& target, const nlohmann::json& sent, const nlohmann::json& answer);

    /// Ends what it runs.
    Task<> stop();

private:
    Task<> learn_proposals(const std::string& offer, Duration wait, const nlohmann::json& answer);
    Task<> learn_activities(Duration wait, const nlohmann::json& answer);
    void counter(
        const std::string& offer, const std::string& proposal, const nlohmann::json& sent,
        const nlohmann::json& answer);
    Task<> report_state(const std::string& activity, const nlohmann::json& sent);
    void send_document(devnet::DocumentKind kind, const std::string& recorded);

    devnet::Host& host_;
    Comparison& comparison_;
    std::string node_;
    std::size_t activities_read_ = 0;
    std::map<std::string, std::shared_ptr<provider::ScriptUnit>> units_;
    // Issued and not sent yet, by recorded id.
    std::map<std::string, nlohmann::json> drafts_;
};

/// Runs commands of a recording: sleeps in virtual time, the rest by the shell of this machine.
provider::ScriptedBehaviour shell_behaviour(TimeSource& time, Instant end = Instant::max());

} // namespace golem::test
