#include <golem/market/payload.hpp>

#include <golem/core/error.hpp>
#include <golem/market/detail/demand_building.hpp>
#include <golem/market/manifest.hpp>

#include <tests/support/catch.hpp>

#include <chrono>
#include <functional>
#include <limits>

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

TEST_CASE("an image of a registry is a tag or a hash")
{
    const auto tagged = vm_image("golem/alpine:latest");
    CHECK(tagged.image_to_resolve() == "golem/alpine:latest");
    CHECK(!tagged.properties().contains("golem.srv.comp.task_package"));
    CHECK(vm_image(hash).image_to_resolve() == hash);
    CHECK(tagged != vm_image(hash));
    auto known = tagged;
    known.image(hash, "http://a/b");
    CHECK(known.image_to_resolve().empty());
    CHECK(known == vm_image(hash, "http://a/b"));
    for (const std::string wrong : {"", "http://a/b", "a b", "a&b=c", "a\nb"})
        CHECK_THROWS_AS(vm_image(wrong), Error);
    CHECK_THROWS_AS(Payload("vm").capability(""), Error);
    CHECK_THROWS_AS(Payload("vm").capability("vpn,inet"), Error);
    CHECK(Payload("vm").capability("vpn").capability("vpn") == Payload("vm").capability("vpn"));
}

namespace {

ManifestParts parts()
{
    ManifestParts some;
    some.created = Timestamp(std::chrono::seconds(1'700'000'000));
    return some;
}

std::string complaint(const std::function<void()>& make)
{
    try {
        make();
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        return error.explanation();
    }
    return "nothing";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a manifest with outbound URLs asks for what it takes")
{
    auto some = parts();
    some.image_hash = hash;
    some.image_url = "http://a/b";
    some.outbound_urls = {"https://api.example.com", "http://10.0.0.1:8080"};
    const auto manifest = make_manifest(some);
    CHECK(
        manifest.json() ==
        R"({"version":"0.1.0","createdAt":"2023-11-14T22:13:20.000000Z","expiresAt":"2100-01-01T00:00:00.000000Z",)"
        R"("metadata":{"name":"golem-service-manager","version":"0.1.0"},"payload":[{"platform":{"arch":"x86_64",)"
        R"("os":"linux"},"hash":"sha3:)" +
            hash +
            R"(","urls":["http://a/b"]}],"compManifest":{"version":"0.1.0",)"
            R"("script":{"commands":["run .*"],"match":"regex"},"net":{"inet":{"out":{"protocols":["http","https"],)"
            R"("urls":["https://api.example.com","http://10.0.0.1:8080"]}}}}})");
    CHECK(manifest.base64().substr(0, 16) == "eyJ2ZXJzaW9uIjoi");
    CHECK(manifest.capabilities() == std::vector<std::string>{"inet"});
    CHECK(Manifest(manifest.base64()).json() == manifest.json());
    auto payload = vm_image(hash, "http://a/b");
    payload.capability("inet").manifest(manifest);
    CHECK(payload.properties().get_string("golem.srv.comp.payload") == manifest.base64());
    CHECK(
        payload.constraints() ==
        std::vector<std::string>{"(golem.runtime.name=vm)", "(golem.runtime.capabilities=inet)"});
    CHECK(make_manifest(parts()).capabilities().empty());
    some.outbound_urls.clear();
    some.unrestricted_outbound = true;
    CHECK(contains(make_manifest(some).json(), R"("unrestricted":{"urls":true})"));
    CHECK(make_manifest(some).capabilities() == std::vector<std::string>{"inet"});
}

TEST_CASE("a manifest is signed, or by a partner")
{
    auto some = parts();
    some.unrestricted_outbound = true;
    auto manifest = make_manifest(some);
    manifest.sign("signature!", "-----BEGIN CERTIFICATE-----");
    const auto set = manifest.properties();
    CHECK(set.get_string("golem.srv.comp.payload.sig") == "c2lnbmF0dXJlIQ==");
    CHECK(set.get_string("golem.srv.comp.payload.sig.algorithm") == "sha256");
    CHECK(set.get_string("golem.srv.comp.payload.cert") == "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t");
    CHECK(manifest.capabilities() == std::vector<std::string>{"inet", "manifest-support"});
    // What is in base64 already stays so.
    manifest.sign("c2lnbmF0dXJlIQ==\n", "LS0t");
    CHECK(manifest.properties().get_string("golem.srv.comp.payload.sig") == "c2lnbmF0dXJlIQ==");
    auto partner = make_manifest(some);
    partner.node_descriptor(R"({"node": {"a": 1}})");
    CHECK(partner.properties().get("golem.!exp.gap-31.v0.node.descriptor")->as_raw() == R"({"node":{"a":1}})");
    manifest.node_descriptor("{}");
    CHECK(contains(complaint([&] { static_cast<void>(manifest.properties()); }), "one of the two"));
}

TEST_CASE("a manifest that cannot be meant is refused, and told why")
{
    const auto of_text = [](const std::string& text) { return complaint([&] { Manifest{text}; }); };
    CHECK(contains(of_text("nonsense"), "neither"));
    CHECK(contains(of_text(""), "neither"));
    CHECK(contains(of_text("[]"), "neither"));
    CHECK(contains(of_text("bm9uc2Vuc2U="), "neither"));
    CHECK(contains(of_text("{}"), "version"));
    CHECK(contains(of_text(R"({"version":"0"})"), "createdAt"));
    CHECK(contains(of_text(R"({"version":"0","createdAt":"soon"})"), "createdAt"));
    const std::string head = R"({"version":"0","createdAt":"2026-01-01T00:00:00Z")";
    CHECK(of_text(head + "}") == "nothing");
    CHECK(contains(of_text(head + R"(,"expiresAt":7})"), "expiresAt"));
    CHECK(contains(of_text(head + R"(,"payload":{}})"), "payload"));
    CHECK(contains(of_text(head + R"(,"compManifest":[]})"), "compManifest"));
    CHECK(contains(of_text(head + R"(,"compManifest":{"net":{"inet":{"out":{"urls":1}}}}})"), "urls"));

    const auto of_parts = [](const std::function<void(ManifestParts&)>& change) {
        auto some = parts();
        change(some);
        return complaint([&] { make_manifest(some); });
    };
    CHECK(contains(of_parts([](auto& some) { some.created = Timestamp(); }), "created"));
    CHECK(contains(of_parts([](auto& some) { some.image_hash = "xyz"; }), "image_hash"));
    CHECK(contains(of_parts([](auto& some) { some.image_hash = hash; }), "image_url"));
    for (const std::string url :
         {"api.example.com", "ftp://a", "https://", "https://a/path", "https://u@a", "https://a b"})
        CHECK(contains(of_parts([&](auto& some) { some.outbound_urls = {url}; }), "outbound_urls"));
    CHECK(contains(
        of_parts([](auto& some) {
            some.outbound_urls = {"https://a"};
            some.unrestricted_outbound = true;
        }),
        "choose one"));
    auto unsigned_one = make_manifest(parts());
    CHECK(contains(complaint([&] { unsigned_one.sign("", "x"); }), "signature"));
    CHECK(contains(complaint([&] { unsigned_one.node_descriptor("[]"); }), "JSON object"));
}
