#include <golem/yagna/gsb.hpp>

#include <golem/core/error.hpp>
#include <golem/yagna/caller.hpp>
#include <golem/yagna/identity.hpp>

#include "json_codec.hpp"
#include "targets.hpp"

#include <array>

namespace golem::yagna {

namespace {

constexpr std::string_view services_path = "/gsb-api/v1/services";
constexpr std::string_view protocol = "gsb+flexbuffers";
// A message carries one chunk of a file. Ours have 40 960 bytes, others' may have more.
constexpr std::size_t largest_message = 8u << 20;

[[noreturn]] void refuse_message(const std::string& what)
{
    throw Error(Errc::protocol, "read a call", "the daemon's message " + what);
}

} // namespace

Task<std::optional<GsbCall>> GsbSocket::receive()
{
    std::optional<GsbCall> call;
    const auto message = co_await socket_->receive();
    if (!message)
        co_return call;
    if (message->is_text())
        refuse_message("is a text");
    const auto value = flex::decode(message->data());
    const auto* id = value.find("id");
    const auto* component = value.find("component");
    if (!id || !id->text() || !component || !component->text())
        refuse_message("has no id or no component");
    call.emplace();
    call->id = *id->text();
    call->component = *component->text();
    if (const auto* payload = value.find("payload"))
        call->payload = *payload;
    co_return call;
}

Task<> GsbSocket::send(flex::Value::Map reply)
{
    const http::WebSocketMessage message(flex::encode(flex::Value(std::move(reply))));
    co_await socket_->send(message);
}

Task<> GsbSocket::answer(const GsbCall& call, const flex::Value& payload)
{
    flex::Value::Map reply;
    reply.emplace("id", call.id);
    reply.emplace("payload", payload);
    return send(std::move(reply));
}

Task<> GsbSocket::refuse(const GsbCall& call, const std::string& words)
{
    flex::Value::Map reply;
    reply.emplace("id", call.id);
    reply.emplace("error", words);
    return send(std::move(reply));
}

Task<std::string> GsbApi::listen(const std::string& address, const std::vector<std::string>& components)
{
    const CallClass call{"offer a service", Idempotency::once};
    http::Request request(http::Method::post, Target(services_path).text());
    codec::Json body;
    body["listen"]["on"] = address;
    body["listen"]["components"] = components;
    request.set_body(body.dump());
    const Answer answer = co_await caller_.call(call, request);
    const codec::Document document(call.operation, answer.body());
    co_return document.root().at("servicesId").string();
}

Task<std::unique_ptr<GsbSocket>> GsbApi::connect(const std::string& service)
{
    const CallClass call{"connect to a service", Idempotency::once};
    http::Request request(http::Method::get, Target(services_path).segment(service).text());
    request.headers().set("Sec-WebSocket-Protocol", std::string(protocol));
    request.set_response_limit(largest_message);
    auto socket = co_await caller_.open_websocket(call, request);
    if (socket->protocol() != protocol)
        throw Error(Errc::protocol, std::string(call.operation), "the daemon does not speak " + std::string(protocol));
    co_return std::make_unique<GsbSocket>(std::move(socket));
}

Task<> GsbApi::remove(const std::string& service)
{
    const CallClass call{"remove a service", Idempotency::repeatable};
    http::Request request(http::Method::del, Target(services_path).segment(service).text());
    try {
        co_await caller_.call(call, request);
    } catch (const Error& error) {
        if (error.errc() != Errc::not_found)
            throw;
    }
}

std::string GsbApi::id_of(std::string_view address)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
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

Task<NodeId> GsbApi::node()
{
    if (node_.empty()) {
        IdentityApi identity(caller_);
        const auto me = co_await identity.me();
        node_ = me.node;
    }
    co_return node_;
}

Task<GsbApi::Turn> GsbApi::turn(std::size_t most)
{
    const auto turns = turns_;
    if (!turns->changed) {
        const auto executor = co_await boost::asio::this_coro::executor;
        turns->changed = std::make_unique<Event>(executor);
    }
    while (turns->taken >= most)
        co_await turns->changed->wait();
    co_return Turn(turns);
}

} // namespace golem::yagna
