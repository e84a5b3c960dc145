#include <golem/work/work_context.hpp>

#include "follower.hpp"

#include <golem/core/race.hpp>
#include <golem/work/detail/command_outcome.hpp>
#include <golem/work/detail/cost.hpp>

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace golem {

namespace {

// A failure of an early command is noticed this much later.
constexpr Duration first_look = std::chrono::seconds(2);
// Between polls that came back early without a result: a daemon that does not wait must not be asked in a tight loop.
constexpr Duration shortest_poll = std::chrono::seconds(1);

ProviderFacts facts_of(const yagna::Agreement& agreement)
{
    const auto& offer = agreement.offer.properties;
    ProviderFacts facts;
    facts.id = agreement.provider;
    facts.name = offer.get_string("golem.node.id.name").value_or(agreement.provider);
    facts.subnet = offer.get_string("golem.node.debug.subnet").value_or("");
    if (const auto platform = agreement.demand.properties.get_string("golem.com.payment.chosen-platform"))
        facts.wallet = offer.get_string("golem.com.payment.platform." + *platform + ".address").value_or("");
    facts.prices = properties::read_prices(offer).prices;
    return facts;
}

} // namespace

WorkContext::WorkContext(
    yagna::Client& client, TimeSource& time, yagna::Agreement agreement, yagna::ActivityId activity,
    std::vector<std::string> start_args, const WorkOptions& options, WorkHooks hooks)
    : client_(client), time_(time), agreement_(std::move(agreement)), activity_(std::move(activity)),
      start_args_(std::move(start_args)), options_(options), hooks_(std::move(hooks)), provider_(facts_of(agreement_))
{
}

Task<CommandResult> WorkContext::run_command(std::vector<std::string> command)
{
    Script script;
    script.run(command);
    auto results = co_await execute(script);
    co_return std::move(results.front());
}

Task<CommandResult> WorkContext::stream_command(const EventSink& sink, std::vector<std::string> command)
{
    RunOptions options;
    options.out = Capture::stream();
    options.err = Capture::stream();
    Script script;
    script.run(command, options);
    auto results = co_await execute(script, sink);
    co_return std::move(results.front());
}

Task<std::vector<CommandResult>> WorkContext::execute(const Script& script)
{
    std::vector<CommandResult> results;
    if (script.is_empty())
        co_return results;
    int current = 0;
    auto batch = run_batch(script, current);
    results = co_await limited(std::move(batch), script, current);
    co_return results;
}

Task<std::vector<CommandResult>> WorkContext::execute(const Script& script, const EventSink& sink)
{
    std::vector<CommandResult> results;
    if (script.is_empty())
        co_return results;
    sink.begin();
    int current = 0;
    auto batch = follow_batch(script, sink, current);
    results = co_await limited(std::move(batch), script, current);
    co_return results;
}

Task<std::vector<CommandResult>>
WorkContext::limited(Task<std::vector<CommandResult>> work, const Script& script, int& current)
{
    std::optional<std::vector<CommandResult>> results;
    std::exception_ptr failure;
    try {
        results = co_await with_timeout(time_, options_.batch_limit, std::move(work), "limit of a batch");
    } catch (const Error&) {
        failure = std::current_exception();
    }
    if (failure) {
        tell_lost(failure);
        std::rethrow_exception(failure);
    }
    if (!results) {
        throw Error(
            Errc::timed_out, script.describe(current),
            "no result within the limit of a batch (WorkOptions::batch_limit); command " + std::to_string(current + 1) +
                " of " + std::to_string(script.size()) + " may still be running on the provider");
    }
    co_return std::move(*results);
}

Task<yagna::BatchId> WorkContext::submit(const Script& script)
{
    const auto json = script.to_json();
    auto batch = co_await client_.activity().exec(activity_, json);
    if (hooks_.on_alive)
        hooks_.on_alive();
    co_return batch;
}

// The result of one command after the other: what has been read is not sent again, and a failure is noticed at once.
// Before that a look at the whole list, which comes with the end of the last command: one request for a short batch.
Task<std::vector<CommandResult>> WorkContext::run_batch(const Script& script, int& current)
{
    const auto batch = co_await submit(script);
    std::vector<CommandResult> results;
    if (script.size() > 1) {
        results = co_await poll_list(batch, script, first_look);
        current = static_cast<int>(results.size());
        const auto problem = results.empty() ? nullptr : detail::problem_of(results.back(), script);
        if (problem)
            std::rethrow_exception(problem);
    }
    while (current < script.size()) {
        const auto start = time_.now();
        auto result = co_await poll(batch, script, current);
        if (result) {
            const auto problem = detail::problem_of(*result, script);
            if (problem)
                std::rethrow_exception(problem);
            results.push_back(std::move(*result));
            ++current;
            continue;
        }
        const auto spent = time_.now() - start;
        if (spent < shortest_poll)
            co_await time_.sleep_for(shortest_poll - spent, "pause between polls for results");
    }
    co_return results;
}

Task<std::vector<CommandResult>> WorkContext::follow_batch(const Script& script, const EventSink& sink, int& current)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    auto batch = co_await submit(script);
    detail::Follower follower(
        executor, client_, time_, activity_, std::move(batch), script, options_, hooks_, sink, current);
    auto results = co_await follower.run();
    co_return results;
}

// Of a single command the list is asked for: it comes even while the command runs, which proves life.
Task<std::optional<CommandResult>> WorkContext::poll(const yagna::BatchId& batch, const Script& script, int index)
{
    std::optional<CommandResult> result;
    if (script.size() == 1) {
        auto results = co_await poll_list(batch, script, options_.poll_one);
        if (!results.empty())
            result = std::move(results.front());
        co_return result;
    }
    try {
        result = co_await client_.activity().result(activity_, batch, index, options_.poll_one);
    } catch (const Error& error) {
        if (error.errc() != Errc::timed_out)
            throw;
    }
    if (result && hooks_.on_alive)
        hooks_.on_alive();
    co_return result;
}

// What has ended until `wait` is over, at once if all has; nothing if the provider did not answer in time: whether it
// is still there is found out elsewhere.
Task<std::vector<CommandResult>>
WorkContext::poll_list(const yagna::BatchId& batch, const Script& script, Duration wait)
{
    std::vector<CommandResult> results;
    bool answered = true;
    try {
        results = co_await client_.activity().results(activity_, batch, wait);
    } catch (const Error& error) {
        if (error.errc() != Errc::timed_out)
            throw;
        answered = false;
    }
    const auto problem = detail::problem_of(results, script);
    if (problem)
        std::rethrow_exception(problem);
    if (answered && hooks_.on_alive)
        hooks_.on_alive();
    co_return results;
}

Task<yagna::ActivityState> WorkContext::state() { return client_.activity().state(activity_); }

Task<Usage> WorkContext::usage()
{
    const auto reported = co_await client_.activity().usage(activity_);
    Usage usage;
    usage.reported = reported.timestamp;
    const auto names = agreement_.offer.properties.get_strings("golem.com.usage.vector");
    if (reported.current && names) {
        for (std::size_t index = 0; index < names->size() && index < reported.current->size(); ++index)
            usage.counters[(*names)[index]] = (*reported.current)[index];
    }
    co_return usage;
}

Task<Amount> WorkContext::cost()
{
    if (!provider_.prices)
        throw Error(Errc::protocol, "cost of an activity", "the agreement's prices are not understood");
    const auto usage = co_await this->usage();
    co_return detail::cost_of(*provider_.prices, usage.counters);
}

void WorkContext::tell_lost(const std::exception_ptr& failure) const
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        if (error.errc() == Errc::activity_lost && hooks_.on_lost)
            hooks_.on_lost(error);
    }
}

Task<std::string> WorkContext::receive()
{
    if (!hooks_.receive)
        throw Error(Errc::invalid_input, "receive a message", "nobody can send messages to this work context");
    return hooks_.receive();
}

Task<> WorkContext::sleep(Duration duration) { return time_.sleep_for(duration, "a service's sleep"); }

} // namespace golem
