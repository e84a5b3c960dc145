// `golem-devnet provider`: a provider on somebody's daemon.
#pragma once

#include <golem/provider/options.hpp>

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace golem::devnet {

class ProviderTool {
public:
    /// Adds the subcommand.
    explicit ProviderTool(CLI::App& app);

    /// It was asked for.
    bool is_chosen() const;

    /// Serves until a signal. Throws golem::Error; the result is the exit code.
    int run();

private:
    std::string daemon_;
    std::string app_key_;
    std::string bus_;
    std::string runtime_;
    provider::ProviderOptions provider_;
    double patience_ = 30.0;
    bool verbose_ = false;
    CLI::App* command_ = nullptr;
};

} // namespace golem::devnet
