// What goes wrong in months of running.
#include "payments_rig.hpp"

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;

namespace {

const std::string post_allocation = "POST /payment-api/v1/allocations";

std::vector<devnet::Allocation> allocations(Rig& rig, const Deal& deal)
{
    return rig.host.world().payments().allocations(deal.agreement.requestor, rig.time.utc());
}

/// As the daemon does at the timeout.
void release_all(Rig& rig, const std::string& owner)
{
    for (const auto& allocation : rig.host.world().payments().allocations(owner, rig.time.utc()))
        CHECK(rig.host.world().payments().release(owner, allocation.id, rig.time.utc()));
}

PaymentOptions short_lived()
{
    auto options = watchful();
    options.allocation_lifetime = 30min;
    return options;
}

} // namespace

TEST_CASE("two invoices of one agreement: the time goes on, and one is accepted")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(50));
        co_await rig.send_invoice(deal, Rig::price(50));
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        co_await rig.pass(2s);
        CHECK(is_paid(rig.status(invoice_kind, 0)));
        CHECK(rig.status(invoice_kind, 1) == rejected);
        CHECK(rig.was_told("was accepted before"));
        CHECK(rig.report().spent == Rig::price(50));
        // One that comes later waits for nothing.
        co_await rig.send_invoice(deal, Rig::price(55));
        co_await rig.pass(2s);
        CHECK(rig.status(invoice_kind, 2) == rejected);
        CHECK(rig.report().spent == Rig::price(50));
    });
}

TEST_CASE("no second invoice is accepted beside one whose accept had no answer")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        auto& faults = rig.face->faults();
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(50));
        const auto& first = rig.host.world().payments().all_documents().back().id;
        const auto path = "/payment-api/v1/invoices/" + first;
        faults.add(http::Method::post, path + "/accept", devnet::Fault::drop_answer(), 1000);
        faults.add(http::Method::get, path, devnet::Fault::answer(400, "no"), 1000, 1); // It can be read once.
        co_await rig.pass(3min);
        CHECK(rig.was_told("given up"));
        CHECK(rig.report().spent == Rig::price(50));
        SECTION("as long as nothing is known of it")
        {
            co_await rig.send_invoice(deal, Rig::price(50));
            co_await rig.pass(10s);
            CHECK(rig.status(invoice_kind, 1) == received);
            CHECK(rig.was_told("it is not known whether"));
        }
        SECTION("nor when it is known to be accepted")
        {
            faults.clear();
            co_await rig.send_invoice(deal, Rig::price(50));
            co_await rig.pass(10s);
            CHECK(rig.status(invoice_kind, 1) == rejected);
            CHECK(rig.payments.bills().front().invoice_accepted);
            CHECK(rig.payments.accepted_total() == Rig::price(50));
        }
        CHECK(rig.report().spent == Rig::price(50));
    });
}

TEST_CASE("the allocation is replaced before its timeout by one over the rest of the budget")
{
    devnet::DevnetOptions poor;
    SECTION("there is enough for both at once") {}
    SECTION("there is only enough for one") { poor.payments.funds = Amount(1); }
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal deal;
            co_await rig.deal(deal);
            co_await rig.pass(120s);
            co_await rig.send_note(deal, 100);
            co_await rig.pass(23min);
            CHECK(rig.requests(post_allocation) == 1);
            co_await rig.pass(3min);
            CHECK(rig.report().active_allocations == 1);
            const auto present = allocations(rig, deal);
            REQUIRE(present.size() == 1);
            CHECK(present.front().timeout > rig.time.utc() + 27min);
            CHECK(present.front().remaining.value() == Amount::from_units(Amount(1).units() - Rig::price(100).units()));
            co_await rig.pass(10min);
            co_await rig.send_note(deal, 2000);
            co_await rig.pass(2s);
            CHECK(is_paid(rig.status(note_kind, 1)));
            rig.payments.agreement_ended(deal.agreement.id);
            co_await rig.send_invoice(deal, Rig::price(2000));
            const auto left_over = co_await rig.payments.close(30s);
            CHECK(left_over.empty());
            CHECK(rig.report().spent == Rig::price(2000));
            CHECK(rig.report().active_allocations == 0);
            CHECK(rig.problems.empty());
        },
        short_lived(), poor);
}

TEST_CASE("an allocation that is gone is made anew, and the document accepted")
{
    in_devnet([](Rig& rig) -> Task<> {
        std::vector<Deal> deals(2);
        for (auto& deal : deals)
            co_await rig.deal(deal);
        co_await rig.pass(20s);
        co_await rig.send_note(deals[0], 10);
        co_await rig.pass(2s);
        release_all(rig, deals[0].agreement.requestor);
        co_await rig.send_note(deals[0], 20);
        co_await rig.send_note(deals[1], 20);
        co_await rig.pass(2s);
        CHECK(is_paid(rig.status(note_kind, 1)));
        CHECK(is_paid(rig.status(note_kind, 2)));
        CHECK(rig.requests(post_allocation) == 2);
        const auto present = allocations(rig, deals[0]);
        REQUIRE(present.size() == 1);
        const auto sum = present.front().remaining.value() + present.front().spent.value();
        CHECK(sum == Amount::from_units(Amount(1).units() - Rig::price(10).units()));
        CHECK(rig.problems.empty());
    });
}

TEST_CASE("an allocation that is gone before its decoration is made anew")
{
    in_devnet([](Rig& rig) -> Task<> {
        rig.face->faults().add(
            http::Method::get, "/payment-api/v1/demandDecorations", devnet::Fault::answer(400, "no"), 1);
        CHECK_THROWS_AS(co_await rig.payments.decoration(), Error);
        const auto list = co_await rig.client.payment().allocations();
        REQUIRE(list.size() == 1);
        co_await rig.client.payment().release_allocation(list.front().id);
        const auto decoration = co_await rig.payments.decoration();
        CHECK_FALSE(decoration.constraints.empty());
        CHECK(rig.requests(post_allocation) == 2);
    });
}

TEST_CASE("providers out of reach stop payment for nobody else")
{
    in_devnet([](Rig& rig) -> Task<> {
        std::vector<Deal> deals(18);
        for (auto& deal : deals)
            co_await rig.deal(deal);
        co_await rig.pass(20s);
        for (std::size_t index = 0; index + 1 < deals.size(); ++index) {
            co_await rig.send_note(deals[index], 10);
            const auto& id = rig.host.world().payments().all_documents().back().id;
            rig.face->faults().add(
                http::Method::post, "/payment-api/v1/debitNotes/" + id + "/accept", devnet::Fault::answer(504, busy),
                1000);
        }
        co_await rig.pass(5s);
        co_await rig.send_note(deals.back(), 10);
        co_await rig.pass(30s);
        CHECK(is_paid(rig.status(note_kind, deals.size() - 1)));
        CHECK(rig.status(note_kind, 0) == received);
    });
}

TEST_CASE("accepts that hang leave their places in turn")
{
    in_devnet([](Rig& rig) -> Task<> {
        std::vector<Deal> deals(18);
        for (auto& deal : deals)
            co_await rig.deal(deal);
        co_await rig.pass(20s);
        rig.face->faults().add(http::Method::post, accept_note_path, devnet::Fault::hang(), 16);
        for (auto& deal : deals)
            co_await rig.send_note(deal, 10);
        co_await rig.pass(2s);
        CHECK(rig.payments.accepted_total().is_zero()); // All places are taken.
        co_await rig.pass(10min);
        CHECK(rig.payments.accepted_total() == Amount::from_units(18 * Rig::price(10).units()));
    });
}

TEST_CASE("an exhausted budget is told once")
{
    auto options = watchful();
    options.budget = Amount::parse("0.002");
    in_devnet(
        [](Rig& rig) -> Task<> {
            std::vector<std::string> told;
            auto code = Errc::internal;
            rig.payments.set_exhausted_handler([&](const std::exception_ptr& failure) {
                told.push_back(describe(failure));
                try {
                    std::rethrow_exception(failure);
                } catch (const Error& error) {
                    code = error.errc();
                }
            });
            std::vector<Deal> deals(3);
            for (auto& deal : deals)
                co_await rig.deal(deal);
            co_await rig.pass(20s);
            for (auto& deal : deals)
                co_await rig.send_note(deal, 20);
            co_await rig.pass(2s);
            REQUIRE(told.size() == 1);
            CHECK(code == Errc::insufficient_funds);
            CHECK(
                told.front().find("0.002 GLM is exhausted: 0.0014 GLM were accepted and 0.0014") != std::string::npos);
        },
        options);
}

TEST_CASE("an allocation whose end is unknown at the close is released, or told")
{
    in_devnet([](Rig& rig) -> Task<> {
        SECTION("its answer was lost, and the question for it as well")
        {
            rig.face->faults().add(http::Method::post, allocations_path, devnet::Fault::drop_answer());
            rig.face->faults().add(http::Method::get, allocations_path, devnet::Fault::answer(400, "no"), 1);
            CHECK_THROWS_AS(co_await rig.payments.decoration(), Error);
            CHECK(rig.report().active_allocations == 1);
            const auto left_over = co_await rig.payments.close(30s);
            CHECK(left_over.empty());
            CHECK(rig.report().active_allocations == 0);
        }
        SECTION("the daemon keeps silent")
        {
            rig.face->faults().add(http::Method::post, allocations_path, devnet::Fault::hang(), 1);
            auto code = Errc::internal;
            rig.tasks.spawn("ask", [&rig, &code]() -> Task<> {
                try {
                    co_await rig.payments.decoration();
                } catch (const Error& error) {
                    code = error.errc();
                }
            });
            co_await rig.pass(1s);
            const auto start = rig.time.elapsed();
            const auto left_over = co_await rig.payments.close(30s);
            CHECK(rig.time.elapsed() - start <= 11s);
            co_await rig.pass(1s);
            CHECK(code == Errc::closed);
            REQUIRE(left_over.size() == 1);
            CHECK(left_over.front().find("an allocation of 1 GLM may have been made") != std::string::npos);
        }
    });
}

TEST_CASE("of agreements that are over the bills remain")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal first;
        co_await rig.deal(first);
        co_await rig.pass(20s);
        rig.payments.agreement_ended(first.agreement.id);
        co_await rig.send_note(first, 10);
        co_await rig.send_invoice(first, Rig::price(10));
        co_await rig.payments.settle(first.agreement.id);
        co_await rig.pass(40s);
        Deal second;
        co_await rig.deal(second);
        const auto bill = co_await rig.payments.settle(first.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(bill.accepted == Rig::price(10));
        CHECK(rig.payments.bills().size() == 2);
        CHECK(rig.payments.accepted_total() == Rig::price(10));
        // Nothing is accepted for it any more, whoever asks.
        rig.payments.agreement_approved(first.agreement);
        co_await rig.send_invoice(first, Rig::price(10));
        co_await rig.pass(10s);
        CHECK(rig.status(invoice_kind, 1) == received);
        CHECK(rig.payments.bills().size() == 2);
    });
}

TEST_CASE("of notes for an activity that is not known yet the latest are kept")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal, true);
        rig.payments.agreement_approved(deal.agreement);
        co_await rig.pass(60s);
        for (int seconds = 1; seconds <= 20; ++seconds)
            co_await rig.send_note(deal, seconds);
        co_await rig.pass(2s);
        rig.payments.activity_created(deal.agreement.id, deal.activity);
        co_await rig.pass(2s);
        CHECK(rig.payments.accepted_total() == Rig::price(20));
        CHECK(rig.status(note_kind, 0) == received);
        CHECK(is_paid(rig.status(note_kind, 19)));
    });
}

TEST_CASE("what ran after a lost answer to its creation is paid")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal, true);
        rig.payments.agreement_approved(deal.agreement);
        co_await rig.pass(30s);
        SECTION("the note came before the end")
        {
            co_await rig.send_note(deal, 20);
            co_await rig.pass(2s);
            CHECK(rig.status(note_kind) == received);
            rig.payments.agreement_ended(deal.agreement.id);
            co_await rig.send_invoice(deal, Rig::price(20));
        }
        SECTION("the invoice came before the note")
        {
            rig.payments.agreement_ended(deal.agreement.id);
            co_await rig.send_invoice(deal, Rig::price(20));
            co_await rig.pass(1500ms);
            co_await rig.send_note(deal, 20);
        }
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(rig.report().spent == Rig::price(20));
        CHECK(rig.problems.empty());
    });
}
