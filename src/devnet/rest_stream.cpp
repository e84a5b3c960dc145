// Results of a batch as server-sent events, as the daemon and a real exe-unit send them.
#include <devnet/rest_call.hpp>

#include <golem/core/error.hpp>
#include <golem/http/stream.hpp>
#include <golem/http/transport.hpp>
#include <golem/provider/script.hpp>

#include <algorithm>
#include <utility>

namespace golem::devnet::detail {

namespace {

// A subscriber hears that the exe-unit has ended once for each such period that has begun since it came.
constexpr Duration ping_period = std::chrono::seconds(15);
constexpr std::string_view ping = ":ping\n";
constexpr Duration turn = std::chrono::seconds(60);

Json kind_to_json(const provider::BatchEvent& event)
{
    using Kind = provider::BatchEvent::Kind;
    Json kind = Json::object();
    switch (event.kind) {
    case Kind::started: kind["started"]["command"] = Json::parse(event.text); break;
    case Kind::out: kind["stdout"] = output_to_json(event.text, event.is_binary); break;
    case Kind::err: kind["stderr"] = output_to_json(event.text, event.is_binary); break;
    case Kind::progress: {
        Json progress;
        progress["step"] = Json::array({0, 1});
        progress["message"] = event.text.empty() ? Json() : Json(event.text);
        progress["progress"] = Json::array({Json(event.progress.done), Json()});
        if (event.progress.total)
            progress["progress"][1] = *event.progress.total;
        progress["unit"] = event.progress.unit;
        kind["progress"] = std::move(progress);
        break;
    }
    case Kind::finished:
        kind["finished"]["return_code"] = event.return_code;
        kind["finished"]["message"] = event.text.empty() ? Json() : Json(event.text);
        break;
    }
    return kind;
}

// Times of streams have no zone.
std::string zoneless(Timestamp when)
{
    auto text = date(when);
    text.pop_back();
    return text;
}

class EventSource final : public http::BodySource {
public:
    // Without a unit or a place in its batch there is nothing to tell but its end.
    EventSource(
        Host& host, std::string activity, std::string batch, std::shared_ptr<provider::ExeUnit> unit,
        std::shared_ptr<std::size_t> place)
        : host_(host), topic_("activity/" + activity), activity_(std::move(activity)), batch_(std::move(batch)),
          unit_(std::move(unit)), place_(std::move(place)), began_(host.time().now())
    {
    }

    Task<std::optional<std::string>> next() override
    {
        std::optional<std::string> piece(std::in_place);
        // The head goes out at once.
        if (!std::exchange(has_begun_, true))
            co_return piece;
        while (piece->empty()) {
            if (is_silent_)
                co_await host_.sleep_until(Instant::max());
            if (is_unknown_)
                break_off();
            if (place_)
                co_await tell_events(*piece);
            else
                co_await tell_end(*piece);
        }
        co_return piece;
    }

    // The batch does not exist: the daemon learns it when it has promised an answer.
    void set_unknown() noexcept { is_unknown_ = true; }

private:
    [[noreturn]] static void break_off()
    {
        throw http::TransportError(
            Errc::closed, "stream results", "there is no such batch", http::TransportError::Sent::unknown);
    }

    Task<> tell_events(std::string& text)
    {
        provider::BatchEvents news;
        std::exception_ptr failure;
        try {
            news = co_await unit_->events(batch_, *place_, turn);
        } catch (const Error&) {
            failure = std::current_exception();
        }
        if (failure) {
            // A killed exe-unit says nothing any more.
            is_silent_ = true;
            place_.reset();
            co_return;
        }
        for (const auto& event : news.events)
            append(text, event);
        *place_ = news.next;
        if (news.is_over)
            place_.reset();
    }

    void append(std::string& text, const provider::BatchEvent& event)
    {
        // The first command has always begun before a subscription takes effect.
        if (event.kind == provider::BatchEvent::Kind::started && event.index == 0)
            return;
        Json data;
        data["batch_id"] = batch_;
        data["index"] = event.index;
        data["timestamp"] = zoneless(event.date);
        data["kind"] = kind_to_json(event);
        text += "event: runtime\ndata: " + data.dump() + "\nid: " + std::to_string(number_++) + "\n\n";
    }

    // While the exe-unit lives there is not a word, however long that is.
    Task<> tell_end(std::string& text)
    {
        const auto& all = host_.world().activities().all();
        while (!has_ended(all.at(activity_)))
            co_await host_.wait(topic_, Instant::max());
        // One that was killed under a subscriber says nothing any more.
        is_silent_ = unit_ && all.at(activity_).reason == "execution aborted";
        if (is_silent_)
            co_return;
        unit_.reset();
        const auto due = began_ + pings_ * ping_period;
        if (host_.time().now() < due)
            co_await host_.sleep_until(due);
        while (began_ + pings_ * ping_period <= host_.time().now()) {
            text += ping;
            ++pings_;
        }
    }

    static bool has_ended(const Activity& activity) { return activity.ended || !activity.unit; }

    Host& host_;
    std::string topic_;
    std::string activity_;
    std::string batch_;
    std::shared_ptr<provider::ExeUnit> unit_;
    std::shared_ptr<std::size_t> place_;
    Instant began_;
    long pings_ = 0;
    std::size_t number_ = 0;
    bool has_begun_ = false;
    bool is_silent_ = false;
    bool is_unknown_ = false;
};

} // namespace

bool wants_events(const Call& call)
{
    const auto accept = call.request.headers().get("Accept");
    return accept && *accept == "text/event-stream";
}

Json output_to_json(const std::string& output, bool is_binary)
{
    if (output.empty())
        return nullptr;
    if (!is_binary)
        return provider::as_text(output);
    Json bytes = Json::array();
    for (const char byte : output)
        bytes.push_back(static_cast<unsigned char>(byte));
    return bytes;
}

http::Response results_as_events(const Call& call)
{
    const auto& id = call.ids.at(0);
    const auto& batch = call.ids.at(1);
    auto unit = unwrap(call.host.world().activities().find(call.node, id)).unit;
    std::shared_ptr<std::size_t> place;
    bool is_unknown = false;
    try {
        if (unit)
            place = unit->follow(batch);
    } catch (const Error& error) {
        if (error.errc() != Errc::not_found)
            throw;
        is_unknown = true;
    }
    const auto source = std::make_shared<EventSource>(call.host, id, batch, std::move(unit), std::move(place));
    if (is_unknown)
        source->set_unknown();
    http::Response response(200, std::string(), "text/event-stream");
    response.set_source(source);
    return response;
}

} // namespace golem::devnet::detail
