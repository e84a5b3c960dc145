#include <golem/yagna/market.hpp>

#include <golem/yagna/caller.hpp>

#include "error_body.hpp"
#include "json_codec.hpp"
#include "market_codec.hpp"
#include "targets.hpp"

#include <golem/yagna/detail/error_mapping.hpp>

#include <utility>

namespace golem::yagna {

namespace {

constexpr std::string_view demands_path = "/market-api/v1/demands";
constexpr std::string_view agreements_path = "/market-api/v1/agreements";

Target proposal_target(const DemandId& demand, const ProposalId& proposal)
{
    return Target(demands_path).segment(demand).literal("/proposals").segment(proposal);
}

std::string words(const Answer& answer) { return codec::decode_error_body(answer.body()).words; }

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// For a status that was expected, but with words that were not.
[[noreturn]] void refuse(const CallClass& call, const http::Request& request, const Answer& answer)
{
    detail::FailedAnswer what;
    what.operation = call.operation;
    what.target = request.target();
    what.status = answer.status();
    const auto content_type = answer.content_type();
    what.content_type = content_type;
    what.body = answer.body();
    throw detail::to_error(what);
}

/// "Can't update Agreement state from Approved to Cancelled." was Approved.
bool was(const std::string& text, std::string_view state)
{
    return contains(text, std::string("from ").append(state).append(" to "));
}

void check_max_events(std::string_view operation, int max_events)
{
    if (max_events < 1 || max_events > 100)
        throw Error(
            Errc::invalid_input, std::string(operation),
            "max_events is " + std::to_string(max_events) + ", but must be 1 to 100");
}

} // namespace

Task<DemandId> MarketApi::publish_demand(const DemandOfferBase& content)
{
    const CallClass call{"publish demand", Idempotency::once};
    http::Request request(http::Method::post, std::string(demands_path));
    request.set_body(codec::encode_demand(content));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_id(call.operation, answer.body());
}

Task<std::vector<DemandId>> MarketApi::demands()
{
    const CallClass call{"list demands"};
    http::Request request(http::Method::get, std::string(demands_path));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_demand_ids(call.operation, answer.body());
}

Task<> MarketApi::delete_demand(const DemandId& demand)
{
    const CallClass call{"delete demand"};
    const std::vector<unsigned> gone_already{404};
    http::Request request(http::Method::del, Target(demands_path).segment(demand).text());
    co_await caller_.call(call, request, gone_already);
}

Task<std::vector<DemandEvent>> MarketApi::demand_events(const DemandId& demand, Duration wait, int max_events)
{
    const CallClass call{"read demand events", Idempotency::once, wait};
    check_max_events(call.operation, max_events);
    Target target(demands_path);
    target.segment(demand).literal("/events").query("timeout", wait).query("maxEvents", max_events);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_demand_events(call.operation, answer.body());
}

Task<ProposalId> MarketApi::counter(const DemandId& demand, const ProposalId& proposal, const DemandOfferBase& content)
{
    const CallClass call{"counter proposal", Idempotency::once};
    http::Request request(http::Method::post, proposal_target(demand, proposal).text());
    request.set_body(codec::encode_demand(content));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_id(call.operation, answer.body());
}

Task<> MarketApi::reject(const DemandId& demand, const ProposalId& proposal, const Reason& reason)
{
    const CallClass call{"reject proposal"};
    http::Request request(http::Method::post, proposal_target(demand, proposal).literal("/reject").text());
    request.set_body(codec::encode_reason(reason));
    co_await caller_.call(call, request);
}

Task<AgreementId> MarketApi::create_agreement(const ProposalId& draft, Timestamp valid_to)
{
    const CallClass call{"create agreement", Idempotency::once};
    http::Request request(http::Method::post, std::string(agreements_path));
    request.set_body(codec::encode_agreement_proposal(draft, valid_to));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_id(call.operation, answer.body());
}

Task<> MarketApi::confirm(const AgreementId& agreement, const std::string& app_session)
{
    const CallClass call{"confirm agreement"};
    const std::vector<unsigned> perhaps_done{410};
    Target target(agreements_path);
    target.segment(agreement).literal("/confirm").query_unless_empty("appSessionId", app_session);
    http::Request request(http::Method::post, target.text());
    const Answer answer = co_await caller_.call(call, request, perhaps_done);
    if (answer.is_success())
        co_return;
    // An earlier attempt got through: what the provider made of it since then is for `wait` to tell.
    const auto text = words(answer);
    for (const std::string_view state : {"Pending", "Approving", "Approved", "Rejected", "Terminated"})
        if (was(text, state))
            co_return;
    refuse(call, request, answer);
}

Task<Approval> MarketApi::wait_for_approval(const AgreementId& agreement, Duration wait)
{
    const CallClass call{"wait for approval", Idempotency::repeatable, wait};
    const std::vector<unsigned> outcomes{400, 408, 410};
    Target target(agreements_path);
    target.segment(agreement).literal("/wait").query("timeout", wait);
    http::Request request(http::Method::post, target.text());
    const Answer answer = co_await caller_.call(call, request, outcomes);
    if (answer.is_success())
        co_return Approval::approved;
    if (answer.status() == 408)
        co_return Approval::undecided;
    const auto text = words(answer);
    if (answer.status() == 410 && text == "Rejected")
        co_return Approval::rejected;
    if (answer.status() == 410 && text == "Cancelled")
        co_return Approval::cancelled;
    if (answer.status() == 410 && contains(text, "expired"))
        co_return Approval::expired;
    if (answer.status() == 400 && contains(text, "] terminated"))
        co_return Approval::terminated;
    refuse(call, request, answer);
}

Task<EndOutcome> MarketApi::cancel(const AgreementId& agreement, const Reason& reason)
{
    const CallClass call{"cancel agreement"};
    const std::vector<unsigned> outcomes{410};
    http::Request request(http::Method::post, Target(agreements_path).segment(agreement).literal("/cancel").text());
    request.set_body(codec::encode_reason(reason));
    Answer answer;
    try {
        answer = co_await caller_.call(call, request, outcomes);
    } catch (const Error& error) {
        // Never confirmed: there is nothing that could be cancelled at the provider.
        if (!contains(error.their_words(), "Remote failed to approve") || error.errc() != Errc::not_found)
            throw;
        co_return EndOutcome::already;
    }
    if (answer.is_success())
        co_return EndOutcome::done;
    const auto text = words(answer);
    if (was(text, "Approved"))
        co_return EndOutcome::wrong_state;
    for (const std::string_view state : {"Cancelled", "Rejected", "Expired", "Terminated"})
        if (was(text, state))
            co_return EndOutcome::already;
    refuse(call, request, answer);
}

Task<EndOutcome> MarketApi::terminate(const AgreementId& agreement, const Reason& reason, Duration limit)
{
    CallClass call{"terminate agreement"};
    call.limit = limit;
    const std::vector<unsigned> outcomes{409, 410};
    http::Request request(http::Method::post, Target(agreements_path).segment(agreement).literal("/terminate").text());
    request.set_body(codec::encode_reason(reason));
    const Answer answer = co_await caller_.call(call, request, outcomes);
    if (answer.is_success())
        co_return EndOutcome::done;
    const auto text = words(answer);
    for (const std::string_view state : {"Proposal", "Pending", "Approving"})
        if (was(text, state))
            co_return EndOutcome::wrong_state;
    for (const std::string_view state : {"Terminated", "Cancelled", "Rejected", "Expired"})
        if (was(text, state))
            co_return EndOutcome::already;
    refuse(call, request, answer);
}

Task<Agreement> MarketApi::agreement(const AgreementId& agreement)
{
    const CallClass call{"read agreement"};
    http::Request request(http::Method::get, Target(agreements_path).segment(agreement).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_agreement(call.operation, answer.body());
}

Task<std::vector<AgreementSummary>> MarketApi::agreements(const AgreementFilter& filter)
{
    const CallClass call{"list agreements"};
    Target target(agreements_path);
    if (filter.state)
        target.query_unless_empty("state", codec::name_of(*filter.state));
    target.query_unless_empty("appSessionId", filter.app_session);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_agreements(call.operation, answer.body());
}

Task<std::vector<AgreementEvent>>
MarketApi::agreement_events(const Cursor& cursor, const std::string& app_session, Duration wait, int max_events)
{
    const CallClass call{"read agreement events", Idempotency::repeatable, wait};
    check_max_events(call.operation, max_events);
    Target target("/market-api/v1/agreementEvents");
    target.query("timeout", wait)
        .query_unless_empty("afterTimestamp", cursor.text())
        .query("maxEvents", max_events)
        .query_unless_empty("appSessionId", app_session);
    http::Request request(http::Method::get, target.text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_agreement_events(call.operation, answer.body());
}

} // namespace golem::yagna
