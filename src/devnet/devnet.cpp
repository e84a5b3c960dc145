#include <golem/devnet/devnet.hpp>

#include <golem/core/error.hpp>
#include <golem/core/shield.hpp>
#include <golem/devnet/host.hpp>
#include <golem/devnet/in_process_port.hpp>
#include <golem/devnet/rest_face.hpp>
#include <golem/http/in_process.hpp>

#include <utility>

namespace golem::devnet {

struct Devnet::Provider {
    Provider(
        Host& host, const provider::ProviderOptions& options, std::shared_ptr<provider::RuntimeFactory> runtimes,
        const std::string& node_name, Logger log)
        : name(node_name), port(host, node_name),
          agent(host.executor(), host.time(), port, std::move(runtimes), options, std::move(log))
    {
    }

    std::string name;
    InProcessPort port;
    provider::Agent agent;
};

Devnet::Devnet(const Executor& executor, TimeSource& time, const DevnetOptions& options, Logger log)
    : executor_(executor), log_(std::move(log)), host_(std::make_unique<Host>(executor, time, options)),
      face_(std::make_shared<RestFace>(*host_, log_)), stopping_(executor),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
          log_.error(name, " failed: ", describe(failure));
          if (!failure_)
              failure_ = failure;
      })
{
    for (const auto& key : options.app_keys)
        log_.add_secret(key);
}

Devnet::~Devnet() = default;

provider::Agent&
Devnet::add_provider(const provider::ProviderOptions& options, std::shared_ptr<provider::RuntimeFactory> runtimes)
{
    // Two providers of one name are two nodes still.
    const auto node_name = options.name + "#" + std::to_string(providers_.size());
    providers_.push_back(
        std::make_unique<Provider>(*host_, options, std::move(runtimes), node_name, log_.with_tag(options.name)));
    if (running_)
        spawn(*providers_.back());
    return providers_.back()->agent;
}

void Devnet::spawn(Provider& provider)
{
    tasks_.spawn("provider " + provider.name, [&provider] { return provider.agent.run(); });
}

Daemon Devnet::daemon(const std::string& key) const
{
    auto face = face_;
    auto executor = executor_;
    const std::string url = "devnet";
    Daemon daemon(
        url, key.empty() ? host_->options().app_keys.front() : key,
        [face, executor, url](const Executor&, TimeSource& time) {
            return http::make_in_process_transport(executor, time, face, url);
        });
    daemon.set_knows_images();
    return daemon;
}

std::shared_ptr<http::Handler> Devnet::rest_face() const { return face_; }

Task<> Devnet::run()
{
    running_ = true;
    for (const auto& provider : providers_)
        spawn(*provider);
    TaskGroup service(executor_);
    service.spawn("the devnet's deadlines", [this] { return host_->run(); });
    std::exception_ptr cancellation;
    try {
        co_await stopping_.wait();
    } catch (...) {
        cancellation = std::current_exception();
    }
    running_ = false;
    co_await ignore_cancellation();
    for (const auto& provider : providers_)
        provider->agent.stop();
    // Each agent bounds its own end.
    co_await tasks_.join();
    service.cancel();
    co_await service.join();
    host_->close();
    co_await face_->wait_until_idle();
    if (cancellation)
        std::rethrow_exception(cancellation);
    if (failure_)
        std::rethrow_exception(failure_);
}

void Devnet::stop() { stopping_.set(); }

Faults& Devnet::faults() noexcept { return face_->faults(); }

const World& Devnet::world() const noexcept { return host_->world(); }

const Transcript& Devnet::transcript() const noexcept { return host_->transcript(); }

WorldReport Devnet::report() const { return host_->world().report(host_->now()); }

} // namespace golem::devnet
