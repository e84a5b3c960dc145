#include <golem/provider/detail/billing.hpp>

#include <golem/core/timestamp.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using namespace golem::provider;
using namespace golem::provider::detail;
using namespace std::chrono_literals;

namespace {

const Timestamp signed_at = parse_timestamp("2026-11-24T06:59:27.600Z");

Terms terms()
{
    Terms chosen;
    chosen.signed_at = signed_at;
    chosen.expires = signed_at + 30min;
    chosen.note_interval = 5s;
    chosen.counters = {"golem.usage.cpu_sec", "golem.usage.duration_sec"};
    chosen.prices = {0.0002, 0.0001};
    chosen.start_price = 0.001;
    return chosen;
}

} // namespace

TEST_CASE("totals are exact decimals, as recorded")
{
    struct Row {
        std::vector<double> usage;
        std::string total;
    };
    const auto rows = std::vector<Row>{
        {{}, "0.001"},
        {{0.0, 0.0}, "0.001"},
        {{0.030904, 4.00302128}, "0.001406482928"},
        {{0.042323, 9.004132411}, "0.0019088778411"},
        {{0.078361, 26.002786401}, "0.0036159508401"},
        {{0.483721, 34.004302407}, "0.0044971744407"},
        {{0.028865, 3.002550258}, "0.0013060280258"},
        {{1.0, 2.0, 5.0}, "0.0014"},
    };
    for (const auto& row : rows)
        CHECK(total_due(terms(), row.usage).to_string() == row.total);
}

TEST_CASE("products round at the 18th decimal and survive extremes")
{
    CHECK(product(0.0, 5.0).is_zero());
    CHECK(product(1e-9, 1e-9).to_string() == "0.000000000000000001");
    CHECK(product(5e-10, 1e-9).to_string() == "0.000000000000000001");
    CHECK(product(4.9e-10, 1e-9).is_zero());
    CHECK(product(1e-30, 1e-30).is_zero());
    CHECK(product(-5e-10, 1e-9).to_string() == "-0.000000000000000001");
    CHECK(product(2.777777777777778e-5, 3600.0).to_string() == "0.100000000000000008");
    CHECK(product(1e10, 1e9).to_string() == "10000000000000000000");
    CHECK(product(1234.5, 10.0).to_string() == "12345");
}

TEST_CASE("notes come at the agreement's intervals while an activity runs")
{
    Deadlines deadlines(terms(), signed_at + 10ms);
    CHECK(deadlines.next().kind == Due::Kind::no_activity);
    CHECK(deadlines.next().when == signed_at + 10ms + 90s);
    deadlines.activity_created(signed_at + 12s);
    CHECK(deadlines.next().kind == Due::Kind::note);
    CHECK(deadlines.next().when == signed_at + 15s);
    CHECK(!deadlines.take_interval_note(signed_at + 15s + 3ms).due);
    CHECK(deadlines.next().when == signed_at + 20s);
    // Those that were slept through are not made up for.
    deadlines.take_interval_note(signed_at + 41s);
    CHECK(deadlines.next().when == signed_at + 45s);
    deadlines.activity_ended(signed_at + 43s);
    CHECK(deadlines.next().kind == Due::Kind::no_activity);
    CHECK(deadlines.next().when == signed_at + 133s);
    CHECK(deadlines.reason(deadlines.next()).message == "No activity created within 90s");
    deadlines.activity_created(signed_at + 50s);
    CHECK(deadlines.next().when == signed_at + 55s);
}

TEST_CASE("payable notes are the first at or after each payment timeout, and the last ones")
{
    auto chosen = terms();
    chosen.payment_timeout = 12s;
    Deadlines deadlines(chosen, signed_at);
    deadlines.activity_created(signed_at);
    std::vector<int> payable;
    for (int note = 1; note <= 10; ++note) {
        const auto when = signed_at + note * 5s + 2ms;
        const auto plan = deadlines.take_interval_note(when);
        if (plan.due) {
            payable.push_back(note);
            CHECK(*plan.due == when + 12s);
        }
        // One that is not sent is not paid: the next one is payable in its place.
        if (note != 6)
            deadlines.note_sent(std::to_string(note), when, plan);
    }
    CHECK(payable == std::vector<int>{3, 6, 7, 10});
    CHECK(deadlines.last_note(signed_at + 51s).due == signed_at + 63s);

    Deadlines without(terms(), signed_at);
    CHECK(!without.take_interval_note(signed_at + 500s).due);
    CHECK(!without.last_note(signed_at + 501s).due);
}

TEST_CASE("an agreement is broken for what is not accepted or not paid in time")
{
    auto chosen = terms();
    chosen.accept_timeout = 10s;
    chosen.payment_timeout = 12s;
    chosen.note_interval = 1h;
    Deadlines deadlines(chosen, signed_at);
    deadlines.activity_created(signed_at);
    deadlines.note_sent("a", signed_at + 5s, NotePlan());
    deadlines.note_sent("b", signed_at + 8s, NotePlan());
    CHECK(deadlines.next().kind == Due::Kind::not_accepted);
    CHECK(deadlines.next().when == signed_at + 15s);
    CHECK(deadlines.reason(deadlines.next()).message == "Requestor isn't accepting DebitNotes in time (10s)");
    CHECK(deadlines.reason(deadlines.next()).extra.get_string("golem.provider.code") == "DebitNotesDeadline");
    CHECK(deadlines.note_accepted("a"));
    CHECK(!deadlines.note_accepted("a"));
    CHECK(deadlines.next().when == signed_at + 18s);
    CHECK(deadlines.note_accepted("b"));
    NotePlan payable;
    payable.due = signed_at + 27s;
    deadlines.note_sent("c", signed_at + 15s, payable);
    CHECK(deadlines.next().when == signed_at + 25s);
    CHECK(deadlines.note_accepted("c"));
    CHECK(deadlines.next().kind == Due::Kind::not_paid);
    CHECK(deadlines.next().when == signed_at + 27s);
    CHECK(deadlines.reason(deadlines.next()).message == "Requestor didn't pay for DebitNote in time (12s)");
    CHECK(deadlines.reason(deadlines.next()).extra.get_string("golem.provider.code") == "DebitNoteNotPaid");
    CHECK(deadlines.note_settled("c"));
    CHECK(!deadlines.note_settled("c"));
    CHECK(deadlines.next().kind == Due::Kind::expiration);
    CHECK(deadlines.next().when == signed_at + 30min);
    CHECK(deadlines.reason(deadlines.next()).message == "Agreement expired @ 2026-11-24 07:29:27.600 UTC");
    CHECK(deadlines.reason(deadlines.next()).extra.get_string("golem.provider.code") == "Expired");
}

TEST_CASE("an agreement is broken when no note reaches the requestor for the time it has to accept one")
{
    auto chosen = terms();
    chosen.accept_timeout = 10s;
    Deadlines deadlines(chosen, signed_at);
    deadlines.activity_created(signed_at + 1s);
    deadlines.take_interval_note(signed_at + 5s);
    deadlines.note_failed(signed_at + 5s);
    deadlines.take_interval_note(signed_at + 10s);
    deadlines.note_sent("n", signed_at + 10s, NotePlan());
    deadlines.note_accepted("n");
    for (const auto when : {15s, 20s}) {
        deadlines.take_interval_note(signed_at + when);
        deadlines.note_failed(signed_at + when);
        CHECK(deadlines.next().kind == Due::Kind::note);
    }
    deadlines.take_interval_note(signed_at + 25s);
    deadlines.note_failed(signed_at + 25s);
    CHECK(deadlines.next().kind == Due::Kind::unreachable);
    CHECK(deadlines.next().when == signed_at + 25s);
    CHECK(deadlines.reason(deadlines.next()).message == "Requestor is unreachable more than 10s");
    CHECK(deadlines.reason(deadlines.next()).extra.get_string("golem.provider.code") == "RequestorUnreachable");

    Deadlines without(terms(), signed_at);
    without.activity_created(signed_at);
    without.note_failed(signed_at + 300s);
    CHECK(without.next().kind == Due::Kind::note);
    without.note_failed(signed_at + 301s);
    CHECK(without.next().kind == Due::Kind::note); // due before it
    without.take_interval_note(signed_at + 301s);
    CHECK(without.next().kind == Due::Kind::unreachable);
}

TEST_CASE("a break comes before a note of the same time")
{
    auto chosen = terms();
    chosen.expires = signed_at + 15s;
    Deadlines deadlines(chosen, signed_at);
    deadlines.activity_created(signed_at + 11s);
    CHECK(deadlines.next().kind == Due::Kind::expiration);
}

TEST_CASE("an agreement's terms are read from both sides")
{
    AgreementArrived agreement;
    agreement.timestamp = signed_at;
    agreement.demand.properties.set("golem.srv.comp.expiration", 1795503600000);
    agreement.demand.properties.set("golem.srv.caps.multi-activity", true);
    agreement.demand.properties.set("golem.srv.comp.task_package", "hash:sha3:x:y");
    ProviderOptions options;
    options.capacity = 3;
    auto read = read_terms(agreement, options);
    CHECK(read.expires == parse_timestamp("2026-11-24T07:00:00Z"));
    CHECK(!read.has_multi_activity);
    CHECK(read.note_interval == 120s);
    CHECK(!read.accept_timeout);
    CHECK(read.image == "hash:sha3:x:y");
    agreement.offer.properties.set("golem.srv.caps.multi-activity", true);
    agreement.offer.properties.set("golem.com.scheme.payu.debit-note.interval-sec?", 5);
    agreement.offer.properties.set("golem.com.scheme.payu.payment-timeout-sec?", 12);
    agreement.offer.properties.set("golem.com.payment.debit-notes.accept-timeout?", 10);
    agreement.offer.properties.set("golem.com.usage.vector", properties::Value::List{"golem.usage.duration_sec"});
    agreement.offer.properties.set("golem.com.pricing.model.linear.coeffs", properties::Value::List{0.5, 0.25});
    read = read_terms(agreement, options);
    CHECK(read.has_multi_activity);
    CHECK(read.note_interval == 5s);
    CHECK(read.payment_timeout == Duration(12s));
    CHECK(read.accept_timeout == Duration(10s));
    CHECK(read.prices == std::vector<double>{0.5});
    CHECK(read.start_price == 0.25);
}
