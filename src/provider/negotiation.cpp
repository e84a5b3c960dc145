#include <golem/provider/detail/negotiation.hpp>

#include "properties/serde_reader.hpp"

#include <golem/provider/detail/wording.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace golem::provider::detail {

namespace {

using properties::SerdeReader;
using properties::Value;

constexpr auto platform_key = "golem.com.payment.chosen-platform";
constexpr auto expiration_key = "golem.srv.comp.expiration";
constexpr auto accept_timeout_key = "golem.com.payment.debit-notes.accept-timeout?";
constexpr auto interval_key = "golem.com.scheme.payu.debit-note.interval-sec?";
constexpr auto payment_timeout_key = "golem.com.scheme.payu.payment-timeout-sec?";
constexpr auto coeffs_key = "golem.com.pricing.model.linear.coeffs";
constexpr auto manifest_key = "golem.srv.comp.payload";
constexpr auto scheme_leftover_key = "golem.com.scheme.payu";

constexpr auto shortest_accept_timeout = std::chrono::seconds(5);
constexpr auto shortest_interval = std::chrono::seconds(1);
constexpr auto longest_interval = std::chrono::hours(24);

std::int64_t seconds_of(Duration duration)
{
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

// Thrown where the real agent fails to read a property.
struct Unreadable {
    std::string name;
};

// A number of seconds of the demand.
std::optional<Duration> read_seconds(const Content& content, const char* name)
{
    const auto* value = content.properties.get(name);
    if (!value || value->is_null())
        return std::nullopt;
    const auto number = value->kind() == Value::Kind::integer ? value->as_int() : std::nullopt;
    if (!number || *number < 0 || *number > std::numeric_limits<std::uint32_t>::max())
        throw Unreadable{name};
    return std::chrono::seconds(*number);
}

Timestamp read_expiration(const Content& content)
{
    const auto* value = content.properties.get(expiration_key);
    const auto number = value && value->kind() != Value::Kind::string ? value->as_int() : std::nullopt;
    if (!number || *number < 0)
        throw Unreadable{expiration_key};
    constexpr auto latest = std::chrono::floor<std::chrono::milliseconds>(Timestamp::max()).time_since_epoch().count();
    return Timestamp(std::chrono::milliseconds(std::min<std::int64_t>(*number, latest)));
}

void adopt(Content& ours, const char* name, const std::optional<Duration>& theirs)
{
    if (theirs)
        ours.properties.set(name, Value(seconds_of(*theirs)));
    else
        ours.properties.erase(name);
}

std::optional<Refuse> check_range(std::string_view what, const std::optional<Duration>& theirs)
{
    if (!theirs || (*theirs >= shortest_interval && *theirs <= longest_interval))
        return std::nullopt;
    return Refuse{
        "Demand DebitNote " + std::string(what) + " " + human(*theirs) + " not in acceptable range of [" +
        human(shortest_interval) + "; " + human(longest_interval) + "]"};
}

// Our accept timeout is the longest we wait; a demand may shorten it.
std::optional<Refuse> check_accept_timeout(const Content& offer, const std::optional<Duration>& theirs)
{
    const auto ours = read_seconds(offer, accept_timeout_key);
    if (!theirs || !ours)
        return std::nullopt;
    if (*theirs > *ours)
        return Refuse{"DebitNote acceptance deadline should be less than " + human(*ours) + "."};
    if (*theirs < shortest_accept_timeout)
        return Refuse{"To low DebitNotes timeout: " + human(*theirs)};
    return std::nullopt;
}

std::optional<Refuse>
check_expiration(Timestamp expiration, Timestamp now, bool has_accept_timeout, const ProviderOptions& options)
{
    const auto longest = has_accept_timeout ? options.longest_agreement : options.longest_without_notes;
    const bool too_short = expiration < now + options.shortest_agreement;
    const bool too_long = expiration > now + longest;
    if (!too_short && !too_long)
        return std::nullopt;
    return Refuse{
        "Proposal expires at: " + displayed(expiration) + " which is less than " + human(options.shortest_agreement) +
            " or more than " + human(longest) + " from now",
        too_short};
}

std::optional<Refuse> check_prices(const Content& demand, const Content& offer)
{
    const auto theirs = demand.properties.get_doubles(coeffs_key);
    const auto ours = offer.properties.get_doubles(coeffs_key);
    if (!theirs || !ours)
        return std::nullopt;
    const bool enough = theirs->size() >= ours->size() &&
                        std::equal(ours->begin(), ours->end(), theirs->begin(), [](double mine, double yours) {
                            return yours >= mine;
                        });
    if (enough)
        return std::nullopt;
    return Refuse{numbers(*theirs) + " < " + numbers(*ours)};
}

std::optional<std::string> decode_base64(std::string_view text)
{
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string decoded;
    unsigned bits = 0;
    int count = 0;
    while (!text.empty() && text.back() == '=')
        text.remove_suffix(1);
    for (const char c : text) {
        const auto position = alphabet.find(c);
        if (position == std::string_view::npos)
            return std::nullopt;
        bits = (bits << 6 | static_cast<unsigned>(position)) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            decoded += static_cast<char>(bits >> count & 0xff);
        }
    }
    return decoded;
}

std::optional<Refuse> check_manifest(const Content& demand)
{
    const auto payload = demand.properties.get_string(manifest_key);
    if (!payload)
        return std::nullopt;
    const auto manifest = decode_base64(*payload).value_or(*payload);
    try {
        SerdeReader reader(manifest);
        reader.object("struct AppManifest", [&](const std::string&) { reader.ignore(); });
        reader.end();
    } catch (const SerdeReader::Complaint& complaint) {
        return Refuse{"invalid manifest: ManifestFormat(" + complaint.to_string() + ")"};
    }
    return std::nullopt;
}

// The rules in the order in which the real agent's parts see a demand.
Decision
decide(const Content& demand, const Content& offer, Timestamp now, int agreements, const ProviderOptions& options)
{
    if (!demand.properties.contains(platform_key))
        return Refuse{"Missing fields: /golem/com/payment/chosen-platform", false};
    const auto accept_timeout = read_seconds(demand, accept_timeout_key);
    const auto interval = read_seconds(demand, interval_key);
    const auto payment_timeout = read_seconds(demand, payment_timeout_key);
    const auto expiration = read_expiration(demand);
    if (const auto refused = check_accept_timeout(offer, accept_timeout))
        return *refused;
    if (const auto refused = check_range("interval", interval))
        return *refused;
    if (const auto refused = check_range("payment timeout", payment_timeout))
        return *refused;
    if (!payment_timeout && expiration > now + options.payments_required_above)
        return Refuse{
            "Expiration time " + with_offset(expiration) + " exceeds the " + human(options.payments_required_above) +
            " threshold of enforcing mid-agreement payments but the required property '" + payment_timeout_key +
            "' was not present in the Demand"};
    if (const auto refused = check_expiration(expiration, now, accept_timeout.has_value(), options))
        return *refused;
    if (const auto refused = check_prices(demand, offer))
        return *refused;
    if (const auto refused = check_manifest(demand))
        return *refused;
    if (agreements >= options.capacity)
        return Refuse{
            "No capacity available. Reached Agreements limit: " + std::to_string(options.capacity), false, true};
    Accept accept{offer};
    adopt(accept.content, accept_timeout_key, accept_timeout);
    adopt(accept.content, interval_key, interval);
    adopt(accept.content, payment_timeout_key, payment_timeout);
    // An object with nothing in it: the agent's own model of an offer loses it.
    accept.content.properties.erase(scheme_leftover_key);
    return accept;
}

} // namespace

Reason Refuse::reason() const
{
    Reason reason;
    reason.message = message;
    reason.extra.set("golem.proposal.rejection.is-final", Value(is_final));
    return reason;
}

Decision
negotiate(const Content& demand, const Content& offer, Timestamp now, int agreements, const ProviderOptions& options)
{
    try {
        return decide(demand, offer, now, agreements, options);
    } catch (const Unreadable& property) {
        return Silence{"property " + property.name + " is missing or of another kind than expected"};
    }
}

Content make_offer(const ProviderOptions& options, const std::string& node_id, Timestamp now)
{
    const auto strings = [](const std::vector<std::string>& texts) {
        return Value(Value::List(texts.begin(), texts.end()));
    };
    Content offer;
    auto& set = offer.properties;
    set.set("golem.activity.caps.deploy.report-progress", true);
    set.set("golem.activity.caps.transfer.protocol", strings(options.transfer_protocols));
    set.set("golem.activity.caps.transfer.report-progress", true);
    set.set(accept_timeout_key, seconds_of(options.accept_timeout));
    for (const auto& platform : options.platforms)
        set.set("golem.com.payment.platform." + platform + ".address", node_id);
    set.set("golem.com.payment.protocol.version", 3);
    set.set("golem.com.pricing.model", "linear");
    // Only what is priced is counted; something has to be.
    std::vector<std::string> counters;
    Value::List coeffs;
    if (options.cpu_price > 0.0 || options.duration_price <= 0.0) {
        counters.emplace_back("golem.usage.cpu_sec");
        coeffs.emplace_back(options.cpu_price);
    }
    if (options.duration_price > 0.0 || options.cpu_price <= 0.0) {
        counters.emplace_back("golem.usage.duration_sec");
        coeffs.emplace_back(options.duration_price);
    }
    coeffs.emplace_back(options.start_price);
    set.set(coeffs_key, Value(std::move(coeffs)));
    set.set("golem.com.scheme", "payu");
    set.set(scheme_leftover_key, Value::raw("{}"));
    set.set(interval_key, seconds_of(options.debit_note_interval));
    set.set(payment_timeout_key, seconds_of(options.payment_timeout));
    set.set("golem.com.usage.vector", strings(counters));
    set.set("golem.inf.cpu.architecture", "x86_64");
    set.set("golem.inf.cpu.brand", "Local CPU");
    set.set("golem.inf.cpu.capabilities", strings({"sse3", "aes"}));
    set.set("golem.inf.cpu.cores", (options.cpu_threads + 1) / 2);
    set.set("golem.inf.cpu.model", "Stepping 1 Family 6 Model 1");
    set.set("golem.inf.cpu.threads", options.cpu_threads);
    set.set("golem.inf.cpu.vendor", "GenuineIntel");
    set.set("golem.inf.mem.gib", options.memory_gib);
    set.set("golem.inf.storage.gib", options.storage_gib);
    set.set("golem.node.debug.subnet", options.subnet);
    set.set("golem.node.id.name", options.name);
    set.set("golem.node.net.is-public", true);
    set.set("golem.runtime.capabilities", strings(options.capabilities));
    set.set("golem.runtime.name", options.runtime);
    set.set("golem.runtime.version", options.runtime_version);
    set.set("golem.srv.caps.multi-activity", true);
    set.set("golem.srv.caps.payload-manifest", true);
    set.merge(options.properties);
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count();
    offer.constraints = "(&\n  (golem.srv.comp.expiration>" + std::to_string(milliseconds) +
                        ")\n  (golem.node.debug.subnet=" + options.subnet + ")\n)";
    return offer;
}

} // namespace golem::provider::detail
