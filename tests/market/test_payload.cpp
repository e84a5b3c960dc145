#include <golem/market/payload.hpp>

#include <golem/core/error.hpp>
#include <golem/market/detail/demand_building.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::detail;
using namespace std::chrono_literals;

namespace {

const std::string hash(56, 'a');

Proposing proposing()
{
    Proposing what;
    what.subnet = "public";
    what.debit_note_interval = 120s;
    what.accept_timeout = 120s;
    what.payment_timeout = 12h;
    what.platform = "erc20-hoodi-tglm";
    what.decoration.properties.set("golem.com.payment.platform.erc20-hoodi-tglm.address", "0xme");
    what.decoration.properties.set("golem.com.payment.protocol.version", "3");
    what.decoration.constraints = {
        "(golem.com.payment.platform.erc20-hoodi-tglm.address=*)", "(golem.com.payment.protocol.version>1)"};
    return what;
}

} // namespace

TEST_CASE("a payload's conditions are written as the other SDKs write them")
{
    auto payload = vm_image(hash, "http://127.0.0.1:8001/alpine.gvmi");
    payload.min_memory(0.5).min_storage(2).min_threads(2).capability("vpn").constraint("(a<=1)");
    const std::vector<std::string> expected{"(golem.runtime.name=vm)",          "(golem.inf.mem.gib>=0.5)",
                                            "(golem.inf.storage.gib>=2.0)",     "(golem.inf.cpu.threads>=2)",
                                            "(golem.runtime.capabilities=vpn)", "(a<=1)"};
    CHECK(payload.constraints() == expected);
    CHECK(
        payload.properties().get_string("golem.srv.comp.task_package") ==
        "hash:sha3:" + hash + ":http://127.0.0.1:8001/alpine.gvmi");
    CHECK(payload.properties().get_string("golem.srv.comp.vm.package_format") == "gvmkit-squash");
}

TEST_CASE("a payload that cannot be meant is refused")
{
    CHECK_THROWS_AS(Payload(""), Error);
    CHECK_THROWS_AS(Payload("vm").min_memory(0), Error);
    CHECK_THROWS_AS(Payload("vm").min_storage(std::numeric_limits<double>::infinity()), Error);
    CHECK_THROWS_AS(Payload("vm").min_threads(0), Error);
    CHECK_THROWS_AS(Payload("vm").constraint("a=1"), Error);
    CHECK_THROWS_AS(Payload("vm").constraint("(a=1) and more"), Error);
    CHECK_THROWS_AS(vm_image("xyz", "http://a/b"), Error);
    CHECK_THROWS_AS(vm_image(std::string(57, 'a'), "http://a/b"), Error);
    CHECK_THROWS_AS(vm_image(hash, "ftp://a/b"), Error);
}

TEST_CASE("the demand says what providers look for")
{
    const auto payload = Payload("vm").min_memory(0.5);
    const auto now = Timestamp(1'700'000'000s);
    const auto demand = published_demand(payload, proposing(), now, 3h);
    CHECK(
        demand.constraints == "(&(golem.com.pricing.model=linear)\n\t(golem.node.debug.subnet=public)\n\t"
                              "(golem.runtime.name=vm)\n\t(golem.inf.mem.gib>=0.5)\n\t"
                              "(golem.com.payment.platform.erc20-hoodi-tglm.address=*)\n\t"
                              "(golem.com.payment.protocol.version>1))");
    const auto& properties = demand.properties;
    CHECK(properties.get_bool("golem.srv.caps.multi-activity") == true);
    CHECK(*properties.get("golem.srv.comp.expiration") == properties::Value((1'700'000'000 + 3 * 3600) * 1000LL));
    CHECK(properties.get_string("golem.node.debug.subnet") == "public");
    CHECK(*properties.get("golem.com.payment.debit-notes.accept-timeout?") == properties::Value(120));
    CHECK(*properties.get("golem.com.scheme.payu.debit-note.interval-sec?") == properties::Value(120));
    CHECK(properties.get_string("golem.com.payment.protocol.version") == "3");
    CHECK_FALSE(properties.contains("golem.com.payment.chosen-platform"));
    CHECK_FALSE(properties.contains("golem.com.scheme.payu.payment-timeout-sec?"));
}

TEST_CASE("the payment timeout is proposed above ten hours only, and the platform in counters only")
{
    const Payload payload("vm");
    const auto now = Timestamp(1'700'000'000s);
    const properties::PropertySet offer;
    CHECK_FALSE(published_demand(payload, proposing(), now, 10h).properties.contains(payment_timeout_property));
    const auto counter = counter_proposal(payload, proposing(), now, 10h + 1s, offer);
    CHECK(*counter.properties.get(payment_timeout_property) == properties::Value(43'200));
    CHECK(counter.properties.get_string("golem.com.payment.chosen-platform") == "erc20-hoodi-tglm");
}

TEST_CASE("the expiration is computed anew each time and never too short to be accepted")
{
    const Payload payload("vm");
    const auto at = [&](Timestamp now, Duration expiration) {
        const properties::PropertySet offer;
        return *counter_proposal(payload, proposing(), now, expiration, offer)
                    .properties.get_int("golem.srv.comp.expiration");
    };
    CHECK(at(Timestamp(100s), 1h) == 3'700'000);
    CHECK(at(Timestamp(200s), 1h) == 3'800'000);
    CHECK(at(Timestamp(0s), 5min) == 330'000);
}

TEST_CASE("a demand ends later than it lives: offers published meanwhile look for what ends later still")
{
    const Payload payload("vm");
    const auto at = [&](Duration expiration) {
        return *published_demand(payload, proposing(), Timestamp(0s), expiration)
                    .properties.get_int("golem.srv.comp.expiration");
    };
    CHECK(at(5min) == (3600 + 330) * 1000);
    CHECK(at(1h) == (3600 + 330) * 1000);
    CHECK(at(3h) == 3 * 3600 * 1000);
}

TEST_CASE("a shorter accept timeout than ours is adopted unless it is a trap")
{
    const Payload payload("vm");
    const auto adopted = [&](properties::Value offered) {
        properties::PropertySet offer;
        offer.set(std::string(accept_timeout_property), std::move(offered));
        return counter_proposal(payload, proposing(), Timestamp(1s), 1h, offer)
            .properties.get_int(accept_timeout_property);
    };
    CHECK(adopted(240) == 120);
    CHECK(adopted(60) == 60);
    CHECK(adopted(60.0) == 60);
    CHECK(adopted(5) == 120);
    CHECK(adopted("60") == 120);
}
