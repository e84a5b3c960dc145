#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/time_source.hpp>
#include <golem/provider/options.hpp>
#include <golem/provider/port.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What an agreement costs, which debit notes it brings and when it has to be broken.
namespace golem::provider::detail {

/// What of an agreement matters to its execution.
struct Terms {
    Timestamp signed_at{};
    Timestamp expires{};
    Duration note_interval = std::chrono::seconds(120);
    std::optional<Duration> accept_timeout;
    std::optional<Duration> payment_timeout;
    Duration idle_limit = std::chrono::seconds(90);
    /// `golem.com.usage.vector`, and a price for each.
    std::vector<std::string> counters;
    std::vector<double> prices;
    double start_price = 0.0;
    bool has_multi_activity = false;
    std::optional<std::string> image;
};

Terms read_terms(const AgreementArrived& agreement, const ProviderOptions& options);

/// The product of two numbers, exact in their shortest decimal form, halves of the 18th decimal away from zero.
Amount product(double price, double usage);

/// Start price and Σ price · usage; no usage is none yet.
Amount total_due(const Terms& terms, const std::vector<double>& usage);

/// What happens next to an agreement, and when.
struct Due {
    enum class Kind { expiration, no_activity, not_accepted, not_paid, note };

    Kind kind = Kind::note;
    Timestamp when{};

    bool is_break() const noexcept { return kind != Kind::note; }
};

/// Watches one agreement's deadlines.
class Deadlines {
public:
    /// `now`: the approval, from which the wait for an activity counts.
    Deadlines(Terms terms, Timestamp now);

    const Terms& terms() const noexcept { return terms_; }

    void activity_created(Timestamp now);
    void activity_ended(Timestamp now);

    /// When the interval note of `now` would have to be paid, if it is a payable one: the first at or after each
    /// payment timeout. Call it once for each.
    std::optional<Timestamp> take_interval_note(Timestamp now);
    /// The last note of an activity is always payable, if payments were agreed.
    std::optional<Timestamp> take_last_note(Timestamp now);

    void note_sent(const std::string& note, Timestamp issued, std::optional<Timestamp> due);
    /// False if the note is not one of this agreement's open ones.
    bool note_accepted(const std::string& note);
    bool note_settled(const std::string& note);

    /// The earliest of what is ahead. A break comes before a note of the same time.
    Due next() const;

    /// The reason of a break.
    Reason reason(const Due& due) const;

private:
    struct Note {
        std::string id;
        Timestamp issued;
        std::optional<Timestamp> due;
        bool accepted = false;
    };

    std::int64_t notes_until(Timestamp now) const noexcept;

    Terms terms_;
    Timestamp idle_since_;
    Timestamp payable_from_{};
    bool active_ = false;
    /// The last interval that is behind us.
    std::int64_t interval_ = 0;
    std::vector<Note> open_;
};

} // namespace golem::provider::detail
