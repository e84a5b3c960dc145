// Everything that can go wrong with a service: in each case its wrapper tells, and nothing stays behind.
#include "scene.hpp"

#include <algorithm>

using namespace golem;
using namespace golem::test;
using S = ServiceStatus;

namespace {

class ThrowsAtStart : public Idle {
public:
    Task<> start(WorkContext&) override
    {
        throw std::runtime_error("no luck today");
        co_return;
    }
};

class ThrowsInRun : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        co_await work.sleep(1s);
        throw std::runtime_error("it broke");
    }
};

// Deaf to cancellation for a while.
class Stubborn : public Idle {
public:
    explicit Stubborn(Duration deafness) : deafness_(deafness) {}

    Task<> run(WorkContext& work) override
    {
        co_await ignore_cancellation();
        co_await work.sleep(deafness_);
    }

private:
    Duration deafness_;
};

// Ignores that its commands fail.
class Careless : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        for (;;) {
            try {
                co_await work.run("/bin/x");
            } catch (const Error& error) {
                last = error.errc();
            }
            co_await work.sleep(1s);
        }
    }

    Errc last = Errc::internal;
};

// Deaf to cancellation, in all that it does.
class DeafTwice : public Idle {
public:
    Task<> run(WorkContext& work) override
    {
        co_await ignore_cancellation();
        co_await work.sleep(45s);
    }

    Task<> shutdown(WorkContext& work) override
    {
        co_await ignore_cancellation();
        co_await work.sleep(1h);
    }
};

void set_terminated(Scene& scene, const std::string& message, const std::string& code)
{
    auto& agent = scene.agent();
    REQUIRE(agent.agreements().size() == 1);
    provider::Reason reason;
    reason.message = message;
    reason.extra.set("golem.provider.code", code);
    REQUIRE(agent.terminate_agreement(agent.agreements().front(), reason));
}

template <typename Kind, typename... Args>
Task<std::shared_ptr<ServiceWrapper>> running(Scene& scene, Args... args)
{
    auto service = scene.manager().create_service<Kind>(args...);
    co_await service->wait_for(S::running);
    co_return service;
}

} // namespace

TEST_CASE("a start that fails leads to failed")
{
    SECTION("it throws")
    {
        play([](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<ThrowsAtStart>();
            const auto text = co_await ending_of(*service, S::running);
            CHECK(contains(text, "start failed: no luck today"));
            co_await service->wait_for(S::failed);
            CHECK(service->status().cause == "start failed: no luck today");
            CHECK(!service->started());
            CHECK(scene.handled == std::vector<std::string>{"no luck today"});
            CHECK(scene.devnet.report().approved_agreements == 0);
        });
    }
    SECTION("a command fails")
    {
        play([](Scene& scene) -> Task<> {
            scene.behaviour().deploy_failure = "Local service error: Transfer error: no image";
            auto service = scene.manager().create_service<Idle>();
            co_await service->wait_for(S::failed);
            CHECK(contains(service->status().cause, "no image"));
            CHECK(scene.handled.size() == 1);
        });
    }
    SECTION("it hangs")
    {
        SceneOptions options;
        options.manager.limits.start = 2min;
        play(options, [](Scene& scene) -> Task<> {
            scene.behaviour().deploy_time = 24h;
            auto service = scene.manager().create_service<Idle>();
            co_await service->wait_for(S::starting);
            const auto before = scene.time.elapsed();
            co_await service->wait_for(S::failed);
            CHECK(service->status().cause == "start did not end within 2 min");
            CHECK(scene.time.elapsed() - before < 3min);
            CHECK(scene.handled.empty());
        });
    }
}

TEST_CASE("a factory or a payload that throws leads to failed")
{
    class NoPayload : public Idle {
        Payload payload() const override { throw std::runtime_error("undecided"); }
    };
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<NoPayload>();
        co_await service->wait_for(S::failed);
        CHECK(contains(service->status().cause, "undecided"));
    });
}

TEST_CASE("a run that throws leads to failed")
{
    play([](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<ThrowsInRun>();
        co_await service->wait_for(S::failed);
        CHECK(service->status().cause == "run failed: it broke");
        CHECK(service->started());
        CHECK(scene.handled == std::vector<std::string>{"it broke"});
    });
}

TEST_CASE("an activity that cannot be created leads to failed, and its agreement is ended")
{
    play([](Scene& scene) -> Task<> {
        scene.devnet.faults().add(
            http::Method::post, "/activity-api/v1/activity",
            devnet::Fault::answer(500, R"({"message":"Service error: Activity x was abruptly terminated."})"), 100);
        auto service = scene.manager().create_service<Idle>();
        co_await service->wait_for(S::failed);
        CHECK(contains(service->status().cause, "abruptly terminated"));
        CHECK(scene.devnet.report().approved_agreements == 0);
    });
}

TEST_CASE("the provider's end of an agreement is noticed at once, with its reason")
{
    SECTION("under an idle service")
    {
        play([](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            co_await scene.manager().sleep(5s);
            const auto before = scene.time.elapsed();
            set_terminated(scene, "Going on holiday", "Vacation");
            co_await service->wait_for(S::failed);
            CHECK(contains(service->status().cause, "terminated by the provider: Going on holiday (Vacation)"));
            CHECK(scene.time.elapsed() - before < 2s);
        });
    }
    SECTION("under a busy service")
    {
        play([](Scene& scene) -> Task<> {
            scene.behaviour().hangs = true;
            auto service = co_await running<Busy>(scene);
            co_await scene.manager().sleep(5s);
            const auto before = scene.time.elapsed();
            set_terminated(scene, "Going on holiday", "Vacation");
            co_await service->wait_for(S::failed);
            CHECK(contains(service->status().cause, "Going on holiday (Vacation)"));
            CHECK(scene.time.elapsed() - before < 3s);
        });
    }
}

TEST_CASE("the death of an exe-unit is noticed")
{
    SECTION("under an idle service, by its state")
    {
        play([](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            co_await scene.manager().sleep(40s);
            const auto before = scene.time.elapsed();
            REQUIRE(scene.agent().kill_unit(scene.agent().activities().front()));
            co_await service->wait_for(S::failed);
            CHECK(contains(service->status().cause, "execution aborted"));
            CHECK(scene.time.elapsed() - before < 20s);
        });
    }
    SECTION("under a busy service")
    {
        play([](Scene& scene) -> Task<> {
            scene.behaviour().hangs = true;
            auto service = co_await running<Busy>(scene);
            co_await scene.manager().sleep(40s);
            const auto before = scene.time.elapsed();
            REQUIRE(scene.agent().kill_unit(scene.agent().activities().front()));
            co_await service->wait_for(S::failed);
            CHECK(scene.time.elapsed() - before < 20s);
        });
    }
    SECTION("by a service that ignores errors")
    {
        play([](Scene& scene) -> Task<> {
            auto service = co_await running<Careless>(scene);
            co_await scene.manager().sleep(5s);
            const auto before = scene.time.elapsed();
            REQUIRE(scene.agent().kill_unit(scene.agent().activities().front()));
            co_await service->wait_for(S::failed);
            CHECK(scene.time.elapsed() - before < 5s);
        });
    }
}

TEST_CASE("a provider that leaves without a word is noticed by the activity's state")
{
    play(
        SceneOptions(),
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            const auto before = scene.time.elapsed();
            scene.agent().stop();
            co_await service->wait_for(S::failed);
            CHECK(scene.time.elapsed() - before < 20s);
        },
        true);
}

TEST_CASE("an exe-unit out of sight makes a service unresponsive for a while")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        scene.devnet.faults().add(
            http::Method::get, "/activity-api/v1/activity/*/state",
            devnet::Fault::answer(200, R"({"state":["Unresponsive",null]})"), 2);
        co_await service->wait_for(S::unresponsive);
        CHECK(!service->status().cause.empty());
        co_await scene.manager().sleep(31s);
        CHECK(service->status() == S::running);
    });
}

TEST_CASE("a provider that does not answer makes a service unresponsive until it does")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        // Each poll asks three times.
        scene.devnet.faults().add(
            http::Method::get, "/activity-api/v1/activity/*/state",
            devnet::Fault::answer(408, R"({"message":"Timeout"})"), 9);
        co_await service->wait_for(S::unresponsive);
        CHECK(service->status().cause == "the provider does not answer");
        co_await scene.manager().sleep(31s);
        CHECK(service->status() == S::running);

        // Without any answer it takes longer.
        auto& faults = scene.devnet.faults();
        faults.add(http::Method::get, "/activity-api/v1/activity/*/state", devnet::Fault::hang(), 6);
        std::size_t rounds = 0;
        while (service->status() == S::running && ++rounds < 100)
            co_await scene.manager().sleep(10s);
        CHECK(service->status() == S::unresponsive);
        co_await scene.manager().sleep(5min);
        CHECK(service->status() == S::running);
    });
}

TEST_CASE("a key that is revoked while services run is told once")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        scene.devnet.faults().add(
            http::Method::get, "/activity-api/v1/activity/*/state",
            devnet::Fault::answer(401, R"({"message":"Invalid application key"})"), 3);
        co_await scene.manager().sleep(2min);
        REQUIRE(scene.handled.size() == 1);
        CHECK(contains(scene.handled.front(), "key"));
        CHECK(service->status() == S::running);
    });
}

TEST_CASE("what the market met is reported to who wants to know")
{
    std::vector<std::string> reports;
    SceneOptions options;
    options.providers = 0;
    options.manager.on_report = [&](const MarketReport& report) { reports.push_back(report.to_string()); };
    play(options, [](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Idle>();
        co_await scene.manager().sleep(40s);
        CHECK(service->status() == S::pending);
    });
    REQUIRE(reports.size() == 1);
    CHECK(contains(reports.front(), "No agreement yet"));
}

TEST_CASE("the error of one service is not the manager's because terms failed before")
{
    class BadPayload : public Idle {
        Payload payload() const override { throw Error(Errc::invalid_input, "choose a payload", "undecided"); }
    };
    play([](Scene& scene) -> Task<> {
        scene.devnet.faults().add(
            http::Method::post, "/payment-api/v1/allocations", devnet::Fault::answer(400, R"({"message":"No."})"), 3);
        auto first = scene.manager().create_service<Idle>();
        co_await first->wait_for(S::failed);
        co_await scene.manager().sleep(1s);
        CHECK(scene.handled.size() == 1);
        auto second = scene.manager().create_service<BadPayload>();
        co_await second->wait_for(S::failed);
        co_await scene.manager().sleep(1s);
        CHECK(scene.handled.size() == 1);
    });
}

TEST_CASE("a daemon that is away for a while is no death")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        auto& faults = scene.devnet.faults();
        const std::string state = "/activity-api/v1/activity/*/state";
        faults.add(http::Method::get, state, devnet::Fault::answer(500, R"({"message":"GSB error: no"})"), 5);
        faults.add(http::Method::get, state, devnet::Fault::answer(408, R"({"message":"Timeout"})"), 5);
        faults.add(http::Method::get, state, devnet::Fault::drop(), 20);
        co_await scene.manager().sleep(20min);
        CHECK(service->status() == S::running);
    });
}

TEST_CASE("an agreement that reaches its end fails the service with the cause expired")
{
    play([](Scene& scene) -> Task<> {
        ServiceOptions options;
        options.expiration = 6min;
        auto service = scene.manager().create_service<Idle>(options);
        co_await service->wait_for(S::running);
        const auto before = scene.time.elapsed();
        co_await service->wait_for(S::failed);
        CHECK(service->status().cause == "expired");
        CHECK(scene.time.elapsed() - before <= 6min + 3s);
        CHECK(scene.time.elapsed() - before > 5min);
    });
}

TEST_CASE("a daemon that hangs when an agreement is ended holds nobody up")
{
    play(
        SceneOptions(),
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            scene.devnet.faults().add(
                http::Method::post, "/market-api/v1/agreements/*/terminate", devnet::Fault::hang(), 1000);
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 30s);
            co_await scene.close();
            REQUIRE(!scene.leftovers.empty());
            CHECK(contains(scene.leftovers.front(), "agreement"));
            CHECK(scene.time.elapsed() - before < 2min);
        },
        true);
}

TEST_CASE("an agreement that cannot be ended at first is ended later, and what its provider did until then is paid")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        // What a daemon says whose way to the provider is interrupted; the client tries three times itself.
        scene.devnet.faults().add(
            http::Method::post, "/market-api/v1/agreements/*/terminate",
            devnet::Fault::answer(500, R"({"message":"Protocol error while terminating: unreachable"})"), 30);
        scene.devnet.faults().add(http::Method::del, "/activity-api/v1/activity/*", devnet::Fault::hang(), 1);
        service->stop();
        co_await service->wait_for(S::stopped);
        co_await scene.time.sleep_for(2min, "nobody ends it");
        CHECK(scene.agent().agreements().size() == 1);
        co_await scene.time.sleep_for(10min, "somebody goes on");
        CHECK(scene.agent().agreements().empty());
        co_await scene.close();
        CHECK(scene.leftovers.empty());
    });
}

TEST_CASE("closing tries once more to end an agreement")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        scene.devnet.faults().add(
            http::Method::post, "/market-api/v1/agreements/*/terminate",
            devnet::Fault::answer(500, R"({"message":"Protocol error while terminating: unreachable"})"), 3);
        co_await scene.close();
        CHECK(scene.leftovers.empty());
    });
}

TEST_CASE("an activity that is not destroyed in time ends with its agreement")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        scene.devnet.faults().add(http::Method::del, "/activity-api/v1/activity/*", devnet::Fault::hang(), 1000);
        const auto before = scene.time.elapsed();
        service->stop();
        co_await service->wait_for(S::stopped);
        CHECK(scene.time.elapsed() - before < 35s);
    });
}

TEST_CASE("a wrong key fails every waiting service, and the handler hears it once")
{
    SceneOptions options;
    options.key = "wrong";
    play(options, [](Scene& scene) -> Task<> {
        auto first = scene.manager().create_service<Idle>();
        auto second = scene.manager().create_service<Idle>();
        const auto text = co_await ending_of(*first, S::running);
        CHECK(contains(text, "app key"));
        co_await second->wait_for(S::failed);
        CHECK(contains(second->status().cause, "app key"));
        co_await scene.manager().sleep(1s);
        CHECK(scene.handled.size() == 1);
        CHECK(!contains(text, "wrong"));
    });
}

TEST_CASE("a wrong key fails services that are created at any turn meanwhile")
{
    SceneOptions options;
    options.key = "wrong";
    play(options, [](Scene& scene) -> Task<> {
        std::vector<std::shared_ptr<ServiceWrapper>> services;
        for (int turn = 0; turn < 60; ++turn) {
            services.push_back(scene.manager().create_service<Idle>());
            co_await boost::asio::post(boost::asio::deferred);
        }
        co_await scene.manager().sleep(1min);
        for (const auto& service : services)
            CHECK(service->status() == S::failed);
        CHECK_FALSE(scene.handled.empty());
        CHECK(scene.handled.size() < 20); // Those who come later find it out for themselves.
    });
}

TEST_CASE("a stop is obeyed at once, whatever turn it comes at")
{
    for (int turns = 0; turns < 40; ++turns) {
        INFO(turns << " turns after its creation");
        play([turns](Scene& scene) -> Task<> {
            auto service = scene.manager().create_service<Idle>();
            for (int turn = 0; turn < turns; ++turn)
                co_await boost::asio::post(boost::asio::deferred);
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 5s);
        });
    }
}

TEST_CASE("too little funds fail every waiting service")
{
    SceneOptions options;
    options.manager.payment.budget = Amount(1'000'000'000);
    play(options, [](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Idle>();
        co_await service->wait_for(S::failed);
        co_await scene.manager().sleep(1s);
        CHECK(scene.handled.size() == 1);
    });
}

TEST_CASE("a zero budget is refused before anything is sent")
{
    SceneOptions options;
    options.manager.payment.budget = Amount();
    CHECK_THROWS_WITH(play(options, [](Scene&) -> Task<> { co_return; }), golem::test::contains_text("payment.budget"));
}

TEST_CASE("a service that is deaf to its cancellation is not waited for")
{
    play(
        SceneOptions(),
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Stubborn>(scene, Duration(5min));
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 15s);
            CHECK(scene.devnet.report().live_activities == 0);
            co_await scene.close();
            REQUIRE(scene.leftovers.size() == 1);
            CHECK(contains(scene.leftovers.front(), "run did not end in time"));
            co_await scene.time.sleep_for(6min, "the stubborn one");
        },
        true);
}

TEST_CASE("insisting cuts the clean-up short")
{
    play(
        SceneOptions(),
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            auto& faults = scene.devnet.faults();
            faults.add(http::Method::del, "/activity-api/v1/activity/*", devnet::Fault::hang(), 1000);
            faults.add(http::Method::post, "/market-api/v1/agreements/*/terminate", devnet::Fault::hang(), 1000);
            const auto before = scene.time.elapsed();
            TaskGroup others(scene.manager().executor());
            others.spawn("insist", [&]() -> Task<> {
                co_await scene.time.sleep_for(2s, "impatience");
                scene.manager().insist();
            });
            co_await scene.close();
            co_await others.join();
            CHECK(scene.time.elapsed() - before < 25s);
            CHECK(!scene.leftovers.empty());
            CHECK(is_final(service->status().status));
        },
        true);
}

TEST_CASE("insisting while an activity is destroyed still ends its agreement")
{
    play([](Scene& scene) -> Task<> {
        auto service = co_await running<Idle>(scene);
        scene.devnet.faults().add(http::Method::del, "/activity-api/v1/activity/*", devnet::Fault::hang(), 1000);
        const auto before = scene.time.elapsed();
        TaskGroup others(scene.manager().executor());
        others.spawn("insist", [&]() -> Task<> {
            co_await scene.time.sleep_for(2s, "impatience");
            scene.manager().insist();
        });
        co_await scene.close();
        co_await others.join();
        CHECK(scene.time.elapsed() - before < 10s);
        CHECK(service->status() == S::stopped);
    });
}

TEST_CASE("insisting has an effect when all services have ended")
{
    const auto insisted_close = [](Scene& scene, Duration& taken) -> Task<> {
        const auto before = scene.time.elapsed();
        TaskGroup others(scene.manager().executor());
        others.spawn("insist", [&]() -> Task<> {
            co_await scene.time.sleep_for(5s, "impatience");
            scene.manager().insist();
        });
        co_await scene.close();
        taken = scene.time.elapsed() - before;
        co_await others.join();
    };
    Duration taken{0};
    SECTION("while a demand is deleted")
    {
        SceneOptions options;
        options.providers = 0;
        play(
            options,
            [&](Scene& scene) -> Task<> {
                auto service = scene.manager().create_service<Idle>();
                co_await scene.manager().sleep(10s);
                scene.devnet.faults().add(http::Method::del, "/market-api/v1/demands/*", devnet::Fault::hang(), 1000);
                co_await insisted_close(scene, taken);
                REQUIRE(scene.leftovers.size() == 1);
                CHECK(contains(scene.leftovers.front(), "demand"));
            },
            true);
    }
    SECTION("while the last invoice is awaited")
    {
        play(
            SceneOptions(),
            [&](Scene& scene) -> Task<> {
                scene.devnet.faults().add(
                    http::Method::get, "/payment-api/v1/invoiceEvents", devnet::Fault::hang(), 1000);
                auto service = co_await running<Idle>(scene);
                co_await insisted_close(scene, taken);
                CHECK(!scene.leftovers.empty()); // The bill that nobody paid.
                CHECK(scene.devnet.report().approved_agreements == 0);
            },
            true);
    }
    CHECK(taken > 5s);
    CHECK(taken < 11s);
}

TEST_CASE("the end of a step that was left behind is not taken for that of another")
{
    play(
        SceneOptions(),
        [](Scene& scene) -> Task<> {
            auto service = co_await running<DeafTwice>(scene);
            const auto before = scene.time.elapsed();
            service->stop();
            co_await service->wait_for(S::stopped);
            CHECK(scene.time.elapsed() - before < 55s);
            co_await scene.close();
            REQUIRE(scene.leftovers.size() == 2);
            CHECK(contains(scene.leftovers.front(), "run did not end in time"));
            CHECK(contains(scene.leftovers.back(), "shutdown did not end in time"));
            co_await scene.time.sleep_for(2h, "the deaf one");
        },
        true);
}

TEST_CASE("an agreement whose clean-up is cut off is named")
{
    SceneOptions options;
    options.manager.limits.close = 4s;
    play(
        options,
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            const auto agreement = scene.agent().agreements().front();
            scene.devnet.faults().add(
                http::Method::post, "/market-api/v1/agreements/*/terminate", devnet::Fault::hang(), 1000);
            co_await scene.close();
            CHECK(is_final(service->status().status));
            const auto names = [&](const std::string& line) { return contains(line, agreement); };
            CHECK(std::any_of(scene.leftovers.begin(), scene.leftovers.end(), names));
        },
        true);
}

TEST_CASE("an exhausted budget is told while services run")
{
    SceneOptions options;
    options.manager.payment.budget = Amount::parse("0.002");
    play(
        options,
        [](Scene& scene) -> Task<> {
            auto service = co_await running<Idle>(scene);
            co_await scene.manager().sleep(2h);
            REQUIRE(scene.handled.size() == 1);
            CHECK(contains(scene.handled.front(), "0.002 GLM"));
        },
        true);
}

TEST_CASE("who finds no provider in time fails, and is told which condition excludes whom")
{
    class Greedy : public Idle {
        Payload payload() const override { return Payload("vm").min_memory(1e6); }
    };
    play([](Scene& scene) -> Task<> {
        ServiceOptions options;
        options.find_limit = 10s;
        auto service = scene.manager().create_service<Greedy>(options);
        std::string text;
        try {
            co_await service->wait_for(S::running);
        } catch (const ServiceError& error) {
            text = error.what();
        }
        INFO(text);
        CHECK(service->status() == S::failed);
        CHECK(contains(text, "none was found within 10 s"));
        CHECK(contains(text, "1 fails golem.inf.mem.gib>=1000000.0 (the best has 8.0)"));
        // It concerns nobody else.
        auto modest = co_await running<Idle>(scene);
        CHECK(scene.handled.empty());
        // Whoever asks by hand is told the same, without a service.
        auto question = scene.manager().survey(Payload("vm").min_memory(1e6));
        const auto survey = co_await std::move(question);
        CHECK(survey.fitting == 0);
    });
}

TEST_CASE("who is stopped while it waits is told what it waited for")
{
    SceneOptions options;
    options.providers = 0;
    play(options, [](Scene& scene) -> Task<> {
        auto service = scene.manager().create_service<Idle>();
        co_await scene.manager().sleep(40s);
        service->stop();
        std::string text;
        try {
            co_await service->wait_for(S::running);
        } catch (const ServiceError& error) {
            text = error.what();
        }
        INFO(text);
        CHECK(contains(text, "stopped before a provider was found: No agreement yet"));
        CHECK(contains(text, "no offers seen"));
    });
}

TEST_CASE("an image's tag is resolved once for all services, and a wrong one costs its own service only")
{
    class Tagged : public Idle {
    public:
        explicit Tagged(std::string tag) : tag_(std::move(tag)) {}
        Payload payload() const override { return vm_image(tag_); }

    private:
        std::string tag_;
    };
    SceneOptions options;
    options.providers = 3;
    options.devnet.images = {{"golem/alpine:latest", std::string(56, 'a'), "http://images/alpine"}};
    play(options, [](Scene& scene) -> Task<> {
        auto first = scene.manager().create_service<Tagged>(std::string("golem/alpine:latest"));
        auto second = scene.manager().create_service<Tagged>(std::string("golem/alpine:latest"));
        auto wrong = scene.manager().create_service<Tagged>(std::string("golem/alpin:latest"));
        co_await first->wait_for(S::running);
        co_await second->wait_for(S::running);
        co_await wrong->wait_for(S::failed);
        CHECK(contains(wrong->status().cause, "does not know \"golem/alpin:latest\""));
        CHECK(scene.handled.empty());
    });
}
