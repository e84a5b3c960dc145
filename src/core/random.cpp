#include <golem/core/random.hpp>

#include <bit>
#include <random>

namespace golem {

namespace {

// splitmix64 (Vigna): spreads a seed over as many words as are asked for.
std::uint64_t split_mix(std::uint64_t& state) noexcept
{
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

// FNV-1a: std::hash differs from library to library.
std::uint64_t hash_of(std::string_view text) noexcept
{
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

} // namespace

Random::Random(std::uint64_t seed) noexcept : seed_(seed)
{
    for (auto& word : state_)
        word = split_mix(seed);
}

std::uint64_t Random::seed_from_system()
{
    std::random_device device;
    const std::uint64_t high = device();
    const std::uint64_t low = device();
    return (high << 32) ^ low;
}

Random Random::sub_stream(std::string_view name) const noexcept
{
    std::uint64_t state = seed_ ^ std::rotl(hash_of(name), 32);
    return Random(split_mix(state));
}

std::uint64_t Random::next() noexcept
{
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Random::below(std::uint64_t bound) noexcept
{
    if (bound == 0)
        return 0;
    // The lowest (2^64 mod bound) values would make small results likelier: drawn again.
    const std::uint64_t uneven = (0 - bound) % bound;
    for (;;) {
        const auto drawn = next();
        if (drawn >= uneven)
            return drawn % bound;
    }
}

double Random::unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::string Random::hex(std::size_t digits)
{
    std::string text;
    text.reserve(digits);
    std::uint64_t bits = 0;
    for (std::size_t place = 0; place < digits; ++place, bits >>= 4) {
        if (place % 16 == 0)
            bits = next();
        text += "0123456789abcdef"[bits & 15];
    }
    return text;
}

std::string Random::uuid()
{
    auto text = hex(32);
    text[12] = '4';
    const auto variant = text[16];
    text[16] = "89ab"[(variant >= 'a' ? variant - 'a' + 10 : variant - '0') & 3];
    for (const std::size_t dash : {8, 13, 18, 23})
        text.insert(dash, 1, '-');
    return text;
}

} // namespace golem
