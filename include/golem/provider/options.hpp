#pragma once

#include <golem/core/time_source.hpp>
#include <golem/properties/property_set.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace golem::provider {

/// What a provider offers and how it behaves. The defaults are those of the real agent with the vm runtime, save what
/// is not served here.
struct ProviderOptions {
    std::string name = "devnet-provider";
    std::string subnet = "public";
    std::string runtime = "vm";
    std::string runtime_version = "0.3.0";
    /// The platforms it can be paid on.
    std::vector<std::string> platforms = {"erc20-hoodi-tglm", "erc20-holesky-tglm", "erc20-polygon-glm"};
    double memory_gib = 8.0;
    double storage_gib = 20.0;
    int cpu_threads = 4;
    /// GLM per second of each counter, and once for each activity.
    double cpu_price = 0.0001;
    double duration_price = 0.00002;
    double start_price = 0.0;
    /// Agreements at one time (`max_simultaneous_agreements`), at least 1.
    int capacity = 1;
    /// What the runtime can beside running commands (`golem.runtime.capabilities`): "vpn", "inet" and so on. Neither
    /// runtime of this library has any; requestors who ask for one get no answer.
    std::vector<std::string> capabilities;
    /// What URLs files are transferred from and to (`golem.activity.caps.transfer.protocol`): "http", "https", "gftp".
    /// Empty: "gftp" if the port has a way to requestors' files, else nothing.
    std::vector<std::string> transfer_protocols;
    /// Extra properties of the offer; they replace those of the same name.
    properties::PropertySet properties;

    /// From an event to the agent's answer; zero is at once.
    Duration negotiation_latency{0};
    /// From a request for an activity to its exe-unit being up (real: 0.75 to 4.5 s).
    Duration activity_latency{0};
    /// Time each command takes beside what it really takes.
    Duration command_latency{0};

    Duration debit_note_interval = std::chrono::seconds(120);
    Duration accept_timeout = std::chrono::seconds(240);
    Duration payment_timeout = std::chrono::seconds(120);
    Duration shortest_agreement = std::chrono::minutes(5);
    /// A hundred years of 365.25 days.
    Duration longest_agreement = std::chrono::seconds(3'155'760'000);
    /// Longest without an agreed accept timeout for debit notes.
    Duration longest_without_notes = std::chrono::minutes(30);
    /// Beyond this mid-agreement payments are required.
    Duration payments_required_above = std::chrono::hours(10);
    /// An agreement without activity is broken after this time.
    Duration idle_limit = std::chrono::seconds(90);
    Duration offer_lifetime = std::chrono::hours(1);
};

} // namespace golem::provider
