#include "payments_rig.hpp"

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;

TEST_CASE("networks have platforms")
{
    CHECK(payment_platform("hoodi") == "erc20-hoodi-tglm");
    CHECK(payment_platform("polygon") == "erc20-polygon-glm");
    CHECK(payment_platform("mainnet") == "erc20-mainnet-glm");
    CHECK_THROWS_AS(payment_platform("Hoodi"), Error);
}

TEST_CASE("notes and the invoice are accepted, and the agreement is settled")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(120s);
        co_await rig.send_note(deal, 119);
        co_await rig.pass(2s);
        CHECK(is_paid(rig.status(note_kind)));
        CHECK(rig.payments.accepted_total() == Rig::price(119));

        co_await rig.pass(60s);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_note(deal, 180);
        co_await rig.send_invoice(deal, Rig::price(180));
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(bill.problem.empty());
        CHECK(bill.accepted == Rig::price(180));
        CHECK(bill.provider == deal.agreement.provider);
        CHECK(bill.provider_name == deal.agreement.offer.properties.get_string("golem.node.id.name"));
        CHECK(is_paid(rig.status(note_kind, 1)));
        CHECK(is_paid(rig.status(invoice_kind)));
        CHECK(rig.report().spent == Rig::price(180));
        const auto left_over = co_await rig.payments.close(30s);
        CHECK(left_over.empty());
        CHECK(rig.report().active_allocations == 0);
        CHECK(rig.problems.empty());
    });
}

TEST_CASE("accepts of one agreement never overlap, those of several do")
{
    devnet::DevnetOptions slow;
    slow.latency = 50ms;
    in_devnet(
        [](Rig& rig) -> Task<> {
            std::vector<Deal> deals(3);
            for (auto& deal : deals)
                co_await rig.deal(deal);
            using Span = std::pair<Instant, Instant>;
            std::map<std::string, std::vector<Span>> accepts; // By document.
            rig.observer = [&](const http::Exchange& exchange) {
                const auto& target = exchange.request.target();
                const auto end = target.find("/accept");
                if (end != std::string::npos)
                    accepts[target.substr(0, end)].emplace_back(exchange.started, exchange.finished);
            };
            co_await rig.pass(120s);
            rig.face->faults().add(http::Method::post, accept_note_path, devnet::Fault::delay(1s), 6);
            for (auto& deal : deals) {
                rig.payments.agreement_ended(deal.agreement.id);
                co_await rig.send_invoice(deal, Rig::price(119)); // Before its note.
                co_await rig.send_note(deal, 60);
                co_await rig.send_note(deal, 119);
            }
            for (auto& deal : deals) {
                const auto bill = co_await rig.payments.settle(deal.agreement.id);
                CHECK(bill.invoice_accepted);
            }
            // Every document once; those of one agreement one after another.
            CHECK(accepts.size() == 9);
            std::map<std::string, std::vector<Span>> of_agreement;
            for (const auto& document : rig.host.world().payments().all_documents()) {
                for (const auto& [target, spans] : accepts) {
                    if (target.ends_with(document.id)) {
                        CHECK(spans.size() == 1);
                        of_agreement[document.billing.agreement].push_back(spans.front());
                    }
                }
            }
            REQUIRE(of_agreement.size() == 3);
            for (auto& [agreement, spans] : of_agreement) {
                std::sort(spans.begin(), spans.end());
                REQUIRE(spans.size() == 3);
                CHECK(spans[0].second <= spans[1].first);
                CHECK(spans[1].second <= spans[2].first);
            }
            bool at_the_same_time = false;
            for (const auto& span : of_agreement.begin()->second) {
                for (const auto& other : of_agreement.rbegin()->second)
                    at_the_same_time |= span.first < other.second && other.first < span.second;
            }
            CHECK(at_the_same_time);
            CHECK(rig.report().spent == Amount::from_units(3 * Rig::price(119).units()));
        },
        watchful(), slow);
}

TEST_CASE("a note that comes before its activity is known waits for it")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal, true);
        rig.payments.agreement_approved(deal.agreement);
        co_await rig.send_note(deal, 0);
        co_await rig.pass(5s);
        CHECK(rig.status(note_kind) == received);
        rig.payments.activity_created(deal.agreement.id, deal.activity);
        co_await rig.pass(1s);
        CHECK(is_paid(rig.status(note_kind)));
        CHECK(rig.problems.empty());
    });
}

TEST_CASE("the first look comes late, but nothing is lost")
{
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal deal;
            co_await rig.deal(deal);
            co_await rig.send_note(deal, 0);
            co_await rig.pass(20s);
            CHECK(rig.requests("GET /payment-api/v1/debitNoteEvents") == 0);
            CHECK(rig.requests("GET /payment-api/v1/invoiceEvents") == 0);
            SECTION("half a minute later")
            {
                co_await rig.pass(11s);
                CHECK(is_paid(rig.status(note_kind)));
            }
            SECTION("at the end of an agreement")
            {
                rig.payments.agreement_ended(deal.agreement.id);
                co_await rig.send_invoice(deal, Rig::price(0));
                co_await rig.pass(1s);
                CHECK(is_paid(rig.status(note_kind)));
                CHECK(is_paid(rig.status(invoice_kind)));
            }
        },
        PaymentOptions());
}

TEST_CASE("what was not agreed is not accepted, and said")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(10s);
        co_await rig.send_note(deal, 10, Amount::parse("0.5"));
        co_await rig.pass(2s);
        CHECK(rig.status(note_kind) == received);
        CHECK(rig.was_told("the agreed prices give"));
        // The next one is judged for itself.
        co_await rig.send_note(deal, 12);
        co_await rig.pass(2s);
        CHECK(is_paid(rig.status(note_kind, 1)));

        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Amount::parse("0.5"));
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK_FALSE(bill.invoice_accepted);
        CHECK(bill.problem.find("rejected") != std::string::npos);
        CHECK(rig.status(invoice_kind) == rejected);
        CHECK(rig.payments.accepted_total() == Rig::price(12));
    });
}

TEST_CASE("the budget is never exceeded")
{
    auto options = watchful();
    options.budget = Amount::parse("0.002");
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal first;
            Deal second;
            co_await rig.deal(first);
            co_await rig.deal(second);
            co_await rig.pass(20s);
            co_await rig.send_note(first, 20);
            co_await rig.send_note(second, 20);
            co_await rig.pass(2s);
            CHECK(rig.payments.accepted_total() == Rig::price(20));
            CHECK(rig.was_told("of the budget are left"));
            rig.payments.agreement_ended(second.agreement.id);
            co_await rig.send_invoice(second, Rig::price(20));
            const auto bill = co_await rig.payments.settle(second.agreement.id);
            CHECK_FALSE(bill.invoice_accepted);
            CHECK(rig.status(invoice_kind) == received); // It may be right: it is not for us to reject it.
        },
        options);
}

TEST_CASE("an accept that fails for the moment is repeated, and charged once")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        auto& faults = rig.face->faults();
        faults.add(http::Method::post, accept_note_path, devnet::Fault::answer(504, busy), 3);
        faults.add(http::Method::post, accept_note_path, devnet::Fault::drop_answer(), 1, 3);
        co_await rig.send_note(deal, 10);
        co_await rig.pass(60s);
        CHECK(is_paid(rig.status(note_kind)));
        CHECK(rig.payments.accepted_total() == Rig::price(10));
        CHECK(rig.report().spent == Rig::price(10));

        faults.add(http::Method::post, accept_invoice_path, devnet::Fault::answer(504, busy), 4);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(10));
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(rig.report().spent == Rig::price(10));
    });
}

TEST_CASE("one document that cannot be read stops no other one")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal first;
        Deal second;
        co_await rig.deal(first);
        co_await rig.deal(second);
        co_await rig.pass(20s);
        rig.face->faults().add(http::Method::get, "/payment-api/v1/debitNotes/*", devnet::Fault::garbage(), 1);
        co_await rig.send_note(first, 10);
        co_await rig.pass(1s);
        co_await rig.send_note(second, 10);
        co_await rig.pass(30s);
        CHECK(is_paid(rig.status(note_kind, 1)));
    });
}

TEST_CASE("feeds survive an outage and miss nothing")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        auto& faults = rig.face->faults();
        co_await rig.pass(5s);
        faults.add(http::Method::get, "/payment-api/v1/debitNoteEvents", devnet::Fault::answer(500, busy), 20);
        faults.add(http::Method::get, "/payment-api/v1/invoiceEvents", devnet::Fault::drop(), 20);
        co_await rig.pass(60s);
        co_await rig.send_note(deal, 50);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(50));
        co_await rig.pass(10min);
        CHECK(is_paid(rig.status(note_kind)));
        CHECK(is_paid(rig.status(invoice_kind)));
    });
}

TEST_CASE("an invoice that never comes is waited for no longer than agreed; a late one is paid all the same")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        rig.payments.agreement_ended(deal.agreement.id);
        const auto start = rig.time.elapsed();
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(rig.time.elapsed() - start == 30s);
        CHECK(bill.problem == "its invoice did not come in time");
        co_await rig.send_invoice(deal, Rig::price(20));
        co_await rig.pass(5s);
        CHECK(rig.payments.bills().front().invoice_accepted);
    });
}

TEST_CASE("an agreement that never ran has an invoice over nothing")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal, true);
        rig.payments.agreement_approved(deal.agreement);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Amount());
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(bill.accepted.is_zero());
    });
}

TEST_CASE("documents of agreements that are not ours are left alone")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal ours;
        Deal foreign;
        co_await rig.deal(ours);
        co_await rig.deal(foreign, true);
        co_await rig.send_note(foreign, 0);
        co_await rig.send_invoice(foreign, Rig::price(0));
        co_await rig.pass(10s);
        CHECK(rig.status(note_kind) == received);
        CHECK(rig.status(invoice_kind) == received);
        CHECK(rig.problems.empty());
        const auto bill = co_await rig.payments.settle(foreign.agreement.id);
        CHECK(bill.problem == "the agreement is not known");
    });
}

TEST_CASE("the allocation is made once for all who ask at the same time")
{
    devnet::DevnetOptions slow;
    slow.latency = 100ms;
    in_devnet(
        [](Rig& rig) -> Task<> {
            TaskGroup group(rig.executor);
            std::size_t answers = 0;
            const auto ask = [&]() -> Task<> {
                co_await rig.payments.decoration();
                ++answers;
            };
            for (int asker = 0; asker < 5; ++asker)
                group.spawn("ask", ask);
            co_await rig.pass(1s);
            CHECK(answers == 5);
            CHECK(rig.report().active_allocations == 1);
            CHECK(rig.transport->total() == 2);
            co_await group.join();
        },
        watchful(), slow);
}

TEST_CASE("who asked first may go away: the attempt belongs to all")
{
    devnet::DevnetOptions slow;
    slow.latency = 100ms;
    in_devnet(
        [](Rig& rig) -> Task<> {
            TaskGroup impatient(rig.executor);
            TaskGroup patient(rig.executor);
            bool answered = false;
            const auto ask = [&]() -> Task<> {
                co_await rig.payments.decoration();
                answered = true;
            };
            impatient.spawn("ask", ask);
            co_await rig.pass(50ms);
            patient.spawn("ask", ask);
            co_await rig.pass(10ms);
            impatient.cancel();
            co_await impatient.join();
            co_await patient.join();
            CHECK(answered);
            CHECK(rig.report().active_allocations == 1);
        },
        watchful(), slow);
}

TEST_CASE("an allocation that fails is told and tried again at the next call")
{
    auto options = watchful();
    options.budget = Amount(5000);
    in_devnet(
        [](Rig& rig) -> Task<> {
            auto code = Errc::internal;
            try {
                co_await rig.payments.decoration();
            } catch (const Error& error) {
                code = error.errc();
            }
            CHECK(code == Errc::insufficient_funds);
            code = Errc::internal;
            try {
                co_await rig.payments.decoration();
            } catch (const Error& error) {
                code = error.errc();
            }
            CHECK(code == Errc::insufficient_funds);
            CHECK(rig.requests("POST /payment-api/v1/allocations") == 2);
        },
        options);
}

TEST_CASE("an allocation whose answer was lost is found again")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.face->faults().add(http::Method::post, allocations_path, devnet::Fault::drop_answer());
        co_await rig.payments.decoration();
        CHECK(rig.report().active_allocations == 1);
        CHECK(rig.requests("POST /payment-api/v1/allocations") == 1);
        const auto left_over = co_await rig.payments.close(30s);
        CHECK(left_over.empty());
        CHECK(rig.report().active_allocations == 0);
    });
}

TEST_CASE("a missing decoration does not cost a second allocation")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.face->faults().add(
            http::Method::get, "/payment-api/v1/demandDecorations", devnet::Fault::answer(400, "no"), 1);
        CHECK_THROWS_AS(co_await rig.payments.decoration(), Error);
        co_await rig.payments.decoration();
        CHECK(rig.requests("POST /payment-api/v1/allocations") == 1);
    });
}

TEST_CASE("closing waits for the last invoices and accepts what comes meanwhile")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        rig.payments.agreement_ended(deal.agreement.id);
        rig.tasks.spawn("provider's last words", [&]() -> Task<> {
            co_await rig.pass(5s);
            co_await rig.send_note(deal, 60);
            co_await rig.pass(5s);
            co_await rig.send_invoice(deal, Rig::price(60));
        });
        const auto left_over = co_await rig.payments.close(60s);
        CHECK(left_over.empty());
        CHECK(is_paid(rig.status(note_kind)));
        CHECK(is_paid(rig.status(invoice_kind)));
        CHECK(rig.report().active_allocations == 0);
    });
}

TEST_CASE("closing keeps the allocation while invoices may come, and says so")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        const auto left_over = co_await rig.payments.close(10s);
        REQUIRE(left_over.size() == 2);
        CHECK(left_over[0].find("the agreement has not ended") != std::string::npos);
        CHECK(left_over[1].find("is kept until its timeout") != std::string::npos);
        CHECK(rig.report().active_allocations == 1);
    });
}

TEST_CASE("closing is bounded although the daemon hangs")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        rig.face->faults().add(http::Method::post, accept_invoice_path, devnet::Fault::hang(), 100);
        rig.face->faults().add(http::Method::del, "/payment-api/v1/allocations/*", devnet::Fault::hang(), 100);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(60));
        const auto start = rig.time.elapsed();
        const auto left_over = co_await rig.payments.close(35s);
        CHECK(rig.time.elapsed() - start <= 40s);
        CHECK(left_over.size() == 2);
    });
}

TEST_CASE("payment options out of range are refused by name")
{
    in_devnet([](Rig& rig) -> Task<> {
        const auto refused = [&rig](const PaymentOptions& options) -> std::string {
            try {
                Payments payments(rig.executor, rig.time, rig.client, Logger(), options, session, {});
            } catch (const Error& error) {
                return error.explanation();
            }
            return "accepted";
        };
        PaymentOptions options;
        options.budget = Amount(0);
        CHECK(refused(options).find("budget") != std::string::npos);
        options = PaymentOptions();
        options.network = "moon";
        CHECK(refused(options).find("hoodi") != std::string::npos);
        options = PaymentOptions();
        options.last_invoice = Duration(0);
        CHECK(refused(options).find("last_invoice") != std::string::npos);
        co_return;
    });
}
