#include <golem/devnet/transcript.hpp>

#include <golem/core/timestamp.hpp>

#include <utility>

namespace golem::devnet {

void Transcript::add(Timestamp when, std::string who, std::string what)
{
    const auto mix = [this](std::string_view text) {
        for (const char c : text)
            digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        digest_ = (digest_ ^ 0xff) * 0x100000001b3;
    };
    mix(format_timestamp(when));
    mix(who);
    mix(what);
    lines_.push_back(Line{when, std::move(who), std::move(what)});
}

std::string Transcript::to_string() const
{
    std::string text;
    for (const auto& line : lines_)
        text += format_timestamp(line.when) + " " + line.who + " " + line.what + "\n";
    return text;
}

} // namespace golem::devnet
