// Our end of a transfer: what is sent is read here, what comes is written here. The disk is used directly: a chunk is a
// few pages, and waits no longer than the system's cache makes it.
#pragma once

#include <golem/core/task.hpp>
#include <golem/work/detail/received_ranges.hpp>
#include <golem/work/file_transfer.hpp>

#include <openssl/evp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace golem::detail {

// SHA3-256, as the exe-unit's transfers use it.
class Sha3 {
public:
    Sha3();
    void add(std::string_view bytes);
    std::string hex();

private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

class Descriptor {
public:
    explicit Descriptor(int number = -1) noexcept : number_(number) {}
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int number() const noexcept { return number_; }
    void reset(int number) noexcept;
    int release() noexcept;

private:
    int number_;
};

// What is sent.
class SendingEnd {
public:
    virtual ~SendingEnd() = default;
    virtual std::uint64_t size() const = 0;
    // Short at the end.
    virtual std::string read(std::uint64_t offset, std::size_t size) = 0;
};

std::unique_ptr<SendingEnd> make_sending_end(std::string bytes);
// Opens at once. TransferError.
std::unique_ptr<SendingEnd> make_sending_end(const std::filesystem::path& path, std::string operation);

// Reads all of it, with pauses for others.
Task<std::string> sha3_of(SendingEnd& end);

// What comes: in any order, a piece perhaps twice.
class ReceivingEnd {
public:
    virtual ~ReceivingEnd() = default;

    ReceivingEnd(std::uint64_t largest, std::string operation, std::filesystem::path path)
        : largest_(largest), operation_(std::move(operation)), path_(std::move(path))
    {
    }

    void write(std::uint64_t offset, const std::string& bytes);
    // The other side has sent everything; nothing follows. TransferError corrupted or incomplete.
    Task<> finish(const std::string& hash);
    bool is_finished() const noexcept { return finished_; }

protected:
    [[noreturn]] void fail(TransferError::Kind kind, const std::string& explanation) const;
    [[noreturn]] void fail(int error) const;
    virtual void put(std::uint64_t offset, const std::string& bytes) = 0;
    virtual std::string get(std::uint64_t offset, std::size_t size) = 0;
    virtual void cut(std::uint64_t size) = 0;

private:
    void hash_some();

    std::uint64_t largest_;
    std::string operation_;
    std::filesystem::path path_;
    ReceivedRanges ranges_;
    // What came in order is not read again for its hash.
    Sha3 sha3_;
    std::uint64_t hashed_ = 0;
    bool finished_ = false;
};

class ReceivedBytes final : public ReceivingEnd {
public:
    ReceivedBytes(std::uint64_t largest, std::string operation)
        : ReceivingEnd(largest, std::move(operation), std::filesystem::path())
    {
    }

    std::string take() { return std::move(bytes_); }

private:
    void put(std::uint64_t offset, const std::string& bytes) override;
    std::string get(std::uint64_t offset, std::size_t size) override;
    void cut(std::uint64_t size) override { bytes_.resize(static_cast<std::size_t>(size)); }

    std::string bytes_;
};

// Writes beside the target, under a name of its own, and takes the target's place at the end. Until then it removes
// itself.
class ReceivedFile final : public ReceivingEnd {
public:
    // `tag` makes the name unlike all others. TransferError.
    ReceivedFile(
        const std::filesystem::path& target, const std::string& tag, std::uint64_t largest,
        const std::string& operation);
    ~ReceivedFile() override;

    // TransferError.
    void commit();
    const std::filesystem::path& temporary() const noexcept { return temporary_; }

private:
    void put(std::uint64_t offset, const std::string& bytes) override;
    std::string get(std::uint64_t offset, std::size_t size) override;
    void cut(std::uint64_t size) override;

    std::filesystem::path target_;
    std::filesystem::path temporary_;
    Descriptor file_;
    bool committed_ = false;
};

} // namespace golem::detail
