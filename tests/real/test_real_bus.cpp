// Our bus client on the buses of real daemons, with our hub between them.
#include <golem/bus/connection.hpp>
#include <golem/bus/value.hpp>
#include <golem/core/real_time.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <cstdlib>

using namespace golem;
using namespace std::chrono_literals;
using bus::Value;

namespace {

std::string variable(const char* name)
{
    const char* text = std::getenv(name);
    if (!text)
        throw std::runtime_error(std::string(name) + " is not set: run this by tools/real-network run");
    return text;
}

std::unique_ptr<bus::Connection> connection(const Executor& executor, TimeSource& time, const char* url)
{
    bus::ConnectionOptions options;
    options.url = variable(url);
    options.call_limit = 20s;
    return std::make_unique<bus::Connection>(executor, time, options, Random(Random::seed_from_system()), Logger());
}

// What the identity service of a daemon calls its own node.
Task<std::string> node_of(bus::Connection& connection)
{
    const std::string address = "/local/identity/Get";
    const auto request = bus::encode("byDefault");
    const auto reply = co_await connection.call(address, request);
    const auto answer = bus::decode(reply);
    INFO(bus::to_json(answer));
    const auto* identity = answer.find("Ok");
    REQUIRE(identity);
    const auto* node = identity->find("nodeId");
    REQUIRE(node);
    if (const auto* text = node->text())
        co_return *text;
    const auto bytes = node->bytes();
    REQUIRE(bytes);
    std::string hex = "0x";
    for (const char byte : *bytes)
        for (const int shift : {4, 0})
            hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> shift & 15];
    co_return hex;
}

Task<std::string> outcome_of(Task<std::string> call)
{
    std::string outcome;
    try {
        outcome = co_await std::move(call);
    } catch (const bus::CallError& error) {
        outcome = std::to_string(static_cast<int>(error.code())) + " " + error.their_words();
    }
    co_return outcome;
}

Task<> behave(const bus::Call& call, bus::Answer& answer)
{
    const auto request = bus::decode(call.body());
    if (call.component() == "echo") {
        const Value reply = Value::Map{{"Ok", request}, {"caller", call.caller()}};
        answer.finish(bus::encode(reply));
    } else if (call.component() == "count") {
        const auto last = request.integer().value_or(0);
        for (std::int64_t number = 1; number <= last; ++number) {
            const auto part = bus::encode(Value::Map{{"Ok", number}});
            co_await answer.part(part);
        }
    } else {
        answer.fail("no such thing");
    }
}

} // namespace

TEST_CASE("a service at the provider's daemon is called from the requestor's, through both and the hub")
{
    test::run_real([]() -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        RealTime time;
        const auto provider = connection(executor, time, "PROVIDER_GSB_URL");
        const auto requestor = connection(executor, time, "GSB_URL");
        co_await provider->open();
        co_await requestor->open();
        const auto node = co_await node_of(*provider);
        CHECK(node.size() == 42);
        const auto other = co_await node_of(*requestor);
        CHECK(other != node);

        const std::string prefix = "/public/exeunit/bus-test";
        co_await provider->add_service(
            prefix, [](const bus::Call& call, bus::Answer& answer) { return behave(call, answer); });
        const auto remote = "/net/" + node + "/exeunit/bus-test/";
        const auto echo = remote + "echo";
        const Value sent = Value::Map{
            {"text", "grüße"},
            {"null", nullptr},
            {"list", Value::List{1, 2.5, true}},
            {"blob", Value::Blob{"\x01\xff"}}};
        const auto body = bus::encode(sent);
        const auto reply = co_await requestor->call(echo, body);
        const auto answer = bus::decode(reply);
        INFO(bus::to_json(answer));
        REQUIRE(answer.find("Ok"));
        CHECK(*answer.find("Ok") == sent);
        REQUIRE(answer.find("caller"));
        CHECK(answer.find("caller")->text()->find(other) != std::string::npos);

        const auto large = bus::encode(std::string(2'000'000, 'x'));
        const auto large_reply = co_await requestor->call(echo, large);
        CHECK(large_reply.size() > large.size());

        std::vector<std::int64_t> numbers;
        const bus::PartHandler hear = [&](std::string part) {
            const auto value = bus::decode(part);
            numbers.push_back(value.find("Ok") ? value.find("Ok")->integer().value_or(-1) : -1);
        };
        const auto count = remote + "count";
        const auto five = bus::encode(5);
        const auto end = co_await requestor->call(count, five, hear);
        CHECK(end.empty());
        CHECK(numbers == std::vector<std::int64_t>{1, 2, 3, 4, 5});

        // The daemon's net makes an empty reply of every failure on the way; on the bus itself one sees it.
        const auto neighbour = connection(executor, time, "PROVIDER_GSB_URL");
        co_await neighbour->open();
        const auto failing = prefix + "/other";
        const auto working = prefix + "/echo";
        auto outcome = co_await outcome_of(neighbour->call(failing, body));
        CHECK(outcome == "500 no such thing");
        co_await provider->remove_service(prefix);
        outcome = co_await outcome_of(neighbour->call(working, body));
        CHECK(outcome == "400 endpoint address not found");
        outcome = co_await outcome_of(requestor->call(echo, body));
        CHECK(outcome.empty());
        const std::string nobody = "/net/0x0000000000000000000000000000000000000001/exeunit/x/echo";
        const auto before = time.now();
        outcome = co_await outcome_of(requestor->call(nobody, body));
        CHECK(outcome.empty());
        CHECK(time.now() - before < 5s);
        co_await neighbour->close();

        co_await requestor->close();
        co_await provider->close();
    });
}
