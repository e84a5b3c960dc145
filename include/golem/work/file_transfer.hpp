#pragma once

#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace golem {

/// How one file goes to a machine or comes from it.
struct FileTransferOptions {
    /// The provider is told the SHA3 of what we send and has to find the same. It costs reading a file twice.
    bool verify = true;
    /// Bytes that we take at most; more ends the transfer with TransferError too_large.
    std::uint64_t largest = std::uint64_t(1) << 40;
    /// From the command to its end; then Error timed_out.
    Duration limit = std::chrono::hours(24);
};

/// A transfer failed on our side, or what came is not what was sent. Failures of the provider's are CommandError.
class TransferError : public Error {
public:
    enum class Kind {
        local_file, ///< A file of ours cannot be read or written (Errc::invalid_input).
        no_space,   ///< Our disk, or the quota on it, is full (invalid_input).
        too_large,  ///< More than FileTransferOptions::largest came (refused).
        corrupted,  ///< The content has not the hash that the provider told (protocol).
        incomplete, ///< The provider said that all had been sent, and it had not (protocol).
    };

    TransferError(Kind kind, std::string operation, std::filesystem::path path, const std::string& explanation);

    Kind kind() const noexcept { return kind_; }
    /// The file of ours; empty for bytes.
    const std::filesystem::path& path() const noexcept { return path_; }

private:
    Kind kind_;
    std::filesystem::path path_;
};

} // namespace golem
