#include <golem/yagna/activity.hpp>

#include <golem/yagna/caller.hpp>

#include "activity_codec.hpp"
#include "json_codec.hpp"
#include "targets.hpp"

#include <algorithm>
#include <utility>

namespace golem::yagna {

namespace {

constexpr std::string_view activities_path = "/activity-api/v1/activity";
/// A shorter one can leave an exe-unit behind that the daemon does not know of.
constexpr Duration shortest_create_wait = std::chrono::seconds(5);
/// The head of a stream comes with its first event, and a command may be silent for as long as it likes.
constexpr Duration longest_silence = std::chrono::hours(24 * 365);

Target activity_target(const ActivityId& activity) { return Target(activities_path).segment(activity); }

Target batch_target(const ActivityId& activity, const BatchId& batch, Duration wait)
{
    return activity_target(activity).literal("/exec").segment(batch).query("timeout", wait);
}

} // namespace

Task<ActivityId> ActivityApi::create(const AgreementId& agreement, Duration wait)
{
    const auto bounded = std::max(wait, shortest_create_wait);
    const CallClass call{"create activity", Idempotency::once, bounded};
    http::Request request(http::Method::post, Target(activities_path).query("timeout", bounded).text());
    request.set_body(codec::encode_activity_request(agreement));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_created_activity(call.operation, answer.body());
}

Task<> ActivityApi::destroy(const ActivityId& activity, Duration wait)
{
    const CallClass call{"destroy activity", Idempotency::repeatable, wait};
    http::Request request(http::Method::del, activity_target(activity).query("timeout", wait).text());
    try {
        co_await caller_.call(call, request);
    } catch (const Error& error) {
        if (error.errc() != Errc::not_found)
            throw;
    }
}

Task<BatchId> ActivityApi::exec(const ActivityId& activity, const std::string& script)
{
    const CallClass call{"execute script", Idempotency::once};
    http::Request request(http::Method::post, activity_target(activity).literal("/exec").text());
    request.set_body(codec::encode_script(script));
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_id(call.operation, answer.body());
}

Task<std::vector<CommandResult>> ActivityApi::results(const ActivityId& activity, const BatchId& batch, Duration wait)
{
    const CallClass call{"read results", Idempotency::repeatable, wait};
    http::Request request(http::Method::get, batch_target(activity, batch, wait).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_results(call.operation, answer.body());
}

Task<std::optional<CommandResult>>
ActivityApi::result(const ActivityId& activity, const BatchId& batch, int index, Duration wait, std::size_t most_bytes)
{
    const CallClass call{"read result", Idempotency::repeatable, wait, Duration(0), most_bytes};
    const std::vector<unsigned> not_yet{408};
    http::Request request(http::Method::get, batch_target(activity, batch, wait).query("commandIndex", index).text());
    const Answer answer = co_await caller_.call(call, request, not_yet);
    if (answer.status() == 408)
        co_return std::nullopt;
    auto results = codec::decode_results(call.operation, answer.body());
    const auto found = std::ranges::find(results, index, &CommandResult::index);
    std::optional<CommandResult> result;
    if (found != results.end())
        result = std::move(*found);
    co_return result;
}

Task<std::optional<CommandResult>> ActivityApi::result_head(const ActivityId& activity, const BatchId& batch, int index)
{
    constexpr std::size_t enough = 64 * 1024;
    const CallClass call{"read result", Idempotency::once};
    http::Request request(
        http::Method::get, batch_target(activity, batch, Duration(0)).query("commandIndex", index).text());
    const auto stream = co_await caller_.open(call, request);
    std::string beginning;
    while (beginning.size() < enough) {
        const auto piece = co_await stream->read();
        if (!piece)
            break;
        beginning += piece->substr(0, enough);
    }
    co_return codec::decode_result_head(beginning, index);
}

BatchStream::BatchStream(Caller& caller, ActivityId activity, BatchId batch)
    : caller_(caller), activity_(std::move(activity)), batch_(std::move(batch))
{
}

Task<std::optional<BatchEvent>> BatchStream::next()
{
    const CallClass call{"stream results", Idempotency::once, Duration(0), longest_silence};
    std::optional<BatchEvent> event;
    if (!stream_) {
        http::Request request(http::Method::get, activity_target(activity_).literal("/exec").segment(batch_).text());
        request.headers().set("Accept", "text/event-stream");
        stream_ = co_await caller_.open(call, request);
    }
    for (;;) {
        while (const auto item = parser_.next()) {
            // `:ping` is said once the exe-unit has ended, and only then; a proxy may say other things.
            if (item->kind == http::StreamItem::Kind::comment) {
                if (item->data == "ping")
                    co_return event;
                continue;
            }
            try {
                event = codec::decode_batch_event(call.operation, item->data);
            } catch (const Error& error) {
                if (!std::exchange(has_warned_, true))
                    caller_.log().warning("not every event of a stream can be read: ", error.what());
                event.emplace();
                event->kind = BatchEvent::Kind::unreadable;
            }
            if (event)
                co_return event;
        }
        const auto piece = co_await stream_->read();
        if (!piece)
            co_return event;
        parser_.feed(*piece);
    }
}

Task<ActivityState> ActivityApi::state(const ActivityId& activity)
{
    const CallClass call{"read activity state"};
    http::Request request(http::Method::get, activity_target(activity).literal("/state").text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_state(call.operation, answer.body());
}

Task<ActivityUsage> ActivityApi::usage(const ActivityId& activity)
{
    const CallClass call{"read activity usage"};
    http::Request request(http::Method::get, activity_target(activity).literal("/usage").text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_usage(call.operation, answer.body());
}

Task<std::vector<ActivityId>> ActivityApi::activities(const AgreementId& agreement)
{
    const CallClass call{"list activities"};
    http::Request request(http::Method::get, Target(activities_path).query("agreementId", agreement).text());
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_activity_ids(call.operation, answer.body());
}

} // namespace golem::yagna
