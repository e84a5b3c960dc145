#pragma once

#include <golem/core/time_source.hpp>
#include <golem/provider/exe_unit.hpp>
#include <golem/provider/port.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The JSON of a real daemon's provider-side REST API. What is read throws Error (protocol) if it is not of the expected
// form as a whole; single events that are not understood are left out and counted: none may stop a feed for ever.
namespace golem::provider::detail {

/// A page of a log.
template <typename Item>
struct Page {
    std::vector<Item> events;
    /// The date of the last event, understood or not: where to go on.
    std::optional<Timestamp> newest;
    std::size_t left_out = 0;
};

/// The identity in the answer of `GET /me`.
std::string read_identity(std::string_view json);
/// A bare string: ids of offers and proposals.
std::string read_id(std::string_view json);
/// A member of an object that is a string: ids of documents, states of agreements.
std::string read_member(std::string_view json, const char* name);

Page<MarketEvent> read_market_events(std::string_view json);
Page<AgreementEvent> read_agreement_events(std::string_view json);
Page<ActivityEvent> read_activity_events(std::string_view json);
Page<PaymentEvent> read_payment_events(std::string_view json, PaymentEvent::Document document);

/// The id of the invoice of an agreement in a list of documents, if there is one.
std::optional<std::string> find_invoice(std::string_view json, const std::string& agreement);

std::string write_content(const Content& content);
std::string write_reason(const Reason& reason);
std::string write_state(const UnitStatePair& state, const std::string& reason, const std::string& message);
std::string write_usage(const std::string& activity, const std::vector<double>& usage, Timestamp when);
std::string write_debit_note(const DebitNoteDraft& note);
std::string write_invoice(const InvoiceDraft& invoice);

/// What an error answer says: the message of its JSON, or its text.
std::string words_of(std::string_view body);

} // namespace golem::provider::detail
