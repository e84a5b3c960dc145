#pragma once

#include <golem/core/time_source.hpp>
#include <golem/properties/property_set.hpp>

#include <optional>
#include <string>

/// The plain data that the daemon exchanges, and nothing about how it is written.
namespace golem::yagna {

// Ids are opaque text; the aliases say which one is meant.
using DemandId = std::string;
using ProposalId = std::string;
using AgreementId = std::string;
using ActivityId = std::string;
using BatchId = std::string;
using AllocationId = std::string;
using DebitNoteId = std::string;
using InvoiceId = std::string;
using NetworkId = std::string;
using NodeId = std::string;

/// Why somebody refused, cancelled or terminated: a message for people and any further keys, such as
/// `golem.requestor.code`, `golem.provider.code`, `golem.proposal.rejection.is-final`.
class Reason {
public:
    Reason() = default;
    explicit Reason(std::string message) : message_(std::move(message)) {}
    Reason(std::string message, std::string code_key, std::string code) : message_(std::move(message))
    {
        extra_.set(std::move(code_key), properties::Value(std::move(code)));
    }

    const std::string& message() const noexcept { return message_; }
    const properties::PropertySet& extra() const noexcept { return extra_; }
    properties::PropertySet& extra() noexcept { return extra_; }

private:
    std::string message_;
    properties::PropertySet extra_;
};

/// Where a reader of an event log stands: the `eventDate` of the last event it has seen, verbatim, or empty for the
/// beginning. The daemon returns only later events.
class Cursor {
public:
    Cursor() = default;
    explicit Cursor(std::string text) : text_(std::move(text)) {}
    const std::string& text() const noexcept { return text_; }
    bool operator==(const Cursor&) const = default;

private:
    std::string text_;
};

/// Properties and constraints: one side's half of a negotiation.
struct DemandOfferBase {
    properties::PropertySet properties;
    std::string constraints;
};

} // namespace golem::yagna
