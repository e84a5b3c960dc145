// Services of the requestor on the bus: where providers fetch its files from, and bring theirs to.
#include <devnet/rest_call.hpp>

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/devnet/bus_services.hpp>
#include <golem/http/transport.hpp>
#include <golem/http/websocket.hpp>

#include <properties/serde_reader.hpp>

#include <algorithm>

namespace golem::devnet::detail {

namespace {

constexpr std::string_view protocol = "gsb+flexbuffers";
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encoded(std::string_view address)
{
    std::string id;
    unsigned bits = 0;
    unsigned count = 0;
    for (const char byte : address) {
        bits = bits << 8 | static_cast<unsigned char>(byte);
        for (count += 8; count >= 6; count -= 6)
            id += digits[bits >> (count - 6) & 0x3f];
    }
    if (count > 0)
        id += digits[bits << (6 - count) & 0x3f];
    return id;
}

std::string address_of(const Call& call)
{
    const auto& id = call.ids.front();
    std::string address;
    unsigned bits = 0;
    unsigned count = 0;
    for (std::size_t at = 0; at < id.size(); ++at) {
        const auto digit = digits.find(id[at]);
        if (digit == std::string_view::npos)
            refuse(Failure(
                400, "Service address should be encoded in base64. Unable to decode. Err: Invalid byte " +
                         std::to_string(static_cast<unsigned char>(id[at])) + ", offset " + std::to_string(at) + "."));
        bits = bits << 6 | static_cast<unsigned>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            address += static_cast<char>(bits >> count & 0xff);
        }
    }
    return address;
}

struct Listen {
    std::string address;
    std::vector<std::string> components;
};

// Read as the daemon reads it, which tells where it stopped.
Listen read_listen(const Call& call)
{
    Listen wish;
    properties::SerdeReader reader(call.request.body());
    const auto member = [&](const std::string& name) {
        if (name == "on")
            wish.address = reader.string();
        else if (name == "components")
            reader.sequence("a sequence", [&] { wish.components.push_back(reader.string()); });
        else
            reader.ignore();
    };
    const auto listen = [&](const std::string& name) {
        if (name != "listen") {
            reader.ignore();
            return;
        }
        std::vector<std::string> seen;
        reader.object(
            "struct ServiceListenRequest",
            [&](const std::string& inner) {
                seen.push_back(inner);
                member(inner);
            },
            [&] {
                for (const char* required : {"on", "components"}) {
                    if (std::find(seen.begin(), seen.end(), required) == seen.end())
                        properties::SerdeReader::complain("missing field `" + std::string(required) + "`");
                }
            });
    };
    try {
        reader.object("struct ServiceRequest", listen);
    } catch (const properties::SerdeReader::Complaint& complaint) {
        refuse_body(
            call, "Json deserialize error: " + complaint.text + " at line " + std::to_string(complaint.line) +
                      " column " + std::to_string(complaint.column));
    }
    return wish;
}

http::Response listen(const Call& call)
{
    const Shape shape{"ServiceRequest", 1, {"listen"}};
    body_of(call, shape);
    const auto [address, components] = read_listen(call);
    if (address.empty())
        refuse(Failure(400, "Invalid service address prefix: Cannot bind service. Empty prefix."));
    if (!call.host.bus().add(call.node, address, components))
        refuse(Failure(400, "Duplicated service address prefix: " + address));
    Json listening;
    listening["on"] = address;
    listening["components"] = components;
    Json reply;
    reply["listen"] = std::move(listening);
    reply["servicesId"] = encoded(address);
    auto response = answer(201, reply);
    response.headers().add("Location", "/" + encoded(address));
    return response;
}

http::Response remove(const Call& call)
{
    const auto address = address_of(call);
    const auto service = call.host.bus().find(call.node, address);
    if (!service || service->is_removed)
        refuse(Failure(404, "Service prefix not found: Cannot find service: " + address));
    service->is_removed = true;
    call.host.wake(service->topic());
    return http::Response(200, "null");
}

// One connection of a requestor that serves.
class Door final : public http::WebSocketService {
public:
    Door(Host& host, std::shared_ptr<BusService> service) : host_(host), service_(std::move(service)) {}

    Task<> serve(http::WebSocket& socket) override
    {
        number_ = host_.bus().next_number();
        service_->connection = number_;
        host_.wake(service_->topic());
        auto calls = tell_calls(socket);
        auto answers = take_answers(socket);
        std::exception_ptr failure;
        try {
            co_await first_of(std::move(calls), std::move(answers));
        } catch (...) {
            failure = std::current_exception();
        }
        if (service_->connection == number_)
            leave();
        if (failure)
            std::rethrow_exception(failure);
    }

private:
    void leave()
    {
        service_->connection = 0;
        const auto sent = std::exchange(service_->sent, {});
        for (const auto& [id, call] : sent)
            end(*call, std::nullopt, "GSB failure: the service has disconnected");
    }

    void end(BusCall& call, std::optional<flex::Value> answer, std::string error)
    {
        call.is_over = true;
        call.answer = std::move(answer);
        call.error = std::move(error);
        host_.wake(service_->topic() + "/" + call.id);
    }

    Task<> tell_calls(http::WebSocket& socket)
    {
        const auto topic = service_->topic();
        for (;;) {
            if (service_->is_removed) {
                co_await socket.close();
                co_return;
            }
            if (service_->connection != number_) {
                co_await socket.close(1008, "Closing old WS connection in favour of new WS connection");
                co_return;
            }
            while (!service_->waiting.empty()) {
                const auto call = service_->waiting.front();
                service_->waiting.pop_front();
                service_->sent[call->id] = call;
                flex::Value::Map message;
                message.emplace("component", call->component);
                message.emplace("id", call->id);
                message.emplace("payload", call->payload);
                const http::WebSocketMessage bytes(flex::encode(flex::Value(std::move(message))));
                co_await socket.send(bytes);
            }
            if (!service_->is_removed && service_->connection == number_)
                co_await host_.wait(topic, Instant::max());
        }
    }

    Task<> take_answers(http::WebSocket& socket)
    {
        for (;;) {
            const auto message = co_await socket.receive();
            if (!message)
                co_return;
            if (message->is_text()) {
                co_await socket.close(1003, std::string_view());
                co_return;
            }
            const auto problem = take(message->data());
            if (!problem.empty()) {
                co_await socket.close(1008, problem);
                co_return;
            }
        }
    }

    std::string take(const std::string& bytes)
    {
        flex::Value reply;
        try {
            reply = flex::decode(bytes);
        } catch (const Error& error) {
            return "Failed to read response. Err: " + error.explanation();
        }
        const auto* id = reply.find("id");
        const auto* payload = reply.find("payload");
        const auto* error = reply.find("error");
        if (!id || !id->text() || (!payload && !error))
            return "Failed to read response. Err: missing field.";
        const auto found = service_->sent.find(*id->text());
        if (found == service_->sent.end())
            return {};
        const auto call = found->second;
        service_->sent.erase(found);
        if (error)
            end(*call, std::nullopt, error->text() ? *error->text() : flex::to_json(*error));
        else
            end(*call, *payload, {});
        return {};
    }

    Host& host_;
    std::shared_ptr<BusService> service_;
    std::uint64_t number_ = 0;
};

http::Response connect(const Call& call)
{
    const auto address = address_of(call);
    const auto service = call.host.bus().find(call.node, address);
    if (!service || service->is_removed)
        refuse(Failure(404, "Service prefix not found: " + address));
    const std::string agreed(http::offers_protocol(call.request, protocol) ? protocol : std::string_view());
    return http::make_websocket_answer(std::make_shared<Door>(call.host, service), agreed);
}

} // namespace

void add_gsb_routes(Routes& routes)
{
    const std::string base = "/gsb-api/v1/services";
    routes.add(http::Method::post, base, listen);
    routes.add(http::Method::get, base + "/*", connect);
    routes.add(http::Method::del, base + "/*", remove);
}

} // namespace golem::devnet::detail
