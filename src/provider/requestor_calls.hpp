// Calls to a requestor's file service, whatever carries them: addresses, bodies, and what their answers mean.
#pragma once

#include <golem/core/error.hpp>
#include <golem/flex/value.hpp>
#include <golem/provider/detail/location.hpp>
#include <golem/provider/requestor_files.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace golem::provider {

// What the real exe-unit asks for, and sends, at a time.
inline constexpr std::size_t file_chunk = 40960;

// In hexadecimal digits. requestor_files.cpp
std::string sha3_256(std::string_view content);

[[noreturn]] inline void fail_file_call(const std::string& words)
{
    Error error(Errc::command_failed, "transfer", "the requestor's file cannot be reached");
    error.set_their_words(detail::transfer_error(words));
    throw error;
}

// The real exe-unit's words for a service that is not there (any more), and for a node that is not.
[[noreturn]] inline void fail_no_service()
{
    fail_file_call("GSB error: GSB failure: empty response from remote service");
}

struct GftpUrl {
    std::string node;
    std::string id;
};

inline std::optional<GftpUrl> parse_gftp(std::string_view url)
{
    constexpr std::string_view prefix = "gftp://";
    if (url.substr(0, prefix.size()) != prefix)
        return std::nullopt;
    url.remove_prefix(prefix.size());
    const auto slash = url.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == url.size())
        return std::nullopt;
    return GftpUrl{std::string(url.substr(0, slash)), std::string(url.substr(slash + 1))};
}

// Implements the files by one call; what it returns is the payload of a good answer.
class CalledFiles : public RequestorFiles {
public:
    Task<std::uint64_t> size(const std::string& url) override
    {
        const flex::Value nothing{flex::Value::Map()};
        const auto answer = co_await ask(url, "GetMetadata", nothing);
        const auto* size = answer.find("fileSize");
        const auto number = size ? size->integer() : std::nullopt;
        if (!number || *number < 0)
            fail_file_call("GSB error: the requestor does not tell the file's size");
        co_return static_cast<std::uint64_t>(*number);
    }

    Task<std::string> read(const std::string& url, std::uint64_t offset, std::size_t size) override
    {
        flex::Value::Map wish;
        wish.emplace("offset", offset);
        wish.emplace("size", static_cast<std::uint64_t>(size));
        const flex::Value body(std::move(wish));
        const auto answer = co_await ask(url, "GetChunk", body);
        const auto* content = answer.find("content");
        auto bytes = content ? content->bytes() : std::nullopt;
        if (!bytes)
            fail_file_call("GSB error: the requestor sent no content");
        co_return std::move(*bytes);
    }

    Task<> write(const std::string& url, std::uint64_t offset, const std::string& bytes) override
    {
        flex::Value::Blob blob;
        blob.bytes = bytes;
        flex::Value::Map chunk;
        chunk.emplace("offset", offset);
        chunk.emplace("content", std::move(blob));
        flex::Value::Map wish;
        wish.emplace("chunk", std::move(chunk));
        const flex::Value body(std::move(wish));
        co_await ask(url, "UploadChunk", body);
    }

    Task<> finish(const std::string& url, const std::string& sha3) override
    {
        flex::Value::Map wish;
        wish.emplace("hash", sha3);
        const flex::Value body(std::move(wish));
        co_await ask(url, "UploadFinished", body);
    }

protected:
    virtual Task<flex::Value> call(const GftpUrl& url, const std::string& component, const flex::Value& body) = 0;

private:
    Task<flex::Value> ask(const std::string& url, const std::string& component, const flex::Value& body)
    {
        const auto parsed = parse_gftp(url);
        if (!parsed)
            fail_file_call("Invalid url: " + url);
        auto answer = co_await call(*parsed, component, body);
        co_return answer;
    }
};

} // namespace golem::provider
