#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace golem::http {

/// One item of a stream of server-sent events (`text/event-stream`).
struct StreamItem {
    enum class Kind { event, comment };
    Kind kind = Kind::event;
    /// The `event` field; "message" if there was none.
    std::string type;
    /// The `data` lines, joined by line feeds; of a comment what stands behind its colon.
    std::string data;
    /// The last `id` so far.
    std::string id;
};

/// Reads server-sent events from bytes that come in any pieces, by the rules of the HTML standard; comments are told
/// too, since the daemon speaks by them. No I/O.
class EventStreamParser {
public:
    /// The most bytes that an event, or a line, may have. More than zero.
    explicit EventStreamParser(std::size_t event_limit = 16u << 20) : limit_(event_limit) {}

    /// Takes the next bytes. Throws Error protocol if an event is larger than allowed; the parser is of no use then.
    void feed(std::string_view bytes);

    /// The next complete item, in order; nothing until more is fed. What is incomplete at the end of a stream never
    /// was.
    std::optional<StreamItem> next();

private:
    void end_line();
    void check(std::size_t size) const;

    std::size_t limit_;
    std::deque<StreamItem> items_;
    std::string line_;
    std::string type_;
    std::string data_;
    std::string id_;
    bool has_data_ = false;
    bool at_start_ = true;
    bool after_return_ = false;
};

} // namespace golem::http
