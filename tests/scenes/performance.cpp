#include <tests/scenes/performance.hpp>

#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/devnet/in_process_port.hpp>
#include <golem/devnet/rest_face.hpp>
#include <golem/http/client.hpp>
#include <golem/http/in_process.hpp>
#include <golem/provider/yagna_port.hpp>

#include <tests/support/run_task.hpp>

#include <cstdlib>
#include <fstream>

namespace golem::test {

namespace {

// As the real daemons of the tests: no chain, the wording and the steps of the bed.
devnet::DevnetOptions like_the_daemons()
{
    devnet::DevnetOptions options;
    options.app_keys = {"devnet"};
    options.payments.funds = Amount(1'000'000'000'000);
    options.payments.settle_after = std::nullopt;
    options.payment_poll_step = std::chrono::seconds(1);
    options.wording = devnet::Wording::central;
    return options;
}

Task<> play(const Executor& executor, TimeSource& time, const Cast& cast, const Scene& scene, Rows& rows)
{
    Stage stage(executor, time, cast);
    std::exception_ptr failure;
    try {
        co_await stage.open();
        co_await scene(stage);
    } catch (...) {
        failure = std::current_exception();
    }
    for (const auto& row : stage.rows())
        rows.push_back(nlohmann::json(row));
    if (failure)
        std::rethrow_exception(failure);
}

void keep(const std::string& world, const std::string& name, const Rows& rows)
{
    const char* folder = std::getenv("GOLEM_EXCHANGES");
    if (folder == nullptr)
        return;
    std::ofstream file(std::string(folder) + "/" + world + "-" + name + ".jsonl");
    for (const auto& row : rows)
        file << row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

Task<> on_devnet(VirtualTime& time, const Scene& scene, Rows& rows)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    devnet::Host host(executor, time, like_the_daemons());
    auto face = std::make_shared<devnet::RestFace>(host);
    const auto transport = http::make_in_process_transport(executor, time, face, "http://devnet");
    devnet::InProcessPort port(host, "provider");
    TaskGroup tasks(executor);
    tasks.spawn("devnet", [&host] { return host.run(); });
    Cast cast;
    cast.requestor = transport.get();
    cast.key = "devnet";
    cast.provider = &port;
    cast.tag = "scene-00000000";
    std::exception_ptr failure;
    try {
        co_await play(executor, time, cast, scene, rows);
    } catch (...) {
        failure = std::current_exception();
    }
    tasks.cancel();
    co_await tasks.join();
    transport->close();
    if (failure)
        std::rethrow_exception(failure);
}

// No two performances begin at the same time.
std::uint64_t moment(const TimeSource& time)
{
    return static_cast<std::uint64_t>(time.utc().time_since_epoch().count());
}

std::string of_environment(const char* name)
{
    const char* value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error(std::string(name) + " is not set");
    return value;
}

Task<> on_daemon(TimeSource& time, std::string url, std::string key, const Scene& scene, Rows& rows)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto address = http::Url::parse(url);
    const auto requestor = http::make_transport(executor, time, address);
    const auto provider_address = http::Url::parse(of_environment("PROVIDER_API_URL"));
    const auto provider = http::make_transport(executor, time, provider_address);
    provider::YagnaPortOptions options;
    options.app_key = of_environment("PROVIDER_APPKEY");
    options.bus_url = of_environment("PROVIDER_GSB_URL");
    provider::YagnaPort port(executor, time, provider, options, Random(moment(time)), Logger());
    Cast cast;
    cast.requestor = requestor.get();
    cast.key = key;
    cast.provider = &port;
    cast.tag = "scene-" + Random(moment(time)).hex(8);
    std::exception_ptr failure;
    try {
        co_await port.open();
        co_await play(executor, time, cast, scene, rows);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await port.close();
    requestor->close();
    provider->close();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

Rows perform_on_devnet(const std::string& name, const Scene& scene)
{
    Rows rows;
    try {
        run_virtual([&](VirtualTime& time) { return on_devnet(time, scene, rows); });
    } catch (...) {
        keep("devnet", name, rows);
        throw;
    }
    keep("devnet", name, rows);
    return rows;
}

std::optional<Rows> perform_on_daemon(const std::string& name, const Scene& scene)
{
    // A daemon that the user has for other things is left alone.
    if (std::getenv("REAL_NETWORK_BED") == nullptr)
        return std::nullopt;
    const auto url = of_environment("YAGNA_API_URL");
    const auto key = of_environment("YAGNA_APPKEY");
    Rows rows;
    RealTime time;
    try {
        run_real([&] { return on_daemon(time, url, key, scene, rows); }, std::chrono::seconds(100));
    } catch (...) {
        keep("daemon", name, rows);
        throw;
    }
    keep("daemon", name, rows);
    return rows;
}

} // namespace golem::test
