// The port to a real daemon: what it asks, repeats, and never repeats.
#include "scripted_daemon.hpp"

#include <golem/provider/yagna_port.hpp>

#include <golem/core/error.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <algorithm>

using namespace golem;
using namespace golem::provider;
using namespace std::chrono_literals;
using golem::provider::test::is_away;
using golem::provider::test::says;
using golem::provider::test::ScriptedDaemon;
using Sent = http::TransportError::Sent;

namespace {

struct Bench {
    Bench(const Executor& executor, VirtualTime& clock)
        : time(clock), daemon(std::make_shared<ScriptedDaemon>()),
          port(executor, clock, daemon, options(), Random(1), Logger())
    {
    }

    static YagnaPortOptions options()
    {
        YagnaPortOptions made;
        made.app_key = "secret";
        return made;
    }

    VirtualTime& time;
    std::shared_ptr<ScriptedDaemon> daemon;
    YagnaPort port;
};

void with_port(const std::function<Task<>(Bench&)>& body)
{
    golem::test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Bench bench(executor, time);
        co_await body(bench);
        co_await bench.port.close();
    });
}

// What became of a call: "done", or the kind of its error.
template <typename T>
Task<std::string> outcome_of(Task<T> call)
{
    try {
        co_await std::move(call);
    } catch (const Error& error) {
        co_return make_error_code(error.errc()).message();
    }
    co_return "done";
}

std::string name_of(Errc code) { return make_error_code(code).message(); }

InvoiceDraft invoice()
{
    InvoiceDraft draft;
    draft.agreement = "g";
    draft.activities = {"a"};
    draft.amount = Amount::parse("0.5");
    return draft;
}

DebitNoteDraft note(const std::string& amount)
{
    DebitNoteDraft draft;
    draft.activity = "a";
    draft.total_due = Amount::parse(amount);
    draft.usage = {1.0};
    return draft;
}

} // namespace

TEST_CASE("a wrong key is told as such, and shows in no text")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on("GET /me", {says(401, "Invalid application key")});
        std::string text;
        try {
            co_await bench.port.open();
        } catch (const Error& error) {
            CHECK(error.errc() == Errc::unauthorized);
            text = error.what();
        }
        CHECK(text.find("yagna app-key list") != std::string::npos);
        CHECK(text.find("secret") == std::string::npos);
        CHECK(bench.daemon->authorization == "Bearer secret");
    });
}

TEST_CASE("a daemon that is not there yet is waited for, as long as the first contact may take")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on("GET /me", {is_away(), is_away(), says(401, "Invalid application key")});
        auto open = bench.port.open();
        auto outcome = co_await outcome_of(std::move(open));
        CHECK(outcome == name_of(Errc::unauthorized));
        CHECK(bench.time.elapsed() == 2s);
        bench.daemon->on("GET /me", {is_away()});
        auto again = bench.port.open();
        outcome = co_await outcome_of(std::move(again));
        CHECK(outcome == name_of(Errc::unreachable));
        CHECK(bench.time.elapsed() == 12s);
    });
}

TEST_CASE("a daemon that is away for a while is waited out, but not for ever")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on("DELETE /market-api/v1/offers/o", {is_away(), is_away(Sent::unknown), says(204)});
        const std::string offer = "o";
        co_await bench.port.withdraw_offer(offer);
        CHECK(bench.time.elapsed() == 2s);
        // Withdrawn before.
        bench.daemon->on("DELETE /market-api/v1/offers/o", {says(410, R"({"message":"already unsubscribed"})")});
        co_await bench.port.withdraw_offer(offer);
        bench.daemon->on("DELETE /market-api/v1/offers/o", {is_away()});
        auto call = bench.port.withdraw_offer(offer);
        const auto outcome = co_await outcome_of(std::move(call));
        CHECK(outcome == name_of(Errc::unreachable));
        CHECK(bench.time.elapsed() == 10s);
    });
}

TEST_CASE("what may have been heard is not said twice")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on("POST /market-api/v1/offers", {is_away(Sent::unknown), says(201, "\"o\"")});
        const Content offer;
        auto call = bench.port.publish_offer(offer);
        const auto outcome = co_await outcome_of(std::move(call));
        CHECK(outcome == name_of(Errc::unreachable));
        CHECK(bench.daemon->log().size() == 1);
    });
}

TEST_CASE("an approval without an answer is looked up in the agreement")
{
    with_port([](Bench& bench) -> Task<> {
        const std::string id = "g";
        const auto route = "POST /market-api/v1/agreements/g/approve?timeout=6.000&appSessionId=golem-provider-";
        bench.daemon->on(route, {is_away(Sent::unknown)});
        bench.daemon->on("GET /market-api/v1/agreements/g", {says(200, R"({"state":"Approved"})")});
        auto call = bench.port.approve_agreement(id);
        auto outcome = co_await outcome_of(std::move(call));
        CHECK(outcome == "done");
        bench.daemon->on(route, {says(410, R"({"message":"Cancelled"})")});
        bench.daemon->on("GET /market-api/v1/agreements/g", {says(200, R"({"state":"Cancelled"})")});
        auto late_call = bench.port.approve_agreement(id);
        outcome = co_await outcome_of(std::move(late_call));
        CHECK(outcome == name_of(Errc::refused));
    });
}

TEST_CASE("feeds go on where they stood, and a daemon that has nothing to tell is no failure")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->before_answer = [&bench] { return bench.time.sleep_for(20s, "an answer"); };
        bench.daemon->on(
            "GET /activity-api/v1/events",
            {says(408, R"({"message":"Timeout"})"),
             says(
                 200, R"([{"activityId":"a","agreementId":"g","eventType":{"CreateActivity":{}},)"
                      R"("eventDate":"2026-11-24T07:31:33.802060Z"}])"),
             says(408, R"({"message":"Timeout"})")});
        auto events = co_await bench.port.activity_events(20s);
        CHECK(events.empty());
        events = co_await bench.port.activity_events(20s);
        CHECK(events.size() == 1);
        co_await bench.port.activity_events(20s);
        const auto log = bench.daemon->take_log();
        REQUIRE(log.size() == 3);
        CHECK(log[0].find("timeout=20.000&appSessionId=golem-provider-") != std::string::npos);
        CHECK(log[2].find("afterTimestamp=2026-11-24T07%3A31%3A33.802060Z") != std::string::npos);
        // A busy daemon says the same at once; that must not become a loop.
        bench.daemon->before_answer = nullptr;
        auto call = bench.port.activity_events(20s);
        const auto outcome = co_await outcome_of(std::move(call));
        CHECK(outcome == name_of(Errc::timed_out));
    });
}

TEST_CASE("an offer that the daemon does not know any more is told as not found")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on(
            "GET /market-api/v1/offers/o/events", {says(404, R"({"message":"Subscription [o] expired."})")});
        const std::string offer = "o";
        auto call = bench.port.market_events(offer, 20s);
        const auto outcome = co_await outcome_of(std::move(call));
        CHECK(outcome == name_of(Errc::not_found));
    });
}

TEST_CASE("both documents' events are told together")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on(
            "GET /payment-api/v1/debitNoteEvents",
            {says(
                200,
                R"([{"debitNoteId":"n","eventDate":"2026-11-24T07:32:09Z","eventType":"DebitNoteAcceptedEvent"}])")});
        bench.daemon->on(
            "GET /payment-api/v1/invoiceEvents",
            {says(200, R"([{"invoiceId":"i","eventDate":"2026-11-24T07:32:09Z","eventType":"InvoiceSettledEvent"}])")});
        const auto events = co_await bench.port.payment_events(20s);
        REQUIRE(events.size() == 2);
        CHECK(events[0].id == "n");
        CHECK(events[1].id == "i");
        CHECK(events[1].document == PaymentEvent::Document::invoice);
        CHECK(events[1].kind == PaymentEvent::Kind::settled);
        CHECK(bench.daemon->count("Events?timeout=20.000&appSessionId=golem-provider-") == 2);
    });
}

TEST_CASE("one feed of payments goes on though the other fails")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on("GET /payment-api/v1/debitNoteEvents", {says(500, "{}")});
        bench.daemon->on(
            "GET /payment-api/v1/invoiceEvents",
            {says(200, R"([{"invoiceId":"i","eventDate":"2026-11-24T07:32:09Z","eventType":"InvoiceSettledEvent"}])"),
             says(500, "{}")});
        const auto events = co_await bench.port.payment_events(20s);
        REQUIRE(events.size() == 1);
        CHECK(events[0].id == "i");
        auto both = bench.port.payment_events(20s);
        const auto outcome = co_await outcome_of(std::move(both));
        CHECK(outcome == name_of(Errc::daemon_failed));
    });
}

TEST_CASE("events that move no cursor are a failure, so that their reader makes a pause")
{
    with_port([](Bench& bench) -> Task<> {
        for (const auto* page : {R"([{"eventDate":5}])", R"([{"eventType":"New"}])", R"([7])"}) {
            bench.daemon->on("GET /activity-api/v1/events", {says(200, page)});
            auto call = bench.port.activity_events(20s);
            const auto outcome = co_await outcome_of(std::move(call));
            CHECK(outcome == name_of(Errc::protocol));
        }
    });
}

TEST_CASE("there is one invoice for an agreement, whatever got no answer")
{
    with_port([](Bench& bench) -> Task<> {
        const auto draft = invoice();
        bench.daemon->on(
            "POST /payment-api/v1/invoices", {is_away(Sent::unknown), says(201, R"({"invoiceId":"second"})")});
        bench.daemon->on("GET /payment-api/v1/invoices", {says(200, R"([{"agreementId":"g","invoiceId":"first"}])")});
        bench.daemon->on("POST /payment-api/v1/invoices/first/send", {says(500, R"({"message":"gone"})"), says(200)});
        auto first = bench.port.send_invoice(draft);
        auto outcome = co_await outcome_of(std::move(first));
        CHECK(outcome == name_of(Errc::unreachable));
        auto second = bench.port.send_invoice(draft);
        outcome = co_await outcome_of(std::move(second));
        CHECK(outcome == name_of(Errc::daemon_failed));
        const auto id = co_await bench.port.send_invoice(draft);
        CHECK(id == "first");
        CHECK(bench.daemon->count("POST /payment-api/v1/invoices {") == 1);
        CHECK(bench.daemon->count("POST /payment-api/v1/invoices/first/send") == 2);
    });
}

TEST_CASE("an invoice that never arrived at the daemon is issued")
{
    with_port([](Bench& bench) -> Task<> {
        const auto draft = invoice();
        bench.daemon->on("POST /payment-api/v1/invoices", {is_away(Sent::unknown), says(201, R"({"invoiceId":"i"})")});
        bench.daemon->on("GET /payment-api/v1/invoices", {says(200, "[]")});
        bench.daemon->on("POST /payment-api/v1/invoices/i/send", {says(200)});
        auto first = bench.port.send_invoice(draft);
        co_await outcome_of(std::move(first));
        const auto id = co_await bench.port.send_invoice(draft);
        CHECK(id == "i");
        CHECK(bench.daemon->count("POST /payment-api/v1/invoices {") == 2);
    });
}

TEST_CASE("an invoice that the daemon refuses for good is forgotten")
{
    with_port([](Bench& bench) -> Task<> {
        const auto draft = invoice();
        bench.daemon->on("POST /payment-api/v1/invoices", {says(400, "{}")});
        for (int i = 0; i < 2; ++i) {
            auto call = bench.port.send_invoice(draft);
            const auto outcome = co_await outcome_of(std::move(call));
            CHECK(outcome == name_of(Errc::invalid_input));
        }
        CHECK(bench.daemon->count("GET /payment-api/v1/invoices") == 0);
    });
}

TEST_CASE("a debit note that could not be sent is sent later, unless there is more to pay by then")
{
    with_port([](Bench& bench) -> Task<> {
        bench.daemon->on(
            "POST /payment-api/v1/debitNotes",
            {says(201, R"({"debitNoteId":"n1"})"), says(201, R"({"debitNoteId":"n2"})")});
        bench.daemon->on("POST /payment-api/v1/debitNotes/n1/send", {says(504, "{}")});
        bench.daemon->on("POST /payment-api/v1/debitNotes/n2/send", {says(200)});
        const auto some = note("1");
        for (int i = 0; i < 2; ++i) {
            auto call = bench.port.send_debit_note(some);
            const auto outcome = co_await outcome_of(std::move(call));
            CHECK(outcome == name_of(Errc::timed_out));
        }
        CHECK(bench.daemon->count("POST /payment-api/v1/debitNotes {") == 1);
        const auto more = note("2");
        const auto id = co_await bench.port.send_debit_note(more);
        CHECK(id == "n2");
    });
}
