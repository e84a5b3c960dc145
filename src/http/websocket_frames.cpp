#include <golem/http/detail/websocket_frames.hpp>

#include <golem/core/utf8.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace golem::http::detail {

namespace {

constexpr std::size_t most_control = 125;

bool is_control(Opcode opcode) noexcept { return (static_cast<unsigned>(opcode) & 0x8) != 0; }

[[noreturn]] void violate(std::uint16_t code, const std::string& what) { throw WebSocketViolation(code, what); }

// XORs in place; `offset` counts the bytes of the frame before these.
void mask_bytes(char* bytes, std::size_t size, std::uint32_t mask, std::size_t offset)
{
    std::array<char, 4> key;
    std::memcpy(key.data(), &mask, sizeof mask);
    std::size_t at = 0;
    while (at < size && (offset + at) % 4 != 0) {
        bytes[at] ^= key[(offset + at) % 4];
        ++at;
    }
    const std::uint64_t wide = static_cast<std::uint64_t>(mask) << 32 | mask;
    for (; size - at >= sizeof wide; at += sizeof wide) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes + at, sizeof word);
        word ^= wide;
        std::memcpy(bytes + at, &word, sizeof word);
    }
    for (; at < size; ++at)
        bytes[at] ^= key[(offset + at) % 4];
}

// RFC 6455, 7.4: what may stand in a close frame.
bool is_close_code(unsigned code) noexcept
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

std::string base64(const unsigned char* bytes, std::size_t size)
{
    std::string text(4 * ((size + 2) / 3) + 1, '\0');
    const auto length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

} // namespace

WebSocketViolation::WebSocketViolation(std::uint16_t code, const std::string& explanation)
    : Error(Errc::protocol, "read a websocket", explanation), close_code_(code)
{
}

void WebSocketReader::feed(std::string_view bytes)
{
    for (;;) {
        if (!in_payload_) {
            bytes.remove_prefix(read_head(bytes));
            if (!in_payload_)
                return;
        }
        auto& target = is_control(opcode_) ? control_ : message_;
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        const auto before = target.size();
        target.append(bytes.substr(0, count));
        if (expects_masked_)
            mask_bytes(target.data() + before, count, mask_, mask_offset_);
        mask_offset_ += count;
        left_ -= count;
        bytes.remove_prefix(count);
        if (left_ > 0)
            return;
        in_payload_ = false;
        end_frame();
    }
}

// Returns how many bytes belong to the head.
std::size_t WebSocketReader::read_head(std::string_view bytes)
{
    std::size_t taken = 0;
    for (;;) {
        std::size_t needed = 2;
        if (head_.size() >= 2) {
            const unsigned second = static_cast<unsigned char>(head_[1]);
            const unsigned length = second & 0x7f;
            needed += (length == 126 ? 2 : length == 127 ? 8 : 0) + ((second & 0x80) != 0 ? 4 : 0);
        }
        if (head_.size() == needed)
            break;
        const auto count = std::min(needed - head_.size(), bytes.size() - taken);
        if (count == 0)
            return taken;
        head_.append(bytes.substr(taken, count));
        taken += count;
    }
    begin_frame();
    head_.clear();
    return taken;
}

void WebSocketReader::begin_frame()
{
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head_[at]); };
    if ((byte(0) & 0x70) != 0)
        violate(1002, "a frame uses an extension that was not agreed on");
    opcode_ = static_cast<Opcode>(byte(0) & 0x0f);
    is_final_ = (byte(0) & 0x80) != 0;
    const bool masked = (byte(1) & 0x80) != 0;
    if (masked != expects_masked_)
        violate(1002, masked ? "a server masked its frame" : "a client did not mask its frame");
    left_ = byte(1) & 0x7f;
    std::size_t at = 2;
    if (left_ >= 126) {
        const std::size_t width = left_ == 126 ? 2 : 8;
        left_ = 0;
        for (const auto end = at + width; at < end; ++at)
            left_ = left_ << 8 | byte(at);
    }
    if (masked)
        std::memcpy(&mask_, head_.data() + at, sizeof mask_);
    mask_offset_ = 0;
    switch (opcode_) {
    case Opcode::continuation:
        if (!message_kind_)
            violate(1002, "a fragment continues nothing");
        break;
    case Opcode::text:
    case Opcode::binary:
        if (message_kind_)
            violate(1002, "a message begins within another one");
        message_kind_ = opcode_;
        break;
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
        if (!is_final_ || left_ > most_control)
            violate(1002, "a control frame is fragmented or too long");
        break;
    default: violate(1002, "a frame is of an unknown kind");
    }
    if (!is_control(opcode_)) {
        if (left_ > limit_ - std::min(limit_, message_.size()))
            violate(1009, "a message is larger than allowed (" + std::to_string(limit_) + " bytes)");
        message_.reserve(message_.size() + static_cast<std::size_t>(left_));
    }
    in_payload_ = true;
}

void WebSocketReader::end_frame()
{
    if (opcode_ == Opcode::close) {
        end_close();
        return;
    }
    if (is_control(opcode_)) {
        items_.emplace_back().kind = opcode_;
        items_.back().data = std::exchange(control_, std::string());
        return;
    }
    if (!is_final_)
        return;
    if (*message_kind_ == Opcode::text && !is_utf8(message_))
        violate(1007, "a text is no UTF-8");
    items_.emplace_back().kind = *message_kind_;
    items_.back().data = std::exchange(message_, std::string());
    message_kind_.reset();
}

void WebSocketReader::end_close()
{
    WebSocketItem item;
    item.kind = Opcode::close;
    item.code = 1005;
    const auto payload = std::exchange(control_, std::string());
    if (payload.size() == 1)
        violate(1002, "a farewell is malformed");
    if (payload.size() >= 2) {
        item.code = static_cast<std::uint16_t>(
            static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]));
        item.data = payload.substr(2);
        if (!is_close_code(item.code) || !is_utf8(item.data))
            violate(1002, "a farewell is malformed");
    }
    items_.push_back(std::move(item));
}

std::optional<WebSocketItem> WebSocketReader::next()
{
    std::optional<WebSocketItem> item;
    if (!items_.empty()) {
        item = std::move(items_.front());
        items_.pop_front();
    }
    return item;
}

std::string websocket_frame(Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask)
{
    std::string frame;
    frame.reserve(payload.size() + 14);
    frame += static_cast<char>(0x80 | static_cast<unsigned>(opcode));
    const unsigned masked = mask ? 0x80 : 0;
    const auto size = payload.size();
    const std::size_t width = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
    frame += static_cast<char>(masked | (width == 0 ? size : width == 2 ? 126 : 127));
    for (std::size_t n = width; n > 0; --n)
        frame += static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * (n - 1)) & 0xff);
    if (mask) {
        std::array<char, 4> key;
        std::memcpy(key.data(), &*mask, sizeof *mask);
        frame.append(key.data(), key.size());
    }
    const auto before = frame.size();
    frame.append(payload);
    if (mask)
        mask_bytes(frame.data() + before, size, *mask, 0);
    return frame;
}

std::string close_payload(std::uint16_t code, std::string_view reason)
{
    std::string payload;
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    auto size = std::min(reason.size(), most_control - 2);
    while (size > 0 && size < reason.size() && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80)
        --size;
    payload += reason.substr(0, size);
    return payload;
}

std::string websocket_key(std::string_view nonce)
{
    return base64(reinterpret_cast<const unsigned char*>(nonce.data()), nonce.size());
}

std::string accept_of(std::string_view key)
{
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
        throw Error(Errc::internal, "open a websocket", "OpenSSL cannot make a SHA-1");
    return base64(digest.data(), size);
}

} // namespace golem::http::detail
