// Machines whose ports are functions of a test.
#pragma once

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/provider/machine_connection.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace golem::test {

/// Both ends of one connection to a machine.
struct Wire {
    explicit Wire(const Executor& on) : executor(on), news(on) {}

    void say(std::string bytes)
    {
        to_client.push_back(std::move(bytes));
        news.pulse();
    }

    Executor executor;
    Event news;
    std::deque<std::string> to_client;
    std::string from_client;
    bool echoes = true;
    bool has_said_all = false; ///< The last word (FIN).
    bool is_reset = false;
    bool is_held = true; ///< Somebody holds the connection.
};

class ScriptedConnection final : public provider::MachineConnection {
public:
    explicit ScriptedConnection(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}

    ~ScriptedConnection() override { wire_->is_held = false; }

    Task<std::optional<std::string>> read() override
    {
        const auto wire = wire_;
        for (;;) {
            if (wire->is_reset)
                throw Error(Errc::closed, "read from a machine", "Connection reset by peer");
            if (!wire->to_client.empty())
                break;
            if (wire->has_said_all)
                co_return std::nullopt;
            co_await wire->news.wait();
        }
        auto bytes = std::move(wire->to_client.front());
        wire->to_client.pop_front();
        co_return bytes;
    }

    Task<> write(std::string_view bytes) override
    {
        if (wire_->is_reset)
            throw Error(Errc::closed, "write to a machine", "Connection reset by peer");
        wire_->from_client += bytes;
        if (wire_->echoes)
            wire_->say(std::string(bytes));
        co_return;
    }

private:
    std::shared_ptr<Wire> wire_;
};

} // namespace golem::test
