// Services in a private network, in virtual time.
#include <tests/network/scripted_machine.hpp>
#include <tests/simulation/services.hpp>
#include <tests/support/catch.hpp>

#include <golem/core/race.hpp>

#include <nlohmann/json.hpp>

#include <map>

using namespace golem;
using namespace golem::test;

namespace {

/// A world whose machines have ports: each connection becomes a wire of the test.
class NetworkWorld {
public:
    explicit NetworkWorld(int providers = 3, int capacity = 1)
        : NetworkWorld(simulation::WorldOptions(), providers, capacity)
    {
    }

    NetworkWorld(const simulation::WorldOptions& options, int providers, int capacity = 1) : world(options)
    {
        for (int i = 0; i < providers; ++i) {
            auto provider = named("provider-" + std::to_string(i), capacity);
            provider.capabilities = {"vpn"};
            provider::ScriptedBehaviour behaviour;
            behaviour.listener = [this](std::uint16_t port) -> std::unique_ptr<provider::MachineConnection> {
                if (port != 8000)
                    throw Error(Errc::refused, "connect to a machine", "Connection refused");
                wires.push_back(std::make_shared<Wire>(*executor));
                return std::make_unique<ScriptedConnection>(wires.back());
            };
            world.add_provider(provider, behaviour);
        }
    }

    void run(const std::function<Task<>(ServiceManager&)>& app)
    {
        world.run([this, &app](ServiceManager& manager) -> Task<> {
            executor = manager.executor();
            co_await app(manager);
        });
        world.pass(10s);
        CHECK(what_is_left(world) == "");
        CHECK(world.report().networks == 0);
    }

    simulation::World world;
    std::optional<Executor> executor;
    std::vector<std::shared_ptr<Wire>> wires;
};

/// Keeps what its deploy was told.
class Told : public Idle {
public:
    explicit Told(std::map<std::string, DeployOptions>& deploys) : deploys_(deploys) {}

    Task<> start(WorkContext& work) override
    {
        const auto& options = work.deploy_options();
        deploys_[options.networks.at(0).node_address] = options;
        co_await Service::start(work);
    }

private:
    std::map<std::string, DeployOptions>& deploys_;
};

ServiceOptions member(const std::shared_ptr<Network>& network, std::string name, std::string address = {})
{
    ServiceOptions options;
    options.network = network;
    options.network_name = std::move(name);
    options.network_address = std::move(address);
    return options;
}

/// The kind and the text of an error of `task`; nothing if it succeeds.
Task<std::string> words_of(Task<> task)
{
    std::string words;
    try {
        co_await std::move(task);
    } catch (const Error& error) {
        words = error.what();
    }
    co_return words;
}

Task<> discard(Task<std::unique_ptr<NetworkConnection>> connecting) { co_await std::move(connecting); }

Task<> discard(Task<std::optional<std::string>> reading) { co_await std::move(reading); }

std::size_t requests(const simulation::World& world, const std::string& route)
{
    const auto all = world.requests_by_route();
    const auto found = all.find(route);
    return found == all.end() ? 0 : found->second;
}

} // namespace

TEST_CASE("services join a network, know each other by name and are reached by it", "[network]")
{
    NetworkWorld bed;
    std::map<std::string, DeployOptions> deploys;
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        CHECK(network->address() == "192.168.0.0/24");
        CHECK(network->own_address() == "192.168.0.1");
        auto web = manager.create_service<Told>(member(network, "web"), std::ref(deploys));
        auto db = manager.create_service<Told>(member(network, "db", "192.168.0.40"), std::ref(deploys));
        CHECK(network->members().size() == 2);
        co_await web->wait_for(ServiceStatus::running);
        co_await db->wait_for(ServiceStatus::running);
        CHECK(network->id().size() == 32);
        const auto& nodes =
            bed.world.devnet().world().networks().of(*bed.world.devnet().world().node_of_key("devnet")).at(0)->nodes;
        CHECK(nodes.size() == 2);
        for (const auto& one : network->members())
            CHECK(nodes.at(one.address) == one.node);

        auto connection = co_await network->connect("web", 8000);
        const std::string greeting = "hello";
        co_await connection->write(greeting);
        const auto answer = co_await connection->read();
        CHECK(answer == "hello");
        // The other one, by its address, and more than one frame takes.
        auto other = co_await network->connect("192.168.0.40", 8000);
        const std::string much(200'000, 'x');
        co_await other->write(much);
        CHECK(bed.wires.at(1)->from_client == much);
        std::string back;
        while (back.size() < much.size()) {
            const auto piece = co_await other->read();
            REQUIRE(piece);
            back += *piece;
        }
        CHECK(back == much);
    });
    const auto& web = deploys.at("192.168.0.2");
    CHECK(web.hosts == std::map<std::string, std::string>{{"web", "192.168.0.2"}, {"db", "192.168.0.40"}});
    CHECK(web.networks.at(0).address == "192.168.0.0");
    CHECK(web.networks.at(0).mask == "255.255.255.0");
    CHECK(web.networks.at(0).gateway.empty());
    CHECK(web.networks.at(0).nodes.contains("192.168.0.1"));
    CHECK(web.networks.at(0).nodes.contains("192.168.0.2"));
    CHECK(requests(bed.world, "POST /net-api/v1/net") == 1);
    CHECK(requests(bed.world, "GET /me") == 1);
    CHECK(requests(bed.world, "DELETE /net-api/v1/net/{id}") == 1);
}

TEST_CASE("what cannot be connected to, and why", "[network]")
{
    NetworkWorld bed;
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        const auto connect = [&network](std::string who, std::uint16_t port) {
            return words_of(discard(network->connect(std::move(who), port)));
        };
        const auto early = co_await connect("web", 8000);
        CHECK_THAT(early, contains_text("has no machine yet"));
        co_await web->wait_for(ServiceStatus::running);
        const auto nobody = co_await connect("db", 8000);
        CHECK_THAT(nobody, contains_text("there are: web (192.168.0.2)"));
        const auto closed = co_await connect("web", 81);
        CHECK_THAT(closed, contains_text("nobody listens at this port"));
        CHECK_THAT(closed, contains_text("Socket closed"));
        co_await network->remove();
        co_await network->remove();
        CHECK(network->id().empty());
        const auto removed = co_await connect("web", 8000);
        CHECK_THAT(removed, contains_text("was removed"));
        web->stop();
        co_await web->wait_for(ServiceStatus::stopped);
    });
}

TEST_CASE("connections end with their service, with their network, and by a reset", "[network]")
{
    NetworkWorld bed;
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        auto db = manager.create_service<Idle>(member(network, "db"));
        co_await web->wait_for(ServiceStatus::running);
        co_await db->wait_for(ServiceStatus::running);
        auto reset = co_await network->connect("web", 8000);
        auto ended = co_await network->connect("web", 8000);
        auto cut = co_await network->connect("db", 8000);
        auto closed = co_await network->connect("db", 8000);

        bed.wires.at(0)->is_reset = true;
        bed.wires.at(0)->news.pulse();
        auto words = co_await words_of(discard(reset->read()));
        CHECK_THAT(words, contains_text("was lost"));

        TaskGroup readers(manager.executor());
        std::string told;
        readers.spawn("reader", [&]() -> Task<> {
            auto reading = ended->read();
            told = co_await words_of(discard(std::move(reading)));
        });
        co_await manager.sleep(1s);
        web->stop();
        co_await web->wait_for(ServiceStatus::stopped);
        co_await readers.join();
        CHECK_THAT(told, contains_text("the service has ended"));
        words = co_await words_of(ended->write("x"));
        CHECK_THAT(words, contains_text("the service has ended"));

        closed->close();
        words = co_await words_of(discard(closed->read()));
        CHECK_THAT(words, contains_text("closed by this program"));
        co_await network->remove();
        words = co_await words_of(discard(cut->read()));
        CHECK_THAT(words, contains_text("the network was removed"));
        cut.reset();
        co_await manager.sleep(1s);
        for (const auto& wire : bed.wires)
            CHECK_FALSE(wire->is_held);
    });
}

// As by the real daemon: the end has to be known from what is spoken.
TEST_CASE("the last word of the machine is not told", "[network]")
{
    NetworkWorld bed;
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        co_await web->wait_for(ServiceStatus::running);
        auto connection = co_await network->connect("web", 8000);
        bed.wires.at(0)->has_said_all = true;
        bed.wires.at(0)->say("bye");
        const auto bye = co_await connection->read();
        CHECK(bye == "bye");
        auto reading = connection->read();
        const auto more = co_await with_timeout(manager.time(), 1h, std::move(reading), "a last word");
        CHECK_FALSE(more);
    });
}

TEST_CASE(
    "a service that takes another's place gets its address, and a node is forgotten with its last one", "[network]")
{
    NetworkWorld bed(1, 3);
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        auto db = manager.create_service<Idle>(member(network, "db"));
        CHECK_THROWS_AS(manager.create_service<Idle>(member(network, "web")), Error);
        CHECK_THROWS_AS(manager.create_service<Idle>(member(network, "", "192.168.0.2")), Error);
        CHECK_THROWS_AS(manager.create_service<Idle>(member(network, "", "10.0.0.2")), Error);
        CHECK_THROWS_AS(manager.create_service<Idle>(member(nullptr, "web")), Error);
        co_await web->wait_for(ServiceStatus::running);
        co_await db->wait_for(ServiceStatus::running);
        web->stop();
        co_await web->wait_for(ServiceStatus::stopped);
        // The daemon knows the address still, since the node has the other one: a fresh one, the same name.
        auto again = manager.create_service<Idle>(member(network, "web"));
        co_await again->wait_for(ServiceStatus::running);
        CHECK(network->members().at(1).address == "192.168.0.4");
        auto connection = co_await network->connect("web", 8000);
        connection.reset();
        db->stop();
        again->stop();
        co_await db->wait_for(ServiceStatus::stopped);
        co_await again->wait_for(ServiceStatus::stopped);
        CHECK(network->members().empty());
        const auto node = *bed.world.devnet().world().node_of_key("devnet");
        CHECK(bed.world.devnet().world().networks().of(node).at(0)->nodes.empty());
        // Now all are free, and its name's last one comes first.
        auto third = manager.create_service<Idle>(member(network, "web"));
        CHECK(network->members().at(0).address == "192.168.0.4");
        co_await third->wait_for(ServiceStatus::running);
    });
    CHECK(requests(bed.world, "DELETE /net-api/v1/net/{id}/nodes/{id}") == 2);
}

TEST_CASE("a network that cannot be made fails who waits for it, and nobody is hired", "[network]")
{
    NetworkWorld bed;
    bed.world.devnet().faults().add(
        http::Method::post, "/net-api/v1/net", devnet::Fault::answer(500, R"({"message":"no"})"));
    bed.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        const auto words = co_await words_of(network->ready());
        CHECK_THAT(words, contains_text("create network"));
        const auto failed = co_await words_of(web->wait_for(ServiceStatus::running));
        CHECK_THAT(failed, contains_text("create network"));
        CHECK(web->status() == ServiceStatus::failed);
    });
    CHECK(bed.world.report().agreements == 0);
}

TEST_CASE("options of networks are checked at once, and a closed manager makes none", "[network]")
{
    NetworkWorld bed;
    bed.run([&](ServiceManager& manager) -> Task<> {
        NetworkOptions options;
        options.address = "192.168.0.7/24";
        CHECK_THROWS_AS(manager.create_network(options), Error);
        auto network = manager.create_network();
        CHECK_THROWS_AS(network->tcp_proxy("web", 80), Error);
        CHECK_THROWS_AS(network->http_proxy("web", 80), Error);
        co_await manager.close();
        CHECK_THROWS_AS(manager.create_network(), Error);
        CHECK_THROWS_AS(manager.create_service<Idle>(member(network, "web")), Error);
    });
}

TEST_CASE("only providers that can are hired for a network", "[network]")
{
    simulation::WorldOptions options;
    simulation::World world(options);
    world.add_provider(named("without"));
    world.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        auto web = manager.create_service<Idle>(member(network, "web"));
        co_await manager.sleep(2min);
        CHECK(web->status() == ServiceStatus::pending);
        web->stop();
        co_await web->wait_for(ServiceStatus::stopped);
    });
    CHECK(world.report().agreements == 0);
    CHECK(world.report().networks == 0);
}

TEST_CASE("a network that could not be removed is told", "[network]")
{
    NetworkWorld bed;
    bed.world.devnet().faults().add(http::Method::del, "/net-api/v1/net/*", devnet::Fault::hang(), 100);
    bed.world.run([&](ServiceManager& manager) -> Task<> {
        auto network = manager.create_network();
        co_await network->ready();
    });
    REQUIRE(bed.world.leftovers().size() == 1);
    CHECK_THAT(bed.world.leftovers().at(0), contains_text("(192.168.0.0/24) was not removed"));
}
