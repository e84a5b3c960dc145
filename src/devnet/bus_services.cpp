#include <golem/devnet/bus_services.hpp>

#include <golem/devnet/host.hpp>

#include <provider/requestor_calls.hpp>

#include <cstdio>

namespace golem::devnet {

namespace {

constexpr auto longest_call = std::chrono::seconds(60);

std::string new_id(std::uint64_t number)
{
    char text[40];
    std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012llx", static_cast<unsigned long long>(number));
    return text;
}

} // namespace

Task<flex::Value> call_service(
    Host& host, const std::string& node, const std::string& address, const std::string& component,
    const flex::Value& payload)
{
    const auto service = host.bus().find(node, address);
    if (!service || !service->knows(component))
        provider::fail_no_service();
    const auto call = std::make_shared<BusCall>();
    call->id = new_id(host.bus().next_number());
    call->component = component;
    call->payload = payload;
    const auto until = host.time().deadline(longest_call);
    const auto topic = service->topic() + "/" + call->id;
    service->waiting.push_back(call);
    host.wake(service->topic());
    while (!call->is_over) {
        const bool changed = co_await host.wait(topic, until);
        if (!changed)
            break;
    }
    if (!call->is_over)
        provider::fail_file_call("GSB error: Timeout");
    if (!call->answer)
        provider::fail_file_call("GSB error: " + call->error);
    co_return std::move(*call->answer);
}

} // namespace golem::devnet
