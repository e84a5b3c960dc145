#pragma once

#include <golem/core/error.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace golem::properties {

// Reads JSON value by value as the daemon's own parser (serde_json) does, down to the wording and the position of each
// complaint: clients show these texts, and tests of theirs compare them.
class SerdeReader {
public:
    explicit SerdeReader(std::string_view text) : text_(text) {}

    // A complaint; thrown by every function below. Without a position yet (`placed` false) the enclosing value places
    // it where reading stands when that value has been left.
    struct Complaint {
        std::string text;
        bool placed = false;
        std::size_t line = 0;
        std::size_t column = 0;

        // `Error("…", line: 1, column: 8)`
        std::string to_string() const;
    };

    // Calls `item` for each element of an array; it must read exactly one value.
    void sequence(std::string_view expected, const std::function<void()>& item);
    // Calls `member` with each key of an object, standing before the value; `end` after the last, before the brace is
    // left. Both may complain.
    void object(
        std::string_view expected, const std::function<void(const std::string&)>& member,
        const std::function<void()>& end = {});
    // One externally tagged variant: `"name"` or `{"name": value}`. Calls `check` right after the name, and `variant`
    // standing before the value, if there is one.
    void tagged(
        const std::function<void(const std::string&)>& check, const std::function<void(const std::string&)>& variant);

    std::string string(std::string_view expected = "a string");
    unsigned long long unsigned_integer(std::string_view expected = "usize");
    // True, and the word is read, if the next value is null.
    bool null();
    void ignore();
    // Complains about anything but white space up to the end of the text.
    void end();

    char peek();

    [[noreturn]] static void complain(std::string text);
    [[noreturn]] void complain_here(std::string text);

private:
    [[noreturn]] void complain_at_next(std::string text);
    [[noreturn]] void complain_type(std::string_view expected);
    template <typename Body>
    void placing(const Body& body);
    // What differs between an array and an object.
    struct Enclosure {
        char bracket;
        const char* cut_off;
        const char* unseparated;
        void (SerdeReader::*end)();
    };
    void enclosed(const Enclosure& kind, const std::function<void(int)>& element, const std::function<void()>& last);
    int skip_space();
    void word(std::string_view rest);
    std::string read_string();
    void read_escape(std::string& into);
    unsigned read_hex4();
    std::string read_number(bool& integer, bool& negative);
    void end_sequence();
    void end_object();
    void enter();
    void place(Complaint& complaint, std::size_t index) const;

    std::string_view text_;
    std::size_t index_ = 0;
    int depth_ = 0;
};

} // namespace golem::properties
