// The frames of the service bus: four bytes of length (big endian), then a protobuf `Packet`, a choice of one message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace golem::bus::detail {

// Each message names its fields with their protobuf numbers. Codes are open: others may know more of them than we do.

struct Hello {
    std::string name, version, instance;
    static void fields(auto& self, auto& with)
    {
        with(1, self.name), with(2, self.version), with.bytes(3, self.instance);
    }
    bool operator==(const Hello&) const = default;
};

struct Register {
    std::string prefix;
    static void fields(auto& self, auto& with) { with(1, self.prefix); }
    bool operator==(const Register&) const = default;
};

struct Registered {
    int code = 0;
    std::string text;
    static void fields(auto& self, auto& with) { with(1, self.code), with(2, self.text); }
    bool operator==(const Registered&) const = default;
};

struct Unregister {
    std::string prefix;
    static void fields(auto& self, auto& with) { with(1, self.prefix); }
    bool operator==(const Unregister&) const = default;
};

struct Unregistered {
    int code = 0;
    static void fields(auto& self, auto& with) { with(1, self.code); }
    bool operator==(const Unregistered&) const = default;
};

struct CallRequest {
    std::string caller, address, id, body;
    bool no_reply = false;
    static void fields(auto& self, auto& with)
    {
        with(1, self.caller), with(2, self.address), with(3, self.id), with.bytes(4, self.body), with(5, self.no_reply);
    }
    bool operator==(const CallRequest&) const = default;
};

struct CallReply {
    std::string id;
    int code = 0;
    int type = 0; // 0: the only one, or the end of a stream; 1: a part
    std::string body;
    static void fields(auto& self, auto& with)
    {
        with(1, self.id), with(2, self.code), with(3, self.type), with.bytes(4, self.body);
    }
    bool operator==(const CallReply&) const = default;
};

struct Subscribe {
    std::string topic;
    static void fields(auto& self, auto& with) { with(1, self.topic); }
    bool operator==(const Subscribe&) const = default;
};

struct Subscribed {
    int code = 0;
    std::string text;
    static void fields(auto& self, auto& with) { with(1, self.code), with(2, self.text); }
    bool operator==(const Subscribed&) const = default;
};

struct Unsubscribe {
    std::string topic;
    static void fields(auto& self, auto& with) { with(1, self.topic); }
    bool operator==(const Unsubscribe&) const = default;
};

struct Unsubscribed {
    int code = 0;
    static void fields(auto& self, auto& with) { with(1, self.code); }
    bool operator==(const Unsubscribed&) const = default;
};

struct Broadcast {
    std::string caller, body, topic;
    static void fields(auto& self, auto& with) { with(1, self.caller), with.bytes(2, self.body), with(3, self.topic); }
    bool operator==(const Broadcast&) const = default;
};

struct Broadcasted {
    int code = 0;
    std::string text;
    static void fields(auto& self, auto& with) { with(1, self.code), with(2, self.text); }
    bool operator==(const Broadcasted&) const = default;
};

struct Ping {
    static void fields(auto&, auto&) {}
    bool operator==(const Ping&) const = default;
};

struct Pong {
    static void fields(auto&, auto&) {}
    bool operator==(const Pong&) const = default;
};

// The n-th is field n of a packet.
using Message = std::variant<
    Hello, Register, Registered, Unregister, Unregistered, CallRequest, CallReply, Subscribe, Subscribed, Unsubscribe,
    Unsubscribed, Broadcast, Broadcasted, Ping, Pong>;

inline constexpr int reply_ok = 0;
inline constexpr int reply_bad_request = 400;
inline constexpr int reply_not_found = 404;
inline constexpr int reply_conflict = 409;
inline constexpr int reply_failure = 500;
inline constexpr int type_full = 0;
inline constexpr int type_part = 1;

/// The whole frame of a message.
std::string encode_frame(const Message& message);

/// The message of a packet, a frame without its length. Error protocol for bytes that are none, or of a kind that is
/// not known; unknown fields are skipped.
Message decode_packet(std::string_view packet);

/// Cuts a stream of bytes into messages.
class FrameReader {
public:
    explicit FrameReader(std::size_t largest) : largest_(largest) {}

    void feed(std::string_view bytes) { buffer_.append(bytes); }

    /// The next message that is complete. Error protocol for what is none and for one larger than allowed; the stream
    /// cannot be read on after that.
    std::optional<Message> next();

    /// Whether a message has begun and is not complete.
    bool is_inside() const noexcept { return consumed_ < buffer_.size(); }

private:
    std::size_t largest_;
    std::string buffer_;
    std::size_t consumed_ = 0;
};

} // namespace golem::bus::detail
