#include <golem/core/redactor.hpp>

#include <algorithm>
#include <utility>

namespace golem {

namespace {

constexpr std::string_view mask = "***";

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Masks what follows each `marker` (lower-case; found in any case) up to a byte of `ends`.
void mask_after(std::string& text, std::string_view marker, std::string_view ends)
{
    const auto same = [](char in_text, char in_marker) { return lower(in_text) == in_marker; };
    std::size_t from = 0;
    for (;;) {
        const auto found = std::search(
            text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), marker.begin(), marker.end(), same);
        if (found == text.end())
            return;
        const auto start = static_cast<std::size_t>(found - text.begin()) + marker.size();
        const auto end = std::min(text.find_first_of(ends, start), text.size());
        if (end > start)
            text.replace(start, end - start, mask);
        from = start;
    }
}

} // namespace

void Redactor::add(std::string secret)
{
    if (secret.empty() || std::find(secrets_.begin(), secrets_.end(), secret) != secrets_.end())
        return;
    const auto longer = [](const std::string& known, const std::string& added) { return known.size() > added.size(); };
    secrets_.insert(std::lower_bound(secrets_.begin(), secrets_.end(), secret, longer), std::move(secret));
}

std::string Redactor::redact(std::string text) const
{
    for (const auto& secret : secrets_) {
        for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + mask.size()))
            text.replace(at, secret.size(), mask);
    }
    mask_after(text, "authtoken=", "& \t\r\n\"'<>)]},;#");
    mask_after(text, "bearer ", " \t\r\n\"'<>)]},;");
    return text;
}

} // namespace golem
