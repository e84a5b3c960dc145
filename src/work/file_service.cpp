#include "file_service.hpp"

namespace golem::detail {

namespace {

// Exe-units ask for 40 960 bytes at a time. What is over a limit is answered short, as at the end of the file.
constexpr std::uint64_t largest_chunk = 4u << 20;

// A call that is not as it should be: only it fails.
struct Malformed {
    std::string words;
};

std::uint64_t number_in(const flex::Value& value, std::string_view key)
{
    const auto* member = value.find(key);
    const auto number = member ? member->integer() : std::nullopt;
    if (!number || *number < 0)
        throw Malformed{"the call has no " + std::string(key)};
    return static_cast<std::uint64_t>(*number);
}

} // namespace

std::vector<std::string> FileService::components() const
{
    if (sending_)
        return {"GetMetadata", "GetChunk"};
    return {"UploadChunk", "UploadFinished"};
}

Task<flex::Value> FileService::answer_to(const yagna::GsbCall& call)
{
    flex::Value::Map reply;
    if (sending_ && call.component == "GetMetadata") {
        reply.emplace("fileSize", sending_->size());
        co_return flex::Value(std::move(reply));
    }
    if (sending_ && call.component == "GetChunk") {
        const auto offset = number_in(call.payload, "offset");
        const auto size = std::min(number_in(call.payload, "size"), largest_chunk);
        flex::Value::Blob blob;
        blob.bytes = sending_->read(offset, static_cast<std::size_t>(size));
        reply.emplace("offset", offset);
        reply.emplace("content", std::move(blob));
        co_return flex::Value(std::move(reply));
    }
    if (receiving_ && call.component == "UploadChunk") {
        const auto* chunk = call.payload.find("chunk");
        const auto* content = chunk ? chunk->find("content") : nullptr;
        const auto bytes = content ? content->bytes() : std::nullopt;
        if (!bytes)
            throw Malformed{"the chunk has no content"};
        receiving_->write(number_in(*chunk, "offset"), *bytes);
        co_return flex::Value();
    }
    if (receiving_ && call.component == "UploadFinished") {
        const auto* hash = call.payload.find("hash");
        const auto text = hash && hash->text() ? *hash->text() : std::string();
        co_await receiving_->finish(text);
        co_return flex::Value();
    }
    throw Malformed{"this service does not know " + call.component};
}

Task<> FileService::serve(yagna::GsbSocket& socket)
{
    for (;;) {
        const auto call = co_await socket.receive();
        if (!call)
            co_return;
        std::string refusal;
        flex::Value reply;
        if (!failure_) {
            try {
                reply = co_await answer_to(*call);
            } catch (const Malformed& malformed) {
                refusal = malformed.words;
            } catch (const TransferError&) {
                failure_ = std::current_exception();
            }
        }
        // Paths and the like of ours are nobody's business.
        if (failure_)
            refusal = "the requestor's file failed";
        if (refusal.empty())
            co_await socket.answer(*call, reply);
        else
            co_await socket.refuse(*call, refusal);
    }
}

} // namespace golem::detail
