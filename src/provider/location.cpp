#include <golem/provider/detail/location.hpp>

#include <algorithm>
#include <filesystem>

namespace golem::provider::detail {

namespace {

bool is_alphanumeric(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_path_character(char c) noexcept { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == '/'; }

bool is_name_character(char c) noexcept { return is_path_character(c) && c != '/'; }

// Whether `path` is `volume` or lies below it.
bool is_within(std::string_view path, std::string_view volume) noexcept
{
    return path.substr(0, volume.size()) == volume && (path.size() == volume.size() || path[volume.size()] == '/');
}

struct Digest {
    std::string_view algorithm;
    std::string_view hex;
    std::string_view rest;
};

// Takes "hash:sha3:<hex>:<rest>" apart; nothing if the text begins otherwise.
std::optional<Digest> split_digest(std::string_view text) noexcept
{
    constexpr std::string_view prefix = "hash:";
    if (text.substr(0, prefix.size()) != prefix)
        return std::nullopt;
    text.remove_prefix(prefix.size());
    const auto first = text.find(':');
    if (first == std::string_view::npos)
        return std::nullopt;
    const auto second = text.find(':', first + 1);
    if (second == std::string_view::npos)
        return std::nullopt;
    return Digest{text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

bool is_remote(std::string_view scheme) noexcept { return scheme == "http" || scheme == "https" || scheme == "gftp"; }

} // namespace

std::string_view scheme_of(std::string_view url) noexcept
{
    const auto colon = url.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return {};
    const auto scheme = url.substr(0, colon);
    const bool valid = std::all_of(
        scheme.begin(), scheme.end(), [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
    return valid ? scheme : std::string_view();
}

std::optional<std::string> digest_problem(std::string_view algorithm, std::string_view hex)
{
    const auto bits = hex.size() * 4;
    if (algorithm == "sha3" && (bits == 224 || bits == 256 || bits == 384 || bits == 512))
        return std::nullopt;
    return transfer_error(
        "Unsupported digest: Unsupported digest " + std::string(algorithm) + " of length " + std::to_string(bits) +
        ": " + std::string(hex));
}

std::optional<std::string> image_problem(const std::optional<std::string>& image)
{
    if (!image)
        return "task package (image) path was not provided";
    const auto digest = split_digest(*image);
    if (!digest)
        return transfer_error("Invalid url: Missing hash");
    if (auto problem = digest_problem(digest->algorithm, digest->hex))
        return problem;
    const auto scheme = scheme_of(digest->rest);
    if (!is_remote(scheme) && scheme != "container")
        return transfer_error("Unsupported scheme: " + std::string(scheme));
    return std::nullopt;
}

std::pair<std::optional<Location>, std::string> parse_location(std::string_view text)
{
    Location location;
    if (const auto digest = split_digest(text)) {
        if (auto problem = digest_problem(digest->algorithm, digest->hex))
            return {std::nullopt, *problem};
        location.sha3 = std::string(digest->hex);
        text = digest->rest;
    }
    const auto scheme = scheme_of(text);
    if (scheme.empty() || scheme == "container") {
        if (!scheme.empty())
            text.remove_prefix(scheme.size() + 1);
        location.scheme = "container";
        // A trailing slash says that a directory is meant.
        const bool directory = text.size() > 1 && text.back() == '/';
        location.target = normalised(text);
        if (directory && location.target.back() != '/')
            location.target += '/';
        return {std::move(location), {}};
    }
    if (!is_remote(scheme))
        return {std::nullopt, transfer_error("Unsupported scheme: " + std::string(scheme))};
    location.scheme = std::string(scheme);
    location.target = std::string(text);
    return {std::move(location), {}};
}

std::string normalised(std::string_view path)
{
    if (path.empty() || path.front() != '/')
        return std::string(path);
    auto text = std::filesystem::path(path).lexically_normal().string();
    while (text.size() > 1 && text.back() == '/')
        text.pop_back();
    return text;
}

std::optional<std::string> host_path(const std::vector<Mapping>& volumes, std::string_view path)
{
    const Mapping* best = nullptr;
    for (const auto& volume : volumes)
        if (is_within(path, volume.path) && (!best || volume.path.size() > best->path.size()))
            best = &volume;
    if (!best)
        return std::nullopt;
    return best->host + std::string(path.substr(best->path.size()));
}

std::string map_paths(const std::vector<Mapping>& volumes, std::string_view text)
{
    std::string mapped;
    std::size_t at = 0;
    while (at < text.size()) {
        const Mapping* best = nullptr;
        if (text[at] == '/' && (at == 0 || !is_path_character(text[at - 1]))) {
            for (const auto& volume : volumes) {
                const auto rest = text.substr(at);
                const bool begins = rest.substr(0, volume.path.size()) == volume.path;
                const bool whole =
                    rest.size() == volume.path.size() || (begins && !is_name_character(rest[volume.path.size()]));
                if (begins && whole && (!best || volume.path.size() > best->path.size()))
                    best = &volume;
            }
        }
        if (best) {
            mapped += best->host;
            at += best->path.size();
        } else {
            mapped += text[at++];
        }
    }
    return mapped;
}

} // namespace golem::provider::detail
