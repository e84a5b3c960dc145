#include <golem/work/work_context.hpp>

#include <golem/core/race.hpp>
#include <golem/work/detail/command_outcome.hpp>

#include <utility>

namespace golem {

namespace {

// Between polls that came back early without a result: a daemon that does not wait must not be asked in a tight loop.
constexpr Duration shortest_poll = std::chrono::seconds(1);

ProviderFacts facts_of(const yagna::Agreement& agreement)
{
    ProviderFacts facts;
    facts.id = agreement.provider;
    facts.name = agreement.offer.properties.get_string("golem.node.id.name").value_or(agreement.provider);
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

Task<std::vector<CommandResult>> WorkContext::execute(const Script& script)
{
    std::vector<CommandResult> none;
    if (script.is_empty())
        co_return none;
    auto batch = run_batch(script);
    auto results = co_await with_timeout(time_, options_.batch_limit, std::move(batch), "limit of a batch");
    if (!results) {
        throw Error(
            Errc::timed_out, script.describe(0),
            "no result within the limit of a batch (WorkOptions::batch_limit); the command may go on");
    }
    co_return std::move(*results);
}

Task<std::vector<CommandResult>> WorkContext::run_batch(const Script& script)
{
    const auto json = script.to_json();
    yagna::BatchId batch;
    std::exception_ptr failure;
    try {
        batch = co_await client_.activity().exec(activity_, json);
    } catch (const Error&) {
        failure = std::current_exception();
    }
    if (failure) {
        tell_lost(failure);
        std::rethrow_exception(failure);
    }
    if (hooks_.on_alive)
        hooks_.on_alive();
    for (;;) {
        const auto start = time_.now();
        auto results = co_await poll(batch, script);
        if (!results.empty() && !results.back().ok) {
            const auto index = results.back().index;
            throw CommandError(script.describe(index), std::move(results.back()));
        }
        if (results.size() == static_cast<std::size_t>(script.size()))
            co_return results;
        const auto spent = time_.now() - start;
        if (spent < shortest_poll)
            co_await time_.sleep_for(shortest_poll - spent, "pause between polls for results");
    }
}

// What has finished so far; the list comes even while a command runs, which proves life.
Task<std::vector<CommandResult>> WorkContext::poll(const yagna::BatchId& batch, const Script& script)
{
    std::vector<CommandResult> results;
    const auto wait = script.size() == 1 ? options_.poll_one : options_.poll_several;
    bool answered = true;
    std::exception_ptr failure;
    try {
        results = co_await client_.activity().results(activity_, batch, wait);
    } catch (const Error& error) {
        // The provider did not answer in time; whether it is still there is found out elsewhere.
        if (error.errc() == Errc::timed_out)
            answered = false;
        else
            failure = std::current_exception();
    }
    if (!failure)
        failure = detail::problem_of(results, script);
    if (failure) {
        tell_lost(failure);
        std::rethrow_exception(failure);
    }
    if (hooks_.on_alive && answered)
        hooks_.on_alive();
    co_return results;
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

Task<> WorkContext::sleep(Duration duration) { return time_.sleep_for(duration, "a service's sleep"); }

} // namespace golem
