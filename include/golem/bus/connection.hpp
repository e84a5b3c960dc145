#pragma once

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace golem::bus {

/// How the bus itself judges a call. Errors that a service reports to its caller travel in the body of an `ok` reply.
enum class ReplyCode : int { ok = 0, bad_request = 400, service_failure = 500 };

/// A call that the bus or the service at its other end failed: nobody has the address (`bad_request`, Errc::not_found),
/// or the service broke down or left (`service_failure`, Errc::daemon_failed). their_words() is the text of the reply.
class CallError : public Error {
public:
    CallError(ReplyCode code, const std::string& address, const std::string& words);

    ReplyCode code() const noexcept { return code_; }

private:
    ReplyCode code_;
};

/// What a service is asked. Bodies are FlexBuffers (value.hpp) and may be compressed.
class Call {
public:
    Call(std::string caller, std::string address, std::size_t prefix_length, std::string body, bool wants_reply);

    /// Who calls, as the bus names it: a node id, as a rule.
    const std::string& caller() const noexcept { return caller_; }
    /// The whole address, "/public/exeunit/<id>/Exec".
    const std::string& address() const noexcept { return address_; }
    /// What follows the registered prefix and its slash, "Exec"; empty for a call to the prefix itself.
    std::string_view component() const noexcept;
    const std::string& body() const noexcept { return body_; }
    /// False if whatever is answered is dropped.
    bool wants_reply() const noexcept { return wants_reply_; }

private:
    std::string caller_;
    std::string address_;
    std::size_t prefix_length_;
    std::string body_;
    bool wants_reply_;
};

/// Where a service puts its answer: `finish` alone, or any number of `part`s and then `finish`, or `fail`. The first
/// end counts; after it, and once the connection is gone, everything is dropped silently.
class Answer {
public:
    virtual ~Answer() = default;

    /// One reply of a stream. Completes once the connection has room for more.
    virtual Task<> part(const std::string& body) = 0;
    /// The only reply, or (empty) the end of a stream.
    virtual void finish(const std::string& body) = 0;
    void finish() { finish(std::string()); }
    /// A failure of the service as such, which its callers see as a failure of the bus.
    virtual void fail(const std::string& words) = 0;
    virtual bool is_finished() const noexcept = 0;
};

/// Serves one call; calls run side by side. Returning without an end is the end of a stream; what is thrown is logged
/// and answered by `fail`. Cancelled (terminal) when its service is removed or the connection ends. `call` and `answer`
/// live as long as the task.
using Handler = std::function<Task<>(const Call& call, Answer& answer)>;

/// Takes one part of a streamed reply.
using PartHandler = std::function<void(std::string body)>;

struct ConnectionOptions {
    /// "tcp://127.0.0.1:7464" or "unix:/tmp/yagna.sock", as in GSB_URL. TCP takes an IP address, or
    /// "localhost" for 127.0.0.1.
    std::string url = "tcp://127.0.0.1:7464";
    /// What we call ourselves.
    std::string name = "golem-service-manager";
    /// Who our calls are said to come from.
    std::string caller = "/local/golem-service-manager";
    /// For connecting.
    Duration connect_limit = std::chrono::seconds(10);
    /// For answers of the bus itself to adding and removing a service.
    Duration reply_limit = std::chrono::seconds(10);
    /// For the first and for each following reply to a call of ours.
    Duration call_limit = std::chrono::seconds(60);
    /// For handlers to end in after they were cancelled; those that do not are waited for all the same, with a warning.
    Duration handler_limit = std::chrono::seconds(10);
    /// Bytes of one message; a longer one ends the connection.
    std::size_t largest_message = 64u << 20;
    /// Bytes waiting to be sent at which Answer::part waits.
    std::size_t most_unsent = 1u << 20;
};

/// A client of the service bus (GSB) of a daemon, or of a Hub: it offers services and calls those of others.
///
/// One executor; all members belong to it. Needs real time. close() must have completed before it is destroyed, if
/// open() succeeded. A connection that ended stays so: make a new one.
class Connection {
public:
    /// Checks the options: Error invalid_input, naming the member. `random` makes the id of this instance, which must
    /// be unlike that of any other client of the bus.
    Connection(
        const Executor& executor, TimeSource& time, const ConnectionOptions& options, const Random& random, Logger log);
    ~Connection();

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Connects and says hello. Error unreachable (transient) if nobody listens there or nobody says hello;
    /// call it once.
    Task<> open();

    /// Ends handlers and waiting calls, sends what is still unsent (for at most a second) and disconnects. Idempotent;
    /// shielded from cancellation.
    Task<> close();

    bool is_open() const noexcept;

    /// Set once the connection has ended, by close() or by the other side.
    Event& ended() noexcept;

    /// Why the other side's end came; null while it is open and after close().
    std::exception_ptr failure() const noexcept;

    /// Registers `prefix` ("/public/exeunit/<id>"): calls to it and to all below it that have no longer prefix reach
    /// `handler`, from this moment on. Error refused if the prefix is taken, closed if the connection has ended,
    /// timed_out if the bus does not answer.
    Task<> add_service(const std::string& prefix, Handler handler);

    /// Unregisters: new calls fail at once with "endpoint address not found". Then the running ones are cancelled,
    /// answered with a failure, and waited for: afterwards the handler is gone. Nothing happens for an unknown prefix.
    /// A connection that has ended is no error. Not from within the service's own handler.
    Task<> remove_service(const std::string& prefix);

    /// Calls an address and returns the body of its one reply (of a stream: of its last). Throws CallError, Error
    /// timed_out or closed. Abandoned (cancelled, timed out) calls go on at the other side; their replies are dropped.
    Task<std::string> call(const std::string& address, const std::string& body);

    /// The same for a stream: `on_part` gets each partial reply as it comes; what is returned is the last, full one,
    /// empty as a rule. ConnectionOptions::call_limit holds for each reply.
    Task<std::string> call(const std::string& address, const std::string& body, PartHandler on_part);

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace golem::bus
