#include <golem/provider/requestor_files.hpp>

#include "provider/requestor_calls.hpp"

#include <golem/core/error.hpp>
#include <golem/provider/detail/location.hpp>

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace golem::provider {

namespace {

[[noreturn]] void fail(const std::string& words)
{
    Error error(Errc::command_failed, "transfer", "the requestor's command cannot be carried out");
    error.set_their_words(detail::transfer_error(words));
    throw error;
}

[[noreturn]] void fail_file()
{
    const int error = errno == 0 ? EIO : errno;
    fail("IO error: " + std::string(std::strerror(error)) + " (os error " + std::to_string(error) + ")");
}

std::string hex(const unsigned char* bytes, unsigned size)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned n = 0; n < size; ++n) {
        text += digits[bytes[n] >> 4];
        text += digits[bytes[n] & 15];
    }
    return text;
}

} // namespace

std::string sha3_256(std::string_view content)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_Digest(content.data(), content.size(), digest.data(), &length, EVP_sha3_256(), nullptr) != 1)
        fail("the content's hash cannot be calculated");
    return hex(digest.data(), length);
}

Task<> fetch_file(RequestorFiles& files, const std::string& url, const std::filesystem::path& path)
{
    const auto size = co_await files.size(url);
    errno = 0;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    if (!file)
        fail_file();
    for (std::uint64_t at = 0; at < size;) {
        const auto bytes = co_await files.read(url, at, file_chunk);
        if (bytes.empty())
            fail("GSB error: the file ended before its size");
        errno = 0;
        if (!file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())))
            fail_file();
        at += bytes.size();
    }
    errno = 0;
    if (!file.flush())
        fail_file();
}

Task<> send_file(RequestorFiles& files, const std::filesystem::path& path, const std::string& url)
{
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        fail_file();
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha3_256(), nullptr) == 1;
    std::uint64_t at = 0;
    for (bool more = true; more;) {
        std::string bytes(file_chunk, '\0');
        errno = 0;
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        if (file.bad())
            fail_file();
        bytes.resize(static_cast<std::size_t>(file.gcount()));
        more = bytes.size() == file_chunk;
        if (bytes.empty())
            break;
        good = good && EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1;
        co_await files.write(url, at, bytes);
        at += bytes.size();
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1)
        fail("the content's hash cannot be calculated");
    const auto hash = hex(digest.data(), length);
    co_await files.finish(url, hash);
}

} // namespace golem::provider
