#include <golem/http/event_stream.hpp>

#include <golem/core/error.hpp>

#include <utility>

namespace golem::http {

void EventStreamParser::check(std::size_t size) const
{
    if (size > limit_)
        throw Error(
            Errc::protocol, "read server-sent events",
            "an event is larger than allowed (" + std::to_string(limit_) + " bytes)");
}

void EventStreamParser::feed(std::string_view bytes)
{
    while (!bytes.empty()) {
        // CR, LF and CR LF all end a line, and CR LF may come in two pieces.
        if (std::exchange(after_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        const auto part = bytes.substr(0, end);
        check(data_.size() + line_.size() + part.size());
        line_ += part;
        if (end == std::string_view::npos)
            return;
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        end_line();
        line_.clear();
    }
}

void EventStreamParser::end_line()
{
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    std::string_view line = line_;
    if (std::exchange(at_start_, false) && line.starts_with(byte_order_mark))
        line.remove_prefix(byte_order_mark.size());
    if (line.empty()) {
        if (has_data_) {
            auto type = type_.empty() ? std::string("message") : std::move(type_);
            items_.push_back(StreamItem{StreamItem::Kind::event, std::move(type), std::move(data_), id_});
        }
        type_.clear();
        data_.clear();
        has_data_ = false;
        return;
    }
    const auto colon = line.find(':');
    if (colon == 0) {
        items_.push_back(StreamItem{StreamItem::Kind::comment, std::string(), std::string(line.substr(1)), id_});
        return;
    }
    const auto field = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' '))
        value.remove_prefix(1);
    if (field == "event") {
        type_ = value;
    } else if (field == "data") {
        if (std::exchange(has_data_, true))
            data_ += '\n';
        data_ += value;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
        id_ = value;
    }
}

std::optional<StreamItem> EventStreamParser::next()
{
    std::optional<StreamItem> item;
    if (!items_.empty()) {
        item = std::move(items_.front());
        items_.pop_front();
    }
    return item;
}

} // namespace golem::http
