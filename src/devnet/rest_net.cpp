// Private networks, and connections through them to processes of this machine.
#include <devnet/rest_call.hpp>

#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/race.hpp>
#include <golem/http/transport.hpp>
#include <golem/http/websocket.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace golem::devnet::detail {

namespace {

// A machine that does not answer.
constexpr Duration connect_limit = std::chrono::seconds(5);
// A larger message ends the connection.
constexpr std::size_t largest_message = 64u << 10;

Json network_to_json(const PrivateNetwork& network)
{
    Json json;
    json["id"] = network.id;
    json["ip"] = network.address;
    json["mask"] = network.mask;
    json["gateway"] = network.gateway;
    return json;
}

std::optional<std::string> optional_member(const Call& call, const Json& body, const char* name)
{
    if (!body.contains(name) || body[name].is_null())
        return std::nullopt;
    return string_member(call, body, name);
}

http::Response list(const Call& call)
{
    Json body = Json::array();
    for (const auto* network : call.host.world().networks().of(call.node))
        body.push_back(network_to_json(*network));
    return answer(200, body);
}

http::Response create(const Call& call)
{
    static const Shape shape{"NewNetwork", 3, {"ip"}};
    const auto body = body_of(call, shape);
    const auto address = string_member(call, body, "ip");
    const auto mask = optional_member(call, body, "mask");
    const auto gateway = optional_member(call, body, "gateway");
    const auto created = call.host.world().networks().create(call.node, address, mask, gateway);
    if (!created)
        refuse(created.failure());
    return answer(200, network_to_json(*created));
}

const PrivateNetwork& network_of(const Call& call)
{
    const auto found = call.host.world().networks().find(call.node, call.ids.at(0));
    if (!found)
        refuse(found.failure());
    return *found;
}

http::Response find(const Call& call) { return answer(200, network_to_json(network_of(call))); }

http::Response remove(const Call& call)
{
    unwrap(call.host.world().networks().remove(call.node, call.ids.at(0)));
    return answer(200, nullptr);
}

http::Response addresses(const Call& call)
{
    Json body = Json::array();
    for (const auto& address : network_of(call).own_addresses)
        body.push_back(Json{{"ip", address}});
    return answer(200, body);
}

http::Response add_address(const Call& call)
{
    static const Shape shape{"Address", 1, {"ip"}};
    const auto body = body_of(call, shape);
    const auto address = string_member(call, body, "ip");
    unwrap(call.host.world().networks().add_address(call.node, call.ids.at(0), address));
    return answer(200, nullptr);
}

http::Response nodes(const Call& call)
{
    Json body = Json::array();
    for (const auto& [address, node] : network_of(call).nodes)
        body.push_back(Json{{"id", node}, {"ip", address}});
    return answer(200, body);
}

http::Response add_node(const Call& call)
{
    static const Shape shape{"Node", 2, {"id", "ip"}};
    const auto body = body_of(call, shape);
    const auto node = string_member(call, body, "id");
    const auto address = string_member(call, body, "ip");
    unwrap(call.host.world().networks().add_node(call.node, call.ids.at(0), node, address));
    return answer(200, nullptr);
}

http::Response remove_node(const Call& call)
{
    unwrap(call.host.world().networks().remove_node(call.node, call.ids.at(0), call.ids.at(1)));
    return answer(200, nullptr);
}

http::Response status(const Call& call)
{
    Json body;
    body["nodeId"] = call.node;
    body["listenIp"] = nullptr;
    body["publicIp"] = nullptr;
    body["sessions"] = 1;
    return answer(200, body);
}

[[noreturn]] void drop()
{
    throw http::TransportError(
        Errc::closed, "pass bytes through a network", "the connection is dropped", http::TransportError::Sent::unknown);
}

// One connection. What the machine says last is not told, as by the real daemon: the other side has to know.
class Passage final : public http::WebSocketService {
public:
    Passage(Host& host, std::string network, std::unique_ptr<provider::MachineConnection> machine)
        : host_(host), topic_("network/" + network), network_(std::move(network)), machine_(std::move(machine))
    {
    }

    Task<> serve(http::WebSocket& socket) override
    {
        auto up = to_machine(socket);
        auto down = from_machine(socket);
        auto gone = network_gone();
        const auto first = co_await first_of(std::move(up), std::move(down), std::move(gone));
        if (first != 0)
            drop();
    }

private:
    Task<> to_machine(http::WebSocket& socket)
    {
        for (;;) {
            const auto message = co_await socket.receive();
            if (!message)
                co_return;
            if (message->data().size() > largest_message)
                drop();
            try {
                co_await machine_->write(message->data());
            } catch (const Error&) {
                drop();
            }
        }
    }

    Task<> from_machine(http::WebSocket& socket)
    {
        for (;;) {
            std::optional<std::string> bytes;
            try {
                bytes = co_await machine_->read();
            } catch (const Error&) {
                co_return; // Reset.
            }
            if (!bytes)
                break;
            const http::WebSocketMessage message(std::move(*bytes));
            co_await socket.send(message);
        }
        Event never(host_.executor());
        co_await never.wait();
    }

    Task<> network_gone()
    {
        while (host_.world().networks().exists(network_))
            co_await host_.wait(topic_, Instant::max());
    }

    Host& host_;
    const std::string topic_;
    const std::string network_;
    const std::unique_ptr<provider::MachineConnection> machine_;
};

std::uint16_t port_of(const Call& call)
{
    const auto& text = call.ids.at(2);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size())
        refuse(Failure(404, "can not parse \"" + text + "\" to a u16", BodyKind::text));
    return port;
}

// The exe-unit with this address in the network, on the node that has it there.
std::shared_ptr<provider::ExeUnit>
machine_at(const Call& call, const PrivateNetwork& network, const std::string& address)
{
    const auto node = network.nodes.find(address);
    if (node == network.nodes.end())
        return nullptr;
    const provider::MachineAddress wanted{network.id, address};
    for (const auto& [id, activity] : call.host.world().activities().all()) {
        if (!activity.unit || activity.requestor != call.node || activity.provider != node->second)
            continue;
        const auto addresses = activity.unit->addresses();
        if (std::find(addresses.begin(), addresses.end(), wanted) != addresses.end())
            return activity.unit;
    }
    return nullptr;
}

Task<http::Response> connect(const Call& call)
{
    const auto port = port_of(call);
    const auto& network = network_of(call);
    const auto id = network.id;
    const auto& address = call.ids.at(1);
    if (!read_ipv4(address))
        refuse(Failure(400, "Invalid IP address: invalid IP address syntax"));
    if (port == 0)
        refuse(Failure(400, "Connection error: unaddressable destination"));
    const auto unit = machine_at(call, network, address);
    std::unique_ptr<provider::MachineConnection> machine;
    bool is_closed = false;
    if (unit) {
        try {
            machine = co_await unit->connect(port);
        } catch (const Error& error) {
            is_closed = error.errc() != Errc::not_found;
        }
    }
    if (is_closed)
        refuse(Failure(400, "Socket closed"));
    if (!machine) {
        co_await call.host.sleep_until(call.host.time().deadline(connect_limit));
        refuse(Failure(504, std::string(), BodyKind::empty));
    }
    co_return http::make_websocket_answer(std::make_shared<Passage>(call.host, id, std::move(machine)));
}

void add_routes(Routes& routes, const std::string& base)
{
    using http::Method;
    routes.add(Method::get, base, list);
    routes.add(Method::post, base, create);
    routes.add(Method::get, base + "/*", find);
    routes.add(Method::del, base + "/*", remove);
    routes.add(Method::get, base + "/*/addresses", addresses);
    routes.add(Method::post, base + "/*/addresses", add_address);
    routes.add(Method::get, base + "/*/nodes", nodes);
    routes.add(Method::post, base + "/*/nodes", add_node);
    routes.add(Method::del, base + "/*/nodes/*", remove_node);
    routes.add_waiting(Method::get, base + "/*/tcp/*/*", connect);
}

} // namespace

void add_net_routes(Routes& routes)
{
    routes.add(http::Method::get, "/net-api/v2/net/status", status);
    add_routes(routes, "/net-api/v1/net");
    add_routes(routes, "/net-api/v2/vpn/net");
}

} // namespace golem::devnet::detail
