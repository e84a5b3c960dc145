#include <golem/work/command_event.hpp>
#include <golem/work/detail/output_tracker.hpp>

#include <map>
#include <memory>
#include <utility>

namespace golem {

namespace {

class LineSink {
public:
    LineSink(EventSink sink, std::size_t longest) : sink_(std::move(sink)), longest_(longest) {}

    Task<> take(const CommandEvent& event)
    {
        const bool is_output = event.kind == CommandEvent::Kind::out || event.kind == CommandEvent::Kind::err;
        if (is_output && !event.is_late) {
            auto lines = cutter(event.kind).add(event.text);
            for (auto& line : lines)
                co_await hand_on(event.index, event.kind, std::move(line));
            co_return;
        }
        if (event.kind == CommandEvent::Kind::finished) {
            co_await finish(event.index, CommandEvent::Kind::out);
            co_await finish(event.index, CommandEvent::Kind::err);
        }
        co_await sink_(event);
    }

    void begin()
    {
        cutters_.clear();
        sink_.begin();
    }

private:
    detail::LineCutter& cutter(CommandEvent::Kind kind) { return cutters_.try_emplace(kind, longest_).first->second; }

    Task<> finish(int index, CommandEvent::Kind kind)
    {
        auto rest = cutter(kind).finish();
        if (rest)
            co_await hand_on(index, kind, std::move(*rest));
    }

    Task<> hand_on(int index, CommandEvent::Kind kind, std::string line)
    {
        CommandEvent told;
        told.kind = kind;
        told.index = index;
        told.text = std::move(line);
        co_await sink_(told);
    }

    EventSink sink_;
    std::size_t longest_;
    std::map<CommandEvent::Kind, detail::LineCutter> cutters_;
};

} // namespace

EventSink by_lines(EventSink sink, std::size_t longest)
{
    const auto lines = std::make_shared<LineSink>(std::move(sink), longest);
    EventSink by_line([lines](const CommandEvent& event) -> Task<> { return lines->take(event); });
    by_line.begin_ = [lines] { lines->begin(); };
    return by_line;
}

} // namespace golem
