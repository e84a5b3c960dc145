#include <golem/yagna/detail/error_mapping.hpp>

#include "error_body.hpp"

#include <array>
#include <utility>

namespace golem::yagna::detail {

namespace {

enum class Api { any, market, activity, payment, net };

/// The first row whose conditions all hold decides.
struct Row {
    unsigned first; ///< Lowest and
    unsigned last;  ///< highest status.
    Api api;
    /// What the text contains (empty: anything), and what it does not.
    std::string_view contains;
    std::string_view and_contains;
    std::string_view lacks;
    Errc code;
    bool transient;
    std::string_view explanation;
};

// Stand for what is not text in the haystack of a row.
constexpr std::string_view no_body = "\x01"
                                     "no body";
constexpr std::string_view web_page = "\x01"
                                      "web page";

constexpr std::string_view wrong_key = "the daemon does not know this app key: `yagna app-key list` shows the keys it "
                                       "knows; set YAGNA_APPKEY to one of them";
constexpr std::string_view node_gone = "the provider's node is gone, or no longer reachable";
constexpr std::string_view exe_unit_gone = "the activity has ended: its exe-unit no longer exists at the provider";
constexpr std::string_view no_chain = "the daemon cannot reach the payment chain: check its network connection and its "
                                      "RPC endpoints, then try again";
constexpr std::string_view bad_platform = "the daemon does not know this payment platform: the form is "
                                          "driver-network-token in lower case, such as erc20-hoodi-tglm";
constexpr std::string_view no_subscription = "the demand or the offer no longer exists";
constexpr std::string_view no_network = "the network no longer exists, or is somebody else's";
constexpr std::string_view not_yagna = "something other than yagna, or a much older one, answers at this address";

constexpr auto invalid_input = Errc::invalid_input;
constexpr auto not_found = Errc::not_found;
constexpr auto refused = Errc::refused;
constexpr auto lost = Errc::activity_lost;
constexpr auto failed = Errc::daemon_failed;

// clang-format off
constexpr std::array rows = {
    // Private networks. Whether the caller has any other one decides how the daemon says that it has not this one.
    Row{403, 403, Api::net, no_body, "", "", not_found, false, no_network},
    Row{404, 404, Api::net, "Network not found", "", "", not_found, false, no_network},
    Row{400, 400, Api::net, "Network not found for IP address", "", "", invalid_input, false,
        "the address is not one of the network's"},
    Row{400, 400, Api::net, "Invalid network IP address", "", "", invalid_input, false,
        "the address is not one of the network's, or none of a network"},
    Row{400, 400, Api::net, "Socket closed", "", "", refused, true, "nobody listens at this port of the machine"},
    Row{400, 400, Api::net, "Mailbox has closed", "", "", failed, false,
        "the daemon has given the network up: remove it and make another one"},
    Row{504, 504, Api::net, "", "", "", Errc::unreachable, true,
        "the machine did not answer: it is not in the network (any more), or its runtime has none"},

    // Who we are.
    Row{401, 401, Api::any, "Missing application key", "", "", Errc::unauthorized, false,
        "the request carried no app key: set YAGNA_APPKEY (`yagna app-key list` shows the keys)"},
    Row{401, 401, Api::any, "", "", "", Errc::unauthorized, false, wrong_key},
    Row{403, 403, Api::any, "", "", "", refused, false, "the app key's identity has no right to this"},

    // Allocations and documents.
    Row{400, 400, Api::payment, "/insufficient-account-funds", "", "", Errc::insufficient_funds, false,
        "the account has too little: top it up (`yagna payment fund` on test networks), release allocations "
        "(`yagna payment release-allocations`) or ask for less"},
    Row{400, 400, Api::payment, "/insufficient-deposit-funds", "", "", Errc::insufficient_funds, false,
        "the deposit has too little"},
    Row{400, 400, Api::payment, "/bad-payment-platform", "", "", invalid_input, false, bad_platform},
    Row{400, 400, Api::payment, "/timeout-passed", "", "", invalid_input, false,
        "the allocation's timeout lies in the past: check the clock of this machine"},
    Row{400, 400, Api::payment, "/validation-error", "", "", invalid_input, false, "the daemon refuses such an allocation"},
    Row{400, 400, Api::payment, "New allocation would be smaller", "", "", invalid_input, false,
        "more than this total has been spent already"},
    Row{400, 400, Api::payment, "Not enough funds", "", "", Errc::insufficient_funds, false,
        "the allocation has too little left: raise its total"},
    Row{400, 400, Api::payment, "Allocation ", " not found", "", not_found, false,
        "the daemon does not know the allocation, or it has been released"},
    Row{400, 400, Api::payment, "Invalid amount accepted", "", "", invalid_input, false,
        "only the exact amount of the document can be accepted"},
    Row{400, 400, Api::payment, "Invoice ", "", "", refused, false, "the invoice's state does not allow this"},
    Row{400, 400, Api::payment, "Debit note ", "", "", refused, false, "the debit note's state does not allow this"},
    Row{500, 500, Api::payment, "nreachable", "", "", failed, true, no_chain},
    Row{500, 500, Api::payment, "Error while sending payment: Transport(", "", "", failed, true, no_chain},
    Row{500, 500, Api::payment, "not found in config file", "", "", invalid_input, false,
        "the daemon is not configured for this payment network"},
    Row{500, 500, Api::payment, "not found in active accounts", "", "", failed, false,
        "the daemon has no such account: `yagna payment init --sender` sets it up"},
    Row{500, 500, Api::payment, "/account-not-registered", "", "", failed, false,
        "the daemon has no such account: `yagna payment init --sender` sets it up"},
    Row{504, 504, Api::payment, "", "", "", Errc::timed_out, true, "the provider could not be told in time"},

    // Activities. Texts from the other side, by net type: hybrid, central, one daemon.
    Row{500, 500, Api::activity, "DAO error: Not found: agreement id for activity", "", "", not_found, false,
        "the daemon does not know this activity"},
    Row{500, 500, Api::activity, "DAO error: Serde Json error", "", "", lost, false,
        "the activity died before it had reported anything"},
    Row{500, 500, Api::activity, "GSB error", "session closed", "", lost, false, node_gone},
    Row{500, 500, Api::activity, "GSB error: Remote service at", "endpoint address not found", "GSB failure", lost, false,
        node_gone},
    Row{500, 500, Api::activity, "GSB error", "endpoint address not found", "", lost, false, exe_unit_gone},
    Row{500, 500, Api::activity, "GSB error", "Service receiver was cancelled", "", lost, false, exe_unit_gone},
    Row{500, 500, Api::activity, "GSB error", "", "", failed, true, "the provider could not be asked"},
    Row{500, 500, Api::activity, "Only single Activity allowed", "", "", refused, false,
        "the provider runs another activity of this agreement already, perhaps one left over by an attempt that timed "
        "out: terminate the agreement"},
    Row{500, 500, Api::activity, "was abruptly terminated", "", "", lost, false, "the provider could not start the activity"},
    Row{500, 500, Api::activity, "Service error: Id [", "", "", invalid_input, false, "the id is malformed"},
    Row{400, 400, Api::activity, "is not Approved. Current state: Terminated", "", "", Errc::agreement_ended, false,
        "the agreement has been terminated"},
    Row{400, 400, Api::activity, "is not Approved. Current state: Expired", "", "", Errc::agreement_ended, false,
        "the agreement has expired"},
    Row{400, 400, Api::activity, "is not Approved", "", "", refused, false, "the agreement is not approved"},
    Row{400, 400, Api::activity, "Bad request: Error(", "", "", invalid_input, false,
        "the script is not one that the daemon understands"},
    Row{404, 404, Api::activity, "batch_id", "", "", not_found, false, "the exe-unit does not know this batch"},
    Row{408, 408, Api::activity, "", "", "", Errc::timed_out, true, "the provider did not answer in time"},

    // The market. Texts that cross the network carry the same tails.
    Row{500, 500, Api::market, "Remote failed to approve", "not found", "", not_found, false,
        "the provider has never seen this agreement"},
    Row{500, 500, Api::market, "Proposal [", "not found", "GSB error", not_found, false, "the daemon does not know this proposal"},
    Row{500, 500, Api::market, "GSB error", "", "", failed, true, node_gone},
    Row{400, 400, Api::market, "Can't create Agreement", "not found", "", not_found, false,
        "the daemon does not know this proposal"},
    Row{400, 400, Api::market, "rejected Proposal", "", "", refused, false, "the proposal was rejected before"},
    Row{400, 400, Api::market, "already has counter proposal", "", "", refused, false, "the proposal was countered before"},
    Row{400, 400, Api::market, "Subscription [", "wasn't found", "", not_found, false, no_subscription},
    Row{400, 400, Api::market, "Subscription [", "unsubscribed", "", not_found, false, no_subscription},
    Row{400, 400, Api::market, "doesn't match previous Proposal", "", "", invalid_input, false,
        "our properties and the offer's constraints do not match, or ours and its properties"},
    Row{400, 400, Api::market, "Agreement [", "terminated", "", Errc::agreement_ended, false, "the agreement has been terminated"},
    Row{400, 400, Api::market, "should be confirmed", "", "", refused, false, "the agreement has not been confirmed"},
    Row{404, 404, Api::market, "Subscription [", "expired", "", not_found, false,
        "the demand has expired: it lives for one hour; publish it again"},
    Row{408, 408, Api::market, "", "", "", Errc::timed_out, true, "nothing was decided in time"},

    // Everything else, by status alone.
    Row{400, 400, Api::any, "", "", "", invalid_input, false, "the daemon finds the request malformed or out of place"},
    Row{404, 404, Api::any, web_page, "", "", Errc::protocol, false, not_yagna},
    Row{404, 404, Api::any, no_body, "", "", not_found, false, not_yagna},
    Row{404, 404, Api::any, "", "", "", not_found, false, "the daemon does not know it, or no longer"},
    Row{408, 408, Api::any, "", "", "", Errc::timed_out, true, "the daemon did not do it in time"},
    Row{409, 410, Api::any, "", "", "", refused, false, "the state of things does not allow this"},
    Row{413, 413, Api::any, "", "", "", invalid_input, false, "the request is too large"},
    Row{429, 429, Api::any, "", "", "", failed, true, "the daemon is asked too often"},
    Row{402, 499, Api::any, "", "", "", refused, false, "the daemon refuses the request"},
    Row{501, 501, Api::any, "", "", "", failed, false, "the daemon does not support this call"},
    Row{504, 504, Api::any, "", "", "", Errc::timed_out, true, "somebody behind the daemon did not answer in time"},
    Row{502, 503, Api::any, "", "", "", failed, true, "the daemon is not ready"},
    Row{500, 599, Api::any, "", "", "", failed, true, "the daemon reports a failure of its own"},
};
// clang-format on

Api api_of(std::string_view target)
{
    if (target.starts_with("/market-api/"))
        return Api::market;
    if (target.starts_with("/activity-api/"))
        return Api::activity;
    if (target.starts_with("/payment-api/"))
        return Api::payment;
    if (target.starts_with("/net-api/"))
        return Api::net;
    return Api::any;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool applies(const Row& row, unsigned status, Api api, std::string_view text)
{
    return status >= row.first && status <= row.last && (row.api == Api::any || row.api == api) &&
           contains(text, row.contains) && contains(text, row.and_contains) &&
           (row.lacks.empty() || !contains(text, row.lacks));
}

std::string amounts_text(const codec::ErrorBody& body)
{
    std::string text;
    const auto add = [&](std::string_view name, const std::string& amount) {
        if (!amount.empty())
            text.append(text.empty() ? " (" : ", ").append(name).append(" ").append(amount).append(" GLM");
    };
    add("requested", body.requested);
    add("available", body.available);
    add("reserved by other allocations", body.reserved);
    return text.empty() ? text : text + ")";
}

} // namespace

MappedError map_error(const FailedAnswer& answer)
{
    auto body = codec::decode_error_body(answer.body);
    auto text = body.words + "\n" + body.problem;
    if (answer.body.empty())
        text += no_body;
    if (answer.content_type == "text/html")
        text += web_page;

    MappedError error;
    error.explanation =
        "unexpected status " + std::to_string(answer.status) + ": something other than yagna answers at this address";
    const auto api = api_of(answer.target);
    for (const auto& row : rows) {
        if (!applies(row, answer.status, api, text))
            continue;
        error.code = row.code;
        error.transient = row.transient;
        error.explanation = row.explanation;
        if (row.code == Errc::insufficient_funds)
            error.explanation += amounts_text(body);
        break;
    }
    error.their_words = std::move(body.words);
    return error;
}

Error to_error(const FailedAnswer& answer)
{
    auto mapped = map_error(answer);
    Error error(mapped.code, std::string(answer.operation), std::move(mapped.explanation));
    error.set_their_words(std::move(mapped.their_words));
    error.set_transient(mapped.transient);
    return error;
}

} // namespace golem::yagna::detail
