#pragma once

#include <golem/bus/value.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/exe_unit.hpp>

#include <optional>
#include <string>
#include <vector>

// The messages that requestors send to an exe-unit over the service bus.
namespace golem::provider::detail {

struct ExecCall {
    std::string batch;
    /// The JSON text of the command array.
    std::string script;
};

struct ResultsCall {
    std::string batch;
    Duration wait{0};
    std::optional<int> index;
};

// Throw Error (protocol) for what is not of the expected form.
ExecCall read_exec(const bus::Value& message);
ResultsCall read_results(const bus::Value& message);
/// The batch of StreamExecBatchResults.
std::string read_stream(const bus::Value& message);

bus::Value write_outcomes(const std::vector<CommandOutcome>& outcomes);
bus::Value write_event(const std::string& batch, const BatchEvent& event);

/// Bodies of replies: the value, or the exe-unit's own error ({"notFound": words}; without words just its name).
std::string ok_body(bus::Value value);
/// Of results; an error if they are more than one reply can carry.
std::string results_body(const std::vector<CommandOutcome>& outcomes);
std::string error_body(const std::string& kind, const std::optional<std::string>& words);

} // namespace golem::provider::detail
