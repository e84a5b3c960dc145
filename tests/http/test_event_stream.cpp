#include <golem/core/error.hpp>
#include <golem/http/event_stream.hpp>

#include <tests/support/catch.hpp>

#include <string>
#include <vector>

using namespace golem;
using namespace golem::http;

namespace {

// "type|data|id" of an event, ":text" of a comment.
std::vector<std::string> read(const std::vector<std::string>& pieces)
{
    EventStreamParser parser;
    std::vector<std::string> items;
    for (const auto& piece : pieces) {
        parser.feed(piece);
        while (const auto item = parser.next()) {
            if (item->kind == StreamItem::Kind::comment)
                items.push_back(":" + item->data);
            else
                items.push_back(item->type + "|" + item->data + "|" + item->id);
        }
    }
    return items;
}

struct Row {
    const char* name;
    std::vector<std::string> pieces;
    std::vector<std::string> items;
};

const std::vector<Row> rows = {
    {"the daemon's frame", {"event: runtime\ndata: {\"a\":1}\nid: 0\n\n"}, {"runtime|{\"a\":1}|0"}},
    {"two in one piece, with a comment",
     {"data: 1\n\n:ping\n:ping\ndata: 2\n\n"},
     {"message|1|", ":ping", ":ping", "message|2|"}},
    {"a comment within an event", {"event: e\n:ping\ndata: 1\n\n"}, {":ping", "e|1|"}},
    {"several lines of data", {"data: a\ndata: b\ndata\ndata:\n\n"}, {"message|a\nb\n\n|"}},
    {"carriage returns", {"data: a\rdata: b\r\rdata: c\r\n\r\n"}, {"message|a\nb|", "message|c|"}},
    {"a line end in two pieces", {"data: a\r", "\ndata: b\r", "\n\r", "\n"}, {"message|a\nb|"}},
    {"byte by byte",
     {"e", "v", "e", "n", "t", ":", " ", "x", "\n", "d", "a", "t", "a", ":", "1", "\n", "\n"},
     {"x|1|"}},
    {"one blank is taken off, not two", {"data:  a\ndata:b\n\n"}, {"message| a\nb|"}},
    {"an id stays, and can be emptied",
     {"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"},
     {"message|a|7", "message|b|7", "message|c|"}},
    {"an id with a null is no id", {std::string("id: 1\0\ndata: a\n\n", 16)}, {"message|a|"}},
    {"no data, no event", {"event: x\nid: 1\n\ndata: a\n\n"}, {"message|a|1"}},
    {"unknown fields and retry", {"retry: 10\nnope: 1\nDATA: x\ndata: a\n\n"}, {"message|a|"}},
    {"a byte order mark",
     {"\xEF\xBB\xBF"
      "data: a\n\n",
      "\xEF\xBB\xBF"
      "data: b\n\n"},
     {"message|a|"}},
    {"empty data", {"data:\n\n"}, {"message||"}},
    {"a colon in the value", {"data: a:b: c\n\n"}, {"message|a:b: c|"}},
    {"an incomplete event", {"data: a\n"}, {}},
    {"nothing", {"", "\n\n\r\n"}, {}},
};

} // namespace

TEST_CASE("server-sent events are read by the rules of the standard")
{
    for (const auto& row : rows) {
        INFO(row.name);
        CHECK(read(row.pieces) == row.items);
    }
}

TEST_CASE("events larger than allowed are refused, however they come")
{
    const std::vector<std::string> texts = {
        "data: " + std::string(120, 'x'), "data: " + std::string(60, 'x') + "\ndata: " + std::string(60, 'x') + "\n",
        ":" + std::string(120, 'x')};
    for (const auto& text : texts) {
        EventStreamParser parser(100);
        Errc code = Errc::internal;
        try {
            for (const char letter : text)
                parser.feed(std::string(1, letter));
        } catch (const Error& error) {
            code = error.errc();
        }
        CHECK(code == Errc::protocol);
    }
    // Many small ones are fine.
    EventStreamParser parser(100);
    for (int i = 0; i < 100; ++i)
        parser.feed("data: 0123456789\n\n");
    int count = 0;
    while (parser.next())
        ++count;
    CHECK(count == 100);
}
