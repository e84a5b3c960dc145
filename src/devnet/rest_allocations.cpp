// Accounts, allocations and what they add to demands.
#include <devnet/rest_call.hpp>

#include <golem/devnet/platform.hpp>

#include <algorithm>
#include <set>

namespace golem::devnet::detail {

namespace {

std::optional<std::string> text_of(const Json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string())
        return std::nullopt;
    return found->get<std::string>();
}

// What was asked for, as it was understood: told back in problems.
Json echo(const Json& body, const Decimal& total, std::optional<Timestamp> timeout, bool make_deposit)
{
    Json json;
    for (const char* name : {"address", "deposit", "extendTimeout"})
        json[name] = body.contains(name) ? body[name] : Json(nullptr);
    json["makeDeposit"] = make_deposit;
    json["paymentPlatform"] = nullptr;
    if (body.contains("paymentPlatform"))
        json["paymentPlatform"] = body["paymentPlatform"];
    if (json["paymentPlatform"].is_object()) {
        Json parts;
        for (const char* name : {"driver", "network", "token"})
            parts[name] = body["paymentPlatform"].contains(name) ? body["paymentPlatform"][name] : Json(nullptr);
        json["paymentPlatform"] = std::move(parts);
    }
    json["timeout"] = nullptr;
    if (timeout)
        json["timeout"] = date(*timeout);
    json["totalAmount"] = total.to_string();
    return json;
}

PlatformWish platform_wish(const Call& call, const Json& body)
{
    PlatformWish wish;
    const auto found = body.find("paymentPlatform");
    if (found == body.end() || found->is_null())
        return wish;
    if (found->is_object()) {
        wish.driver = text_of(*found, "driver");
        wish.network = text_of(*found, "network");
        wish.token = text_of(*found, "token");
    } else if (found->is_string()) {
        wish.name = found->get<std::string>();
    } else {
        refuse_body(
            call,
            "Json deserialize error: data did not match any variant of untagged enum PaymentPlatformEnum at line 1 "
            "column " +
                std::to_string(call.request.body().size()));
    }
    return wish;
}

Json allocation_to_json(const Allocation& allocation)
{
    Json json;
    json["allocationId"] = allocation.id;
    json["address"] = allocation.address;
    json["paymentPlatform"] = allocation.platform;
    json["totalAmount"] = allocation.total().to_string();
    json["spentAmount"] = allocation.spent.to_string();
    json["remainingAmount"] = allocation.remaining.to_string();
    json["timestamp"] = date(allocation.created);
    json["timeout"] = date(allocation.timeout);
    json["createdTs"] = date(allocation.created);
    json["updatedTs"] = date(allocation.created);
    if (allocation.deposit)
        json["deposit"] = Json::parse(*allocation.deposit);
    json["makeDeposit"] = allocation.make_deposit;
    return json;
}

std::string in_lower_case(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

std::string with_offset(Timestamp when)
{
    auto text = date(when);
    text.replace(text.size() - 1, 1, "+00:00");
    return text;
}

Task<http::Response> create(const Call& call)
{
    static const Shape shape{"NewAllocation", 7, {"totalAmount"}};
    const auto body = body_of(call, shape);
    const auto total = decimal_from(call, body.at("totalAmount"));
    const auto timeout = time_member(call, body, "timeout");
    const bool make_deposit = bool_member(call, body, "makeDeposit");
    const auto platform = resolve_platform(platform_wish(call, body));
    Json more;
    if (!platform) {
        Failure failure(400, "Payment platform doesn't parse", BodyKind::problem);
        failure.add("type", "bad-payment-platform").add("parseError", platform.failure().text());
        more["requestBody"] = echo(body, total, timeout, make_deposit);
        more["requestedPaymentPlatform"] = more["requestBody"]["paymentPlatform"];
        co_return problem(failure, more);
    }
    NewAllocation wish;
    wish.total = total;
    wish.platform = *platform;
    wish.address = in_lower_case(text_of(body, "address").value_or(call.node));
    wish.timeout = timeout;
    wish.make_deposit = make_deposit;
    if (body.contains("deposit") && body["deposit"].is_object())
        wish.deposit = body["deposit"].dump();
    const auto& options = call.host.options();
    const bool reaches_chain = wish.address == call.node && (!timeout || *timeout > call.host.now());
    if (options.payments.chain == Chain::unreachable && reaches_chain)
        co_await call.host.sleep_until(call.host.time().deadline(options.unreachable_after));
    const auto made = call.host.world().payments().allocate(call.node, wish, call.host.now());
    if (made)
        co_return answer(201, allocation_to_json(*made));
    more["requestBody"] = echo(body, total, timeout, make_deposit);
    if (made.failure().status() == 400 && timeout && *timeout <= call.host.now())
        more["requestedTimeout"] = with_offset(*timeout);
    co_return problem(made.failure(), more);
}

http::Response list(const Call& call)
{
    const auto after = call.query.time("afterTimestamp");
    const auto most = call.query.integer("maxItems");
    Json body = Json::array();
    for (const auto& allocation : call.host.world().payments().allocations(call.node, call.host.now())) {
        const bool wanted = !after || allocation.timeout > *after;
        if (wanted && (!most || static_cast<long long>(body.size()) < *most))
            body.push_back(allocation_to_json(allocation));
    }
    return answer(200, body);
}

http::Response get(const Call& call)
{
    auto& payments = call.host.world().payments();
    return answer(200, allocation_to_json(unwrap(payments.allocation(call.node, call.ids.at(0), call.host.now()))));
}

http::Response amend(const Call& call)
{
    static const Shape shape{"AllocationUpdate", 3, {}};
    const auto body = body_of(call, shape);
    AllocationChange change;
    if (body.contains("totalAmount") && !body["totalAmount"].is_null())
        change.total = decimal_from(call, body["totalAmount"]);
    change.timeout = time_member(call, body, "timeout");
    change.deposit = body.contains("deposit") && !body["deposit"].is_null();
    const auto changed = call.host.world().payments().amend(call.node, call.ids.at(0), change, call.host.now());
    if (changed)
        return answer(200, allocation_to_json(*changed));
    if (changed.failure().kind() != BodyKind::problem)
        refuse(changed.failure());
    Json more;
    more["requestBody"] = body;
    return problem(changed.failure(), more);
}

http::Response release(const Call& call)
{
    unwrap(call.host.world().payments().release(call.node, call.ids.at(0), call.host.now()));
    return answer(200, nullptr);
}

http::Response decorations(const Call& call)
{
    auto list = call.query.required("allocationIds");
    std::vector<std::string> platforms;
    std::set<std::string> named;
    bool has_deposit = false;
    Json properties = Json::array();
    const auto add = [&properties](const std::string& key, const std::string& value) {
        Json property;
        property["key"] = key;
        property["value"] = value;
        properties.push_back(std::move(property));
    };
    while (!list.empty()) {
        const auto id = list.substr(0, list.find(','));
        list.erase(0, id.size() + 1);
        // As many must be found as were named.
        if (!named.insert(id).second)
            refuse(Failure(404, "", BodyKind::null_message));
        const auto allocation = unwrap(call.host.world().payments().allocation(call.node, id, call.host.now()));
        has_deposit = has_deposit || allocation.deposit;
        platforms.push_back(allocation.platform);
        add("golem.com.payment.platform." + allocation.platform + ".address", allocation.address);
    }
    if (platforms.empty())
        refuse(Failure(404, "", BodyKind::null_message));
    add("golem.com.payment.protocol.version", "3");
    std::string wanted;
    for (const auto& platform : platforms)
        wanted +=
            std::string(platforms.size() > 1 ? "\n  " : "") + "(golem.com.payment.platform." + platform + ".address=*)";
    Json body;
    body["properties"] = std::move(properties);
    body["constraints"] = Json::array();
    body["constraints"].push_back(platforms.size() > 1 ? "(|" + wanted + "\n)" : wanted);
    body["constraints"].push_back(
        std::string("(golem.com.payment.protocol.version>") + (has_deposit ? "2" : "1") + ")");
    return answer(200, body);
}

// An account is there once an allocation was made from it.
http::Response accounts(const Call& call)
{
    std::set<std::string> platforms;
    for (const auto& [id, allocation] : call.host.world().payments().all_allocations()) {
        if (allocation.owner == call.node)
            platforms.insert(allocation.platform);
    }
    Json body = Json::array();
    for (const auto& platform : platforms) {
        const auto parts = parts_of_platform(platform);
        Json account;
        account["platform"] = platform;
        account["address"] = call.node;
        account["driver"] = parts.driver;
        account["network"] = parts.network;
        account["token"] = parts.token;
        account["send"] = true;
        account["receive"] = false;
        body.push_back(std::move(account));
    }
    return answer(200, body);
}

http::Response no_accounts(const Call&) { return answer(200, Json::array()); }

http::Response status(const Call& call)
{
    if (const auto driver = call.query.text("driver"); driver && driver != "erc20")
        refuse(Failure(404, "Requested driver not registered " + *driver));
    if (const auto network = call.query.text("network")) {
        PlatformWish wish;
        wish.network = network;
        if (!resolve_platform(wish))
            refuse(Failure(404, "Requested network not supported " + *network));
    }
    return answer(200, Json::array());
}

} // namespace

void add_allocation_routes(Routes& routes)
{
    using http::Method;
    routes.add_waiting(Method::post, "/payment-api/v1/allocations", create);
    routes.add(Method::get, "/payment-api/v1/allocations", list);
    routes.add(Method::get, "/payment-api/v1/allocations/*", get);
    routes.add(Method::put, "/payment-api/v1/allocations/*", amend);
    routes.add(Method::del, "/payment-api/v1/allocations/*", release);
    routes.add(Method::get, "/payment-api/v1/demandDecorations", decorations);
    routes.add(Method::get, "/payment-api/v1/requestorAccounts", accounts);
    routes.add(Method::get, "/payment-api/v1/providerAccounts", no_accounts);
    routes.add(Method::get, "/payment-api/v1/payments/status", status);
}

} // namespace golem::devnet::detail
