#pragma once

#include <golem/yagna/payment.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The payment API's JSON; see market_codec.hpp for the rules. Amounts are strings on the way out.
namespace golem::yagna::codec {

std::string encode_allocation_request(const Amount& total, const std::string& platform, Timestamp timeout);
std::string encode_allocation_total(const Amount& total);
std::string encode_acceptance(const Amount& amount, const AllocationId& allocation);
std::string encode_rejection(RejectionReason reason, const std::string& message);

std::vector<PaymentAccount> decode_accounts(std::string_view operation, const std::string& body);
Allocation decode_allocation(std::string_view operation, const std::string& body);
std::vector<Allocation> decode_allocations(std::string_view operation, const std::string& body);
DemandDecoration decode_demand_decoration(std::string_view operation, const std::string& body);
std::vector<PaymentEvent> decode_debit_note_events(std::string_view operation, const std::string& body);
std::vector<PaymentEvent> decode_invoice_events(std::string_view operation, const std::string& body);
DebitNote decode_debit_note(std::string_view operation, const std::string& body);
Invoice decode_invoice(std::string_view operation, const std::string& body);
std::vector<Invoice> decode_invoices(std::string_view operation, const std::string& body);

} // namespace golem::yagna::codec
