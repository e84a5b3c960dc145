#include <golem/devnet/payments.hpp>
#include <golem/devnet/platform.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::devnet;
using namespace std::chrono_literals;

namespace {

Billing some_billing(const std::string& agreement)
{
    Billing billing;
    billing.agreement = agreement;
    billing.requestor = "0xr";
    billing.provider = "0xp";
    billing.platform = "erc20-hoodi-tglm";
    billing.requestor_session = "session";
    return billing;
}

NewAllocation wish(const char* total)
{
    NewAllocation allocation;
    allocation.total = *Decimal::parse(total);
    allocation.platform = "erc20-hoodi-tglm";
    allocation.address = "0xr";
    return allocation;
}

const Timestamp now{24h * 20000};

std::string text(const Result<Done>& result)
{
    return result ? "ok" : std::to_string(result.failure().status()) + " " + result.failure().text();
}

constexpr auto note = DocumentKind::debit_note;
constexpr auto invoice = DocumentKind::invoice;

} // namespace

TEST_CASE("decimals keep their scale as the daemon's do")
{
    CHECK((*Decimal::parse("0.010") + *Decimal::parse("0.02")).to_string() == "0.030");
    CHECK((*Decimal::parse("5") - *Decimal::parse("0.001306028025800000")).to_string() == "4.998693971974200000");
    CHECK(Decimal::parse("5e-1")->to_string() == "0.5");
    CHECK(Decimal::from_number(1.5)->to_string() == "1.500000000000000");
    CHECK(Decimal::from_number(0.25)->to_string() == "0.2500000000000000");
    CHECK(*Decimal::parse("0.10") == *Decimal::parse("0.1"));
    CHECK(!Decimal::parse("abc"));
}

TEST_CASE("payment platforms are inferred and refused as by the daemon")
{
    const auto resolved = [](PlatformWish wish) {
        const auto result = resolve_platform(wish);
        return result ? *result : "- " + result.failure().text();
    };
    PlatformWish parts;
    CHECK(resolved(parts) == "erc20-holesky-tglm");
    parts.token = "glm";
    CHECK(resolved(parts) == "erc20-polygon-glm");
    parts.token.reset();
    parts.network = "hoodi";
    CHECK(resolved(parts) == "erc20-hoodi-tglm");
    PlatformWish named;
    named.name = "nonsense";
    CHECK(resolved(named) == "- paymentPlatform must be of the form driver-network-token instead of nonsense");
    named.name = "erc20-nowhere-tglm";
    CHECK(resolved(named) == "- Validate network failed (2): Invalid network name: nowhere");
}

TEST_CASE("allocations reserve what there is, and no more")
{
    PaymentOptions options;
    options.funds = Amount(10);
    Payments payments(options, Random(1));
    const auto first = payments.allocate("0xr", wish("3"), now);
    REQUIRE(first);
    const auto refused = payments.allocate("0xr", wish("8"), now);
    REQUIRE(!refused);
    CHECK(refused.failure().status() == 400);
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"type", "validation-error"},
        {"instance", "validation-error/insufficient-account-funds"},
        {"requestedFunds", "8"},
        {"availableFunds", "7"},
        {"reservedFunds", "3"},
        {"paymentPlatform", "erc20-hoodi-tglm"},
        {"address", "0xr"}};
    CHECK(refused.failure().members() == expected);
    REQUIRE(payments.release("0xr", first->id, now));
    CHECK(payments.release("0xr", first->id, now).failure().status() == 410);
    CHECK(payments.release("0xs", first->id, now).failure().status() == 404);
    CHECK(payments.allocate("0xr", wish("8"), now));

    auto short_lived = wish("2");
    short_lived.timeout = now + 1min;
    const auto passing = payments.allocate("0xr", short_lived, now);
    REQUIRE(passing);
    CHECK(payments.allocations("0xr", now).size() == 2);
    CHECK(payments.allocations("0xr", now + 1min).size() == 1);
    CHECK(payments.allocation("0xr", passing->id, now + 1min).failure().status() == 404);
}

TEST_CASE("documents are accepted by the daemon's rules, in its order")
{
    PaymentOptions options;
    options.settle_after = std::nullopt;
    Payments payments(options, Random(1));
    const auto allocation = payments.allocate("0xr", wish("0.05"), now)->id;
    const auto billing = some_billing("a");
    const auto first = payments.send_note(billing, "act", *Decimal::parse("0.010"), std::nullopt, std::nullopt, now);
    const auto second = payments.send_note(billing, "act", *Decimal::parse("0.03"), std::nullopt, std::nullopt, now);
    const auto accept = [&](DocumentKind kind, const std::string& id, const char* amount, const std::string& from) {
        return text(payments.accept("0xr", kind, id, *Decimal::parse(amount), from, now));
    };
    CHECK(accept(note, "unknown", "1", allocation) == "404 ");
    CHECK(accept(note, first, "0.02", allocation) == "400 Invalid amount accepted");
    CHECK(accept(note, first, "0.01", "nowhere") == "400 Allocation nowhere not found");
    CHECK(accept(note, first, "0.01", allocation) == "ok");
    CHECK(accept(note, first, "0.01", "nowhere") == "ok");
    CHECK(payments.document("0xr", note, second)->previous == first);
    CHECK(accept(note, second, "0.03", allocation) == "ok");
    CHECK(payments.allocation("0xr", allocation, now)->spent.to_string() == "0.030");

    const auto low = payments.send_invoice(billing, {"act"}, *Decimal::parse("0.02"), std::nullopt, now);
    CHECK(accept(invoice, low, "0.02", allocation).starts_with("400 "));
    const auto high = payments.send_invoice(billing, {"act"}, *Decimal::parse("0.4"), std::nullopt, now);
    CHECK(accept(invoice, high, "0.4", allocation) == "400 Not enough funds. Allocated: 0.020 Needed: 0.37");
    const auto right = payments.send_invoice(billing, {"act"}, *Decimal::parse("0.04"), std::nullopt, now);
    CHECK(text(payments.reject_invoice("0xr", right, "{}", now)) == "ok");
    const auto late = payments.send_note(billing, "act", *Decimal::parse("0.04"), std::nullopt, std::nullopt, now);
    // An invoice that is decided swallows later notes.
    CHECK(accept(note, late, "0.04", allocation) == "ok");
    CHECK(payments.document("0xr", note, late)->status == DocumentStatus::received);
    CHECK(accept(invoice, right, "0.040", allocation) == "ok");
    CHECK(text(payments.reject_invoice("0xr", right, "{}", now)) == "400 Invoice accepted");
    CHECK(text(payments.cancel("0xp", right, now)) == "409 Invoice already accepted by requestor");
    CHECK(payments.allocation("0xr", allocation, now)->spent.to_string() == "0.040");
}

TEST_CASE("accepted documents settle when they should, the notes with their invoice")
{
    PaymentOptions options;
    options.settle_after = 10s;
    Payments payments(options, Random(1));
    const auto allocation = payments.allocate("0xr", wish("1"), now)->id;
    const auto billing = some_billing("a");
    const auto amount = *Decimal::parse("0.1");
    const auto paid = payments.send_note(billing, "act", amount, std::nullopt, std::nullopt, now);
    REQUIRE(payments.accept("0xr", note, paid, amount, allocation, now));
    CHECK(payments.document("0xr", note, paid)->status == DocumentStatus::accepted);
    CHECK(payments.next_deadline() == now + 10s);
    payments.advance(now + 10s);
    CHECK(payments.document("0xr", note, paid)->status == DocumentStatus::settled);
    CHECK(!payments.next_deadline());
    const auto empty = payments.send_invoice(billing, {}, *Decimal::parse("0.1"), std::nullopt, now);
    REQUIRE(payments.accept("0xr", invoice, empty, amount, allocation, now));
    CHECK(payments.allocation("0xr", allocation, now)->spent.to_string() == "0.1");
}

TEST_CASE("each side of the payment log sees its own kinds, session and times")
{
    Payments payments(PaymentOptions(), Random(1));
    const auto allocation = payments.allocate("0xr", wish("1"), now)->id;
    const auto amount = *Decimal::parse("0.1");
    const auto id = payments.send_invoice(some_billing("a"), {}, amount, std::nullopt, now);
    REQUIRE(payments.accept("0xr", invoice, id, amount, allocation, now));
    PaymentEventQuery query;
    query.document = invoice;
    query.session = "session";
    CHECK(payments.events("0xr", query).size() == 1);
    query.as_requestor = {PaymentEventKind::settled};
    CHECK(payments.events("0xr", query).size() == 1);
    // The limit comes before the kinds: the received event uses it up.
    query.max_events = 1;
    CHECK(payments.events("0xr", query).empty());
    query.max_events.reset();
    query.session = "other";
    CHECK(payments.events("0xr", query).empty());
    query.session.reset();
    const auto theirs = payments.events("0xp", query);
    REQUIRE(theirs.size() == 2);
    CHECK(theirs[0].kind == PaymentEventKind::accepted);
    CHECK(theirs[1].kind == PaymentEventKind::settled);
    CHECK(theirs[0].date < theirs[1].date);
}
