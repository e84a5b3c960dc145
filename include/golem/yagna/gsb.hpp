#pragma once

#include <golem/core/event.hpp>
#include <golem/core/random.hpp>
#include <golem/core/task.hpp>
#include <golem/flex/value.hpp>
#include <golem/http/websocket.hpp>
#include <golem/yagna/types.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::yagna {

class Caller;

/// What somebody on the network asks a service of ours.
struct GsbCall {
    std::string id;
    /// The last part of its address: "GetChunk".
    std::string component;
    flex::Value payload;
};

/// Where the calls to a service of ours come in. Destroying it drops the connection; the daemon keeps calls that come
/// meanwhile for the next one.
class GsbSocket {
public:
    explicit GsbSocket(std::unique_ptr<http::WebSocket> socket) : socket_(std::move(socket)) {}

    /// The next call; nothing once the daemon has closed, as it does when the service is removed or connected to again.
    /// Error protocol for what cannot be understood, and those of http::WebSocket.
    Task<std::optional<GsbCall>> receive();
    /// Calls may be answered in any order, each once. `call` and `payload` outlive the await.
    Task<> answer(const GsbCall& call, const flex::Value& payload);
    /// Answers with an error; who called reads `words`.
    Task<> refuse(const GsbCall& call, const std::string& words);

private:
    Task<> send(flex::Value::Map reply);

    std::unique_ptr<http::WebSocket> socket_;
};

/// Services of ours on the bus that connects nodes (`/gsb-api/v1`): nodes that know an address can call it.
class GsbApi {
public:
    GsbApi(Caller& caller, Random random) : caller_(caller), random_(std::move(random)) {}

    /// 32 hexadecimal digits for an address that nobody can guess.
    std::string new_id() { return random_.hex(32); }

    /// `POST …/services`: from now on calls to the components of `address` ("/public/gftp/<id>") wait for us. Returns
    /// the service's id. Not repeatable. Error invalid_input for an address that is taken.
    Task<std::string> listen(const std::string& address, const std::vector<std::string>& components);
    /// Where its calls come in. A second connection ends the first.
    Task<std::unique_ptr<GsbSocket>> connect(const std::string& service);
    /// Removes it; one that is not there (any more) is fine. The daemon lets later calls to it hang.
    Task<> remove(const std::string& service);
    /// The id that the service with this address has.
    static std::string id_of(std::string_view address);

    /// The node that others reach our services by. Asked once.
    Task<NodeId> node();

    /// A turn among those who send or receive files; goes on when it is destroyed.
    class Turn;
    /// Waits until fewer than `most` have one.
    Task<Turn> turn(std::size_t most);

private:
    struct Turns {
        std::size_t taken = 0;
        std::unique_ptr<Event> changed;
    };

    Caller& caller_;
    Random random_;
    NodeId node_;
    std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();
};

class GsbApi::Turn {
public:
    explicit Turn(std::shared_ptr<Turns> turns) : turns_(std::move(turns)) { ++turns_->taken; }
    ~Turn() { leave(); }
    Turn(Turn&& other) noexcept : turns_(std::move(other.turns_)) {}
    Turn& operator=(Turn&& other) noexcept
    {
        if (this != &other) {
            leave();
            turns_ = std::move(other.turns_);
        }
        return *this;
    }

private:
    void leave() noexcept
    {
        if (!turns_)
            return;
        --turns_->taken;
        turns_->changed->pulse();
        turns_.reset();
    }

    std::shared_ptr<Turns> turns_;
};

} // namespace golem::yagna
