#pragma once

#include <golem/http/websocket.hpp>

#include <memory>

namespace golem::http::connections {

struct State;

// Shakes hands on a connection of its own. `request` outlives the await only.
Task<WebSocketAnswer> open_websocket(std::shared_ptr<State> state, const Request& request);

} // namespace golem::http::connections
