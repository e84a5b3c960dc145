#pragma once

#include <golem/core/task.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace golem::provider {

/// Files that requestors offer or take over the network, by URL: "gftp://<node>/<id>". One executor. Errors are
/// command_failed whose their_words() is the transfer's error text; cancellation (terminal) gives up waiting.
class RequestorFiles {
public:
    virtual ~RequestorFiles() = default;

    virtual Task<std::uint64_t> size(const std::string& url) = 0;
    /// The bytes from `offset` on, at most `size`; fewer at the end.
    virtual Task<std::string> read(const std::string& url, std::uint64_t offset, std::size_t size) = 0;
    virtual Task<> write(const std::string& url, std::uint64_t offset, const std::string& bytes) = 0;
    /// All was written, and has this SHA3-256.
    virtual Task<> finish(const std::string& url, const std::string& sha3) = 0;
};

/// Copies what a URL offers into the file `path`, chunk by chunk as the real exe-unit asks for them, or the file to
/// what a URL takes. Everything outlives the await.
Task<> fetch_file(RequestorFiles& files, const std::string& url, const std::filesystem::path& path);
Task<> send_file(RequestorFiles& files, const std::filesystem::path& path, const std::string& url);

} // namespace golem::provider
