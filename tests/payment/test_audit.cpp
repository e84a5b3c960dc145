#include <golem/payment/detail/audit.hpp>

#include <tests/support/catch.hpp>

#include <limits>

using namespace golem;
using namespace golem::detail;
using namespace std::chrono_literals;

namespace {

const Timestamp start = Timestamp(1'700'000'000s);
const Amount much(1000);

AgreementAccount account()
{
    AgreementAccount result;
    result.platform = "erc20-hoodi-tglm";
    result.terms.provider = "0xbob";
    result.terms.prices.counters = {{"golem.usage.cpu_sec", 0.0002}, {"golem.usage.duration_sec", 0.0001}};
    result.terms.prices.start = 0.001;
    result.terms.threads = 2;
    result.terms.approved = start;
    result.activities["act"];
    return result;
}

yagna::DebitNote note(const std::string& amount, std::vector<double> usage = {0.030904, 4.00302128})
{
    yagna::DebitNote result;
    result.id = "n";
    result.issuer = "0xbob";
    result.platform = "erc20-hoodi-tglm";
    result.agreement = "agr";
    result.activity = "act";
    result.total_due = Amount::parse(amount);
    result.usage = std::move(usage);
    return result;
}

yagna::Invoice invoice(const std::string& amount)
{
    yagna::Invoice result;
    result.id = "i";
    result.issuer = "0xbob";
    result.platform = "erc20-hoodi-tglm";
    result.agreement = "agr";
    result.activities = {"act"};
    result.amount = Amount::parse(amount);
    return result;
}

/// With one accepted note of 0.01 GLM, two minutes after the start.
AgreementAccount with_note()
{
    auto result = account();
    auto& activity = result.activities["act"];
    activity.accepted = Amount::parse("0.01");
    activity.accepted_at = start + 120s;
    activity.notes = 1;
    return result;
}

Decision decision(const AgreementAccount& who, const yagna::DebitNote& what, Timestamp now = start + 10s)
{
    return audit_note(who, what, now, much).decision;
}

} // namespace

TEST_CASE("the terms come from the agreement: what the provider's draft says goes before our demand")
{
    using properties::Value;
    yagna::Agreement agreement;
    agreement.provider = "0xbob";
    agreement.approved = start;
    agreement.offer.properties = properties::PropertySet{
        {"golem.com.pricing.model", "linear"},
        {"golem.com.usage.vector", Value::List{"golem.usage.duration_sec"}},
        {"golem.com.pricing.model.linear.coeffs", Value::List{0.5, 0}},
        {"golem.inf.cpu.cores", 6},
    };
    agreement.demand.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 60);
    auto reading = read_terms(agreement);
    REQUIRE(reading.terms);
    CHECK(reading.terms->threads == 6);
    CHECK(reading.terms->note_interval == 60s);
    CHECK(reading.terms->approved == start);
    agreement.offer.properties.set("golem.inf.cpu.threads", 3);
    agreement.offer.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 90);
    reading = read_terms(agreement);
    CHECK(reading.terms->threads == 3);
    CHECK(reading.terms->note_interval == 90s);
    agreement.offer.properties.set("golem.com.pricing.model.linear.coeffs", Value::List{0.5});
    CHECK_FALSE(read_terms(agreement).terms);
}

TEST_CASE("a note is accepted if its amount is what prices and usage give")
{
    const auto verdict = audit_note(account(), note("0.001406482928000000"), start + 10s, much);
    CHECK(verdict.decision == Decision::accept);
    CHECK(verdict.increase == Amount::parse("0.001406482928"));
    CHECK(verdict.remark.empty());
    // Less is welcome, and so is nothing.
    CHECK(decision(account(), note("0.0014")) == Decision::accept);
    CHECK(decision(account(), note("0", {0, 0})) == Decision::accept);
    // The start price alone, before anything has run.
    CHECK(decision(account(), note("0.001", {0, 0}), start) == Decision::accept);
}

TEST_CASE("a note that demands more is refused")
{
    struct Row {
        const char* what;
        yagna::DebitNote note;
    };
    auto foreign = note("0.001");
    foreign.issuer = "0xeve";
    auto elsewhere = note("0.001");
    elsewhere.platform = "erc20-mainnet-glm";
    const double infinite = std::numeric_limits<double>::infinity();
    const Row rows[] = {
        {"more than prices times usage", note("0.00140649")},
        {"twice the start price", note("0.002406482928")},
        {"too long for the time that passed", note("0.0085", {0, 75})},
        {"more processors than there are", note("0.0365", {150, 70})},
        {"one counter only", note("0.001", {1})},
        {"three counters", note("0.001", {1, 1, 1})},
        {"negative usage", note("0.001", {-1, 1})},
        {"infinite usage", note("0.001", {0, infinite})},
        {"negative amount", note("-1")},
        {"somebody else's", foreign},
        {"on another platform", elsewhere},
    };
    for (const auto& row : rows) {
        const auto verdict = audit_note(account(), row.note, start + 10s, much);
        INFO(row.what << ": " << verdict.problem);
        CHECK(verdict.decision == Decision::refuse);
        CHECK_FALSE(verdict.problem.empty());
    }
}

TEST_CASE("usage is plausible up to a minute's grace")
{
    CHECK(decision(account(), note("0.008", {0, 70})) == Decision::accept);
    CHECK(decision(account(), note("0.0081", {0, 70.1})) == Decision::refuse);
    CHECK(decision(account(), note("0.036", {140, 70})) == Decision::accept);
    auto ended = account();
    ended.ended = start + 10s;
    CHECK(decision(ended, note("0.0081", {0, 71}), start + 1h) == Decision::refuse);
}

TEST_CASE("a note without usage is bounded by time alone")
{
    auto silent = note("0.036");
    silent.usage.reset();
    CHECK(decision(account(), silent) == Decision::accept);
    silent.total_due = Amount::parse("0.0361");
    CHECK(decision(account(), silent) == Decision::refuse);
    auto priced_otherwise = account();
    priced_otherwise.terms.prices.counters.push_back({"golem.usage.storage_gib", 0.1});
    CHECK(decision(priced_otherwise, silent) == Decision::refuse);
}

TEST_CASE("totals run: only the difference counts, and they never shrink")
{
    const auto later = start + 240s;
    const auto verdict = audit_note(with_note(), note("0.015", {10, 140}), later, much);
    CHECK(verdict.decision == Decision::accept);
    CHECK(verdict.increase == Amount::parse("0.005"));
    CHECK(decision(with_note(), note("0.0099", {10, 140}), later) == Decision::refuse);
    CHECK(decision(with_note(), note("0.01", {10, 140}), later) == Decision::accept);
    auto unknown = note("0.001");
    unknown.activity = "other";
    CHECK(decision(with_note(), unknown, later) == Decision::unknown);
}

TEST_CASE("the budget is a hard ceiling")
{
    const auto fits = audit_note(with_note(), note("0.015", {10, 140}), start + 240s, Amount::parse("0.005"));
    CHECK(fits.decision == Decision::accept);
    const auto exceeds =
        audit_note(with_note(), note("0.015", {10, 140}), start + 240s, Amount::parse("0.004999999999999999"));
    CHECK(exceeds.decision == Decision::beyond);
    CHECK(audit_invoice(with_note(), invoice("0.011"), start + 150s, Amount()).decision == Decision::beyond);
}

TEST_CASE("notes that come too often are accepted with a remark")
{
    auto busy = with_note();
    busy.activities["act"].notes = 2;
    // The third within two minutes: one is due at 120 s, one more may be the last one.
    CHECK_FALSE(audit_note(busy, note("0.01", {40, 10}), start + 125s, much).remark.empty());
    CHECK(audit_note(busy, note("0.01", {40, 10}), start + 125s, much).decision == Decision::accept);
    CHECK(audit_note(busy, note("0.01", {40, 10}), start + 215s, much).remark.empty());
    CHECK(audit_note(with_note(), note("0.01", {40, 10}), start + 91s, much).remark.empty());
}

TEST_CASE("an invoice is what the notes say, or what can have been used since")
{
    struct Row {
        const char* amount;
        Decision decision;
    };
    // Two minutes and thirty seconds: at most 90 s of two processors since the note, 0.045 GLM.
    const Row rows[] = {
        {"0.01", Decision::accept},   {"0.010000000000000001", Decision::accept}, {"0.055", Decision::accept},
        {"0.0551", Decision::refuse}, {"0.009999999999999999", Decision::refuse}, {"-1", Decision::refuse},
        {"100000", Decision::refuse},
    };
    for (const auto& row : rows) {
        const auto verdict = audit_invoice(with_note(), invoice(row.amount), start + 150s, much);
        INFO(row.amount << ": " << verdict.problem);
        CHECK(verdict.decision == row.decision);
    }
    auto foreign = invoice("0.01");
    foreign.issuer = "0xeve";
    CHECK(audit_invoice(with_note(), foreign, start + 150s, much).decision == Decision::refuse);
}

TEST_CASE("an agreement without activities owes nothing")
{
    auto idle = account();
    idle.activities.clear();
    CHECK(audit_invoice(idle, invoice("0"), start + 1h, Amount()).decision == Decision::accept);
    CHECK(audit_invoice(idle, invoice("0.000000000000000002"), start + 1h, much).decision == Decision::refuse);
}

TEST_CASE("an invoice after the end is bounded by the end")
{
    auto ended = with_note();
    ended.ended = start + 150s;
    CHECK(audit_invoice(ended, invoice("0.055"), start + 10h, much).decision == Decision::accept);
    CHECK(audit_invoice(ended, invoice("0.056"), start + 10h, much).decision == Decision::refuse);
}

TEST_CASE("what a lost answer has created is owed, if it is the agreement's only activity")
{
    auto ended = account();
    ended.activities.clear();
    CHECK(audit_note(ended, note("0.0014"), start + 10s, much).decision == Decision::unknown); // It may become known.
    ended.ended = start + 10s;
    const auto verdict = audit_note(ended, note("0.0014"), start + 10s, much);
    CHECK(verdict.decision == Decision::accept);
    CHECK(verdict.increase == Amount::parse("0.0014"));
    CHECK_FALSE(verdict.remark.empty());
    CHECK(audit_note(ended, note("0.00141"), start + 10s, much).decision == Decision::refuse);
    ended.activities["another"];
    CHECK(audit_note(ended, note("0.0014"), start + 10s, much).decision == Decision::unknown);
}

TEST_CASE("an outage of ours makes no right invoice too large")
{
    // The note is of the second minute, but was accepted in the tenth; the invoice is of the tenth.
    auto late = with_note();
    auto dated = note("0.01");
    dated.timestamp = start + 120s;
    CHECK(settled_until(late.terms, dated, start + 600s) == start + 120s);
    late.activities["act"].accepted_at = settled_until(late.terms, dated, start + 600s);
    CHECK(audit_invoice(late, invoice("0.2"), start + 600s, much).decision == Decision::accept);
    // Neither dates of the future nor such before the agreement.
    dated.timestamp = start + 1h;
    CHECK(settled_until(late.terms, dated, start + 600s) == start + 600s);
    dated.timestamp = start - 1h;
    CHECK(settled_until(late.terms, dated, start + 600s) == start);
    // Who dates a note back is paid no time twice: 0.001 and 11 minutes of two processors are 0.331 GLM.
    late.activities["act"].accepted = Amount::parse("0.3");
    late.activities["act"].accepted_at = start;
    CHECK(audit_invoice(late, invoice("0.33"), start + 600s, much).decision == Decision::accept);
    CHECK(audit_invoice(late, invoice("0.34"), start + 600s, much).decision == Decision::refuse);
}
