#pragma once

#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/core/time_source.hpp>
#include <golem/devnet/faults.hpp>
#include <golem/devnet/options.hpp>
#include <golem/devnet/transcript.hpp>
#include <golem/devnet/world.hpp>
#include <golem/http/transport.hpp>
#include <golem/provider/agent.hpp>
#include <golem/provider/options.hpp>
#include <golem/provider/runtime.hpp>
#include <golem/yagna/daemon.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace golem::devnet {

class Host;
class InProcessPort;
class RestFace;

/// The whole Golem Network in this process: a daemon for requestors and any number of providers. One executor; works in
/// real and in virtual time.
///
/// Make it, add providers, spawn run(), hand out daemon(). End with stop() and await run()'s end before it is
/// destroyed.
class Devnet {
public:
    /// `time` must outlive the devnet. Throws Error (invalid_input) for bad options.
    Devnet(const Executor& executor, TimeSource& time, const DevnetOptions& options, Logger log = Logger());
    ~Devnet();

    Devnet(const Devnet&) = delete;
    Devnet& operator=(const Devnet&) = delete;

    /// A provider that executes on runtimes of `runtimes`, from now on or from the start of run(). The agent lives as
    /// long as the devnet. Throws Error (invalid_input) for options out of range.
    provider::Agent&
    add_provider(const provider::ProviderOptions& options, std::shared_ptr<provider::RuntimeFactory> runtimes);

    /// A daemon value for `key` (the first of the options if empty), reached in process. It may be used from this
    /// executor or, in real time, from others; it holds the REST face but not the devnet, which must outlive its
    /// transports.
    Daemon daemon(const std::string& key = {}) const;
    /// To be put behind an http::Server on the same executor.
    std::shared_ptr<http::Handler> rest_face() const;

    /// Keeps the providers and the world's deadlines going, until stop() or cancellation. Completes when every agent
    /// has ended, its processes are gone and no request is under way; later ones get no answer. Await it once. Rethrows
    /// the first failure of an agent.
    Task<> run();
    /// Asks run() to end: the agents leave.
    void stop();

    /// What goes wrong, for tests.
    Faults& faults() noexcept;
    const World& world() const noexcept;
    const Transcript& transcript() const noexcept;
    WorldReport report() const;

private:
    struct Provider;

    void spawn(Provider& provider);

    Executor executor_;
    Logger log_;
    std::unique_ptr<Host> host_;
    std::shared_ptr<RestFace> face_;
    std::vector<std::unique_ptr<Provider>> providers_;
    bool running_ = false;
    std::exception_ptr failure_;
    Event stopping_;
    TaskGroup tasks_;
};

/// A provider that suits whoever has the same environment: its subnet is YAGNA_SUBNET if that is set, and it can be
/// paid on every platform, so on that of any YAGNA_PAYMENT_NETWORK.
provider::ProviderOptions local_provider();

/// What daemon_or_devnet() starts if there is no daemon.
struct EmbeddedOptions {
    DevnetOptions devnet;
    /// How many providers, each for as many activities at a time as provider.capacity says (1); their names get a
    /// number from the second on. What is rented at the same time needs as many: a third service waits for one of
    /// the first two.
    int providers = 2;
    provider::ProviderOptions provider = local_provider();
    /// A program that stands for the runtime `provider.runtime`, see provider::make_program_runtime(). Empty: commands
    /// are programs of this machine.
    std::string program{};
    /// Called with the devnet before it runs: for faults (Devnet::faults()), to see in real time what a program makes
    /// of them, and for further providers. What it keeps of the devnet belongs to the devnet's thread.
    std::function<void(Devnet&)> prepare{};
    /// Says on the standard error stream which daemon is used.
    bool announce = true;
};

/// The daemon that the environment names if YAGNA_APPKEY is set; else an embedded devnet, on a thread of its own, whose
/// providers execute commands on this machine as the current user. The devnet ends, with its processes, when the last
/// copy of the returned value and of its transports is gone.
///
/// Bad options and variables are told when a manager is made of the value (Daemon::unusable()): so golem::run prints
/// them like any other error.
Daemon daemon_or_devnet(const EmbeddedOptions& options = EmbeddedOptions());

} // namespace golem::devnet
