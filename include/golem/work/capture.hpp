#pragma once

#include <cstddef>
#include <cstdint>

namespace golem {

/// Which part of a command's output comes back, and how. A value: `Capture::tail(4096)`, `Capture::stream().as_text()`.
class Capture {
public:
    enum class Part { none, all, head, tail, ends, stream };

    /// Nothing: the output is thrown away on the provider.
    static Capture none() noexcept { return Capture(Part::none, 0); }
    /// All of it, in the result. The default.
    static Capture all() noexcept { return Capture(Part::all, 0); }
    /// The first bytes, the last bytes, or half of both.
    static Capture head(std::size_t bytes) noexcept { return Capture(Part::head, bytes); }
    static Capture tail(std::size_t bytes) noexcept { return Capture(Part::tail, bytes); }
    static Capture ends(std::size_t bytes) noexcept { return Capture(Part::ends, bytes); }
    /// As it comes, for WorkContext::execute with a sink, and in the result as well.
    static Capture stream() noexcept { return Capture(Part::stream, 0); }
    /// The same, but no more than the first bytes.
    static Capture stream(std::size_t bytes) noexcept { return Capture(Part::stream, bytes); }

    /// The exact bytes (the default of streams), written as a list of numbers: three times as long as the output.
    Capture as_bytes() const noexcept { return with(Encoding::bytes); }
    /// Text (the default of all others): what is not UTF-8 is taken for Latin-1, of a stream each piece by itself, and
    /// a piece may end within a character.
    Capture as_text() const noexcept { return with(Encoding::text); }

    Part part() const noexcept { return part_; }
    /// Bytes; 0 for a part without a limit.
    std::size_t limit() const noexcept { return limit_; }
    bool is_bytes() const noexcept
    {
        return encoding_ == Encoding::bytes || (encoding_ == Encoding::usual && part_ == Part::stream);
    }

private:
    enum class Encoding : std::uint8_t { usual, text, bytes };

    Capture(Part part, std::size_t limit) noexcept : part_(part), limit_(limit) {}

    Capture with(Encoding encoding) const noexcept
    {
        auto copy = *this;
        copy.encoding_ = encoding;
        return copy;
    }

    Part part_;
    Encoding encoding_ = Encoding::usual;
    std::size_t limit_;
};

} // namespace golem
