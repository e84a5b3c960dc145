// Tags and hashes of images, asked of the devnet's registry.
#include <golem/market/image_registry.hpp>

#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/devnet_rig.hpp>
#include <tests/support/run_task.hpp>

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;

namespace {

const std::string hash(56, 'a');
const std::string route = "/v1/image/info";

struct Rig {
    Rig(const Executor& executor, VirtualTime& clock, const RegistryOptions& registry_options)
        : time(clock), host(executor, clock, devnet_options()), face(std::make_shared<devnet::RestFace>(host)),
          transport(std::make_shared<http::CountingTransport>(
              http::make_in_process_transport(executor, clock, face, "http://registry"), clock)),
          registry(executor, clock, Random(1), Logger(), registry_options, [this](const Executor&, TimeSource&) {
              return transport;
          })
    {
    }

    static devnet::DevnetOptions devnet_options()
    {
        devnet::DevnetOptions options;
        options.images = {{"golem/alpine:latest", hash, "http://images/alpine"}};
        return options;
    }

    std::size_t asked() const { return transport->total(); }

    VirtualTime& time;
    devnet::Host host;
    std::shared_ptr<devnet::RestFace> face;
    std::shared_ptr<http::CountingTransport> transport;
    ImageRegistry registry;
};

void with_registry(const std::function<Task<>(Rig&)>& body, const RegistryOptions& options = RegistryOptions())
{
    run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Rig rig(executor, time, options);
        auto task = body(rig);
        co_await std::move(task);
        rig.host.close();
    });
}

struct Refusal {
    Errc code = Errc::internal;
    std::string text;
    GaveUp gave_up = GaveUp::not_tried_again;
};

Task<Refusal> refusal(ImageRegistry& registry, const Payload& payload)
{
    Refusal found;
    try {
        co_await registry.resolve(payload);
    } catch (const Error& error) {
        found.code = error.errc();
        found.text = error.what();
        found.gave_up = error.gave_up();
    }
    co_return found;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("an image is asked for once, by its tag or its hash")
{
    with_registry([](Rig& rig) -> Task<> {
        auto wish = vm_image("golem/alpine:latest");
        wish.min_memory(2);
        const auto resolved = co_await rig.registry.resolve(wish);
        CHECK(
            resolved.properties().get_string("golem.srv.comp.task_package") ==
            "hash:sha3:" + hash + ":http://images/alpine");
        CHECK(resolved.image_to_resolve().empty());
        CHECK(resolved.constraints() == wish.constraints());
        const auto again = co_await rig.registry.resolve(wish);
        CHECK(again == resolved);
        CHECK(rig.asked() == 1);
        const auto by_hash = vm_image(hash);
        const auto same = co_await rig.registry.resolve(by_hash);
        CHECK(same == vm_image(hash, "http://images/alpine"));
        const auto plain = vm_image(hash, "http://elsewhere/x");
        const auto untouched = co_await rig.registry.resolve(plain);
        CHECK(untouched == plain);
        CHECK(rig.asked() == 2);
    });
    RegistryOptions options;
    options.https_images = true;
    with_registry(
        [](Rig& rig) -> Task<> {
            const auto wish = vm_image("golem/alpine:latest");
            const auto resolved = co_await rig.registry.resolve(wish);
            CHECK(resolved == vm_image(hash, "https://images/alpine"));
        },
        options);
}

TEST_CASE("many who ask at one time share the request, and so they do when the first one leaves")
{
    with_registry([](Rig& rig) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        rig.face->faults().add(http::Method::get, route, devnet::Fault::delay(5s), 1);
        TaskGroup first(executor);
        TaskGroup others(executor);
        const auto wish = vm_image("golem/alpine:latest");
        int resolved = 0;
        const auto ask = [&]() -> Task<> {
            const auto payload = co_await rig.registry.resolve(wish);
            resolved += payload.image_to_resolve().empty() ? 1 : 0;
        };
        first.spawn("first", ask);
        co_await rig.time.sleep_for(1s, "a test");
        for (int index = 0; index < 10; ++index)
            others.spawn("another", ask);
        co_await rig.time.sleep_for(1s, "a test");
        CHECK(rig.asked() == 1);
        first.cancel();
        co_await first.join();
        co_await others.join();
        CHECK(resolved == 10);
        CHECK(rig.asked() == 2);
    });
}

TEST_CASE("a registry that fails is asked again, one that knows nothing is not")
{
    with_registry([](Rig& rig) -> Task<> {
        rig.face->faults().add(http::Method::get, route, devnet::Fault::answer(503, "busy"), 2);
        const auto wish = vm_image("golem/alpine:latest");
        const auto resolved = co_await rig.registry.resolve(wish);
        CHECK(resolved.image_to_resolve().empty());
        CHECK(rig.asked() == 3);

        const auto mistaken = vm_image("golem/alpin:latest");
        const auto unknown = co_await refusal(rig.registry, mistaken);
        CHECK(unknown.code == Errc::not_found);
        CHECK(contains(unknown.text, "does not know \"golem/alpin:latest\""));
        CHECK(rig.asked() == 4);
        // A mistake is no lasting one: the image may be there by now.
        const auto second = co_await refusal(rig.registry, mistaken);
        CHECK(second.code == Errc::not_found);
        CHECK(rig.asked() == 5);

        rig.face->faults().add(http::Method::get, route, devnet::Fault::garbage(), 1);
        const auto other = vm_image(hash);
        const auto garbage = co_await refusal(rig.registry, other);
        CHECK(garbage.code == Errc::protocol);
        CHECK(contains(garbage.text, "is it an image registry?"));

        rig.face->faults().add(http::Method::get, route, devnet::Fault::answer(503, "busy"), 1000);
        const auto begun = rig.time.elapsed();
        const auto down = co_await refusal(rig.registry, other);
        CHECK(down.code == Errc::daemon_failed);
        CHECK(down.gave_up == GaveUp::exhausted);
        CHECK(rig.time.elapsed() - begun >= 60s);
        CHECK(rig.time.elapsed() - begun <= 80s);
    });
}

TEST_CASE("a registry cannot be anywhere, nor asked without end")
{
    VirtualTime time;
    boost::asio::io_context context;
    const auto make = [&](const RegistryOptions& options) {
        ImageRegistry(context.get_executor(), time, Random(1), Logger(), options);
    };
    RegistryOptions options;
    options.url = "registry.golem.network";
    CHECK_THROWS_AS(make(options), Error);
    options.url = "https://registry.golem.network";
    CHECK_NOTHROW(make(options));
    options.patience = 0s;
    CHECK_THROWS_AS(make(options), Error);
}
