// The one table of what the daemon's refusals mean.

#include "support.hpp"

#include <golem/yagna/detail/error_mapping.hpp>

using namespace golem;
using namespace golem::yagna;
using namespace golem::yagna::test;

namespace {

constexpr const char* activity = "/activity-api/v1/activity/1/exec";
constexpr const char* market = "/market-api/v1/agreements/1/confirm";
constexpr const char* payment = "/payment-api/v1/allocations";
constexpr const char* json = "application/json";
constexpr const char* text = "text/plain";
constexpr const char* problem = "application/problem+json";

struct Row {
    const char* target;
    unsigned status;
    const char* content_type;
    std::string body;
    Errc code;
    bool transient;
    std::string explanation; ///< A part of it.
    std::string their_words;
};

std::string message(const std::string& words) { return "{\"message\":\"" + words + "\"}"; }

std::string refused_allocation(const std::string& tail, const std::string& more)
{
    return R"({"type":"/payment-api/v1/allocations/validation-error","instance":"/payment-api/v1/allocations/validation-error/)" +
           tail + "\",\"detail\":\"No.\"" + more + "}";
}

std::string failed_allocation(const std::string& words)
{
    return R"({"type":"/payment-api/v1/allocations/internal-error","detail":"Unhandled internal error","internalError":")" +
           words + "\"}";
}

} // namespace

TEST_CASE("what the daemon's refusals mean")
{
    const std::string hybrid_gone = "GSB error: Bad request: Bad request: endpoint address not found";
    const std::string central_gone =
        "GSB error: Remote service at `/net/0x1/exeunit/1/Exec` error: GSB failure: Bad request: endpoint "
        "address not found";
    const std::string one_daemon_gone = "GSB error: Service receiver was cancelled";
    const std::string hybrid_node = "GSB error: GSB failure: Net: error sending message: session closed";
    const std::string central_node =
        "GSB error: Remote service at `/net/0x1/exeunit/1/Exec` error: Bad request: endpoint address not found";
    const std::string unreachable =
        "RPC error: Error while validating allocation: Error while sending payment: Unreachable, /home/x.rs:1";
    const std::string refused = "RPC error: Error while validating allocation: Error while sending payment: "
                                "Transport(Message(failed to send request: tcp connect error)), /home/x.rs:1";
    const std::string silent = "Error getting balance for account: 0x1 - Server is unreachable, /home/x.rs:1";

    const Row rows[] = {
        // Who we are.
        {market, 401, text, "Invalid application key", Errc::unauthorized, false, "yagna app-key list",
         "Invalid application key"},
        {market, 401, text, "Missing application key", Errc::unauthorized, false, "YAGNA_APPKEY",
         "Missing application key"},
        {market, 403, "", "", Errc::refused, false, "no right", ""},
        // The other side, by net type.
        {activity, 500, json, message(hybrid_gone), Errc::activity_lost, false, "exe-unit", hybrid_gone},
        {activity, 500, json, message(central_gone), Errc::activity_lost, false, "exe-unit", central_gone},
        {activity, 500, json, message(one_daemon_gone), Errc::activity_lost, false, "exe-unit", one_daemon_gone},
        {activity, 500, json, message(hybrid_node), Errc::activity_lost, false, "node is gone", hybrid_node},
        {activity, 500, json, message(central_node), Errc::activity_lost, false, "node is gone", central_node},
        {activity, 500, json, message("GSB error: busy"), Errc::daemon_failed, true, "could not be asked",
         "GSB error: busy"},
        {market, 500, json, message("Protocol error: Propose Agreement [R-1] " + hybrid_node + ".."),
         Errc::daemon_failed, true, "node is gone", "Protocol error: Propose Agreement [R-1] " + hybrid_node + ".."},
        // Activities.
        {activity, 500, json, message("DAO error: Not found: agreement id for activity: 1"), Errc::not_found, false,
         "this activity", "DAO error: Not found: agreement id for activity: 1"},
        {activity, 500, json, message("DAO error: database is locked"), Errc::daemon_failed, true, "of its own",
         "DAO error: database is locked"},
        {activity, 500, json, message("Service error: Activity 1 was abruptly terminated. Reason: x"),
         Errc::activity_lost, false, "could not start", "Service error: Activity 1 was abruptly terminated. Reason: x"},
        {activity, 500, json,
         message("Service error: Activity 1 was abruptly terminated. Reason: Only single Activity allowed"),
         Errc::refused, false, "terminate the agreement",
         "Service error: Activity 1 was abruptly terminated. Reason: Only single Activity allowed"},
        {activity, 408, json, message("Timeout"), Errc::timed_out, true, "did not answer in time", "Timeout"},
        // Allocations.
        {payment, 400, problem,
         refused_allocation(
             "insufficient-account-funds", R"(,"requestedFunds":"1000","availableFunds":"20.5","reservedFunds":"3")"),
         Errc::insufficient_funds, false,
         "(requested 1000 GLM, available 20.5 GLM, reserved by other allocations 3 GLM)", "No."},
        {payment, 400, problem,
         refused_allocation("insufficient-deposit-funds", R"(,"requestedFunds":"6","availableFunds":"5")"),
         Errc::insufficient_funds, false, "(requested 6 GLM, available 5 GLM)", "No."},
        {payment, 400, problem, refused_allocation("insufficient-account-funds", R"(,"requestedFunds":7)"),
         Errc::insufficient_funds, false, "ask for less", "No."},
        {payment, 400, problem, refused_allocation("timeout-passed", ""), Errc::invalid_input, false, "clock", "No."},
        {payment, 400, problem, refused_allocation("deposit-reused", ""), Errc::invalid_input, false, "refuses", "No."},
        {payment, 400, problem,
         R"({"type":"/payment-api/v1/allocations/bad-payment-platform","detail":"Payment platform doesn't parse","parseError":"Bad."})",
         Errc::invalid_input, false, "driver-network-token", "Payment platform doesn't parse: Bad."},
        {payment, 500, problem, failed_allocation(unreachable), Errc::daemon_failed, true,
         "cannot reach the payment chain", "Unhandled internal error: " + unreachable},
        {payment, 500, problem, failed_allocation(silent), Errc::daemon_failed, true, "cannot reach the payment chain",
         "Unhandled internal error: " + silent},
        {payment, 500, problem, failed_allocation(refused), Errc::daemon_failed, true, "cannot reach the payment chain",
         "Unhandled internal error: " + refused},
        {payment, 500, problem, failed_allocation("CustomError: Chain polygon not found in config file, x"),
         Errc::invalid_input, false, "not configured",
         "Unhandled internal error: CustomError: Chain polygon not found in config file, x"},
        {payment, 400, json, message("Not enough funds. Allocated: 0.05 Needed: 0.4"), Errc::insufficient_funds, false,
         "raise its total", "Not enough funds. Allocated: 0.05 Needed: 0.4"},
        {payment, 400, json, message("Allocation 1 not found"), Errc::not_found, false, "released",
         "Allocation 1 not found"},
        {payment, 400, json, message("Invoice cancelled"), Errc::refused, false, "state", "Invoice cancelled"},
        {payment, 404, json, R"({"message":null})", Errc::not_found, false, "does not know it", ""},
        {payment, 501, json, R"({"message":null})", Errc::daemon_failed, false, "does not support", ""},
        {payment, 504, "", "", Errc::timed_out, true, "could not be told", ""},
        // Statuses alone.
        {market, 400, text, "Query deserialize error: invalid float literal", Errc::invalid_input, false, "malformed",
         "Query deserialize error: invalid float literal"},
        {market, 400, text, message("Path deserialize error: x"), Errc::invalid_input, false, "malformed",
         "Path deserialize error: x"},
        {market, 404, json, message("Agreement [1] not found."), Errc::not_found, false, "does not know it",
         "Agreement [1] not found."},
        {market, 404, "", "", Errc::not_found, false, "other than yagna", ""},
        {market, 404, "text/html", "<html>", Errc::protocol, false, "other than yagna", "<html>"},
        {market, 408, "", "", Errc::timed_out, true, "in time", ""},
        {"/me", 408, "", "", Errc::timed_out, true, "in time", ""},
        {market, 409, json, message("no"), Errc::refused, false, "state of things", "no"},
        {market, 410, json, message("no"), Errc::refused, false, "state of things", "no"},
        {payment, 413, text, "JSON payload is larger", Errc::invalid_input, false, "too large",
         "JSON payload is larger"},
        {market, 418, "", "", Errc::refused, false, "refuses", ""},
        {market, 429, "", "", Errc::daemon_failed, true, "too often", ""},
        {market, 500, "", "", Errc::daemon_failed, true, "of its own", ""},
        {market, 502, "text/html", "<html>", Errc::daemon_failed, true, "not ready", "<html>"},
        {market, 503, "", "", Errc::daemon_failed, true, "not ready", ""},
        {market, 504, "", "", Errc::timed_out, true, "behind the daemon", ""},
        {market, 302, "", "", Errc::protocol, false, "unexpected status 302", ""},
        {market, 600, "", "", Errc::protocol, false, "unexpected status 600", ""},
        // Bodies of other shapes.
        {market, 409, json, "[1]", Errc::refused, false, "", "[1]"},
        {market, 409, json, R"({"message":7})", Errc::refused, false, "", R"({"message":7})"},
        {market, 409, json, R"({"message":null,"detail":"more"})", Errc::refused, false, "", "more"},
        {market, 409, json, R"({"message":"cut)", Errc::refused, false, "", R"({"message":"cut)"},
    };
    for (const auto& row : rows) {
        INFO(row.target << " " << row.status << " " << row.body);
        yagna::detail::FailedAnswer answer;
        answer.operation = "op";
        answer.target = row.target;
        answer.status = row.status;
        answer.content_type = row.content_type;
        answer.body = row.body;
        const auto mapped = yagna::detail::map_error(answer);
        CHECK(mapped.code == row.code);
        CHECK(mapped.transient == row.transient);
        CHECK(contains(mapped.explanation, row.explanation));
        CHECK(mapped.their_words == row.their_words);
    }
}

TEST_CASE("their words are cut, and not within a character")
{
    yagna::detail::FailedAnswer answer;
    answer.target = market;
    answer.status = 500;
    const std::string body = "a" + [] {
        std::string umlauts;
        for (int i = 0; i < 1000; ++i)
            umlauts += "\xc3\xa4";
        return umlauts;
    }();
    answer.body = body;
    const auto words = yagna::detail::map_error(answer).their_words;
    CHECK(words.size() == 499 + 3);
    CHECK(words.ends_with("\xc3\xa4…"));
    const std::string deep(1'000'000, '[');
    answer.body = deep;
    CHECK(yagna::detail::map_error(answer).their_words.size() == 503);
}

TEST_CASE("the error is one sentence")
{
    yagna::detail::FailedAnswer answer;
    answer.operation = "read identity";
    answer.target = "/me";
    answer.status = 401;
    answer.content_type = text;
    answer.body = "Invalid application key";
    const auto error = yagna::detail::to_error(answer);
    CHECK(
        std::string(error.what()) == "read identity: the daemon does not know this app key: `yagna app-key list` shows "
                                     "the keys it knows; set YAGNA_APPKEY to "
                                     "one of them [Invalid application key]");
}
