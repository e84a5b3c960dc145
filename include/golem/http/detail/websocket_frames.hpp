// The bytes of websockets (RFC 6455). No I/O.
#pragma once

#include <golem/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace golem::http::detail {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// A whole message, fragments put together, or a control frame.
struct WebSocketItem {
    Opcode kind = Opcode::binary;
    std::string data;       ///< Of a close: the reason.
    std::uint16_t code = 0; ///< Of a close; 1005 if it gave none.
};

/// The other side broke the rules.
class WebSocketViolation : public Error {
public:
    WebSocketViolation(std::uint16_t code, const std::string& explanation);
    /// What to close with: 1002 against the protocol, 1007 no UTF-8, 1009 too large.
    std::uint16_t close_code() const noexcept { return close_code_; }

private:
    std::uint16_t close_code_;
};

/// Reads frames from bytes that come in any pieces.
class WebSocketReader {
public:
    /// Clients mask what they send, servers must not.
    WebSocketReader(bool expects_masked, std::size_t message_limit)
        : expects_masked_(expects_masked), limit_(message_limit)
    {
    }

    /// Takes the next bytes. Throws WebSocketViolation; what came before it can still be had.
    void feed(std::string_view bytes);
    std::optional<WebSocketItem> next();

private:
    std::size_t read_head(std::string_view bytes);
    void begin_frame();
    void end_frame();
    void end_close();

    bool expects_masked_;
    std::size_t limit_;
    std::deque<WebSocketItem> items_;
    std::string head_;
    bool in_payload_ = false;
    bool is_final_ = false;
    Opcode opcode_ = Opcode::binary;
    std::uint64_t left_ = 0;
    std::uint32_t mask_ = 0; // In the order of the wire.
    std::size_t mask_offset_ = 0;
    std::optional<Opcode> message_kind_;
    std::string message_;
    std::string control_;
};

/// One frame, with the mask of a client, if it is one's.
std::string websocket_frame(Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask);

/// A close frame's payload; the reason is cut where a character ends.
std::string close_payload(std::uint16_t code, std::string_view reason);

/// Of a client: 16 bytes in base64. `Sec-WebSocket-Accept` answers with what is derived from it.
std::string websocket_key(std::string_view nonce);
std::string accept_of(std::string_view key);

} // namespace golem::http::detail
