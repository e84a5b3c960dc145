#include "websocket_driver.hpp"

#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/core/task_group.hpp>
#include <golem/http/detail/websocket_frames.hpp>
#include <golem/http/detail/wire.hpp>
#include <golem/http/transport.hpp>

#include <openssl/rand.h>

#include <cstring>
#include <deque>

namespace golem::http {

namespace websockets {

namespace {

using boost::system::error_code;
using detail::Opcode;

constexpr std::size_t most_unsent = 256 * 1024;
constexpr std::size_t most_control_unsent = 64 * 1024;
constexpr std::size_t read_size = 64 * 1024;
constexpr Duration farewell_limit = std::chrono::seconds(1);
constexpr Duration service_limit = std::chrono::seconds(10);

} // namespace

std::string random_bytes(std::size_t size)
{
    std::string bytes(size, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1)
        throw Error(Errc::internal, "open a websocket", "OpenSSL has no random bytes");
    return bytes;
}

// Owned by its socket and by its tasks.
class Machine final : public std::enable_shared_from_this<Machine> {
public:
    Machine(const Executor& executor, TimeSource& time, std::unique_ptr<Wire> wire, Settings settings)
        : time_(time), wire_(std::move(wire)), settings_(std::move(settings)),
          reader_(!settings_.is_client, settings_.message_limit), heard_(time.now()), arrived_(executor),
          room_(executor), to_write_(executor), written_event_(executor), ended_(executor),
          group_(executor, [this](const std::string&, std::exception_ptr failure) { finish(std::move(failure)); })
    {
    }

    void start()
    {
        group_.spawn("websocket reader", [self = shared_from_this()] { return self->read(); });
        group_.spawn("websocket writer", [self = shared_from_this()] { return self->write(); });
        if (settings_.idle_limit != Duration::max())
            group_.spawn("websocket pings", [self = shared_from_this()] { return self->ping(); });
    }

    // The connection ends here and now.
    void finish(std::exception_ptr failure)
    {
        if (over_)
            return;
        over_ = true;
        failure_ = std::move(failure);
        wire_->close();
        arrived_.set();
        room_.set();
        written_event_.set();
        ended_.set();
        group_.cancel();
    }

    Task<> send(const WebSocketMessage& message)
    {
        check_open();
        while (outbox_.size() >= most_unsent) {
            co_await written_event_.wait();
            check_open();
        }
        const auto opcode = message.is_text() ? Opcode::text : Opcode::binary;
        const auto target = queue(opcode, message.data());
        while (written_ < target) {
            co_await written_event_.wait();
            if (written_ < target)
                check_open();
        }
    }

    Task<std::optional<WebSocketMessage>> receive()
    {
        while (inbox_.empty() && !over_ && !end_) {
            arrived_.reset();
            co_await arrived_.wait();
        }
        std::optional<WebSocketMessage> message;
        if (!inbox_.empty()) {
            message = std::move(inbox_.front());
            inbox_.pop_front();
            inbox_size_ -= message->data().size();
            if (inbox_size_ < WebSocket::read_ahead)
                room_.set();
            co_return message;
        }
        if (end_ && !closed_)
            co_return message;
        check_open();
        co_return message;
    }

    Task<> close(std::uint16_t code, std::string_view reason)
    {
        if (std::exchange(closed_, true) || over_)
            co_return;
        say_farewell(code, reason);
        // Nobody reads any more.
        inbox_.clear();
        inbox_size_ = 0;
        room_.set();
        auto ended = ended_.wait();
        co_await with_timeout(time_, farewell_limit, std::move(ended), "farewell of a websocket");
        finish(nullptr);
    }

    Task<> wait_for_end() { return ended_.wait(); }

    const Settings& settings() const noexcept { return settings_; }
    const std::optional<WebSocketEnd>& end() const noexcept { return end_; }

private:
    [[noreturn]] void fail(Errc code, std::string explanation, bool transient) const
    {
        TransportError error(code, settings_.operation, std::move(explanation), TransportError::Sent::unknown);
        error.set_transient(transient);
        throw error;
    }

    std::exception_ptr failure(Errc code, std::string explanation, bool transient) const
    {
        try {
            fail(code, std::move(explanation), transient);
        } catch (...) {
            return std::current_exception();
        }
    }

    void check_open() const
    {
        if (failure_)
            std::rethrow_exception(failure_);
        if (violation_)
            std::rethrow_exception(violation_);
        if (closed_)
            fail(Errc::closed, "the websocket was closed by this program", false);
        if (end_)
            fail(
                Errc::closed,
                settings_.origin + " closed the websocket (" + std::to_string(end_->code) +
                    (end_->reason.empty() ? std::string() : ", " + end_->reason) + ")",
                true);
        if (over_)
            fail(Errc::closed, "the websocket was closed by this program", false);
    }

    // Returns the count of bytes at which it has gone out.
    std::uint64_t queue(Opcode opcode, std::string_view payload)
    {
        std::optional<std::uint32_t> mask;
        if (settings_.is_client) {
            if (masks_.size() < sizeof(std::uint32_t))
                masks_ = random_bytes(4096);
            std::uint32_t key = 0;
            std::memcpy(&key, masks_.data() + masks_.size() - sizeof key, sizeof key);
            masks_.resize(masks_.size() - sizeof key);
            mask = key;
        }
        auto frame = detail::websocket_frame(opcode, payload, mask);
        queued_ += frame.size();
        if (outbox_.empty())
            outbox_ = std::move(frame);
        else
            outbox_ += frame;
        to_write_.set();
        return queued_;
    }

    void say_farewell(std::uint16_t code, std::string_view reason)
    {
        if (std::exchange(farewell_said_, true))
            return;
        queue(Opcode::close, code == 1005 ? std::string() : detail::close_payload(code, reason));
    }

    Task<> read()
    {
        std::string buffer(read_size, '\0');
        while (!over_) {
            if (inbox_size_ >= WebSocket::read_ahead && !farewell_said_) {
                paused_ = true;
                room_.reset();
                co_await room_.wait();
                paused_ = false;
                hear();
                continue;
            }
            error_code error;
            const auto count = co_await wire_->read_some(buffer.data(), buffer.size(), error);
            if (over_)
                co_return;
            if (error) {
                lose(error);
                co_return;
            }
            hear();
            take(std::string_view(buffer).substr(0, count));
            if (end_ || violation_)
                break;
        }
        // The writer ends it, once our farewell has gone out.
        co_await time_.sleep_for(farewell_limit, "farewell of a websocket");
        finish(violation_);
    }

    void hear()
    {
        heard_ = time_.now();
        pinged_ = false;
    }

    void lose(const error_code& error)
    {
        if (settings_.is_closed && settings_.is_closed())
            finish(failure(Errc::closed, "the connection was closed by this program", false));
        else if (farewell_said_)
            finish(nullptr);
        else
            finish(failure(
                Errc::protocol, "the websocket of " + settings_.origin + " was cut off (" + error.message() + ")",
                true));
    }

    void take(std::string_view bytes)
    {
        std::exception_ptr violation;
        std::uint16_t code = 0;
        try {
            reader_.feed(bytes);
        } catch (const detail::WebSocketViolation& error) {
            code = error.close_code();
            violation = failure(
                Errc::protocol, settings_.origin + " broke the rules of websockets: " + error.explanation(), false);
        }
        while (auto item = reader_.next())
            take(std::move(*item));
        if (violation && !end_) {
            say_farewell(code, std::string_view());
            violation_ = std::move(violation);
        }
    }

    void take(detail::WebSocketItem item)
    {
        if (end_)
            return;
        switch (item.kind) {
        case Opcode::text:
        case Opcode::binary: {
            if (farewell_said_)
                return;
            const auto kind = item.kind == Opcode::text ? WebSocketMessage::Kind::text : WebSocketMessage::Kind::binary;
            inbox_size_ += item.data.size();
            inbox_.emplace_back(std::move(item.data), kind);
            arrived_.set();
            return;
        }
        case Opcode::ping:
            if (!farewell_said_ && outbox_.size() < most_control_unsent)
                queue(Opcode::pong, item.data);
            return;
        case Opcode::close:
            say_farewell(item.code, std::string_view());
            end_.emplace();
            end_->code = item.code;
            end_->reason = std::move(item.data);
            arrived_.set();
            return;
        default: return;
        }
    }

    Task<> write()
    {
        while (!over_) {
            co_await to_write_.wait();
            to_write_.reset();
            const auto batch = std::exchange(outbox_, std::string());
            error_code error;
            co_await wire_->write(batch, error);
            if (over_)
                co_return;
            if (error) {
                lose(error);
                co_return;
            }
            written_ += batch.size();
            written_event_.pulse();
            if (farewell_said_ && (end_ || violation_) && outbox_.empty())
                finish(violation_);
        }
    }

    Task<> ping()
    {
        const auto half = settings_.idle_limit / 2;
        while (!over_) {
            const auto began = time_.now();
            co_await time_.sleep_for(half, "silence of a websocket");
            // If this program stood still, on a slow disk say, what came meanwhile is only read after this.
            const bool stood_still = time_.now() - began > half + half / 2;
            // Who is held up by us cannot answer, and who holds us up would not hear the question.
            if (paused_ || stood_still || written_ != queued_) {
                hear();
                continue;
            }
            const auto silence = time_.now() - heard_;
            // Sleeps are longer than they should be: a first half that seemed not over was without a ping.
            if (silence >= settings_.idle_limit && pinged_) {
                finish(failure(
                    Errc::timed_out,
                    settings_.origin + " was silent for " + detail::to_text(settings_.idle_limit) +
                        ", and did not answer a ping",
                    true));
                co_return;
            }
            if (silence >= half && !farewell_said_) {
                queue(Opcode::ping, std::string_view());
                pinged_ = true;
            }
        }
    }

    TimeSource& time_;
    std::unique_ptr<Wire> wire_;
    Settings settings_;
    detail::WebSocketReader reader_;
    std::deque<WebSocketMessage> inbox_;
    std::size_t inbox_size_ = 0;
    std::string outbox_;
    std::string masks_;
    std::uint64_t queued_ = 0;
    std::uint64_t written_ = 0;
    Instant heard_;
    bool pinged_ = false; // Since then.
    bool paused_ = false;
    bool farewell_said_ = false;
    bool closed_ = false; // By close().
    bool over_ = false;
    std::optional<WebSocketEnd> end_; // Theirs.
    std::exception_ptr violation_;
    std::exception_ptr failure_;
    Event arrived_;
    Event room_;
    Event to_write_;
    Event written_event_;
    Event ended_;
    TaskGroup group_;
};

DrivenSocket::DrivenSocket(const Executor& executor, TimeSource& time, std::unique_ptr<Wire> wire, Settings settings)
    : machine_(std::make_shared<Machine>(executor, time, std::move(wire), std::move(settings)))
{
    machine_->start();
}

DrivenSocket::~DrivenSocket() { machine_->finish(nullptr); }

const std::string& DrivenSocket::protocol() const noexcept { return machine_->settings().protocol; }

Task<> DrivenSocket::send(const WebSocketMessage& message) { return machine_->send(message); }

Task<std::optional<WebSocketMessage>> DrivenSocket::receive() { return machine_->receive(); }

Task<> DrivenSocket::close(std::uint16_t code, std::string_view reason) { return machine_->close(code, reason); }

const std::optional<WebSocketEnd>& DrivenSocket::end() const noexcept { return machine_->end(); }

Task<bool> DrivenSocket::ended()
{
    co_await machine_->wait_for_end();
    co_return machine_->end().has_value();
}

namespace {

Task<> serve_into(WebSocketService& service, WebSocket& socket, std::exception_ptr& failure)
{
    try {
        co_await service.serve(socket);
    } catch (...) {
        failure = std::current_exception();
    }
}

// A service learns by receiving that the other side said farewell, and may have something to finish.
Task<> watch(DrivenSocket& socket, TimeSource& time)
{
    const bool by_farewell = co_await socket.ended();
    if (by_farewell)
        co_await time.sleep_for(service_limit, "a service to end after its websocket");
}

} // namespace

Task<std::exception_ptr> serve_socket(WebSocketService& service, DrivenSocket& socket, TimeSource& time)
{
    std::exception_ptr failure;
    auto serving = serve_into(service, socket, failure);
    auto watching = watch(socket, time);
    const auto first = co_await first_of(std::move(serving), std::move(watching));
    if (first == 1 || is_cancelled(failure))
        co_return nullptr;
    if (!failure)
        co_await socket.close();
    co_return failure;
}

} // namespace websockets

namespace {

bool is_same_word(std::string_view left, std::string_view right) noexcept
{
    const auto lower = [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char one, char other) {
        return lower(one) == lower(other);
    });
}

} // namespace

bool wants_websocket(const Request& request) noexcept
{
    return request.method() == Method::get && is_same_word(request.headers().get("Upgrade").value_or(""), "websocket");
}

bool offers_protocol(const Request& request, std::string_view protocol) noexcept
{
    for (const auto& [name, value] : request.headers()) {
        if (!is_same_word(name, "Sec-WebSocket-Protocol"))
            continue;
        std::string_view left = value;
        while (!left.empty()) {
            auto item = left.substr(0, left.find(','));
            left.remove_prefix(std::min(left.size(), item.size() + 1));
            const auto begin = std::min(item.find_first_not_of(" \t"), item.size());
            item = item.substr(begin, item.find_last_not_of(" \t") + 1 - begin);
            if (item == protocol)
                return true;
        }
    }
    return false;
}

Response make_websocket_answer(std::shared_ptr<WebSocketService> service, std::string_view protocol)
{
    Response response(101);
    if (!protocol.empty())
        response.headers().add("Sec-WebSocket-Protocol", std::string(protocol));
    response.set_websocket(std::move(service));
    return response;
}

Task<WebSocketAnswer> Transport::open_websocket(const Request& request)
{
    throw Error(Errc::invalid_input, detail::describe(request), "this transport does not know websockets");
    co_return WebSocketAnswer();
}

} // namespace golem::http
