// Our provider agent on one real daemon, rented by our manager through the other.
#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/real_time.hpp>
#include <golem/core/task_group.hpp>
#include <golem/golem.hpp>
#include <golem/http/client.hpp>
#include <golem/provider/agent.hpp>
#include <golem/provider/process_runtime.hpp>
#include <golem/provider/yagna_port.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace golem;
using namespace std::chrono_literals;

namespace {

std::string variable(const char* name)
{
    const char* text = std::getenv(name);
    if (!text)
        throw std::runtime_error(std::string(name) + " is not set: run this by tools/real-network run");
    return text;
}

// Others use the bed at the same time.
std::string own_subnet()
{
    static auto random = Random(Random::seed_from_system());
    return "provider-" + random.hex(12);
}

// A provider at work; end() leaves nothing behind.
class Rented {
public:
    Rented(const Executor& executor, provider::ProviderOptions options)
        : transport_(http::make_transport(executor, time_, http::Url::parse(variable("PROVIDER_API_URL")))),
          port_(executor, time_, transport_, port_options(), Random(Random::seed_from_system()), Logger()),
          agent_(
              executor, time_, port_,
              provider::make_process_runtime(executor, time_, provider::ProcessRuntimeOptions()), options, Logger()),
          tasks_(executor)
    {
    }

    Task<> begin()
    {
        co_await port_.open();
        tasks_.spawn("provider", [this] { return agent_.run(); });
    }

    Task<> end()
    {
        agent_.finish(20s);
        co_await tasks_.join();
        co_await port_.close();
        transport_->close();
    }

    // As the provider's daemon tells.
    Task<std::size_t> accepted_notes(const std::string& agreement)
    {
        http::Request request(http::Method::get, "/payment-api/v1/debitNotes");
        request.headers().set("Authorization", "Bearer " + port_options().app_key);
        const auto response = co_await transport_->send(request);
        std::size_t count = 0;
        for (const auto& note : nlohmann::json::parse(response.body()))
            count += note.at("agreementId") == agreement && note.at("status") == "ACCEPTED";
        co_return count;
    }

    provider::Agent& agent() { return agent_; }

private:
    static provider::YagnaPortOptions port_options()
    {
        provider::YagnaPortOptions options;
        options.app_key = variable("PROVIDER_APPKEY");
        options.bus_url = variable("PROVIDER_GSB_URL");
        return options;
    }

    RealTime time_;
    std::shared_ptr<http::Transport> transport_;
    provider::YagnaPort port_;
    provider::Agent agent_;
    TaskGroup tasks_;
};

Payload image()
{
    return vm_image("9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae", "http://127.0.0.1/image.gvmi");
}

class Failing final : public Service {
public:
    Payload payload() const override { return image(); }

    Task<> run(WorkContext& work) override { co_await work.run("/bin/sh", "-c", "echo out; echo err >&2; exit 3"); }
};

class Working final : public Service {
public:
    explicit Working(int seconds) : seconds_(seconds) {}

    Payload payload() const override { return image(); }

    Task<> run(WorkContext& work) override
    {
        for (int second = 0; second < seconds_; ++second) {
            const auto result = co_await work.run("/bin/sh", "-c", "echo $GOLEM_WORK");
            REQUIRE(result.out.find("/golem/work") != std::string::npos);
            co_await work.sleep(1s);
        }
    }

private:
    int seconds_;
};

// Prints slowly, fast, and what is no text; and keeps what it was told of that.
class Streaming final : public Service {
public:
    Payload payload() const override { return image(); }

    Task<> run(WorkContext& work) override
    {
        RunOptions options;
        options.out = options.err = Capture::stream();
        Script script;
        // A stream tells what comes after it has begun, as with a real exe-unit.
        script
            .shell(
                "sleep 1; for i in 1 2 3 4 5; do echo line $i; echo note >&2; sleep 0.2; done; printf '\\377'", options)
            .shell("seq 1 40000", options)
            .shell("echo whole")
            .shell("echo last; exit 7", options);
        std::vector<std::string> out(4);
        const EventSink sink([&](const CommandEvent& event) {
            late += event.is_late ? 1 : 0;
            pieces += event.index == 0 && event.kind == CommandEvent::Kind::out ? 1 : 0;
            ends += event.kind == CommandEvent::Kind::finished ? 1 : 0;
            if (event.kind == CommandEvent::Kind::out)
                out.at(static_cast<std::size_t>(event.index)) += event.text;
        });
        try {
            co_await work.execute(script, sink);
        } catch (const CommandError& error) {
            exit_code = error.exit_code();
            last = error.out();
        }
        told = out;
        const auto usage = co_await work.usage();
        counters = usage.counters.size();
        cost = co_await work.cost();
    }

    std::vector<std::string> told;
    std::string last;
    int pieces = 0;
    int late = 0;
    int ends = 0;
    int exit_code = 0;
    std::size_t counters = 0;
    Amount cost;
};

// Rents from a provider of a subnet of its own; then both end, and nothing may be left over.
void rent(int capacity, Duration note_interval, const std::function<Task<>(ServiceManager&, Rented&)>& body)
{
    golem::test::run_real(
        [&]() -> Task<> {
            const auto executor = co_await boost::asio::this_coro::executor;
            provider::ProviderOptions offered;
            offered.name = "rented";
            offered.subnet = own_subnet();
            offered.capacity = capacity;
            offered.start_price = 0.001;
            Rented rented(executor, offered);
            co_await rented.begin();
            ServiceManagerOptions options;
            options.market.subnet = offered.subnet;
            options.market.debit_note_interval = note_interval;
            options.payment.budget = Amount::parse("10");
            options.payment.first_poll = 1s;
            std::exception_ptr failure;
            std::vector<std::string> left_over;
            {
                ServiceManager manager(executor, options);
                try {
                    co_await body(manager, rented);
                } catch (...) {
                    failure = std::current_exception();
                }
                left_over = co_await manager.close();
            }
            co_await rented.end();
            if (failure)
                std::rethrow_exception(failure);
            CHECK(left_over == std::vector<std::string>());
        },
        100s);
}

} // namespace

TEST_CASE("a command that fails on a real daemon's provider says how")
{
    rent(1, 120s, [](ServiceManager& manager, Rented&) -> Task<> {
        const auto service = manager.create_service<Failing>();
        std::string failure;
        try {
            co_await service->wait_for(ServiceStatus::stopped);
        } catch (const Error& error) {
            failure = error.what();
        }
        CHECK(failure.find("exit code 3") != std::string::npos);
        CHECK(service->status() == ServiceStatus::failed);
    });
}

TEST_CASE("output comes through a real daemon as it is printed, each byte once")
{
    rent(1, 120s, [](ServiceManager& manager, Rented&) -> Task<> {
        const auto service = manager.create_service<Streaming>();
        co_await service->wait_for(ServiceStatus::running);
        const auto object = service->service<Streaming>();
        co_await service->wait_for(ServiceStatus::stopped);
        REQUIRE(object->told.size() == 4);
        CHECK(object->told[0] == "line 1\nline 2\nline 3\nline 4\nline 5\n\xff");
        CHECK(object->pieces >= 5);
        std::string numbers;
        for (int number = 1; number <= 40'000; ++number)
            numbers += std::to_string(number) + "\n";
        CHECK(object->told[1] == numbers);
        CHECK(object->told[2] == "whole\n");
        CHECK(object->told[3] == "last\n");
        CHECK(object->last == "last\n");
        CHECK(object->exit_code == 7);
        CHECK(object->ends == 4);
        CHECK(object->late == 0);
        CHECK(object->counters == 2);
        CHECK(object->cost >= Amount::parse("0.001"));
    });
}

TEST_CASE("a service on a real daemon pays debit notes all the time")
{
    rent(1, 5s, [](ServiceManager& manager, Rented& rented) -> Task<> {
        const auto service = manager.create_service<Working>(11);
        co_await service->wait_for(ServiceStatus::running);
        REQUIRE(rented.agent().agreements().size() == 1);
        const auto agreement = rented.agent().agreements()[0];
        co_await service->wait_for(ServiceStatus::stopped);
        const auto accepted = co_await rented.accepted_notes(agreement);
        CHECK(accepted >= 2);
    });
}

TEST_CASE("twenty services rent one provider of a real daemon at the same time")
{
    rent(20, 120s, [](ServiceManager& manager, Rented& rented) -> Task<> {
        std::vector<std::shared_ptr<ServiceWrapper>> services;
        for (int number = 0; number < 20; ++number)
            services.push_back(manager.create_service<Working>(6));
        for (const auto& service : services)
            co_await service->wait_for(ServiceStatus::running);
        CHECK(rented.agent().agreements().size() == 20);
        for (const auto& service : services)
            co_await service->wait_for(ServiceStatus::stopped);
    });
}
