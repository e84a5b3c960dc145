#include "provider/yagna_unit_codec.hpp"

#include <golem/core/error.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/provider/script.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace golem::provider::detail {

namespace {

using bus::Value;

// The daemon's own calls never wait longer than a request of its REST interface.
constexpr double longest_wait = 120.0;
// A bus ends the connection of whoever says more at once than it can take.
constexpr std::size_t largest_reply = 48u << 20;

[[noreturn]] void refuse(const std::string& member)
{
    throw Error(Errc::protocol, "read a call to an exe-unit", "it has no usable " + member);
}

const std::string& text(const Value& message, const char* name)
{
    const auto* found = message.find(name);
    if (!found || !found->text())
        refuse(name);
    return *found->text();
}

Value output(const std::string& data, bool is_binary)
{
    if (is_binary)
        return Value::ByteList{data};
    return as_text(data);
}

Value output(const std::optional<std::string>& data, bool is_binary)
{
    if (!data || data->empty())
        return nullptr;
    return output(*data, is_binary);
}

Value text_or_null(const std::optional<std::string>& words)
{
    if (!words)
        return nullptr;
    return *words;
}

} // namespace

ExecCall read_exec(const bus::Value& message)
{
    const auto* script = message.find("exeScript");
    if (!script || !script->list())
        refuse("exeScript");
    ExecCall call;
    call.batch = text(message, "batchId");
    call.script = bus::to_json(*script);
    return call;
}

ResultsCall read_results(const bus::Value& message)
{
    ResultsCall call;
    call.batch = text(message, "batchId");
    if (const auto* wait = message.find("timeout"); wait && wait->number()) {
        const std::chrono::duration<double> seconds(std::clamp(*wait->number(), 0.0, longest_wait));
        call.wait = std::chrono::duration_cast<Duration>(seconds);
    }
    if (const auto* index = message.find("commandIndex"); index && index->integer())
        call.index = static_cast<int>(std::clamp<std::int64_t>(*index->integer(), 0, 1'000'000));
    return call;
}

std::string read_stream(const bus::Value& message) { return text(message, "batch_id"); }

bus::Value write_outcomes(const std::vector<CommandOutcome>& outcomes)
{
    Value::List list;
    for (const auto& outcome : outcomes) {
        Value::Map item;
        item.emplace("index", outcome.index);
        item.emplace("result", outcome.ok ? "Ok" : "Error");
        item.emplace("stdout", output(outcome.out, outcome.out_is_binary));
        item.emplace("stderr", output(outcome.err, outcome.err_is_binary));
        item.emplace("message", text_or_null(outcome.message));
        item.emplace("isBatchFinished", outcome.is_batch_finished);
        item.emplace("eventDate", format_timestamp(outcome.date));
        list.emplace_back(std::move(item));
    }
    return list;
}

bus::Value write_event(const std::string& batch, const BatchEvent& event)
{
    Value::Map kind;
    switch (event.kind) {
    case BatchEvent::Kind::started: {
        Value::Map started;
        started.emplace("command", bus::from_json(event.text));
        kind.emplace("started", std::move(started));
        break;
    }
    case BatchEvent::Kind::out: kind.emplace("stdout", output(event.text, event.is_binary)); break;
    case BatchEvent::Kind::err: kind.emplace("stderr", output(event.text, event.is_binary)); break;
    case BatchEvent::Kind::progress: {
        Value::Map progress;
        Value::List step;
        step.emplace_back(0);
        step.emplace_back(1);
        Value::List amount;
        amount.emplace_back(static_cast<std::int64_t>(event.progress.done));
        amount.push_back(event.progress.total ? Value(static_cast<std::int64_t>(*event.progress.total)) : Value());
        progress.emplace("step", std::move(step));
        progress.emplace("message", event.text.empty() ? Value() : Value(event.text));
        progress.emplace("progress", std::move(amount));
        progress.emplace("unit", event.progress.unit);
        kind.emplace("progress", std::move(progress));
        break;
    }
    case BatchEvent::Kind::finished: {
        Value::Map finished;
        finished.emplace("return_code", event.return_code);
        finished.emplace("message", event.text.empty() ? Value() : Value(event.text));
        kind.emplace("finished", std::move(finished));
        break;
    }
    }
    // Times of streams have no zone.
    auto date = format_timestamp(event.date);
    date.pop_back();
    Value::Map map;
    map.emplace("batch_id", batch);
    map.emplace("index", event.index);
    map.emplace("timestamp", std::move(date));
    map.emplace("kind", std::move(kind));
    return map;
}

std::string ok_body(bus::Value value)
{
    Value::Map reply;
    reply.emplace("Ok", std::move(value));
    return bus::encode(reply);
}

std::string results_body(const std::vector<CommandOutcome>& outcomes)
{
    auto body = ok_body(write_outcomes(outcomes));
    if (body.size() <= largest_reply)
        return body;
    return error_body("service", "the results of this batch are larger than one answer may be");
}

std::string error_body(const std::string& kind, const std::optional<std::string>& words)
{
    Value::Map reply;
    if (words) {
        Value::Map error;
        error.emplace(kind, *words);
        reply.emplace("Err", std::move(error));
    } else {
        reply.emplace("Err", kind);
    }
    return bus::encode(reply);
}

} // namespace golem::provider::detail
