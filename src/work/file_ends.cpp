#include "file_ends.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace golem {

namespace {

Errc errc_of(TransferError::Kind kind)
{
    switch (kind) {
    case TransferError::Kind::local_file:
    case TransferError::Kind::no_space: return Errc::invalid_input;
    case TransferError::Kind::too_large: return Errc::refused;
    case TransferError::Kind::corrupted:
    case TransferError::Kind::incomplete: break;
    }
    return Errc::protocol;
}

} // namespace

TransferError::TransferError(
    Kind kind, std::string operation, std::filesystem::path path, const std::string& explanation)
    : Error(errc_of(kind), std::move(operation), path.empty() ? explanation : path.string() + ": " + explanation),
      kind_(kind), path_(std::move(path))
{
}

namespace detail {

namespace {

constexpr std::size_t hash_step = 256 * 1024;

[[noreturn]] void fail_file(int error, const std::string& operation, const std::filesystem::path& path)
{
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    std::string text = std::generic_category().message(error);
    if (full)
        text = "there is no space left for it (" + text + ")";
    throw TransferError(full ? TransferError::Kind::no_space : TransferError::Kind::local_file, operation, path, text);
}

std::string read_at(int file, std::uint64_t offset, std::size_t size, int& error)
{
    std::string bytes(size, '\0');
    std::size_t done = 0;
    error = 0;
    while (done < size) {
        const auto count = ::pread(file, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            error = errno;
        if (count <= 0)
            break;
        done += static_cast<std::size_t>(count);
    }
    bytes.resize(done);
    return bytes;
}

class SentBytes final : public SendingEnd {
public:
    explicit SentBytes(std::string bytes) : bytes_(std::move(bytes)) {}

    std::uint64_t size() const override { return bytes_.size(); }

    std::string read(std::uint64_t offset, std::size_t size) override
    {
        return offset < bytes_.size() ? bytes_.substr(static_cast<std::size_t>(offset), size) : std::string();
    }

private:
    std::string bytes_;
};

class SentFile final : public SendingEnd {
public:
    SentFile(std::filesystem::path path, std::string operation)
        : path_(std::move(path)), operation_(std::move(operation)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC))
    {
        struct stat status = {};
        if (file_.number() < 0 || ::fstat(file_.number(), &status) != 0)
            fail_file(errno, operation_, path_);
        if (S_ISDIR(status.st_mode))
            fail_file(EISDIR, operation_, path_);
        if (!S_ISREG(status.st_mode))
            throw TransferError(TransferError::Kind::local_file, operation_, path_, "it is no regular file");
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    std::uint64_t size() const override { return size_; }

    std::string read(std::uint64_t offset, std::size_t size) override
    {
        if (offset >= size_)
            return std::string();
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset));
        int error = 0;
        auto bytes = read_at(file_.number(), offset, wanted, error);
        if (error != 0)
            fail_file(error, operation_, path_);
        if (bytes.size() < wanted)
            throw TransferError(
                TransferError::Kind::local_file, operation_, path_, "it became shorter while it was sent");
        return bytes;
    }

private:
    std::filesystem::path path_;
    std::string operation_;
    Descriptor file_;
    std::uint64_t size_ = 0;
};

} // namespace

const char* machine_path_problem(const std::string& path) noexcept
{
    if (path.empty() || path.front() != '/')
        return "a path in the machine begins with / (and with that of a volume, such as /golem/work)";
    if (path.find('\0') != std::string::npos)
        return "a path has no zero byte";
    const std::string_view text(path);
    for (std::size_t at = 0; at != std::string_view::npos; at = text.find('/', at + 1)) {
        const auto name = text.substr(at + 1, text.substr(at + 1).find('/'));
        if (name == "..")
            return "a path in the machine that goes up by .. is refused: name the place itself";
    }
    if (path.back() == '/')
        return "the path of a file does not end in /";
    return nullptr;
}

const char* told_name_problem(std::string_view name) noexcept
{
    if (name.empty() || name.front() == '/')
        return "a name that is none, or begins at the root";
    for (std::size_t at = 0; at <= name.size();) {
        const auto part = name.substr(at, name.substr(at).find('/'));
        if (part.empty() || part == "." || part == "..")
            return "a name that leads somewhere else";
        at += part.size() + 1;
    }
    return nullptr;
}

Sha3::Sha3() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free)
{
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha3_256(), nullptr) != 1)
        throw Error(Errc::internal, "hash a file", "OpenSSL has no SHA3-256");
}

void Sha3::add(std::string_view bytes)
{
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
        throw Error(Errc::internal, "hash a file", "OpenSSL cannot go on with a SHA3-256");
}

std::string Sha3::hex()
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1)
        throw Error(Errc::internal, "hash a file", "OpenSSL cannot end a SHA3-256");
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned n = 0; n < size; ++n) {
        text += digits[digest[n] >> 4];
        text += digits[digest[n] & 15];
    }
    return text;
}

Descriptor::~Descriptor() { reset(-1); }

void Descriptor::reset(int number) noexcept
{
    if (number_ >= 0)
        ::close(number_);
    number_ = number;
}

int Descriptor::release() noexcept { return std::exchange(number_, -1); }

std::unique_ptr<SendingEnd> make_sending_end(std::string bytes)
{
    return std::make_unique<SentBytes>(std::move(bytes));
}

std::unique_ptr<SendingEnd> make_sending_end(const std::filesystem::path& path, std::string operation)
{
    return std::make_unique<SentFile>(path, std::move(operation));
}

Task<std::string> sha3_of(SendingEnd& end)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    Sha3 sha3;
    for (std::uint64_t at = 0; at < end.size();) {
        const auto bytes = end.read(at, hash_step);
        sha3.add(bytes);
        at += bytes.size();
        co_await boost::asio::post(executor, boost::asio::deferred);
    }
    co_return sha3.hex();
}

void ReceivingEnd::fail(TransferError::Kind kind, const std::string& explanation) const
{
    throw TransferError(kind, operation_, path_, explanation);
}

void ReceivingEnd::fail(int error) const { fail_file(error, operation_, path_); }

void ReceivingEnd::write(std::uint64_t offset, const std::string& bytes)
{
    if (finished_)
        fail(TransferError::Kind::incomplete, "the provider sent more after it had said that it had sent everything");
    if (offset > largest_ || bytes.size() > largest_ - offset)
        fail(
            TransferError::Kind::too_large,
            "more than " + std::to_string(largest_) + " bytes come (FileTransferOptions::largest)");
    put(offset, bytes);
    ranges_.add(offset, bytes.size());
    if (offset == hashed_) {
        sha3_.add(bytes);
        hashed_ += bytes.size();
    } else if (offset < hashed_) {
        // What is hashed already was written anew: the hash at the end is of the file as it is then.
        sha3_ = Sha3();
        hashed_ = 0;
    }
    // What filled a gap is read again, a little at a time: at the end the provider waits.
    if (hashed_ < ranges_.contiguous())
        hash_some();
}

void ReceivingEnd::hash_some()
{
    const auto left = ranges_.contiguous() - hashed_;
    const auto bytes = get(hashed_, static_cast<std::size_t>(std::min<std::uint64_t>(left, hash_step)));
    if (bytes.empty())
        fail(TransferError::Kind::local_file, "it became shorter while it was written");
    sha3_.add(bytes);
    hashed_ += bytes.size();
}

Task<> ReceivingEnd::finish(const std::string& hash)
{
    if (!ranges_.is_whole())
        fail(
            TransferError::Kind::incomplete, "the provider left out what follows byte " +
                                                 std::to_string(ranges_.contiguous()) + " of " +
                                                 std::to_string(ranges_.end()));
    const auto executor = co_await boost::asio::this_coro::executor;
    cut(ranges_.end());
    while (hashed_ < ranges_.end()) {
        hash_some();
        co_await boost::asio::post(executor, boost::asio::deferred);
    }
    const auto calculated = sha3_.hex();
    if (calculated != hash)
        fail(
            TransferError::Kind::corrupted,
            "what came has the SHA3 " + calculated + ", but the provider sent " + (hash.empty() ? "none" : hash));
    finished_ = true;
}

void ReceivedBytes::put(std::uint64_t offset, const std::string& bytes)
{
    const auto at = static_cast<std::size_t>(offset);
    if (bytes_.size() < at + bytes.size())
        bytes_.resize(at + bytes.size());
    std::memcpy(bytes_.data() + at, bytes.data(), bytes.size());
}

std::string ReceivedBytes::get(std::uint64_t offset, std::size_t size)
{
    return bytes_.substr(static_cast<std::size_t>(offset), size);
}

ReceivedFile::ReceivedFile(
    const std::filesystem::path& target, const std::string& tag, std::uint64_t largest, const std::string& operation)
    : ReceivingEnd(largest, operation, target), target_(target)
{
    std::error_code ignored; // What cannot be looked at shows below.
    if (target_.filename().empty() || std::filesystem::is_directory(target_, ignored))
        fail(EISDIR);
    temporary_ = target_;
    // Short: the name with it may not be longer than a file system allows.
    temporary_.replace_filename("." + target_.filename().string().substr(0, 200) + "." + tag + ".part");
    file_.reset(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file_.number() < 0)
        fail(errno);
}

ReceivedFile::~ReceivedFile()
{
    if (!committed_)
        ::unlink(temporary_.c_str());
}

void ReceivedFile::put(std::uint64_t offset, const std::string& bytes)
{
    for (std::size_t done = 0; done < bytes.size();) {
        const auto count =
            ::pwrite(file_.number(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            fail(errno);
        done += static_cast<std::size_t>(count);
    }
}

std::string ReceivedFile::get(std::uint64_t offset, std::size_t size)
{
    int error = 0;
    auto bytes = read_at(file_.number(), offset, size, error);
    if (error != 0)
        fail(error);
    return bytes;
}

void ReceivedFile::cut(std::uint64_t size)
{
    if (::ftruncate(file_.number(), static_cast<off_t>(size)) != 0)
        fail(errno);
}

void ReceivedFile::commit()
{
    // Some file systems find out here that there is no room.
    if (::close(file_.release()) != 0)
        fail(errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0)
        fail(errno);
    committed_ = true;
}

} // namespace detail

} // namespace golem
