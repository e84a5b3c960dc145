#include <golem/service/detail/settings.hpp>

#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

std::string in_seconds(Duration duration)
{
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    if (milliseconds % 1000 == 0)
        return std::to_string(milliseconds / 1000) + " s";
    return std::to_string(milliseconds) + " ms";
}

[[noreturn]] void
refuse(const std::string& options, const std::string& member, const std::string& value, const std::string& range)
{
    throw Error(Errc::invalid_input, options, member + " is " + value + "; it must be " + range);
}

// Far beyond any sense, but points of time that far away can still be told.
constexpr Duration longest = std::chrono::hours(24) * 365 * 10;

void not_too_long(const char* options, const char* member, Duration value)
{
    if (value > longest)
        refuse(options, member, in_seconds(value), "at most " + in_seconds(longest) + " (10 years)");
}

void at_least(const char* member, Duration value, Duration least)
{
    if (value < least)
        refuse("manager options", member, in_seconds(value), "at least " + in_seconds(least));
    not_too_long("manager options", member, value);
}

void more_than_zero(const char* member, Duration value)
{
    if (value <= Duration::zero())
        refuse("manager options", member, in_seconds(value), "more than zero");
    not_too_long("manager options", member, value);
}

void check_market(const MarketOptions& market)
{
    more_than_zero("market.debit_note_interval", market.debit_note_interval);
    more_than_zero("market.accept_timeout", market.accept_timeout);
    more_than_zero("market.payment_timeout", market.payment_timeout);
    more_than_zero("market.approval_limit", market.approval_limit);
    more_than_zero("market.wave_silence", market.wave_silence);
    more_than_zero("market.demand_linger", market.demand_linger);
    more_than_zero("market.poll", market.poll);
    more_than_zero("market.report_after", market.report_after);
    at_least("market.survey_every", market.survey_every, 0s);
}

std::string
first_of_both(std::string member, const Environment& environment, const char* variable, const char* otherwise)
{
    if (!member.empty())
        return member;
    auto value = environment(variable);
    return value && !value->empty() ? std::move(*value) : std::string(otherwise);
}

} // namespace

ServiceManagerOptions settle_options(ServiceManagerOptions options, const Environment& environment)
{
    options.market.subnet = first_of_both(std::move(options.market.subnet), environment, "YAGNA_SUBNET", default_subnet);
    options.registry.url = first_of_both(std::move(options.registry.url), environment, "GOLEM_REGISTRY_URL", "");
    options.payment.network =
        first_of_both(std::move(options.payment.network), environment, "YAGNA_PAYMENT_NETWORK", default_network);

    if (options.payment.budget <= Amount())
        refuse("manager options", "payment.budget", options.payment.budget.to_string() + " GLM", "more than zero");
    payment_platform(options.payment.network);
    more_than_zero("payment.allocation_lifetime", options.payment.allocation_lifetime);
    more_than_zero("payment.poll", options.payment.poll);
    more_than_zero("payment.last_invoice", options.payment.last_invoice);
    more_than_zero("payment.first_poll", options.payment.first_poll);
    check_market(options.market);

    const auto& limits = options.limits;
    at_least("limits.activity_create", limits.activity_create, 5s);
    more_than_zero("limits.activity_destroy", limits.activity_destroy);
    more_than_zero("limits.start", limits.start);
    more_than_zero("limits.cancel", limits.cancel);
    more_than_zero("limits.shutdown", limits.shutdown);
    more_than_zero("limits.terminate", limits.terminate);
    more_than_zero("limits.close", limits.close);

    more_than_zero("health.idle_poll", options.health.idle_poll);
    if (options.health.polls_per_minute < 1 || options.health.polls_per_minute > 60'000)
        refuse(
            "manager options", "health.polls_per_minute", std::to_string(options.health.polls_per_minute),
            "1 to 60000");
    more_than_zero("work.poll_one", options.work.poll_one);
    more_than_zero("work.batch_limit", options.work.batch_limit);
    more_than_zero("registry.patience", options.registry.patience);
    more_than_zero("registry.limit", options.registry.limit);
    more_than_zero("calls.first_contact", options.calls.first_contact);
    more_than_zero("calls.outage_patience", options.calls.outage_patience);
    more_than_zero("calls.call_limit", options.calls.call_limit);
    if (options.calls.response_limit == 0)
        refuse("manager options", "calls.response_limit", "0", "more than zero");
    return options;
}

void check_options(const ServiceOptions& options)
{
    if (options.expiration < 5min)
        refuse("service options", "expiration", in_seconds(options.expiration), "at least 300 s");
    not_too_long("service options", "expiration", options.expiration);
    if (options.find_limit < Duration::zero())
        refuse("service options", "find_limit", in_seconds(options.find_limit), "zero or more");
    not_too_long("service options", "find_limit", options.find_limit);
    if (!options.network && !(options.network_address.empty() && options.network_name.empty()))
        throw Error(
            Errc::invalid_input, "service options",
            "network_address and network_name belong to a network, but network is null");
}

} // namespace golem::detail
