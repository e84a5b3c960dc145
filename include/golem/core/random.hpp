#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golem {

/// The only source of chance of this library: seeded, and the same on every machine and standard library.
///
/// Each component draws from a sub-stream of its own, so that one more draw here changes nothing there. One thread
/// only. Not for secrets.
class Random {
public:
    explicit Random(std::uint64_t seed) noexcept;

    /// A seed that nobody chose.
    static std::uint64_t seed_from_system();

    /// A generator that depends on the seed of this one and on `name` alone, not on how much was drawn already.
    Random sub_stream(std::string_view name) const noexcept;

    std::uint64_t seed() const noexcept { return seed_; }

    /// 64 random bits (xoshiro256**).
    std::uint64_t next() noexcept;

    /// An integer of [0, bound), each equally likely; 0 if `bound` is 0.
    std::uint64_t below(std::uint64_t bound) noexcept;

    /// A number of [0, 1) with 53 random bits.
    double unit() noexcept;

    /// `digits` lower-case hexadecimal digits.
    std::string hex(std::size_t digits);

    /// A version 4 UUID: "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".
    std::string uuid();

    template <typename T>
    void shuffle(std::vector<T>& items) noexcept {
        using std::swap;
        for (std::size_t left = items.size(); left > 1; --left) {
            const auto chosen = static_cast<std::size_t>(below(left));
            if (chosen != left - 1)
                swap(items[left - 1], items[chosen]);
        }
    }

private:
    std::uint64_t seed_;
    std::array<std::uint64_t, 4> state_;
};

} // namespace golem
