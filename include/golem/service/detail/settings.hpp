#pragma once

#include <golem/service/service_manager.hpp>

#include <functional>
#include <optional>
#include <string>

namespace golem::detail {

/// Reads a variable of the environment; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// The options with what they leave open filled in: explicit member, else environment, else default.
/// Throws Error invalid_input that names member, value and range of the first member that is wrong.
ServiceManagerOptions settle_options(ServiceManagerOptions options, const Environment& environment);

/// Throws Error invalid_input likewise.
void check_options(const ServiceOptions& options);

} // namespace golem::detail
