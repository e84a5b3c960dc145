// Debit notes and invoices: what is issued, accepted, rejected, refused.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

#include <golem/core/timestamp.hpp>
#include <golem/provider/script_unit.hpp>

namespace golem::test {

namespace {

Json acceptance(const std::string& amount, const std::string& allocation)
{
    Json json;
    json["totalAmountAccepted"] = amount;
    json["allocationId"] = allocation;
    return json;
}

Json rejection()
{
    Json json;
    json["rejectionReason"] = "BAD_SERVICE";
    json["totalAmountAccepted"] = "0.00";
    json["message"] = "no";
    return json;
}

Task<std::string> allocate(Stage& stage, std::string amount)
{
    Json wish;
    wish["totalAmount"] = amount;
    wish["paymentPlatform"] = platform;
    const auto made = co_await stage.post(payment + "/allocations", wish);
    co_return made.body.value("allocationId", "");
}

Task<std::string> send_note(Stage& stage, const Running& running, std::string amount, bool is_payable)
{
    provider::DebitNoteDraft note;
    note.activity = running.activity;
    note.total_due = Amount::parse(amount);
    note.usage = std::vector<double>{0.5, 12.25};
    if (is_payable)
        note.due = stage.time().utc() + std::chrono::minutes(2);
    auto sending = stage.provider().send_debit_note(note);
    const auto id = co_await stage.tell("send a debit note", std::move(sending));
    co_return id;
}

Task<std::string> send_invoice(Stage& stage, const Deal& deal, const Running& running, std::string amount)
{
    provider::InvoiceDraft invoice;
    invoice.agreement = deal.agreement;
    if (!running.activity.empty())
        invoice.activities.push_back(running.activity);
    invoice.amount = Amount::parse(amount);
    invoice.due = stage.time().utc() + std::chrono::hours(24);
    auto sending = stage.provider().send_invoice(invoice);
    const auto id = co_await stage.tell("send an invoice", std::move(sending));
    co_return id;
}

Task<> end(Stage& stage, Deal& deal)
{
    const auto body = reason("Finished");
    co_await stage.post(deal.agreement_path() + "/terminate", body);
    co_await forget(stage, deal);
}

} // namespace

Task<> scene_debit_notes(Stage& stage)
{
    const auto allocation = co_await allocate(stage, "1.50");
    const auto other = co_await allocate(stage, "0.001");
    const auto purse = payment + "/allocations/" + allocation;
    auto deal = new_deal(stage);
    co_await sign(stage, deal);
    Running running;
    co_await start(stage, deal, running);
    const auto feed = payment + "/debitNoteEvents?afterTimestamp=" + stage.began() + "&appSessionId=" + stage.tag();
    const auto path = payment + "/debitNotes/";

    const std::function<Task<>()> background = [&stage, &feed]() -> Task<> {
        co_await stage.get(feed + "&timeout=10");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(400));
    const auto first = co_await send_note(stage, running, "0.010", false);
    co_await stage.settle();
    co_await stage.get(path + first);
    co_await stage.get(path + no_document);
    std::set<std::string> own;
    own.insert(first);
    co_await stage.get_own(payment + "/debitNotes?afterTimestamp=" + stage.began(), "debitNoteId", own);
    const std::vector<Json> wrong = {acceptance("0.02", allocation),  acceptance("0.010000000000000001", allocation),
                                     acceptance("0.01", no_document), acceptance("0.01", "xyz"),
                                     acceptance("abc", allocation),   acceptance("0.01", other)};
    for (const auto& body : wrong)
        co_await stage.post(path + first + "/accept", body);
    co_await stage.post_text(path + first + "/accept", R"({"totalAmountAccepted":"0.01"})");
    const auto right = acceptance("0.01", allocation);
    co_await stage.post(path + no_document + "/accept", right);
    co_await stage.post(path + first + "/accept", right);
    co_await stage.post(path + first + "/accept", right);
    const auto no = rejection();
    co_await stage.post(path + first + "/reject", no);
    co_await stage.post(path + first + "/cancel", no);
    co_await stage.get(path + first);
    co_await stage.get(path + first + "/payments");
    co_await stage.get(purse);
    co_await stage.payment_events(first, 1);

    const auto second = co_await send_note(stage, running, "0.030", true);
    co_await stage.get(path + second);
    const auto more = acceptance("0.03", allocation);
    co_await stage.post(path + second + "/accept", more);
    co_await stage.get(purse);
    co_await stage.payment_events(second, 1);
    const auto third = co_await send_note(stage, running, "0.03", false);
    co_await stage.get(path + third);
    co_await stage.get(feed + "&timeout=0");
    co_await stage.get(feed + "&timeout=0&maxEvents=1");
    co_await stage.get(payment + "/debitNoteEvents?timeout=0&appSessionId=nobodys");
    for (const std::string kinds : {"RECEIVED,ACCEPTED,SETTLED", "ACCEPTED", "nonsense", ""}) {
        http::Request request(http::Method::get, feed + "&timeout=0");
        request.headers().set("X-Requestor-Events", kinds);
        co_await stage.send(request);
    }
    provider::DebitNoteDraft stray;
    stray.activity = no_activity;
    stray.total_due = Amount::parse("0.01");
    auto sending = stage.provider().send_debit_note(stray);
    co_await stage.tell("send a note of nothing", std::move(sending));
    const auto rest = acceptance("0.03", allocation);
    co_await stage.post(path + third + "/accept", rest);
    co_await stage.get(purse);
    co_await destroy(stage, deal, running);
    co_await end(stage, deal);
    co_await stage.del(purse);
    co_await stage.del(payment + "/allocations/" + other);
    co_await stage.post(path + third + "/accept", rest);
}

Task<> scene_invoices(Stage& stage)
{
    const auto allocation = co_await allocate(stage, "0.05");
    const auto purse = payment + "/allocations/" + allocation;
    auto deal = new_deal(stage);
    co_await sign(stage, deal);
    Running running;
    co_await start(stage, deal, running);
    const auto path = payment + "/invoices/";
    const auto note = co_await send_note(stage, running, "0.030", false);
    const auto for_note = acceptance("0.030", allocation);
    co_await stage.post(payment + "/debitNotes/" + note + "/accept", for_note);
    const auto last_note = co_await send_note(stage, running, "0.035", false);
    co_await destroy(stage, deal, running);
    const auto body = reason("Finished");
    co_await stage.post(deal.agreement_path() + "/terminate", body);

    const auto feed = payment + "/invoiceEvents?afterTimestamp=" + stage.began() + "&appSessionId=" + stage.tag();
    const std::function<Task<>()> background = [&stage, &feed]() -> Task<> {
        co_await stage.get(feed + "&timeout=10");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(400));
    const auto invoice = co_await send_invoice(stage, deal, running, "0.04");
    co_await stage.settle();
    co_await stage.get(path + invoice);
    co_await stage.get(path + no_document);
    std::set<std::string> own;
    own.insert(invoice);
    co_await stage.get_own(payment + "/invoices?afterTimestamp=" + stage.began(), "invoiceId", own);
    const auto no = rejection();
    co_await stage.post(path + invoice + "/reject", no);
    co_await stage.get(path + invoice);
    co_await stage.payment_events(invoice, 1);
    co_await stage.post(path + invoice + "/reject", no);
    const std::vector<Json> wrong = {
        acceptance("0.05", allocation), acceptance("0.04", no_document), acceptance("0", allocation)};
    for (const auto& attempt : wrong)
        co_await stage.post(path + invoice + "/accept", attempt);
    const auto right = acceptance("0.0400", allocation);
    co_await stage.post(path + invoice + "/accept", right);
    co_await stage.post(path + invoice + "/accept", right);
    co_await stage.post(path + invoice + "/reject", no);
    co_await stage.get(path + invoice);
    co_await stage.get(purse);
    co_await stage.payment_events(invoice, 1);
    const auto late = acceptance("0.035", allocation);
    co_await stage.post(payment + "/debitNotes/" + last_note + "/accept", late);
    co_await stage.get(payment + "/debitNotes/" + last_note);
    co_await stage.get(purse);
    http::Request all(http::Method::get, feed + "&timeout=0");
    all.headers().set("X-Requestor-Events", "RECEIVED,ACCEPTED,REJECTED,SETTLED");
    co_await stage.send(all);
    // A second one for the same agreement, and one that is too much for the allocation.
    const auto twice = co_await send_invoice(stage, deal, running, "0.2");
    co_await stage.get(path + twice);
    const auto too_much = acceptance("0.2", allocation);
    co_await stage.post(path + twice + "/accept", too_much);
    co_await forget(stage, deal);

    // For nothing at all, and below what was accepted before.
    auto empty = new_deal(stage);
    co_await sign(stage, empty);
    co_await stage.post(empty.agreement_path() + "/terminate", body);
    Running none;
    const auto nothing = co_await send_invoice(stage, empty, none, "0");
    co_await stage.get(path + nothing);
    const auto for_nothing = acceptance("0", allocation);
    co_await stage.post(path + nothing + "/accept", for_nothing);
    co_await stage.get(path + nothing);
    co_await stage.payment_events(nothing, 1);
    co_await forget(stage, empty);

    auto less = new_deal(stage);
    co_await sign(stage, less);
    Running brief;
    co_await start(stage, less, brief);
    co_await send_note(stage, brief, "0.003", false);
    co_await send_note(stage, brief, "0.002", false);
    co_await send_invoice(stage, less, brief, "0.001");
    const auto little = co_await send_invoice(stage, less, brief, "0.004");
    const auto much = co_await send_note(stage, brief, "0.005", false);
    const auto for_much = acceptance("0.005", allocation);
    co_await stage.post(payment + "/debitNotes/" + much + "/accept", for_much);
    co_await destroy(stage, less, brief);
    co_await stage.post(less.agreement_path() + "/terminate", body);
    const auto for_little = acceptance("0.004", allocation);
    co_await stage.post(path + little + "/accept", for_little);
    co_await forget(stage, less);
    co_await stage.del(purse);
    co_await stage.post(path + little + "/accept", for_little);
}

} // namespace golem::test
