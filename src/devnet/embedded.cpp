// A devnet on a thread of its own, for programs that find no daemon.
#include <golem/devnet/devnet.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
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

    // Never on its own thread: the daemon values and transports that hold it belong to its users.
    ~Embedded()
    {
        boost::asio::post(context_, [this] { devnet_.stop(); });
        thread_.join();
    }

    Embedded(const Embedded&) = delete;
    Embedded& operator=(const Embedded&) = delete;

    Devnet& devnet() noexcept { return devnet_; }

private:
    RealTime time_;
    boost::asio::io_context context_{1};
    Devnet devnet_;
    TaskGroup tasks_{context_.get_executor(), [](const std::string& name, std::exception_ptr failure) {
                         std::fprintf(stderr, "%s failed: %s\n", name.c_str(), describe(failure).c_str());
                     }};
    std::thread thread_;
};

// Holds both until the request has ended, even if its transport is gone by then.
Task<http::Response> send_keeping(
    [[maybe_unused]] std::shared_ptr<Embedded> embedded, std::shared_ptr<http::Transport> inner,
    const http::Request& request)
{
    auto response = co_await inner->send(request);
    co_return response;
}

// Keeps the devnet as long as somebody can send requests to it.
class KeepingTransport final : public http::Transport {
public:
    KeepingTransport(std::shared_ptr<Embedded> embedded, std::shared_ptr<http::Transport> inner)
        : embedded_(std::move(embedded)), inner_(std::move(inner))
    {
    }

    Task<http::Response> send(const http::Request& request) override
    {
        return send_keeping(embedded_, inner_, request);
    }

    void close() noexcept override { inner_->close(); }

    const std::string& origin() const noexcept override { return inner_->origin(); }

private:
    std::shared_ptr<Embedded> embedded_;
    std::shared_ptr<http::Transport> inner_;
};

} // namespace

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
    return Daemon(inner.url(), inner.app_key(), [embedded, inner](const Executor& executor, TimeSource& time) {
        return std::make_shared<KeepingTransport>(embedded, inner.make_transport(executor, time));
    });
}

} // namespace golem::devnet
