#pragma once

#include <golem/core/task.hpp>
#include <golem/flex/value.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace golem::devnet {

class Host;

/// A call to a requestor's service, on its way.
struct BusCall {
    std::string id;
    std::string component;
    flex::Value payload;
    bool is_over = false;
    /// Nothing if it failed; then `error` tells why.
    std::optional<flex::Value> answer;
    std::string error;
};

/// What a requestor offers on the bus (`POST /gsb-api/v1/services`).
struct BusService {
    std::string address;
    std::vector<std::string> components;
    /// Calls that no connection has taken yet, and those that wait for an answer.
    std::deque<std::shared_ptr<BusCall>> waiting;
    std::map<std::string, std::shared_ptr<BusCall>> sent;
    /// The number of the connection that serves it; 0: none.
    std::uint64_t connection = 0;
    bool is_removed = false;

    bool knows(const std::string& component) const
    {
        return std::find(components.begin(), components.end(), component) != components.end();
    }

    /// Changes of its calls and connections.
    std::string topic() const { return "bus" + address; }
};

/// The services of all requestors.
class BusServices {
public:
    /// False if the address is taken.
    bool add(const std::string& node, const std::string& address, std::vector<std::string> components)
    {
        auto& place = services_[{node, address}];
        if (place && !place->is_removed)
            return false;
        place = std::make_shared<BusService>();
        place->address = address;
        place->components = std::move(components);
        return true;
    }

    /// Null for one that was never there; removed ones stay, as on the daemon.
    std::shared_ptr<BusService> find(const std::string& node, const std::string& address) const
    {
        const auto found = services_.find({node, address});
        return found == services_.end() ? nullptr : found->second;
    }

    /// Those that requestors have not removed.
    std::size_t count() const
    {
        return static_cast<std::size_t>(std::count_if(
            services_.begin(), services_.end(), [](const auto& entry) { return !entry.second->is_removed; }));
    }

    std::uint64_t next_number() noexcept { return ++number_; }

private:
    std::map<std::pair<std::string, std::string>, std::shared_ptr<BusService>> services_;
    std::uint64_t number_ = 0;
};

/// Calls a requestor's service and waits for its answer, as an exe-unit does: Error command_failed whose their_words()
/// are the real one's. A service that was removed lets its callers wait, as the daemon's does, for a minute here.
/// Everything outlives the await.
Task<flex::Value> call_service(
    Host& host, const std::string& node, const std::string& address, const std::string& component,
    const flex::Value& payload);

} // namespace golem::devnet
