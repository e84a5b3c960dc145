#pragma once

#include <golem/core/time_source.hpp>
#include <golem/provider/options.hpp>
#include <golem/provider/port.hpp>

#include <string>
#include <variant>

// What a provider offers, and what it answers to a demand.
namespace golem::provider::detail {

/// The offer that is published. Initial proposals carry it as it is.
Content make_offer(const ProviderOptions& options, const std::string& node_id, Timestamp now);

struct Accept {
    /// Our side of the next proposal.
    Content content;
};

struct Refuse {
    std::string message;
    /// Trying again is in vain.
    bool is_final = true;
    /// Worth another answer as soon as an agreement ends.
    bool for_capacity = false;

    Reason reason() const;
};

/// No answer at all, as the real agent does with values of a wrong kind.
struct Silence {
    std::string why;
};

using Decision = std::variant<Accept, Refuse, Silence>;

/// `agreements`: how many are approved or pending.
Decision
negotiate(const Content& demand, const Content& offer, Timestamp now, int agreements, const ProviderOptions& options);

} // namespace golem::provider::detail
