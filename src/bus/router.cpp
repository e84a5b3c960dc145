#include <golem/bus/detail/router.hpp>

#include <golem/bus/words.hpp>
#include <golem/core/error.hpp>

#include <utility>

namespace golem::bus::detail {

namespace {

// Long enough for the stream of a command that says nothing for a while.
constexpr Duration memory = std::chrono::hours(1);
constexpr Duration sweep_interval = std::chrono::minutes(1);

CallReply failed(const std::string& id, int code, const std::string& words)
{
    CallReply reply;
    reply.id = id;
    reply.code = code;
    reply.body = words;
    return reply;
}

std::vector<Delivery> only(PeerId to, Message message)
{
    std::vector<Delivery> deliveries;
    deliveries.push_back(Delivery{to, std::move(message)});
    return deliveries;
}

bool is_address(const std::string& text) { return text.size() > 1 && text.front() == '/' && text.back() != '/'; }

} // namespace

std::vector<Delivery> Router::receive(PeerId from, Message message, Instant now)
{
    if (auto* request = std::get_if<CallRequest>(&message))
        return call(from, std::move(*request), now);
    if (auto* answer = std::get_if<CallReply>(&message))
        return reply(from, std::move(*answer), now);
    if (const auto* wish = std::get_if<Register>(&message)) {
        Registered answer;
        if (!is_address(wish->prefix)) {
            answer.code = reply_bad_request;
            answer.text = "an address is /name or /name/name";
        } else if (!services_.add(wish->prefix, from)) {
            answer.code = reply_conflict;
        }
        return only(from, answer);
    }
    if (const auto* wish = std::get_if<Unregister>(&message)) {
        Unregistered answer;
        const auto* owner = services_.at(wish->prefix);
        if (owner && *owner == from)
            services_.remove(wish->prefix);
        else
            answer.code = reply_not_found;
        return only(from, answer);
    }
    if (const auto* wish = std::get_if<Subscribe>(&message)) {
        topics_[wish->topic].insert(from);
        return only(from, Subscribed());
    }
    if (const auto* wish = std::get_if<Unsubscribe>(&message)) {
        Unsubscribed answer;
        const auto topic = topics_.find(wish->topic);
        if (topic == topics_.end() || topic->second.erase(from) == 0)
            answer.code = reply_not_found;
        else if (topic->second.empty())
            topics_.erase(topic);
        return only(from, answer);
    }
    if (const auto* news = std::get_if<Broadcast>(&message)) {
        std::vector<Delivery> deliveries;
        // The one who tells hears it, too, if subscribed: a daemon knows its own news.
        if (const auto topic = topics_.find(news->topic); topic != topics_.end())
            for (const auto listener : topic->second)
                deliveries.push_back(Delivery{listener, *news});
        deliveries.push_back(Delivery{from, Broadcasted()});
        return deliveries;
    }
    if (std::holds_alternative<Ping>(message))
        return only(from, Pong());
    if (std::holds_alternative<Pong>(message) || std::holds_alternative<Hello>(message) ||
        std::holds_alternative<Broadcasted>(message))
        return {};
    throw Error(Errc::protocol, "route a message of the service bus", "a client sent what only a bus may send");
}

std::vector<Delivery> Router::call(PeerId from, CallRequest request, Instant now)
{
    forget_old_calls(now);
    const auto* target = services_.find(request.address);
    // A reply to a call that wants none would be one that nobody waits for, see reply().
    if (!target && request.no_reply)
        return {};
    if (!target)
        return only(from, failed(request.id, reply_bad_request, std::string(address_not_found)));
    if (!request.no_reply && !calls_.try_emplace(CallKey{*target, request.id}, Waiting{from, now}).second)
        return only(from, failed(request.id, reply_bad_request, "request id is in use"));
    return only(*target, std::move(request));
}

std::vector<Delivery> Router::reply(PeerId from, CallReply reply, Instant now)
{
    // A reply that nobody waits for is dropped: clients take one for the end of the protocol.
    const auto waiting = calls_.find(CallKey{from, reply.id});
    if (waiting == calls_.end())
        return {};
    const auto caller = waiting->second.caller;
    if (reply.type == type_part)
        waiting->second.since = now;
    else
        calls_.erase(waiting);
    return only(caller, std::move(reply));
}

// Callers give up without a word, and services may never answer: what is remembered of such calls must have an end.
void Router::forget_old_calls(Instant now)
{
    if (now < next_sweep_)
        return;
    next_sweep_ = now + sweep_interval;
    std::erase_if(calls_, [&](const auto& entry) { return now - entry.second.since >= memory; });
}

std::vector<Delivery> Router::leave(PeerId peer)
{
    services_.remove_if([&](PeerId owner) { return owner == peer; });
    for (auto topic = topics_.begin(); topic != topics_.end();) {
        topic->second.erase(peer);
        topic = topic->second.empty() ? topics_.erase(topic) : std::next(topic);
    }
    std::vector<Delivery> deliveries;
    for (auto waiting = calls_.begin(); waiting != calls_.end();) {
        const auto& [key, call] = *waiting;
        if (key.target == peer && call.caller != peer)
            deliveries.push_back(Delivery{call.caller, failed(key.id, reply_failure, "lost connection")});
        waiting = key.target == peer || call.caller == peer ? calls_.erase(waiting) : std::next(waiting);
    }
    return deliveries;
}

} // namespace golem::bus::detail
