// A devnet on a thread of its own, for programs that find no daemon.
#include <golem/devnet/devnet.hpp>

#include <golem/core/error.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/devnet/platform.hpp>
#include <golem/http/in_process.hpp>
#include <golem/provider/program_runtime.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace golem::devnet {

namespace {

// What the devnet's thread works on. The thread is its last holder.
struct Net {
    explicit Net(const DevnetOptions& options) : devnet(context.get_executor(), time, options) {}

    RealTime time;
    boost::asio::io_context context{1};
    Devnet devnet;
    TaskGroup tasks{context.get_executor(), [](const std::string& name, std::exception_ptr failure) {
                        std::fprintf(stderr, "%s failed: %s\n", name.c_str(), describe(failure).c_str());
                    }};
};

// Threads that could not be joined by who stopped them, because it was one of them.
class ThreadsToJoinAtExit {
public:
    ~ThreadsToJoinAtExit()
    {
        for (auto& thread : threads_)
            thread.join();
    }

    void add(std::thread thread)
    {
        const std::lock_guard lock(mutex_);
        threads_.push_back(std::move(thread));
    }

private:
    std::mutex mutex_;
    std::vector<std::thread> threads_;
};

ThreadsToJoinAtExit& threads_to_join_at_exit()
{
    static ThreadsToJoinAtExit threads;
    return threads;
}

class Embedded {
public:
    explicit Embedded(const EmbeddedOptions& options) : net_(std::make_shared<Net>(options.devnet))
    {
        const auto executor = net_->context.get_executor();
        const provider::ProcessRuntimeOptions processes;
        const auto runtimes = options.program.empty()
                                  ? provider::make_process_runtime(executor, net_->time, processes)
                                  : provider::make_program_runtime(executor, net_->time, options.program, processes);
        for (int number = 1; number <= options.providers; ++number) {
            auto provider = options.provider;
            if (number > 1)
                provider.name += "-" + std::to_string(number);
            net_->devnet.add_provider(provider, runtimes);
        }
        if (options.prepare)
            options.prepare(net_->devnet);
        net_->tasks.spawn("the embedded devnet", [net = net_.get()] { return net->devnet.run(); });
        threads_to_join_at_exit(); // Made before anything static that holds a devnet, so it ends later.
        thread_ = std::thread([net = net_] { net->context.run(); });
    }

    // On the devnet's own thread if a user's context was destroyed under a request, which then held the last reference.
    ~Embedded()
    {
        boost::asio::post(net_->context, [net = net_.get()] { net->devnet.stop(); });
        if (thread_.get_id() == std::this_thread::get_id())
            threads_to_join_at_exit().add(std::move(thread_));
        else
            thread_.join();
    }

    Embedded(const Embedded&) = delete;
    Embedded& operator=(const Embedded&) = delete;

    Devnet& devnet() noexcept { return net_->devnet; }

    Executor executor() noexcept { return net_->context.get_executor(); }

private:
    std::shared_ptr<Net> net_;
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
    options.capabilities = {"vpn"};
    return options;
}

namespace {

Daemon choose_daemon(const EmbeddedOptions& options)
{
    const auto is_set = [](const char* name) {
        const char* value = std::getenv(name);
        return value && *value;
    };
    if (is_set("YAGNA_APPKEY")) {
        auto daemon = Daemon::from_environment();
        if (options.announce)
            std::fprintf(stderr, "using the daemon at %s\n", daemon.url().c_str());
        return daemon;
    }
    auto embedded = std::make_shared<Embedded>(options);
    if (options.announce)
        std::fprintf(
            stderr,
            "YAGNA_APPKEY is not set: %susing an embedded devnet with %d provider%s; commands run as the current user "
            "on this machine\n",
            is_set("YAGNA_API_URL") ? "YAGNA_API_URL alone names no daemon; " : "", options.providers,
            options.providers == 1 ? "" : "s");
    const auto inner = embedded->devnet().daemon();
    const auto handler = std::make_shared<KeepingHandler>(embedded);
    const auto url = inner.url();
    Daemon daemon(
        url, inner.app_key(), [handler, executor = embedded->executor(), url](const Executor&, TimeSource& time) {
            return http::make_in_process_transport(executor, time, handler, url);
        });
    daemon.set_knows_images();
    return daemon;
}

} // namespace

Daemon daemon_or_devnet(const EmbeddedOptions& options)
{
    try {
        return choose_daemon(options);
    } catch (const Error&) {
        return Daemon::unusable(std::current_exception());
    }
}

} // namespace golem::devnet
