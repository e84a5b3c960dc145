// Answers that are lost, refusals that pass, providers that are gone for good.
#include "payments_rig.hpp"

#include <set>

using namespace golem;
using namespace golem::test;
using namespace std::chrono_literals;

namespace {

const std::string post_accept = "POST /payment-api/v1/debitNotes/{id}/accept";
const std::string one_allocation = "/payment-api/v1/allocations/*";
const std::string no_funds =
    R"({"type":"/payment-api/v1/allocations/validation-error",)"
    R"("instance":"/payment-api/v1/allocations/validation-error/insufficient-account-funds","detail":"Insufficient"})";
const std::string unknown = R"({"message":null})";

PaymentOptions short_lived()
{
    auto options = watchful();
    options.allocation_lifetime = 30min;
    return options;
}

PaymentOptions frugal()
{
    auto options = watchful();
    options.budget = Amount::parse("0.002");
    return options;
}

std::string latest(Rig& rig) { return rig.host.world().payments().all_documents().back().id; }

std::string note_path(Rig& rig) { return "/payment-api/v1/debitNotes/" + latest(rig); }

std::string invoice_path(Rig& rig) { return "/payment-api/v1/invoices/" + latest(rig); }

/// The daemon cannot tell these documents' providers anything: 504 after the 15 s that it was to wait.
class SlowRefusals final : public http::Transport {
public:
    SlowRefusals(std::shared_ptr<http::Transport> inner, TimeSource& time) : inner_(std::move(inner)), time_(time) {}

    Task<http::Response> send(const http::Request& request) override
    {
        const auto& target = request.target();
        const auto end = target.find("/accept");
        const bool is_dead = end != std::string::npos && dead.contains(target.substr(0, end));
        if (!is_dead) {
            auto plain = co_await inner_->send(request);
            co_return plain;
        }
        ++attempts;
        co_await time_.sleep_for(15s, "a provider that is gone");
        http::Response answer(504);
        answer.headers().set("Content-Type", "application/json");
        answer.body() = busy;
        co_return answer;
    }

    void close() noexcept override { inner_->close(); }
    const std::string& origin() const noexcept override { return inner_->origin(); }

    std::set<std::string> dead; ///< Paths of documents.
    std::size_t attempts = 0;

private:
    std::shared_ptr<http::Transport> inner_;
    TimeSource& time_;
};

} // namespace

// --- the allocation --------------------------------------------------------------------------------------------------

TEST_CASE("an allocation whose release is not confirmed goes on being used")
{
    devnet::DevnetOptions poor;
    poor.payments.funds = Amount(1); // Enough for one.
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal deal;
            co_await rig.deal(deal);
            std::vector<std::string> told;
            rig.payments.set_exhausted_handler([&](const auto& failure) { told.push_back(describe(failure)); });
            rig.face->faults().add(http::Method::del, one_allocation, devnet::Fault::hang());
            co_await rig.pass(27min + 5s);
            co_await rig.send_note(deal, 1000);
            co_await rig.pass(10s);
            CHECK(is_paid(rig.status(note_kind)));
            CHECK(told.empty());
            CHECK(rig.problems.empty());
            co_await rig.pass(5min); // Past the first one's timeout.
            co_await rig.send_note(deal, 1900);
            co_await rig.pass(2s);
            CHECK(is_paid(rig.status(note_kind, 1)));
            CHECK(rig.report().active_allocations == 1);
        },
        short_lived(), poor);
}

TEST_CASE("a former allocation that could not be released is released soon")
{
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal deal;
            co_await rig.deal(deal);
            rig.face->faults().add(http::Method::del, one_allocation, devnet::Fault::hang());
            co_await rig.pass(27min + 6s);
            CHECK(rig.report().active_allocations == 2);
            co_await rig.pass(90s);
            CHECK(rig.report().active_allocations == 1);
        },
        short_lived());
}

// --- accepts of which nothing is known -------------------------------------------------------------------------------

TEST_CASE("what an accept without an answer may have cost is kept free, read again, and booked")
{
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal first;
            Deal second;
            co_await rig.deal(first);
            co_await rig.deal(second);
            co_await rig.pass(60s);
            auto& faults = rig.face->faults();
            rig.payments.agreement_ended(first.agreement.id);
            co_await rig.send_invoice(first, Rig::price(45));
            faults.add(http::Method::post, invoice_path(rig) + "/accept", devnet::Fault::drop_answer(), 1000);
            faults.add(http::Method::get, invoice_path(rig), devnet::Fault::answer(400, "no"), 1000, 1);
            co_await rig.pass(2min);
            CHECK(rig.was_told("given up"));
            CHECK(rig.report().spent == Rig::price(45));
            SECTION("the ceiling holds")
            {
                co_await rig.send_note(second, 20);
                co_await rig.pass(2min);
                CHECK(rig.report().spent == Rig::price(45));
            }
            SECTION("by and by it is known")
            {
                faults.clear();
                co_await rig.pass(10min);
            }
            SECTION("at the close it is known") { faults.clear(); }
            faults.clear();
            const auto left_over = co_await rig.payments.close(30s);
            CHECK(rig.payments.accepted_total() == Rig::price(45));
            for (const auto& line : left_over)
                CHECK(line.find(first.agreement.id) == std::string::npos);
        },
        frugal());
}

TEST_CASE("what was not accepted after all is free again")
{
    in_devnet(
        [](Rig& rig) -> Task<> {
            Deal first;
            Deal second;
            co_await rig.deal(first);
            co_await rig.deal(second);
            co_await rig.pass(60s);
            rig.payments.agreement_ended(first.agreement.id);
            co_await rig.send_invoice(first, Rig::price(45));
            rig.face->faults().add(
                http::Method::post, invoice_path(rig) + "/accept", devnet::Fault::answer(504, busy), 1000);
            co_await rig.pass(5min);
            CHECK(rig.was_told("given up"));
            co_await rig.send_note(second, 20);
            co_await rig.pass(2s);
            CHECK(is_paid(rig.status(note_kind)));
        },
        frugal());
}

TEST_CASE("a second invoice waits until it is known what became of the first")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        auto& faults = rig.face->faults();
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(50));
        faults.add(http::Method::post, invoice_path(rig) + "/accept", devnet::Fault::answer(504, busy), 1000);
        faults.add(http::Method::get, invoice_path(rig), devnet::Fault::answer(400, "no"), 1000, 1);
        co_await rig.pass(2min);
        CHECK(rig.was_told("given up"));
        co_await rig.send_invoice(deal, Rig::price(50));
        co_await rig.pass(1min);
        CHECK(rig.status(invoice_kind, 1) == received);
        faults.clear();
        co_await rig.pass(15min);
        CHECK(is_paid(rig.status(invoice_kind, 1)));
        CHECK(rig.report().spent == Rig::price(50));
        CHECK(rig.payments.accepted_total() == Rig::price(50));
    });
}

// --- providers that are gone -----------------------------------------------------------------------------------------

TEST_CASE("a hundred providers that are gone do not hold up the note of a healthy one")
{
    in_devnet([](Rig& rig) -> Task<> {
        std::vector<Deal> deals(101);
        for (auto& deal : deals)
            co_await rig.deal(deal, true);
        const auto slow = std::make_shared<SlowRefusals>(rig.transport, rig.time);
        yagna::Client client(slow, "devnet", rig.time, Random(8), Logger());
        Payments payments(rig.executor, rig.time, client, Logger(), watchful(), session, [](const auto&) {});
        for (const auto& deal : deals) {
            payments.agreement_approved(deal.agreement);
            payments.activity_created(deal.agreement.id, deal.activity);
        }
        co_await rig.pass(20s);
        for (std::size_t index = 1; index < deals.size(); ++index) {
            co_await rig.send_note(deals[index], 10);
            slow->dead.insert(note_path(rig));
        }
        SECTION("when they have just gone") { co_await rig.pass(1s); }
        SECTION("when they have been gone for some minutes") { co_await rig.pass(5min); }
        co_await rig.send_note(deals[0], 10);
        const auto before = rig.time.elapsed();
        while (payments.accepted_total().is_zero() && rig.time.elapsed() - before < 200s)
            co_await rig.pass(1s);
        CHECK(rig.time.elapsed() - before < 100s);
        CHECK(payments.accepted_total() == Rig::price(10));
        co_await payments.close(30s);
    });
}

TEST_CASE("a provider that is gone is tried less and less, and no longer than its agreement could last")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        co_await rig.send_note(deal, 10);
        rig.face->faults().add(
            http::Method::post, note_path(rig) + "/accept", devnet::Fault::answer(504, busy), 1'000'000);
        co_await rig.pass(1h);
        const auto in_the_first_hour = rig.requests(post_accept);
        CHECK(in_the_first_hour > 10);
        CHECK(in_the_first_hour < 50);
        co_await rig.pass(150min); // It lasts three hours.
        const auto in_all = rig.requests(post_accept);
        CHECK(in_all > in_the_first_hour);
        co_await rig.pass(2h);
        CHECK(rig.requests(post_accept) == in_all);
        CHECK(rig.was_told("given up"));
    });
}

TEST_CASE("a provider that comes back is paid as soon as it is heard of")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        co_await rig.send_note(deal, 10);
        rig.face->faults().add(
            http::Method::post, note_path(rig) + "/accept", devnet::Fault::answer(504, busy), 1'000'000);
        co_await rig.pass(30min); // By now minutes pass between two attempts.
        rig.face->faults().clear();
        co_await rig.send_note(deal, 1000);
        co_await rig.pass(2s);
        CHECK(is_paid(rig.status(note_kind, 0)));
        CHECK(is_paid(rig.status(note_kind, 1)));
        CHECK(rig.report().spent == Rig::price(1000));
    });
}

// --- refusals that pass ----------------------------------------------------------------------------------------------

TEST_CASE("a document that is refused for the moment is accepted later")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(60s);
        auto& faults = rig.face->faults();
        const std::string note = "/payment-api/v1/debitNotes/*";
        const std::string invoice = "/payment-api/v1/invoices/*";
        SECTION("accepts, by the key")
        {
            faults.add(http::Method::post, accept_note_path, devnet::Fault::answer(401, unknown), 2);
            faults.add(http::Method::post, accept_invoice_path, devnet::Fault::answer(401, unknown), 2);
        }
        SECTION("accepts, as unknown")
        {
            faults.add(http::Method::post, accept_note_path, devnet::Fault::answer(404, unknown), 2);
            faults.add(http::Method::post, accept_invoice_path, devnet::Fault::answer(404, unknown), 2);
        }
        SECTION("reading, by the key")
        {
            faults.add(http::Method::get, note, devnet::Fault::answer(401, unknown), 2);
            faults.add(http::Method::get, invoice, devnet::Fault::answer(401, unknown), 2);
        }
        SECTION("reading, as unknown")
        {
            faults.add(http::Method::get, note, devnet::Fault::answer(404, unknown), 2);
            faults.add(http::Method::get, invoice, devnet::Fault::answer(404, unknown), 2);
        }
        co_await rig.send_note(deal, 10);
        co_await rig.pass(10s);
        CHECK(is_paid(rig.status(note_kind)));
        rig.payments.agreement_ended(deal.agreement.id);
        co_await rig.send_invoice(deal, Rig::price(10));
        const auto bill = co_await rig.payments.settle(deal.agreement.id);
        CHECK(bill.invoice_accepted);
        CHECK(rig.report().spent == Rig::price(10));
        CHECK(rig.problems.empty());
    });
}

TEST_CASE("a document that is refused for good is told once")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        rig.face->faults().add(http::Method::post, accept_note_path, devnet::Fault::answer(404, unknown), 1'000'000);
        co_await rig.send_note(deal, 10);
        co_await rig.pass(1h);
        CHECK(rig.problems.size() == 1);
        CHECK(rig.requests(post_accept) < 30);
    });
}

// --- money that is at an end -----------------------------------------------------------------------------------------

TEST_CASE("an account that is empty again after it was filled is told again")
{
    in_devnet([](Rig& rig) -> Task<> {
        std::size_t told = 0;
        rig.payments.set_exhausted_handler([&](const auto&) { ++told; });
        Deal deal;
        co_await rig.deal(deal);
        co_await rig.pass(20s);
        auto& faults = rig.face->faults();
        for (std::size_t time = 1; time <= 2; ++time) {
            for (const auto& allocation :
                 rig.host.world().payments().allocations(deal.agreement.requestor, rig.time.utc()))
                CHECK(rig.host.world().payments().release(deal.agreement.requestor, allocation.id, rig.time.utc()));
            faults.add(http::Method::post, allocations_path, devnet::Fault::answer(400, no_funds), 1000);
            co_await rig.send_note(deal, 10.0 * static_cast<double>(time));
            co_await rig.pass(5s);
            CHECK(told == time);
            faults.clear();
            co_await rig.pass(30s);
            CHECK(is_paid(rig.status(note_kind, time - 1)));
        }
    });
}

TEST_CASE("a document waits while what it needs is kept for one that may be refused")
{
    in_devnet(
        [](Rig& rig) -> Task<> {
            std::size_t told = 0;
            rig.payments.set_exhausted_handler([&](const auto&) { ++told; });
            Deal first;
            Deal second;
            co_await rig.deal(first);
            co_await rig.deal(second);
            co_await rig.pass(20s);
            co_await rig.send_note(first, 20);
            auto& faults = rig.face->faults();
            faults.add(http::Method::post, note_path(rig) + "/accept", devnet::Fault::hang());
            faults.add(
                http::Method::post, note_path(rig) + "/accept", devnet::Fault::answer(400, "Invalid amount accepted"),
                1000);
            co_await rig.pass(2s);
            co_await rig.send_note(second, 20);
            co_await rig.send_note(second, 21);
            co_await rig.pass(50s);
            CHECK(rig.status(note_kind, 0) == received);
            CHECK(is_paid(rig.status(note_kind, 1)));
            CHECK(is_paid(rig.status(note_kind, 2)));
            CHECK(told == 0);
            CHECK(rig.problems.size() == 1); // Of the first.
        },
        frugal());
}

// --- the end ---------------------------------------------------------------------------------------------------------

TEST_CASE("a close after days does not tell of every bill that was ever missing")
{
    in_devnet([](Rig& rig) -> Task<> {
        Deal old;
        co_await rig.deal(old);
        co_await rig.pass(20s);
        rig.payments.agreement_ended(old.agreement.id);
        co_await rig.pass(20h);
        Deal late;
        co_await rig.deal(late);
        rig.payments.agreement_ended(late.agreement.id);
        co_await rig.pass(6h);
        const auto left_over = co_await rig.payments.close(30s);
        REQUIRE(left_over.size() == 1);
        CHECK(left_over.front().find(late.agreement.id) != std::string::npos);
        CHECK(left_over.front().find("did not come in time") != std::string::npos);
        CHECK(rig.payments.bills().size() == 2);
    });
}
