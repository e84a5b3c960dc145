#include <bus/services.hpp>

#include <golem/bus/words.hpp>
#include <golem/core/race.hpp>

#include <utility>

namespace golem::bus {

namespace {

detail::CallReply reply_to(const std::string& id, int code, int type, std::string body)
{
    detail::CallReply reply;
    reply.id = id;
    reply.code = code;
    reply.type = type;
    reply.body = std::move(body);
    return reply;
}

} // namespace

Services::Service::Service(const ConnectionState& state, const std::string& its_prefix, Handler its_handler)
    : prefix(its_prefix), handler(std::move(its_handler)),
      calls(state.executor, [log = state.log, its_prefix](const std::string&, std::exception_ptr failure) {
          log.error("service bus: a call to ", its_prefix, " ended: ", describe(failure));
      })
{
}

// Takes a service back unless the bus confirmed it.
class Services::Registering {
public:
    Registering(Services& owner, std::shared_ptr<Service> service)
        : owner_(owner), service_(std::move(service)), waiter_(std::make_shared<Waiter>(owner.state_.executor))
    {
    }
    ~Registering()
    {
        if (succeeded_)
            return;
        if (!waiter_->done.is_set())
            waiter_->abandoned = service_->prefix;
        owner_.dismiss(service_);
    }
    Registering(const Registering&) = delete;
    Registering& operator=(const Registering&) = delete;

    const std::shared_ptr<Waiter>& waiter() const noexcept { return waiter_; }
    void succeed() noexcept { succeeded_ = true; }

private:
    Services& owner_;
    std::shared_ptr<Service> service_;
    std::shared_ptr<Waiter> waiter_;
    bool succeeded_ = false;
};

class Services::ReplyWriter final : public Answer {
public:
    ReplyWriter(ConnectionState& state, std::string id, bool wants_reply)
        : state_(state), id_(std::move(id)), wants_reply_(wants_reply)
    {
    }

    Task<> part(const std::string& body) override
    {
        if (finished_)
            co_return;
        write(detail::reply_ok, detail::type_part, body);
        co_await state_.link->room();
    }
    void finish(const std::string& body) override { end(detail::reply_ok, body); }
    void fail(const std::string& words) override { end(detail::reply_failure, words); }
    bool is_finished() const noexcept override { return finished_; }

private:
    void end(int code, const std::string& body)
    {
        if (!std::exchange(finished_, true))
            write(code, detail::type_full, body);
    }
    void write(int code, int type, const std::string& body)
    {
        if (wants_reply_)
            state_.link->send(reply_to(id_, code, type, body));
    }

    ConnectionState& state_;
    std::string id_;
    bool wants_reply_;
    bool finished_ = false;
};

Task<> Services::add(const std::string& prefix, Handler handler)
{
    state_.require_open("offer " + prefix);
    const Use use(state_);
    auto service = std::make_shared<Service>(state_, prefix, std::move(handler));
    if (!services_.add(prefix, service))
        throw Error(Errc::refused, "offer " + prefix, "this connection offers it already");
    Registering registering(*this, service);
    detail::Register request;
    request.prefix = prefix;
    state_.link->send(request);
    registering_.push_back(registering.waiter());
    const int code = co_await reply_of_bus(registering.waiter(), "offer " + prefix);
    if (code != detail::reply_ok)
        throw Error(
            Errc::refused, "offer " + prefix,
            code == detail::reply_conflict ? "somebody else offers it" : "the bus does not like this address");
    registering.succeed();
}

Task<> Services::remove(const std::string& prefix)
{
    const Use use(state_);
    const auto* found = services_.at(prefix);
    if (!found)
        co_return;
    const auto service = *found;
    dismiss(service);
    std::exception_ptr failure;
    if (state_.open) {
        auto waiter = std::make_shared<Waiter>(state_.executor);
        detail::Unregister request;
        request.prefix = prefix;
        state_.link->send(request);
        unregistering_.push_back(waiter);
        try {
            co_await reply_of_bus(waiter, "withdraw " + prefix);
        } catch (...) {
            failure = std::current_exception();
        }
    }
    if (failure && is_cancelled(failure))
        std::rethrow_exception(failure);
    co_await end_of(*service);
    std::erase(leaving_, service);
    // That the connection ended meanwhile has withdrawn it as well.
    if (failure && state_.open)
        std::rethrow_exception(failure);
}

void Services::take(detail::CallRequest request)
{
    const auto* found = services_.find(request.address);
    if (!found) {
        // It was removed while the call was on its way.
        if (!request.no_reply)
            state_.link->send(
                reply_to(request.id, detail::reply_bad_request, detail::type_full, std::string(address_not_found)));
        return;
    }
    const auto service = *found;
    const auto call = std::make_shared<Call>(
        std::move(request.caller), std::move(request.address), service->prefix.size(), std::move(request.body),
        !request.no_reply);
    service->calls.spawn(
        "call", [this, service, call, id = std::move(request.id)] { return serve(*service, *call, id); });
}

Task<> Services::serve(Service& service, const Call& call, const std::string& id)
{
    ReplyWriter answer(state_, id, call.wants_reply());
    std::exception_ptr failure;
    try {
        auto serving = service.handler(call, answer);
        co_await std::move(serving);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) {
        answer.Answer::finish();
    } else if (is_cancelled(failure)) {
        answer.fail("the service has left");
    } else {
        state_.log.warning("service bus: ", call.address(), " failed: ", describe(failure));
        answer.fail(describe(failure));
    }
}

// The bus answers in the order of the requests.
void Services::confirm(std::deque<std::shared_ptr<Waiter>>& queue, int code)
{
    if (queue.empty())
        throw Error(Errc::protocol, "read the service bus", "it confirms what nobody asked for");
    const auto waiter = queue.front();
    queue.pop_front();
    waiter->code = code;
    waiter->done.set();
    if (waiter->abandoned.empty() || code != detail::reply_ok)
        return;
    detail::Unregister request;
    request.prefix = waiter->abandoned;
    state_.link->send(request);
    unregistering_.push_back(std::make_shared<Waiter>(state_.executor));
}

Task<int> Services::reply_of_bus(std::shared_ptr<Waiter> waiter, std::string operation)
{
    auto done = waiter->done.wait();
    const bool came =
        co_await with_timeout(state_.time, state_.options.reply_limit, std::move(done), "the bus to confirm");
    if (!came)
        throw Error(Errc::timed_out, operation, "the service bus does not answer").set_transient(true);
    state_.require_open(operation);
    co_return waiter->code;
}

// No call reaches it any more, and those that run are told to end.
void Services::dismiss(const std::shared_ptr<Service>& service)
{
    services_.remove(service->prefix);
    service->calls.cancel();
    std::erase_if(leaving_, [](const auto& left) { return left->calls.size() == 0; });
    leaving_.push_back(service);
}

Task<> Services::end_of(Service& service)
{
    auto joining = service.calls.join();
    const bool done =
        co_await with_timeout(state_.time, state_.options.handler_limit, std::move(joining), "cancelled calls to end");
    if (done)
        co_return;
    state_.log.warning("service bus: calls to ", service.prefix, " do not end though they were cancelled");
    co_await service.calls.join();
}

void Services::end()
{
    for (auto* queue : {&registering_, &unregistering_}) {
        for (const auto& waiter : *queue)
            waiter->done.set();
        queue->clear();
    }
    services_.for_each([](const std::string&, const auto& service) { service->calls.cancel(); });
}

Task<> Services::join()
{
    auto services = leaving_;
    services_.for_each([&](const std::string&, const auto& service) { services.push_back(service); });
    for (const auto& service : services)
        co_await end_of(*service);
}

void Services::clear()
{
    services_ = {};
    leaving_.clear();
}

} // namespace golem::bus
