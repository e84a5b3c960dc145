// A devnet on a thread of its own, for programs that find no daemon.
#include <golem/devnet/devnet.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/devnet/platform.hpp>
#include <golem/http/in_process.hpp>
#include <golem/provider/process_runtime.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace golem::devnet {

namespace {

class Embedded {
public:
    explicit Embedded(const EmbeddedOptions& options) : devnet_(context_.get_executor(), time_, options.devnet)
    {
        const auto runtimes =
            provider::make_process_runtime(context_.get_executor(), time_, provider::ProcessRuntimeOptions());
        for (int number = 1; number <= options.providers; ++number) {
            auto provider = options.provider;
            if (number > 1)
                provider.name += "-" + std::to_string(number);
            devnet_.add_provider(provider, runtimes);
        }
        tasks_.spawn("the embedded devnet", [this] { return devnet_.run(); });
        thread_ = std::thread([this] { context_.run(); });
    }

    // Never on its own thread: daemon values and transports belong to its users, and a request holds it on its sender's
    // side until after it has ended here.
    ~Embedded()
    {
        boost::asio::post(context_, [this] { devnet_.stop(); });
        thread_.join();
    }

    Embedded(const Embedded&) = delete;
    Embedded& operator=(const Embedded&) = delete;

    Devnet& devnet() noexcept { return devnet_; }

    Executor executor() noexcept { return context_.get_executor(); }

private:
    RealTime time_;
    boost::asio::io_context context_{1};
    Devnet devnet_;
    TaskGroup tasks_{context_.get_executor(), [](const std::string& name, std::exception_ptr failure) {
                         std::fprintf(stderr, "%s failed: %s\n", name.c_str(), describe(failure).c_str());
                     }};
    std::thread thread_;
};

// Keeps the devnet as long as somebody can send requests to it, or waits for the end of one: a request under way holds
// its handler, also when its transport is gone.
class KeepingHandler final : public http::Handler {
public:
    explicit KeepingHandler(std::shared_ptr<Embedded> embedded) : embedded_(std::move(embedded)) {}

    Task<http::Response> handle(const http::Request& request) override
    {
        return embedded_->devnet().rest_face()->handle(request);
    }

private:
    std::shared_ptr<Embedded> embedded_;
};

} // namespace

provider::ProviderOptions local_provider()
{
    provider::ProviderOptions options;
    if (const char* subnet = std::getenv("YAGNA_SUBNET"); subnet && *subnet)
        options.subnet = subnet;
    options.platforms = known_platforms();
    return options;
}

Daemon daemon_or_devnet(const EmbeddedOptions& options)
{
    const char* key = std::getenv("YAGNA_APPKEY");
    if (key && *key) {
        auto daemon = Daemon::from_environment();
        if (options.announce)
            std::fprintf(stderr, "using the daemon at %s\n", daemon.url().c_str());
        return daemon;
    }
    auto embedded = std::make_shared<Embedded>(options);
    if (options.announce)
        std::fprintf(
            stderr,
            "YAGNA_APPKEY is not set: using an embedded devnet with %d provider%s; commands run as the current user "
            "on this machine\n",
            options.providers, options.providers == 1 ? "" : "s");
    const auto inner = embedded->devnet().daemon();
    const auto handler = std::make_shared<KeepingHandler>(embedded);
    const auto url = inner.url();
    return Daemon(
        url, inner.app_key(), [handler, executor = embedded->executor(), url](const Executor&, TimeSource& time) {
            return http::make_in_process_transport(executor, time, handler, url);
        });
}

} // namespace golem::devnet
