#include <golem/provider/script_unit.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

namespace golem::provider {

namespace {

constexpr auto longest_kill = std::chrono::seconds(5);
// Events that are handed out together, and what a reader may be behind.
constexpr std::size_t most_at_once = 256 * 1024;
constexpr std::size_t most_unread = 1u << 20;

CommandOutcome succeeded()
{
    CommandOutcome outcome;
    outcome.ok = true;
    return outcome;
}

CommandOutcome failed(std::string message)
{
    CommandOutcome outcome;
    outcome.message = std::move(message);
    return outcome;
}

// The words that the requestor reads.
std::string message_of(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.their_words().empty() ? error.what() : error.their_words();
    } catch (...) {
        return golem::describe(std::current_exception());
    }
}

BatchEvent event_of(BatchEvent::Kind kind, int index, Timestamp date)
{
    BatchEvent event;
    event.kind = kind;
    event.index = index;
    event.date = date;
    return event;
}

void keep_output(
    const std::optional<Capture>& capture, std::string output, std::optional<std::string>& text, bool& binary)
{
    if (!capture)
        return;
    auto kept = captured(*capture, std::move(output));
    binary = capture->binary;
    if (!kept.empty())
        text = binary ? std::move(kept) : as_text(std::move(kept));
}

} // namespace

ScriptUnit::ScriptUnit(
    const Executor& executor, TimeSource& time, std::unique_ptr<Runtime> runtime, UnitOptions options)
    : executor_(executor), time_(time), runtime_(std::move(runtime)), options_(std::move(options)),
      started_(time.now()), ending_(executor), moved_(executor), tasks_(executor)
{
}

void ScriptUnit::exec(const std::string& batch, const std::string& script)
{
    if (ended_)
        throw Error(Errc::activity_lost, "execute script", "the exe-unit has ended; create another activity");
    auto entry = std::make_shared<Batch>(executor_, parse_script(script));
    entry->texts = command_texts(script);
    batches_[batch] = entry;
    tasks_.spawn("batch", [this, batch, entry] { return run_batch(batch, entry); });
}

Task<std::optional<std::vector<CommandOutcome>>>
ScriptUnit::results(const std::string& batch, Duration wait, std::optional<int> index)
{
    const auto self = shared_from_this();
    const auto entry = find(batch, "read results");
    const auto limit = time_.deadline(wait);
    while (!entry->log.answers(index) && !ended_) {
        const auto left = limit - time_.now();
        if (left <= Duration::zero())
            break;
        auto change = entry->changed.wait();
        co_await with_timeout(time_, left, std::move(change), "results of a batch");
    }
    // A command that was killed becomes the batch's last result; it is there some turns later.
    if (ended_ && !abandoned_ && !entry->log.answers(index) && !entry->log.is_finished()) {
        auto change = entry->changed.wait();
        co_await with_timeout(time_, longest_kill, std::move(change), "result of a killed command");
    }
    if (abandoned_)
        throw Error(Errc::activity_lost, "read results", "the exe-unit died; create another activity");
    co_return entry->log.view(index);
}

const std::shared_ptr<ScriptUnit::Batch>& ScriptUnit::find(const std::string& batch, const char* operation) const
{
    const auto found = batches_.find(batch);
    if (found != batches_.end())
        return found->second;
    Error error(Errc::not_found, operation, "no such batch was sent to this activity");
    error.set_their_words("batch_id = " + batch);
    throw error;
}

Task<BatchEvents> ScriptUnit::events(const std::string& batch, std::size_t from, Duration wait)
{
    const auto self = shared_from_this();
    const auto entry = find(batch, "stream results");
    const auto limit = time_.deadline(wait);
    const auto is_over = [&] { return entry->log.is_finished() || entry->commands.empty() || tasks_.size() == 0; };
    while (entry->stream.count() <= from && !is_over()) {
        const auto left = limit - time_.now();
        if (left <= Duration::zero())
            break;
        auto change = entry->told.wait();
        co_await with_timeout(time_, left, std::move(change), "events of a batch");
    }
    if (abandoned_)
        throw Error(Errc::activity_lost, "stream results", "the exe-unit died; create another activity");
    BatchEvents events;
    events.events = entry->stream.from(from, most_at_once, events.next);
    events.is_over = events.next == entry->stream.count() && is_over();
    entry->make_room();
    co_return events;
}

std::shared_ptr<std::size_t> ScriptUnit::follow(const std::string& batch)
{
    const auto entry = find(batch, "stream results");
    const auto leave = [weak = std::weak_ptr(entry)](std::size_t* place) {
        delete place;
        if (const auto left = weak.lock())
            left->make_room();
    };
    std::shared_ptr<std::size_t> place(new std::size_t(entry->stream.count()), leave);
    entry->followers.push_back(place);
    return place;
}

bool ScriptUnit::Batch::is_behind()
{
    std::erase_if(followers, [](const auto& follower) { return follower.expired(); });
    auto slowest = stream.count();
    for (const auto& follower : followers)
        if (const auto place = follower.lock())
            slowest = std::min(slowest, *place);
    return stream.bytes_from(slowest) > most_unread;
}

void ScriptUnit::Batch::make_room()
{
    if (held.empty() || is_behind())
        return;
    for (const auto& resume : std::exchange(held, {}))
        resume();
}

void ScriptUnit::enter(UnitStatePair state)
{
    state_ = state;
    moved_.pulse();
}

Task<> ScriptUnit::state_leaves(UnitStatePair seen)
{
    const auto self = shared_from_this();
    while (state_ == seen)
        co_await moved_.wait();
}

Task<> ScriptUnit::run_batch(std::string id, std::shared_ptr<Batch> batch)
{
    auto commands = run_commands(batch);
    co_await std::move(commands);
    forget_old(std::move(id));
}

// Whoever waits for a batch or follows it holds it.
void ScriptUnit::forget_old(std::string latest)
{
    const auto ended = batches_.find(latest);
    if (ended == batches_.end())
        return;
    const auto size = ended->second->size();
    ended_batches_.emplace_back(std::move(latest), size);
    kept_bytes_ += size;
    while (ended_batches_.size() > options_.most_batches ||
           (kept_bytes_ > options_.most_output && ended_batches_.size() > 1)) {
        const auto [id, bytes] = ended_batches_.front();
        ended_batches_.pop_front();
        kept_bytes_ -= bytes;
        const auto found = batches_.find(id);
        if (found == batches_.end())
            continue;
        ++forgotten_.batches;
        forgotten_.commands += found->second->log.done();
        batches_.erase(found);
    }
}

std::size_t ScriptUnit::Batch::size() const
{
    std::size_t sum = log.bytes() + stream.bytes();
    for (const auto& text : texts)
        sum += 2 * text.size(); // The commands themselves are about as long.
    return sum;
}

Task<> ScriptUnit::run_commands(std::shared_ptr<Batch> batch)
{
    for (const auto& command : batch->commands) {
        if (ended_)
            co_return;
        const auto index = batch->log.done();
        auto started = event_of(BatchEvent::Kind::started, static_cast<int>(index), time_.utc());
        started.text = batch->texts[index];
        batch->tell(std::move(started));
        const auto admission = detail::admit(state_, command);
        if (admission.refusal) {
            finish(*batch, failed(*admission.refusal));
            co_return;
        }
        if (std::holds_alternative<TerminateCommand>(command)) {
            ++generation_;
            runtime_->stop();
            deployed_ = false;
            enter({admission.after, std::nullopt});
            finish(*batch, succeeded());
            continue;
        }
        enter(admission.during);
        const auto generation = generation_;
        CommandOutcome outcome;
        std::exception_ptr failure;
        try {
            outcome = co_await perform(batch, command);
        } catch (...) {
            failure = std::current_exception();
        }
        if (ended_ || generation != generation_) {
            outcome.ok = false;
            outcome.message = detail::changed_under_command(state_, admission.during);
            finish(*batch, std::move(outcome));
            co_return;
        }
        enter({admission.after, std::nullopt});
        if (failure)
            outcome = failed(message_of(failure));
        const bool ok = outcome.ok;
        finish(*batch, std::move(outcome));
        if (!ok)
            co_return;
    }
}

Task<CommandOutcome> ScriptUnit::perform(std::shared_ptr<Batch> batch, const Command& command)
{
    if (options_.command_latency > Duration::zero()) {
        auto ending = ending_.wait();
        co_await with_timeout(time_, options_.command_latency, std::move(ending), "latency of a command");
    }
    CommandOutcome outcome;
    if (ended_)
        co_return outcome;
    if (const auto* deploy_command = std::get_if<DeployCommand>(&command)) {
        outcome = co_await deploy(batch, *deploy_command);
    } else if (const auto* start_command = std::get_if<StartCommand>(&command)) {
        outcome = co_await start(batch, *start_command);
    } else if (const auto* run_command = std::get_if<RunCommand>(&command)) {
        outcome = co_await run(batch, *run_command);
    } else if (const auto* transfer_command = std::get_if<TransferCommand>(&command)) {
        outcome = co_await transfer(batch, *transfer_command);
    } else {
        outcome = failed("signing not supported: binary built without the 'sgx' feature");
    }
    co_return outcome;
}

void ScriptUnit::tell_output(Batch& batch, const std::string& output) const
{
    if (output.empty())
        return;
    auto event = event_of(BatchEvent::Kind::out, static_cast<int>(batch.log.done()), time_.utc());
    event.text = output;
    batch.tell(std::move(event));
}

void ScriptUnit::tell_progress(Batch& batch, std::string message, const CommandProgress& progress) const
{
    auto event = event_of(BatchEvent::Kind::progress, static_cast<int>(batch.log.done()), time_.utc());
    event.text = std::move(message);
    event.progress = progress;
    batch.tell(std::move(event));
}

Task<CommandOutcome> ScriptUnit::deploy(std::shared_ptr<Batch> batch, const DeployCommand& command)
{
    DeployRequest request;
    request.image = options_.image;
    request.volumes = command.volumes;
    const auto volumes = co_await runtime_->deploy(request);
    if (command.tells_progress && options_.image)
        tell_progress(*batch, "Deployed image from cache", CommandProgress());
    auto list = nlohmann::json::array();
    for (const auto& volume : volumes)
        list.push_back({{"name", volume.name}, {"path", volume.path}});
    const nlohmann::json told = {{"startMode", "blocking"}, {"valid", {{"Ok", ""}}}, {"vols", std::move(list)}};
    deployed_ = true;
    addresses_ = command.networks;
    auto outcome = succeeded();
    outcome.out = told.dump() + "\n";
    tell_output(*batch, *outcome.out);
    co_return outcome;
}

Task<CommandOutcome> ScriptUnit::start(std::shared_ptr<Batch> batch, const StartCommand& command)
{
    // The state says Deployed after a failed deploy as well.
    if (!deployed_)
        co_return failed("task package (image) path was not provided");
    auto output = co_await runtime_->start(command.args);
    auto outcome = succeeded();
    if (!output.empty())
        outcome.out = as_text(std::move(output));
    tell_output(*batch, outcome.out.value_or(""));
    co_return outcome;
}

Task<CommandOutcome> ScriptUnit::run(std::shared_ptr<Batch> batch, const RunCommand& command)
{
    RunRequest request;
    request.entry_point = command.entry_point;
    request.args = command.args;
    request.out = part_for(command.out);
    request.err = part_for(command.err);
    const auto listener = [&](const std::optional<Capture>& capture, BatchEvent::Kind kind) {
        std::function<void(std::string_view)> listen;
        if (!capture || !capture->streamed)
            return listen;
        // The command may outlive its batch and this unit.
        const auto most = capture->limit > 0 ? capture->limit : std::string::npos;
        const auto told = std::make_shared<std::size_t>(0);
        listen = [=, this, unit = weak_from_this(), batch = std::weak_ptr(batch), binary = capture->binary,
                  index = static_cast<int>(batch->log.done())](std::string_view data) {
            const auto alive = unit.lock();
            const auto to = batch.lock();
            data = data.substr(0, std::min(data.size(), most - *told));
            if (!alive || !to || data.empty() || to->log.done() != static_cast<std::size_t>(index))
                return;
            *told += data.size();
            auto event = event_of(kind, index, time_.utc());
            event.text = binary ? std::string(data) : as_text(std::string(data));
            event.is_binary = binary;
            to->tell(std::move(event));
        };
        return listen;
    };
    request.on_out = listener(command.out, BatchEvent::Kind::out);
    request.on_err = listener(command.err, BatchEvent::Kind::err);
    request.hold = [weak = std::weak_ptr(batch)](std::function<void()> resume) {
        const auto of = weak.lock();
        if (!of || !of->is_behind())
            return false;
        of->held.push_back(std::move(resume));
        return true;
    };
    auto output = co_await runtime_->run(request);
    auto outcome = succeeded();
    keep_output(command.out, std::move(output.out), outcome.out, outcome.out_is_binary);
    keep_output(command.err, std::move(output.err), outcome.err, outcome.err_is_binary);
    if (output.exit_code != 0) {
        outcome.ok = false;
        outcome.return_code = output.exit_code;
        outcome.message = "ExeScript command exited with code " + std::to_string(output.exit_code);
    }
    co_return outcome;
}

Task<CommandOutcome> ScriptUnit::transfer(std::shared_ptr<Batch> batch, const TransferCommand& command)
{
    co_await runtime_->transfer(command.from, command.to);
    if (const auto size = runtime_->transferred(); command.tells_progress && size)
        tell_progress(*batch, std::string(), CommandProgress{*size, *size, "Bytes"});
    co_return succeeded();
}

void ScriptUnit::finish(Batch& batch, CommandOutcome outcome)
{
    outcome.date = time_.utc();
    if (!outcome.ok && outcome.return_code == 0)
        outcome.return_code = -1;
    auto finished = event_of(BatchEvent::Kind::finished, static_cast<int>(batch.log.done()), outcome.date);
    finished.text = outcome.message.value_or("");
    finished.return_code = outcome.return_code;
    batch.log.add(std::move(outcome));
    batch.changed.pulse();
    batch.tell(std::move(finished));
}

ScriptUnit::Usage ScriptUnit::measure() const noexcept
{
    Usage usage;
    usage.seconds = std::chrono::duration_cast<std::chrono::seconds>(time_.now() - started_).count();
    usage.cpu = runtime_->cpu_seconds();
    return usage;
}

// Nothing ticks: a report is made when somebody asks for it, and stands until the next whole second.
std::optional<std::vector<double>> ScriptUnit::usage() const
{
    if (!ended_) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time_.now() - started_).count();
        if (!reported_ || reported_->seconds != seconds)
            reported_ = measure();
    }
    if (!reported_ || reported_->seconds < 1)
        return std::nullopt;
    std::vector<double> values;
    for (const auto& counter : options_.counters) {
        if (counter == "golem.usage.duration_sec")
            values.push_back(static_cast<double>(reported_->seconds));
        else if (counter == "golem.usage.cpu_sec")
            values.push_back(reported_->cpu);
        else
            values.push_back(0.0);
    }
    return values;
}

void ScriptUnit::end() noexcept
{
    if (ended_)
        return;
    static_cast<void>(report());
    reported_ = measure();
    ended_ = true;
    enter({UnitState::terminated, std::nullopt});
    runtime_->kill();
    ending_.set();
    for (const auto& [id, batch] : batches_)
        if (abandoned_ || batch->log.is_finished())
            batch->changed.pulse();
}

void ScriptUnit::abandon() noexcept
{
    abandoned_ = true;
    end();
}

std::vector<MachineAddress> ScriptUnit::addresses() const
{
    return state_.now == UnitState::ready ? addresses_ : std::vector<MachineAddress>();
}

Task<std::unique_ptr<MachineConnection>> ScriptUnit::connect(std::uint16_t port)
{
    const auto self = shared_from_this();
    auto connection = co_await runtime_->connect(port);
    co_return connection;
}

Task<> ScriptUnit::stop()
{
    const auto self = shared_from_this();
    end();
    auto joined = tasks_.join();
    const bool quiet = co_await with_timeout(time_, longest_kill, std::move(joined), "end of an exe-unit");
    if (!quiet) {
        tasks_.cancel();
        co_await tasks_.join();
    }
    // Batches that never got a turn have nothing to say.
    for (const auto& [id, batch] : batches_) {
        batch->changed.set();
        batch->told.set();
    }
}

std::string ScriptUnit::make_report() const
{
    int batches_done = forgotten_.batches;
    int batches_pending = 0;
    std::size_t commands_done = forgotten_.commands;
    std::size_t commands_pending = 0;
    for (const auto& [id, batch] : batches_) {
        commands_done += batch->log.done();
        if (batch->log.is_finished()) {
            ++batches_done;
        } else {
            ++batches_pending;
            commands_pending += batch->log.commands() - batch->log.done();
        }
    }
    const nlohmann::json report = {
        {"batches_done", batches_done},
        {"batches_pending", batches_pending},
        {"cmds_done", commands_done},
        {"cmds_pending", commands_pending}};
    return report.dump();
}

const std::string& ScriptUnit::report() const
{
    if (!ended_ || !report_)
        report_ = make_report();
    return *report_;
}

} // namespace golem::provider
