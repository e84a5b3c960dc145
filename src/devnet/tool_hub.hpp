// golem-devnet hub: a service bus by itself, for real daemons to meet at.
#pragma once

#include <golem/bus/hub.hpp>

namespace CLI {
class App;
}

namespace golem::devnet {

/// The subcommand; it must outlive the parsing of the command line.
class HubTool {
public:
    explicit HubTool(CLI::App& app);

    bool is_chosen() const;
    /// Routes until a signal asks for the end; the exit code. Throws what went wrong.
    int run();

private:
    bus::HubOptions options_;
    bool verbose_ = false;
    CLI::App* command_ = nullptr;
};

} // namespace golem::devnet
