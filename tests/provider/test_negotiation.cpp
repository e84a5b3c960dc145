#include <golem/provider/detail/negotiation.hpp>
#include <golem/provider/detail/wording.hpp>

#include <golem/core/timestamp.hpp>

#include <tests/support/catch.hpp>

#include <functional>

using namespace golem;
using namespace golem::provider;
using namespace golem::provider::detail;
using namespace std::chrono_literals;
using properties::Value;

namespace {

const Timestamp now = parse_timestamp("2026-11-24T06:57:21.681Z");

std::int64_t in(Duration duration)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>((now + duration).time_since_epoch()).count();
}

ProviderOptions options()
{
    ProviderOptions chosen;
    chosen.name = "prov1";
    chosen.subnet = "local";
    chosen.platforms = {"erc20-hoodi-tglm"};
    chosen.cpu_price = 0.0002;
    chosen.duration_price = 0.0001;
    chosen.start_price = 0.001;
    return chosen;
}

Content good_demand()
{
    Content demand;
    demand.properties.set("golem.srv.comp.expiration", in(24min + 20s));
    demand.properties.set("golem.com.payment.chosen-platform", "erc20-hoodi-tglm");
    demand.properties.set("golem.com.payment.debit-notes.accept-timeout?", 120);
    demand.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 120);
    demand.properties.set("golem.com.scheme.payu.payment-timeout-sec?", 120);
    demand.properties.set("golem.srv.caps.multi-activity", true);
    return demand;
}

} // namespace

TEST_CASE("the offer has every property in its kind")
{
    const auto offer = make_offer(options(), "0xa600", now);
    CHECK(offer.constraints == "(&\n  (golem.srv.comp.expiration>1795503441681)\n  (golem.node.debug.subnet=local)\n)");
    const auto& set = offer.properties;
    CHECK(set.size() == 30);
    CHECK(set.get("golem.com.scheme.payu")->as_raw() == "{}");
    CHECK(set.get("golem.com.payment.debit-notes.accept-timeout?")->kind() == Value::Kind::integer);
    CHECK(set.get_int("golem.com.payment.debit-notes.accept-timeout?") == 240);
    CHECK(set.get_string("golem.com.payment.platform.erc20-hoodi-tglm.address") == "0xa600");
    CHECK(set.get_int("golem.com.payment.protocol.version") == 3);
    const auto* coeffs = set.get("golem.com.pricing.model.linear.coeffs")->as_list();
    REQUIRE(coeffs);
    REQUIRE(coeffs->size() == 3);
    for (const auto& coeff : *coeffs)
        CHECK(coeff.kind() == Value::Kind::number);
    CHECK(set.get("golem.inf.mem.gib")->kind() == Value::Kind::number);
    CHECK(set.get("golem.inf.cpu.threads")->kind() == Value::Kind::integer);
    CHECK(set.get_bool("golem.srv.caps.multi-activity") == true);
    CHECK(set.get_strings("golem.usage.vector") == std::nullopt);
    CHECK(
        set.get_strings("golem.com.usage.vector") ==
        std::vector<std::string>{"golem.usage.cpu_sec", "golem.usage.duration_sec"});

    auto other = options();
    other.cpu_price = 0.0;
    other.capabilities.push_back("vpn");
    other.transfer_protocols.push_back("http");
    other.properties.set("golem.inf.cpu.vendor", "AuthenticAMD");
    const auto changed = make_offer(other, "0xa600", now);
    CHECK(
        changed.properties.get_strings("golem.com.usage.vector") ==
        std::vector<std::string>{"golem.usage.duration_sec"});
    CHECK(
        changed.properties.get_doubles("golem.com.pricing.model.linear.coeffs") == std::vector<double>{0.0001, 0.001});
    CHECK(changed.properties.get_string("golem.inf.cpu.vendor") == "AuthenticAMD");
    const auto list = [](const Content& content, const char* name) { return *content.properties.get(name)->as_list(); };
    CHECK(list(offer, "golem.runtime.capabilities").empty());
    CHECK(list(offer, "golem.activity.caps.transfer.protocol").empty());
    CHECK(list(changed, "golem.runtime.capabilities") == Value::List(1, Value("vpn")));
    CHECK(list(changed, "golem.activity.caps.transfer.protocol") == Value::List(1, Value("http")));
}

TEST_CASE("what a demand is answered")
{
    using Change = std::function<void(properties::PropertySet&)>;
    const auto set = [](std::string name, Value value) {
        return Change([name, value](auto& demand) { demand.set(name, value); });
    };
    const auto without = [](std::vector<std::string> names) {
        return Change([names](auto& demand) {
            for (const auto& name : names)
                demand.erase(name);
        });
    };
    const std::string expiration = "golem.srv.comp.expiration";
    const std::string accept = "golem.com.payment.debit-notes.accept-timeout?";
    const std::string interval = "golem.com.scheme.payu.debit-note.interval-sec?";
    const std::string payment = "golem.com.scheme.payu.payment-timeout-sec?";
    const std::string coeffs = "golem.com.pricing.model.linear.coeffs";
    const std::string mid_agreement =
        "Expiration time 2026-11-24T18:57:21.681+00:00 exceeds the 10h threshold of enforcing mid-agreement payments "
        "but the required property 'golem.com.scheme.payu.payment-timeout-sec?' was not present in the Demand";

    struct Row {
        std::string name;
        std::vector<Change> changes;
        std::string message; // of the refusal
        bool is_final = true;
    };
    const auto rows = std::vector<Row>{
        {"no platform",
         {without({"golem.com.payment.chosen-platform"})},
         "Missing fields: /golem/com/payment/chosen-platform",
         false},
        {"a minute",
         {set(expiration, in(1min))},
         "Proposal expires at: 2026-11-24 06:58:21.681 UTC which is less than 5m or more than 100years from now"},
        {"120 years",
         {set(expiration, 5579823441700)},
         "Proposal expires at: 2146-10-26 06:57:21.700 UTC which is less than 5m or more than 100years from now",
         false},
        {"beyond all times",
         {set(expiration, std::int64_t(9'000'000'000'000'000'000))},
         "Proposal expires at: 2262-04-11 23:47:16.854 UTC which is less than 5m or more than 100years from now",
         false},
        {"40 minutes without notes",
         {set(expiration, in(40min)), without({accept, interval, payment})},
         "Proposal expires at: 2026-11-24 07:37:21.681 UTC which is less than 5m or more than 30m from now",
         false},
        {"slow acceptance", {set(accept, 300)}, "DebitNote acceptance deadline should be less than 4m."},
        {"quick acceptance", {set(accept, 4)}, "To low DebitNotes timeout: 4s"},
        {"no interval", {set(interval, 0)}, "Demand DebitNote interval 0s not in acceptable range of [1s; 1day]"},
        {"a long interval",
         {set(interval, 100000)},
         "Demand DebitNote interval 1day 3h 46m 40s not in acceptable range of [1s; 1day]"},
        {"a long payment timeout",
         {set(payment, 100000)},
         "Demand DebitNote payment timeout 1day 3h 46m 40s not in acceptable range of [1s; 1day]"},
        {"12 hours without payments", {set(expiration, in(12h)), without({payment})}, mid_agreement},
        {"12 hours with nothing", {set(expiration, in(12h)), without({accept, interval, payment})}, mid_agreement},
        {"lower prices", {set(coeffs, Value::List{0.0, 0.0, 0.0})}, "[0.0, 0.0, 0.0] < [0.0002, 0.0001, 0.001]"},
        {"garbage for a manifest",
         {set("golem.srv.comp.payload", "aGVsbG8=")},
         "invalid manifest: ManifestFormat(Error(\"expected value\", line: 1, column: 1))"},
    };
    const auto offer = make_offer(options(), "0xa600", now);
    for (const auto& row : rows) {
        INFO(row.name);
        auto demand = good_demand();
        for (const auto& change : row.changes)
            change(demand.properties);
        const auto decision = negotiate(demand, offer, now, 0, options());
        const auto* refuse = std::get_if<Refuse>(&decision);
        REQUIRE(refuse);
        CHECK(refuse->message == row.message);
        CHECK(refuse->is_final == row.is_final);
        CHECK(refuse->reason().extra.get_bool("golem.proposal.rejection.is-final") == row.is_final);
        CHECK(!refuse->for_capacity);
    }

    const auto unanswered = std::vector<Row>{
        {"a string for an expiration", {set(expiration, "1795504941656")}, ""},
        {"a string for a timeout", {set(accept, "120")}, ""},
        {"a fraction for a timeout", {set(accept, 120.5)}, ""},
        {"a negative interval", {set(interval, -1)}, ""},
        {"no expiration", {without({expiration})}, ""},
    };
    for (const auto& row : unanswered) {
        INFO(row.name);
        auto demand = good_demand();
        for (const auto& change : row.changes)
            change(demand.properties);
        CHECK(std::holds_alternative<Silence>(negotiate(demand, offer, now, 0, options())));
    }

    struct Draft {
        std::string name;
        std::vector<Change> changes;
        std::optional<std::int64_t> accept_timeout = 120;
        std::optional<std::int64_t> note_interval = 120;
        std::optional<std::int64_t> payment_timeout = 120;
    };
    const auto drafts = std::vector<Draft>{
        {"all as it should be", {}},
        {"a platform that the offer lacks", {set("golem.com.payment.chosen-platform", "erc20-polygon-glm")}},
        {"our acceptance", {set(accept, 240)}, 240},
        {"the quickest acceptance", {set(accept, 5)}, 5},
        {"other times", {set(interval, 5), set(payment, 12)}, 120, 5, 12},
        {"no payments", {without({payment})}, 120, 120, std::nullopt},
        {"25 minutes with nothing", {without({accept, interval, payment})}, std::nullopt, std::nullopt, std::nullopt},
        {"a year", {set(expiration, in(24h * 365))}},
        {"equal prices", {set(coeffs, Value::List{0.0002, 0.0001, 0.001})}},
        {"a manifest", {set("golem.srv.comp.payload", "eyJ2ZXJzaW9uIjoiMC4xIn0=")}},
        {"single activity", {set("golem.srv.caps.multi-activity", false)}},
    };
    for (const auto& row : drafts) {
        INFO(row.name);
        auto demand = good_demand();
        for (const auto& change : row.changes)
            change(demand.properties);
        const auto decision = negotiate(demand, offer, now, 0, options());
        const auto* accepted = std::get_if<Accept>(&decision);
        REQUIRE(accepted);
        const auto& draft = accepted->content;
        CHECK(draft.constraints == offer.constraints);
        CHECK(!draft.properties.contains("golem.com.scheme.payu"));
        CHECK(draft.properties.get_string("golem.com.scheme") == "payu");
        CHECK(draft.properties.get_int(accept) == row.accept_timeout);
        CHECK(draft.properties.get_int(interval) == row.note_interval);
        CHECK(draft.properties.get_int(payment) == row.payment_timeout);
        CHECK(draft.properties.contains(accept) == row.accept_timeout.has_value());
    }

    const auto full = negotiate(good_demand(), offer, now, 1, options());
    REQUIRE(std::holds_alternative<Refuse>(full));
    CHECK(std::get<Refuse>(full).message == "No capacity available. Reached Agreements limit: 1");
    CHECK(std::get<Refuse>(full).for_capacity);
    CHECK(!std::get<Refuse>(full).is_final);
}

TEST_CASE("times and numbers are written as the real agent writes them")
{
    CHECK(human(0s) == "0s");
    CHECK(human(4s) == "4s");
    CHECK(human(240s) == "4m");
    CHECK(human(100000s) == "1day 3h 46m 40s");
    CHECK(human(ProviderOptions().longest_agreement) == "100years");
    CHECK(human(1500ms) == "1s 500ms");
    CHECK(human(24h * 60) == "1month 29days 13h 26m 24s");
    CHECK(plain(90s) == "90s");
    CHECK(plain(120s) == "120s");
    CHECK(plain(1500ms) == "1.5s");
    CHECK(plain(50ms) == "50ms");
    CHECK(displayed(now) == "2026-11-24 06:57:21.681 UTC");
    CHECK(with_offset(now) == "2026-11-24T06:57:21.681+00:00");
    CHECK(number(0.0) == "0.0");
    CHECK(number(0.0002) == "0.0002");
    CHECK(number(5.555555555555556e-6) == "5.555555555555556e-6");
    CHECK(number(1e17) == "1e17");
    CHECK(number(12.0) == "12.0");
    CHECK(numbers({}) == "[]");
}
