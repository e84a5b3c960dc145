#include <golem/core/utf8.hpp>

#include <cstddef>

namespace golem {

bool is_utf8(std::string_view text) noexcept
{
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t length = lead < 0x80   ? 1
                                   : lead < 0xc2 ? 0
                                   : lead < 0xe0 ? 2
                                   : lead < 0xf0 ? 3
                                   : lead < 0xf5 ? 4
                                                 : 0;
        if (length == 0 || text.size() - at < length)
            return false;
        for (std::size_t n = 1; n < length; ++n)
            if ((static_cast<unsigned char>(text[at + n]) & 0xc0) != 0x80)
                return false;
        if (length > 1) {
            const auto second = static_cast<unsigned char>(text[at + 1]);
            if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                (lead == 0xf4 && second > 0x8f))
                return false;
        }
        at += length;
    }
    return true;
}

} // namespace golem
