#include "properties/serde_reader.hpp"

#include <algorithm>
#include <charconv>

namespace golem::properties {

namespace {

constexpr int deepest = 128;

// Rust's Debug form of a string.
std::string in_quotes(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\0': out += "\\0"; break;
        default: out += c;
        }
    }
    return out + '"';
}

void append_utf8(std::string& out, unsigned code)
{
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

} // namespace

std::string SerdeReader::Complaint::to_string() const
{
    return "Error(" + in_quotes(text) + ", line: " + std::to_string(line) + ", column: " + std::to_string(column) + ")";
}

void SerdeReader::complain(std::string text) { throw Complaint{std::move(text)}; }

void SerdeReader::place(Complaint& complaint, std::size_t index) const
{
    complaint.placed = true;
    complaint.line = 1;
    complaint.column = 0;
    for (std::size_t i = 0; i < index; ++i) {
        ++complaint.column;
        if (text_[i] == '\n') {
            ++complaint.line;
            complaint.column = 0;
        }
    }
}

void SerdeReader::complain_here(std::string text)
{
    Complaint complaint{std::move(text)};
    place(complaint, index_);
    throw complaint;
}

void SerdeReader::complain_at_next(std::string text)
{
    Complaint complaint{std::move(text)};
    place(complaint, std::min(index_ + 1, text_.size()));
    throw complaint;
}

// Runs `body` and gives its complaint the place where reading stands then, unless it has one.
template <typename Body>
void SerdeReader::placing(const Body& body)
{
    try {
        body();
    } catch (Complaint& complaint) {
        if (!complaint.placed)
            place(complaint, index_);
        throw;
    }
}

int SerdeReader::skip_space()
{
    while (index_ < text_.size()) {
        const char c = text_[index_];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return static_cast<unsigned char>(c);
        ++index_;
    }
    return -1;
}

char SerdeReader::peek()
{
    const int next = skip_space();
    if (next < 0)
        complain_at_next("EOF while parsing a value");
    return static_cast<char>(next);
}

void SerdeReader::word(std::string_view rest)
{
    ++index_;
    for (const char expected : rest) {
        if (index_ == text_.size())
            complain_here("EOF while parsing a value");
        if (text_[index_++] != expected)
            complain_here("expected ident");
    }
}

void SerdeReader::complain_type(std::string_view expected)
{
    std::string found;
    switch (peek()) {
    case 'n':
        word("ull");
        found = "null";
        break;
    case 't':
        word("rue");
        found = "boolean `true`";
        break;
    case 'f':
        word("alse");
        found = "boolean `false`";
        break;
    case '"': found = "string " + in_quotes(read_string()); break;
    case '[': found = "sequence"; break;
    case '{': found = "map"; break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': {
        bool integer = true;
        bool negative = false;
        const auto number = read_number(integer, negative);
        found = (integer ? "integer `" : "floating point `") + number + "`";
        break;
    }
    default: complain_at_next("expected value");
    }
    complain_here("invalid type: " + found + ", expected " + std::string(expected));
}

void SerdeReader::enter()
{
    if (++depth_ >= deepest)
        complain_at_next("recursion limit exceeded");
    ++index_;
}

void SerdeReader::end_sequence()
{
    const int next = skip_space();
    if (next < 0)
        complain_at_next("EOF while parsing a list");
    if (next == ']') {
        ++index_;
        return;
    }
    if (next == ',') {
        ++index_;
        if (skip_space() == ']')
            complain_at_next("trailing comma");
    }
    complain_at_next("trailing characters");
}

void SerdeReader::end_object()
{
    const int next = skip_space();
    if (next < 0)
        complain_at_next("EOF while parsing an object");
    if (next == '}') {
        ++index_;
        return;
    }
    if (next == ',')
        complain_at_next("trailing comma");
    complain_at_next("trailing characters");
}

// Reads elements, each by `element`, which stands at the first character of one, up to the bracket; then does `last`.
void SerdeReader::enclosed(
    const Enclosure& kind, const std::function<void(int)>& element, const std::function<void()>& last)
{
    placing([&] {
        enter();
        try {
            bool first = true;
            for (;;) {
                int next = skip_space();
                if (next < 0)
                    complain_at_next(kind.cut_off);
                if (next == kind.bracket)
                    break;
                if (!first) {
                    if (next != ',')
                        complain_at_next(kind.unseparated);
                    ++index_;
                    next = skip_space();
                    if (next < 0)
                        complain_at_next("EOF while parsing a value");
                    if (next == kind.bracket)
                        complain_at_next("trailing comma");
                }
                first = false;
                element(next);
            }
            if (last)
                last();
        } catch (const Complaint&) {
            // The real parser leaves the value before it places the complaint.
            --depth_;
            try {
                (this->*kind.end)();
            } catch (const Complaint&) { // The first complaint is the one that counts.
            }
            throw;
        }
        --depth_;
        (this->*kind.end)();
    });
}

void SerdeReader::sequence(std::string_view expected, const std::function<void()>& item)
{
    if (peek() != '[')
        complain_type(expected);
    const Enclosure list{']', "EOF while parsing a list", "expected `,` or `]`", &SerdeReader::end_sequence};
    enclosed(list, [&](int) { item(); }, {});
}

void SerdeReader::object(
    std::string_view expected, const std::function<void(const std::string&)>& member, const std::function<void()>& end)
{
    if (peek() != '{')
        complain_type(expected);
    const Enclosure map{'}', "EOF while parsing an object", "expected `,` or `}`", &SerdeReader::end_object};
    const auto read_member = [&](int next) {
        if (next != '"')
            complain_at_next("key must be a string");
        const auto key = read_string();
        if (skip_space() != ':')
            complain_at_next(index_ == text_.size() ? "EOF while parsing an object" : "expected `:`");
        ++index_;
        member(key);
    };
    enclosed(map, read_member, end);
}

void SerdeReader::tagged(
    const std::function<void(const std::string&)>& check, const std::function<void(const std::string&)>& variant)
{
    const char next = peek();
    if (next == '"') {
        const auto name = read_string();
        check(name);
        variant(name);
        return;
    }
    if (next != '{')
        complain_at_next("expected value");
    enter();
    if (peek() != '"')
        complain_type("variant identifier");
    const auto name = read_string();
    check(name);
    if (skip_space() != ':')
        complain_at_next(index_ == text_.size() ? "EOF while parsing an object" : "expected `:`");
    ++index_;
    variant(name);
    --depth_;
    const int after = skip_space();
    if (after < 0)
        complain_here("EOF while parsing an object");
    if (after != '}')
        complain_here("expected value");
    ++index_;
}

std::string SerdeReader::string(std::string_view expected)
{
    if (peek() != '"')
        complain_type(expected);
    return read_string();
}

unsigned long long SerdeReader::unsigned_integer(std::string_view expected)
{
    const char next = peek();
    if (next != '-' && (next < '0' || next > '9'))
        complain_type(expected);
    bool integer = true;
    bool negative = false;
    const auto number = read_number(integer, negative);
    unsigned long long value = 0;
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (!integer || error != std::errc() || stop != number.data() + number.size()) {
        const char* kind = integer ? "invalid value: integer `" : "invalid type: floating point `";
        complain_here(kind + number + "`, expected " + std::string(expected));
    }
    return value;
}

bool SerdeReader::null()
{
    if (peek() != 'n')
        return false;
    word("ull");
    return true;
}

void SerdeReader::ignore()
{
    bool integer = true;
    bool negative = false;
    switch (peek()) {
    case 'n': word("ull"); break;
    case 't': word("rue"); break;
    case 'f': word("alse"); break;
    case '"': read_string(); break;
    case '[': sequence("", [this] { ignore(); }); break;
    case '{': object("", [this](const std::string&) { ignore(); }); break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': read_number(integer, negative); break;
    default: complain_at_next("expected value");
    }
}

void SerdeReader::end()
{
    if (skip_space() >= 0)
        complain_at_next("trailing characters");
}

std::string SerdeReader::read_string()
{
    ++index_;
    std::string out;
    for (;;) {
        if (index_ == text_.size())
            complain_here("EOF while parsing a string");
        const char c = text_[index_++];
        if (c == '"')
            return out;
        if (c == '\\') {
            read_escape(out);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            complain_here("control character (\\u0000-\\u001F) found while parsing a string");
        } else {
            out += c;
        }
    }
}

unsigned SerdeReader::read_hex4()
{
    if (text_.size() - index_ < 4) {
        index_ = text_.size();
        complain_here("EOF while parsing a string");
    }
    unsigned value = 0;
    const char* begin = text_.data() + index_;
    const auto [stop, error] = std::from_chars(begin, begin + 4, value, 16);
    index_ += 4;
    if (error != std::errc() || stop != begin + 4)
        complain_here("invalid escape");
    return value;
}

void SerdeReader::read_escape(std::string& into)
{
    if (index_ == text_.size())
        complain_here("EOF while parsing a string");
    switch (text_[index_++]) {
    case '"': into += '"'; break;
    case '\\': into += '\\'; break;
    case '/': into += '/'; break;
    case 'b': into += '\b'; break;
    case 'f': into += '\f'; break;
    case 'n': into += '\n'; break;
    case 'r': into += '\r'; break;
    case 't': into += '\t'; break;
    case 'u': {
        unsigned code = read_hex4();
        if (code >= 0xdc00 && code <= 0xdfff)
            complain_here("lone leading surrogate in hex escape");
        if (code >= 0xd800 && code <= 0xdbff) {
            if (text_.substr(index_, 2) != "\\u") {
                index_ = std::min(index_ + 1, text_.size());
                complain_here("unexpected end of hex escape");
            }
            index_ += 2;
            const unsigned low = read_hex4();
            if (low < 0xdc00 || low > 0xdfff)
                complain_here("lone leading surrogate in hex escape");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        append_utf8(into, code);
        break;
    }
    default: complain_here("invalid escape");
    }
}

// Reads a number by JSON's grammar and returns its text.
std::string SerdeReader::read_number(bool& integer, bool& negative)
{
    const auto begin = index_;
    const auto digit = [this] { return index_ < text_.size() && text_[index_] >= '0' && text_[index_] <= '9'; };
    const auto digits = [&] {
        if (!digit())
            complain_at_next(index_ == text_.size() ? "EOF while parsing a value" : "invalid number");
        while (digit())
            ++index_;
    };
    integer = true;
    negative = text_[index_] == '-';
    if (negative)
        ++index_;
    if (index_ < text_.size() && text_[index_] == '0') {
        ++index_;
        if (digit())
            complain_at_next("invalid number");
    } else {
        digits();
    }
    if (index_ < text_.size() && text_[index_] == '.') {
        integer = false;
        ++index_;
        digits();
    }
    if (index_ < text_.size() && (text_[index_] == 'e' || text_[index_] == 'E')) {
        integer = false;
        ++index_;
        if (index_ < text_.size() && (text_[index_] == '+' || text_[index_] == '-'))
            ++index_;
        digits();
    }
    return std::string(text_.substr(begin, index_ - begin));
}

} // namespace golem::properties
