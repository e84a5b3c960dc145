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
    enum class Kind { expiration, no_activity, not_accepted, not_paid, unreachable, note };

    Kind kind = Kind::note;
    Timestamp when{};

    bool is_break() const noexcept { return kind != Kind::note; }
};

/// A debit note that is about to be sent.
struct NotePlan {
    /// When it has to be paid, if it is a payable one.
    std::optional<Timestamp> due;
    /// From when on the next one is payable, once this one is sent.
    Timestamp next_payable{};
};

/// Watches one agreement's deadlines.
class Deadlines {
public:
    /// `now`: the approval, from which the wait for an activity counts.
    Deadlines(Terms terms, Timestamp now);

    const Terms& terms() const noexcept { return terms_; }

    void activity_created(Timestamp now);
    void activity_ended(Timestamp now);

    /// The interval note of `now`, payable if it is the first at or after each payment timeout. Call it once for each.
    NotePlan take_interval_note(Timestamp now);
    /// The last note of an activity is always payable, if payments were agreed.
    NotePlan last_note(Timestamp now) const;

    void note_sent(const std::string& note, Timestamp issued, const NotePlan& plan);
    /// An interval note did not reach the requestor. The agreement is to be broken at once if none did for the accept
    /// timeout (or five minutes) of this activity.
    void note_failed(Timestamp now);
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

    Duration unreachable_limit() const noexcept;
    std::int64_t notes_until(Timestamp now) const noexcept;

    Terms terms_;
    Timestamp idle_since_;
    Timestamp payable_from_{};
    /// Of a note, or the beginning of the activity.
    Timestamp last_sent_;
    std::optional<Timestamp> unreachable_;
    bool active_ = false;
    /// The last interval that is behind us.
    std::int64_t interval_ = 0;
    std::vector<Note> open_;
};

} // namespace golem::provider::detail
