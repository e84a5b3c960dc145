#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Where images come from and transfers go to: the rules of the real exe-unit, with its texts.
namespace golem::provider::detail {

/// "hash:sha3:<hex>:<rest>" taken apart.
struct HashedUrl {
    std::string hex;
    std::string url;
};

/// One end of a transfer.
struct Location {
    /// "container" for a path in the machine.
    std::string scheme;
    /// The path, or the whole URL.
    std::string target;
    /// What the content's SHA3 must be.
    std::optional<std::string> sha3;
};

inline std::string transfer_error(std::string_view text)
{
    return "Local service error: Transfer error: " + std::string(text);
}

inline std::string not_in_container(std::string_view path)
{
    return transfer_error("IO error: path not found in container: " + std::string(path));
}

inline std::string hash_mismatch(std::string_view calculated, std::string_view expected)
{
    return transfer_error(
        "Incorrect hash provided or downloaded image is corrupted: calculated hash " + std::string(calculated) +
        " differs from the expected one " + std::string(expected));
}

/// The scheme of a URL; empty if it has none.
std::string_view scheme_of(std::string_view url) noexcept;

/// Why a digest cannot be checked, if it cannot.
std::optional<std::string> digest_problem(std::string_view algorithm, std::string_view hex);

/// The message of a deploy with this image, if it cannot succeed.
std::optional<std::string> image_problem(const std::optional<std::string>& image);

/// Either a location or the message of the transfer.
std::pair<std::optional<Location>, std::string> parse_location(std::string_view text);

/// Resolves "." and ".." without looking at files; a relative path stays as it is.
std::string normalised(std::string_view path);

/// A volume's path in the machine, and where it is on the host.
struct Mapping {
    std::string path;
    std::string host;
};

/// Where a path in the machine is on the host; nothing outside of all volumes.
std::optional<std::string> host_path(const std::vector<Mapping>& volumes, std::string_view path);

/// Puts the host's path for each volume path that stands in `text` as a whole path or the beginning of one.
std::string map_paths(const std::vector<Mapping>& volumes, std::string_view text);

} // namespace golem::provider::detail
