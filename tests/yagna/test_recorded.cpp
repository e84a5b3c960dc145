// Every answer of the real daemon that the client may meet, one of each kind, through the whole client.

#include "recorded_calls.hpp"

#include <nlohmann/json.hpp>

using namespace golem;
using namespace golem::yagna::test;

namespace {

std::string name_of(const Outcome& outcome)
{
    if (!outcome.code)
        return "ok";
    switch (*outcome.code) {
    case Errc::invalid_input: return "invalid_input";
    case Errc::unauthorized: return "unauthorized";
    case Errc::insufficient_funds: return "insufficient_funds";
    case Errc::not_found: return "not_found";
    case Errc::refused: return "refused";
    case Errc::timed_out: return "timed_out";
    case Errc::protocol: return "protocol";
    case Errc::daemon_failed: return "daemon_failed";
    case Errc::agreement_ended: return "agreement_ended";
    case Errc::activity_lost: return "activity_lost";
    default: return "other";
    }
}

std::string path(const std::string& target) { return target.substr(0, target.find('?')); }

/// The document with each of its places replaced in turn by `replacement`.
std::vector<std::string> mutations(const nlohmann::json& document, const nlohmann::json& replacement)
{
    std::vector<std::string> result{replacement.dump()};
    if (!document.is_structured())
        return result;
    for (const auto& item : document.items()) {
        for (const auto& mutated : mutations(item.value(), replacement)) {
            auto copy = document;
            if (copy.is_array())
                copy[std::stoul(item.key())] = nlohmann::json::parse(mutated);
            else
                copy[item.key()] = nlohmann::json::parse(mutated);
            result.push_back(copy.dump());
        }
    }
    return result;
}

} // namespace

TEST_CASE("recorded answers of the daemon are understood")
{
    std::istringstream lines(read_file("answers.jsonl"));
    int count = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto recorded = nlohmann::json::parse(line);
        const auto text = [&](const char* key) { return recorded.at(key).get<std::string>(); };
        const auto method = text("method");
        const auto target = text("target");
        const auto status = recorded.at("status").get<unsigned>();
        INFO(method << " " << target << " " << status << " " << text("body"));
        const auto call = call_for(method, target);
        REQUIRE(call);
        const auto reply = answer(status, text("body"), text("content_type"));
        const auto outcome = make_call([&](ScriptedTransport& daemon) { daemon.always(reply); }, *call);
        INFO(outcome.text);
        CHECK(path(outcome.requests.at(0).target()) == path(target));
        CHECK(name_of(outcome) == recorded.value("outcome", ""));
        ++count;
    }
    CHECK(count > 200);
}

TEST_CASE("whatever stands in an answer, the client takes it or names what is wrong")
{
    std::istringstream lines(read_file("answers.jsonl"));
    int refused = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto recorded = nlohmann::json::parse(line);
        const auto body = recorded.at("body").get<std::string>();
        const auto status = recorded.at("status").get<unsigned>();
        if (status >= 300 || body.size() > 1200 || body.find_first_of("[{") == std::string::npos)
            continue;
        const auto call = call_for(recorded.at("method").get<std::string>(), recorded.at("target").get<std::string>());
        REQUIRE(call);
        for (const auto* replacement : {"null", "17", "0.5", "\"x\"", "[]", "{}", "true"}) {
            for (const auto& mutated : mutations(nlohmann::json::parse(body), nlohmann::json::parse(replacement))) {
                const auto outcome = make_call(answer(status, mutated), *call);
                if (!outcome.code)
                    continue;
                ++refused;
                if (*outcome.code != Errc::protocol)
                    FAIL_CHECK(mutated << " " << outcome.text);
            }
        }
    }
    CHECK(refused > 1000);
}
