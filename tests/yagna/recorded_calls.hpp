// Which call of the client makes a recorded request.
#pragma once

#include "support.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::yagna::test {

inline std::vector<std::string> split_path(std::string_view target)
{
    std::vector<std::string> parts;
    target = target.substr(0, target.find('?'));
    while (!target.empty()) {
        target.remove_prefix(1);
        const auto end = std::min(target.find('/'), target.size());
        parts.emplace_back(target.substr(0, end));
        target.remove_prefix(end);
    }
    return parts;
}

/// Nothing if the client makes no such call.
inline std::optional<Call> call_for(std::string_view method, std::string_view target)
{
    const auto path = split_path(target);
    const auto part = [&](std::size_t index) { return index < path.size() ? path[index] : std::string(); };
    const auto is = [&](std::string_view wanted_method, std::string_view api, std::string_view pattern) {
        if (method != wanted_method || part(0) != api)
            return false;
        const auto wanted = split_path(pattern);
        if (wanted.size() + 2 != path.size())
            return false;
        for (std::size_t index = 0; index < wanted.size(); ++index)
            if (wanted[index] != "*" && wanted[index] != path[index + 2])
                return false;
        return true;
    };
    const auto id = part(3);
    const auto second = part(5);
    const auto wait = std::chrono::seconds(1);

    if (method == "GET" && target == "/me")
        return [](Client& c) -> Task<> { co_await c.identity().me(); };
    if (method == "GET" && target == "/version/get")
        return [](Client& c) -> Task<> { co_await c.identity().version(); };

    const std::string_view market = "market-api";
    if (is("POST", market, "/demands"))
        return [](Client& c) -> Task<> {
            DemandOfferBase content;
            co_await c.market().publish_demand(content);
        };
    if (is("GET", market, "/demands"))
        return [](Client& c) -> Task<> { co_await c.market().demands(); };
    if (is("DELETE", market, "/demands/*"))
        return [id](Client& c) -> Task<> { co_await c.market().delete_demand(id); };
    if (is("GET", market, "/demands/*/events"))
        return [id, wait](Client& c) -> Task<> { co_await c.market().demand_events(id, wait, 10); };
    if (is("POST", market, "/demands/*/proposals/*"))
        return [id, second](Client& c) -> Task<> {
            DemandOfferBase content;
            co_await c.market().counter(id, second, content);
        };
    if (is("POST", market, "/demands/*/proposals/*/reject"))
        return [id, second](Client& c) -> Task<> {
            Reason reason;
            co_await c.market().reject(id, second, reason);
        };
    if (is("POST", market, "/agreements"))
        return [](Client& c) -> Task<> {
            const Timestamp valid_to{};
            co_await c.market().create_agreement("R-1", valid_to);
        };
    if (is("GET", market, "/agreements"))
        return [](Client& c) -> Task<> {
            AgreementFilter filter;
            co_await c.market().agreements(filter);
        };
    if (is("GET", market, "/agreements/*"))
        return [id](Client& c) -> Task<> { co_await c.market().agreement(id); };
    if (is("POST", market, "/agreements/*/confirm"))
        return [id](Client& c) -> Task<> { co_await c.market().confirm(id, "session"); };
    if (is("POST", market, "/agreements/*/wait"))
        return [id, wait](Client& c) -> Task<> { co_await c.market().wait_for_approval(id, wait); };
    if (is("POST", market, "/agreements/*/cancel"))
        return [id](Client& c) -> Task<> {
            Reason reason;
            co_await c.market().cancel(id, reason);
        };
    if (is("POST", market, "/agreements/*/terminate"))
        return [id](Client& c) -> Task<> {
            Reason reason;
            co_await c.market().terminate(id, reason, std::chrono::seconds(10));
        };
    if (is("GET", market, "/agreementEvents"))
        return [wait](Client& c) -> Task<> {
            Cursor start;
            co_await c.market().agreement_events(start, "", wait, 10);
        };

    const std::string_view activity = "activity-api";
    if (is("POST", activity, "/activity"))
        return [wait](Client& c) -> Task<> { co_await c.activity().create("1", wait); };
    if (is("GET", activity, "/activity"))
        return [](Client& c) -> Task<> { co_await c.activity().activities("1"); };
    if (is("DELETE", activity, "/activity/*"))
        return [id, wait](Client& c) -> Task<> { co_await c.activity().destroy(id, wait); };
    if (is("POST", activity, "/activity/*/exec"))
        return [id](Client& c) -> Task<> { co_await c.activity().exec(id, "[]"); };
    if (is("GET", activity, "/activity/*/exec/*"))
        return [id, second, wait](Client& c) -> Task<> { co_await c.activity().results(id, second, wait); };
    if (is("GET", activity, "/activity/*/state"))
        return [id](Client& c) -> Task<> { co_await c.activity().state(id); };
    if (is("GET", activity, "/activity/*/usage"))
        return [id](Client& c) -> Task<> { co_await c.activity().usage(id); };

    const std::string_view payment = "payment-api";
    if (is("GET", payment, "/requestorAccounts"))
        return [](Client& c) -> Task<> { co_await c.payment().accounts(); };
    if (is("POST", payment, "/allocations"))
        return [](Client& c) -> Task<> {
            const Amount total(1);
            const Timestamp timeout{};
            co_await c.payment().create_allocation(total, "erc20-hoodi-tglm", timeout);
        };
    if (is("GET", payment, "/allocations"))
        return [](Client& c) -> Task<> { co_await c.payment().allocations(); };
    if (is("GET", payment, "/allocations/*"))
        return [id](Client& c) -> Task<> { co_await c.payment().allocation(id); };
    if (is("PUT", payment, "/allocations/*"))
        return [id](Client& c) -> Task<> {
            const Amount total(1);
            co_await c.payment().amend_allocation(id, total);
        };
    if (is("DELETE", payment, "/allocations/*"))
        return [id](Client& c) -> Task<> { co_await c.payment().release_allocation(id); };
    if (is("GET", payment, "/demandDecorations"))
        return [](Client& c) -> Task<> { co_await c.payment().demand_decoration("1"); };
    if (is("GET", payment, "/debitNoteEvents"))
        return [wait](Client& c) -> Task<> {
            Cursor start;
            co_await c.payment().debit_note_events(start, "", wait);
        };
    if (is("GET", payment, "/invoiceEvents"))
        return [wait](Client& c) -> Task<> {
            Cursor start;
            co_await c.payment().invoice_events(start, "", wait);
        };
    if (is("GET", payment, "/debitNotes/*"))
        return [id](Client& c) -> Task<> { co_await c.payment().debit_note(id); };
    if (is("GET", payment, "/invoices"))
        return [](Client& c) -> Task<> { co_await c.payment().invoices(); };
    if (is("GET", payment, "/invoices/*"))
        return [id](Client& c) -> Task<> { co_await c.payment().invoice(id); };
    if (is("POST", payment, "/debitNotes/*/accept"))
        return [id](Client& c) -> Task<> {
            const Amount one(1);
            co_await c.payment().accept_debit_note(id, one, "1");
        };
    if (is("POST", payment, "/invoices/*/accept"))
        return [id](Client& c) -> Task<> {
            const Amount one(1);
            co_await c.payment().accept_invoice(id, one, "1");
        };
    if (is("POST", payment, "/invoices/*/reject"))
        return
            [id](Client& c) -> Task<> { co_await c.payment().reject_invoice(id, RejectionReason::bad_service, "bad"); };

    const std::string_view net = "net-api";
    if (is("GET", net, "/net/status"))
        return [](Client& c) -> Task<> { co_await c.net().status(); };
    if (is("GET", net, "/net"))
        return [](Client& c) -> Task<> { co_await c.net().networks(); };
    if (is("POST", net, "/net"))
        return [](Client& c) -> Task<> { co_await c.net().create("10.9.0.0/24", "", ""); };
    if (is("GET", net, "/net/*"))
        return [id](Client& c) -> Task<> { co_await c.net().network(id); };
    if (is("DELETE", net, "/net/*"))
        return [id](Client& c) -> Task<> { co_await c.net().remove(id); };
    if (is("GET", net, "/net/*/addresses"))
        return [id](Client& c) -> Task<> { co_await c.net().addresses(id); };
    if (is("POST", net, "/net/*/addresses"))
        return [id](Client& c) -> Task<> { co_await c.net().add_address(id, "10.9.0.1"); };
    if (is("GET", net, "/net/*/nodes"))
        return [id](Client& c) -> Task<> { co_await c.net().nodes(id); };
    if (is("POST", net, "/net/*/nodes"))
        return [id](Client& c) -> Task<> { co_await c.net().add_node(id, "0x1", "10.9.0.2"); };
    if (is("DELETE", net, "/net/*/nodes/*"))
        return [id, second](Client& c) -> Task<> { co_await c.net().remove_node(id, second); };
    return std::nullopt;
}

} // namespace golem::yagna::test
