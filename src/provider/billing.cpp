#include <golem/provider/detail/billing.hpp>

#include <golem/provider/detail/wording.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace golem::provider::detail {

namespace {

using Wide = Amount::Units;
__extension__ typedef unsigned __int128 Unsigned;

// How long debit notes may fail to reach the requestor if no time for their acceptance was agreed.
constexpr auto longest_silence = std::chrono::minutes(5);

// A number as digits · 10^exponent, in the fewest digits that name it.
struct Decimal {
    Wide digits = 0;
    int exponent = 0;
};

Decimal shortest_decimal(double value)
{
    std::array<char, 40> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
    Decimal decimal;
    bool after_point = false;
    bool negative = false;
    for (const char* c = text.data(); c != end; ++c) {
        if (*c == '-') {
            negative = true;
        } else if (*c == '.') {
            after_point = true;
        } else if (*c == 'e') {
            int exponent = 0;
            const char* first = c[1] == '+' ? c + 2 : c + 1;
            std::from_chars(first, end, exponent);
            decimal.exponent += exponent;
            break;
        } else {
            decimal.digits = decimal.digits * 10 + (*c - '0');
            decimal.exponent -= after_point ? 1 : 0;
        }
    }
    if (negative)
        decimal.digits = -decimal.digits;
    return decimal;
}

std::optional<Duration> seconds_property(const Content& content, const char* name)
{
    const auto seconds = content.properties.get_int(name);
    if (!seconds || *seconds < 0)
        return std::nullopt;
    return std::chrono::seconds(*seconds);
}

} // namespace

Amount product(double price, double usage)
{
    const auto left = shortest_decimal(price);
    const auto right = shortest_decimal(usage);
    // At most 17 digits each: the product has no more than 34, and 38 fit.
    Wide digits = left.digits * right.digits;
    int shift = left.exponent + right.exponent + Amount::decimals;
    if (digits == 0)
        return Amount();
    if (shift > 0) {
        constexpr Wide largest = static_cast<Wide>(~static_cast<Unsigned>(0) >> 1);
        for (; shift > 0; --shift) {
            if (digits > largest / 10 || digits < -largest / 10)
                return Amount::rounded(price * usage);
            digits *= 10;
        }
        return Amount::from_units(digits);
    }
    for (; shift < -1 && digits != 0; ++shift)
        digits /= 10;
    if (shift == -1) {
        const Wide last = digits % 10;
        digits /= 10;
        if (last >= 5)
            ++digits;
        else if (last <= -5)
            --digits;
    }
    return Amount::from_units(digits);
}

Amount total_due(const Terms& terms, const std::vector<double>& usage)
{
    auto total = product(terms.start_price, 1.0);
    const auto count = std::min(usage.size(), terms.prices.size());
    for (std::size_t i = 0; i < count; ++i)
        total += product(terms.prices[i], usage[i]);
    return total;
}

Terms read_terms(const AgreementArrived& agreement, const ProviderOptions& options)
{
    Terms terms;
    const auto& offer = agreement.offer;
    terms.signed_at = agreement.timestamp;
    const auto expiration = agreement.demand.properties.get_int("golem.srv.comp.expiration");
    terms.expires = expiration ? Timestamp(std::chrono::milliseconds(*expiration)) : agreement.valid_to;
    const auto interval = seconds_property(offer, "golem.com.scheme.payu.debit-note.interval-sec?");
    terms.note_interval = std::max<Duration>(interval.value_or(options.debit_note_interval), std::chrono::seconds(1));
    terms.accept_timeout = seconds_property(offer, "golem.com.payment.debit-notes.accept-timeout?");
    terms.payment_timeout = seconds_property(offer, "golem.com.scheme.payu.payment-timeout-sec?");
    terms.idle_limit = options.idle_limit;
    terms.counters = offer.properties.get_strings("golem.com.usage.vector").value_or(std::vector<std::string>());
    auto coeffs = offer.properties.get_doubles("golem.com.pricing.model.linear.coeffs").value_or(std::vector<double>());
    if (!coeffs.empty()) {
        terms.start_price = coeffs.back();
        coeffs.pop_back();
    }
    coeffs.resize(terms.counters.size(), 0.0);
    terms.prices = std::move(coeffs);
    constexpr auto multi_activity = "golem.srv.caps.multi-activity";
    terms.has_multi_activity = agreement.demand.properties.get_bool(multi_activity).value_or(false) &&
                               offer.properties.get_bool(multi_activity).value_or(false);
    terms.image = agreement.demand.properties.get_string("golem.srv.comp.task_package");
    return terms;
}

Deadlines::Deadlines(Terms terms, Timestamp now)
    : terms_(std::move(terms)), idle_since_(now),
      payable_from_(terms_.signed_at + terms_.payment_timeout.value_or(Duration(0))), last_sent_(now)
{
}

// How many interval notes were due until now, whether sent or not.
std::int64_t Deadlines::notes_until(Timestamp now) const noexcept
{
    return (now - terms_.signed_at) / terms_.note_interval;
}

void Deadlines::activity_created(Timestamp now)
{
    active_ = true;
    last_sent_ = std::max(last_sent_, now);
    interval_ = std::max(interval_, notes_until(now));
}

void Deadlines::activity_ended(Timestamp now)
{
    active_ = false;
    idle_since_ = now;
}

NotePlan Deadlines::take_interval_note(Timestamp now)
{
    interval_ = std::max(interval_ + 1, notes_until(now));
    const auto nominal = terms_.signed_at + interval_ * terms_.note_interval;
    NotePlan plan;
    if (terms_.payment_timeout && nominal >= payable_from_) {
        plan.due = now + *terms_.payment_timeout;
        plan.next_payable = nominal + *terms_.payment_timeout;
    }
    return plan;
}

NotePlan Deadlines::last_note(Timestamp now) const
{
    NotePlan plan;
    if (terms_.payment_timeout) {
        plan.due = now + *terms_.payment_timeout;
        plan.next_payable = *plan.due;
    }
    return plan;
}

void Deadlines::note_sent(const std::string& note, Timestamp issued, const NotePlan& plan)
{
    last_sent_ = std::max(last_sent_, issued);
    unreachable_.reset();
    if (plan.due)
        payable_from_ = std::max(payable_from_, plan.next_payable);
    if (plan.due || terms_.accept_timeout)
        open_.push_back(Note{note, issued, plan.due, false});
}

void Deadlines::note_failed(Timestamp now)
{
    if (now > last_sent_ + unreachable_limit())
        unreachable_ = now;
}

Duration Deadlines::unreachable_limit() const noexcept { return terms_.accept_timeout.value_or(longest_silence); }

bool Deadlines::note_accepted(const std::string& note)
{
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const Note& each) { return each.id == note; });
    if (found == open_.end())
        return false;
    found->accepted = true;
    if (!found->due)
        open_.erase(found);
    return true;
}

bool Deadlines::note_settled(const std::string& note)
{
    return std::erase_if(open_, [&](const Note& each) { return each.id == note; }) > 0;
}

Due Deadlines::next() const
{
    Due due{Due::Kind::expiration, terms_.expires};
    const auto consider = [&](Due::Kind kind, Timestamp when) {
        if (when < due.when)
            due = Due{kind, when};
    };
    if (!active_)
        consider(Due::Kind::no_activity, idle_since_ + terms_.idle_limit);
    for (const auto& note : open_) {
        if (!note.accepted && terms_.accept_timeout)
            consider(Due::Kind::not_accepted, note.issued + *terms_.accept_timeout);
        if (note.due)
            consider(Due::Kind::not_paid, *note.due);
    }
    if (unreachable_)
        consider(Due::Kind::unreachable, *unreachable_);
    if (active_)
        consider(Due::Kind::note, terms_.signed_at + (interval_ + 1) * terms_.note_interval);
    return due;
}

Reason Deadlines::reason(const Due& due) const
{
    Reason reason;
    const char* code = "";
    switch (due.kind) {
    case Due::Kind::expiration:
        reason.message = "Agreement expired @ " + displayed(terms_.expires);
        code = "Expired";
        break;
    case Due::Kind::no_activity:
        reason.message = "No activity created within " + plain(terms_.idle_limit);
        code = "NoActivity";
        break;
    case Due::Kind::not_accepted:
        reason.message =
            "Requestor isn't accepting DebitNotes in time (" + human(terms_.accept_timeout.value_or(Duration(0))) + ")";
        code = "DebitNotesDeadline";
        break;
    case Due::Kind::not_paid:
        reason.message =
            "Requestor didn't pay for DebitNote in time (" + human(terms_.payment_timeout.value_or(Duration(0))) + ")";
        code = "DebitNoteNotPaid";
        break;
    case Due::Kind::unreachable:
        reason.message = "Requestor is unreachable more than " + human(unreachable_limit());
        code = "RequestorUnreachable";
        break;
    case Due::Kind::note: break;
    }
    reason.extra.set("golem.provider.code", code);
    return reason;
}

} // namespace golem::provider::detail
