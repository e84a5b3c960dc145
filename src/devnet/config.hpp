// What `golem-devnet` is told: on its command line and in its file.
#pragma once

#include <golem/devnet/options.hpp>
#include <golem/provider/options.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace golem::devnet {

/// Reads the providers of a configuration file: `{"providers": [{"name": "fast", "cpu_price": 0.0001, …}]}`. Members
/// have the names of ProviderOptions; durations are seconds, `properties` is an object. What is missing is as in
/// `defaults`. Throws Error (invalid_input) naming key and value of what it does not understand.
std::vector<provider::ProviderOptions>
read_providers(std::string_view json_text, const provider::ProviderOptions& defaults);

/// A runtime of the provider's own, and the program that stands for it.
struct NamedProgram {
    std::string name;
    std::string program;
};

/// Reads "NAME=PROGRAM". Throws Error (invalid_input).
NamedProgram read_runtime(std::string_view text);

/// The subnet in which a requestor finds the providers: that of the first one; `otherwise` if there is none.
std::string subnet_of(const std::vector<provider::ProviderOptions>& providers, const std::string& otherwise);

/// As one word of a shell, whatever it holds.
std::string quoted_for_shell(std::string_view text);

} // namespace golem::devnet
