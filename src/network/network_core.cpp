#include "network/network_core.hpp"

#include <golem/core/error.hpp>
#include <golem/core/race.hpp>
#include <golem/core/shield.hpp>

#include <boost/asio/dispatch.hpp>

#include <algorithm>
#include <utility>

namespace golem::detail {

namespace {

using namespace std::chrono_literals;

// Tasks that were cancelled end at once; this is for the case that one does not.
constexpr Duration task_limit = 2s;

std::string bare(const AddressRange& range) { return format_ipv4(range.base()); }

AddressPlan checked_plan(const NetworkOptions& options)
{
    return AddressPlan(AddressRange(options.address, options.mask), options.gateway);
}

} // namespace

// One who tells the daemon of nodes: a removal must not overtake an addition.
class NetworkCore::Turn {
public:
    explicit Turn(NetworkCore& core) : core_(core) { core_.changing_ = true; }

    ~Turn()
    {
        core_.changing_ = false;
        core_.changed_.pulse();
    }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    NetworkCore& core_;
};

NetworkCore::NetworkCore(const NetworkSetting& setting, const NetworkOptions& options)
    : owner_(setting.owner), executor_(setting.executor), time_(setting.time), client_(setting.client),
      log_(setting.log), options_(options), plan_(checked_plan(options)), made_(executor_), changed_(executor_),
      tasks_(executor_, [this](const std::string& name, std::exception_ptr failure) {
          log_.error(name, " failed: ", describe(failure));
      })
{
}

std::shared_ptr<NetworkSeat> NetworkCore::reserve(const std::string& wanted, const std::string& name)
{
    const std::scoped_lock lock(mutex_);
    if (closed_)
        throw Error(Errc::closed, "join network", "the network " + plan_.range().to_string() + " was removed");
    auto address = plan_.reserve(wanted, name);
    return std::make_shared<NetworkSeat>(shared_from_this(), std::move(address));
}

AddressPlan NetworkCore::plan() const
{
    const std::scoped_lock lock(mutex_);
    return plan_;
}

yagna::NetworkId NetworkCore::id() const
{
    const std::scoped_lock lock(mutex_);
    return id_;
}

std::shared_ptr<NetworkProxy> NetworkCore::add_proxy(std::shared_ptr<ProxyCore> proxy)
{
    {
        const std::scoped_lock lock(mutex_);
        if (closed_)
            throw Error(Errc::closed, "make a proxy", "the network " + plan_.range().to_string() + " was removed");
    }
    auto start = [self = shared_from_this(), proxy] {
        std::erase_if(self->proxies_, [](const auto& other) { return other.expired(); });
        self->proxies_.push_back(proxy);
        self->tasks_.spawn("proxy at " + proxy->address(), [proxy] { return proxy->run(); });
    };
    boost::asio::dispatch(executor_, std::move(start));
    return std::make_shared<NetworkProxy>(std::move(proxy));
}

void NetworkCore::begin()
{
    if (std::exchange(begun_, true))
        return;
    tasks_.spawn("make network", [self = shared_from_this()] { return self->make(); });
}

Task<> NetworkCore::make()
{
    try {
        co_await make_within();
        log_.info("network ", id(), " ", plan().range().to_string());
    } catch (...) {
        failure_ = std::current_exception();
        log_.warning("network ", plan().range().to_string(), " could not be made: ", describe(failure_));
    }
    made_.set();
}

Task<> NetworkCore::make_within()
{
    // First, so that nothing has to be removed if it fails.
    const auto identity = co_await client_.identity().me();
    own_node_ = identity.node;
    const auto range = plan().range();
    const auto address = range.to_string();
    const std::string no_mask;
    may_exist_ = true;
    std::exception_ptr failure;
    try {
        const auto made = co_await client_.net().create(address, no_mask, options_.gateway);
        const std::scoped_lock lock(mutex_);
        id_ = made.id;
    } catch (const http::TransportError& error) {
        may_exist_ = error.sent() != http::TransportError::Sent::no;
        failure = std::current_exception();
    } catch (const Error& error) {
        may_exist_ = error.errc() == Errc::protocol;
        failure = std::current_exception();
    }
    if (failure)
        std::rethrow_exception(failure);
    may_exist_ = false;
}

Task<> NetworkCore::ready()
{
    const auto self = shared_from_this();
    co_await made_.wait();
    if (failure_)
        std::rethrow_exception(failure_);
    check_open("use network");
}

void NetworkCore::check_open(const char* operation) const
{
    const std::scoped_lock lock(mutex_);
    if (closed_)
        throw Error(Errc::closed, operation, "the network " + plan_.range().to_string() + " was removed");
}

// A wait for one's turn is bounded by the calls of those before.
Task<> NetworkCore::wait_for_turn()
{
    while (changing_)
        co_await changed_.wait();
}

Task<> NetworkCore::join(const std::string& address, const yagna::NodeId& node)
{
    co_await ready();
    co_await wait_for_turn();
    const Turn turn(*this);
    const auto network = id();
    co_await client_.net().add_node(network, node, address);
    const std::scoped_lock lock(mutex_);
    plan_.join(address, node);
}

Task<> NetworkCore::announce(const std::map<std::string, yagna::NodeId>& known)
{
    co_await wait_for_turn();
    const Turn turn(*this);
    const auto network = id();
    const auto nodes = plan().nodes();
    for (const auto& [address, node] : nodes) {
        const auto found = known.find(address);
        if (found == known.end() || found->second != node)
            co_await client_.net().add_node(network, node, address);
    }
}

Task<> NetworkCore::leave(const std::string& address)
{
    end_links(address, "the service has ended");
    co_await wait_for_turn();
    const Turn turn(*this);
    std::optional<yagna::NodeId> node;
    bool ask = false;
    {
        const std::scoped_lock lock(mutex_);
        node = plan_.release(address);
        ask = node && !closed_;
    }
    if (!node)
        co_return;
    if (ask) {
        const auto network = id();
        try {
            co_await client_.net().remove_node(network, *node);
        } catch (const Error& error) {
            if (error.errc() != Errc::not_found)
                throw;
        }
    }
    const std::scoped_lock lock(mutex_);
    plan_.node_removed(*node);
}

void NetworkCore::free(const std::string& address) noexcept
{
    const std::scoped_lock lock(mutex_);
    plan_.release(address);
}

NetworkPlace NetworkCore::place(const std::string& address) const
{
    const auto now = plan();
    NetworkPlace place;
    place.id = id();
    place.address = bare(now.range());
    place.mask = format_ipv4(now.range().mask());
    place.gateway = options_.gateway;
    place.node_address = address;
    place.nodes = now.nodes();
    place.nodes[now.own_address()] = own_node_;
    place.names = now.names();
    return place;
}

void NetworkCore::end_links(const std::string& address, const std::string& why) noexcept
{
    for (const auto& item : links_) {
        const auto link = item.lock();
        if (link && (address.empty() || link->address() == address))
            link->end(why);
    }
}

Task<std::shared_ptr<NetworkLink>> NetworkCore::connect(std::string member, std::uint16_t port)
{
    const auto self = shared_from_this();
    co_await ready();
    const auto address = plan().find(member);
    const auto nodes = plan().nodes();
    const auto node = nodes.find(address);
    if (node == nodes.end()) {
        Error error(
            Errc::refused, "connect to " + member,
            "its service has no machine yet: wait for it to be running (ServiceWrapper::wait_for)");
        error.set_transient(true);
        throw error;
    }
    const auto network = id();
    auto socket = co_await client_.net().connect(network, address, port);
    // It may have ended meanwhile, and another one may have come.
    check_open("connect");
    const auto now = plan().nodes();
    const auto still = now.find(address);
    if (still == now.end() || still->second != node->second)
        throw Error(Errc::closed, "connect to " + member, "the service has ended");
    auto link = std::make_shared<NetworkLink>(executor_, address, port, std::move(socket));
    std::erase_if(links_, [](const auto& other) { return other.expired(); });
    links_.push_back(link);
    co_return link;
}

Task<> NetworkCore::end_tasks()
{
    for (const auto& item : proxies_) {
        if (const auto proxy = item.lock())
            proxy->close();
    }
    end_links(std::string(), "the network was removed");
    auto ended = tasks_.join();
    const auto in_time = co_await with_timeout(time_, task_limit, std::move(ended), "a network's proxies");
    if (!in_time)
        tasks_.cancel();
}

Task<> NetworkCore::remove()
{
    const auto self = shared_from_this();
    {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
    }
    // A network that is being made has to be known to be removed.
    if (begun_)
        co_await made_.wait();
    co_await end_tasks();
    co_await remove_at_daemon();
}

Task<> NetworkCore::remove_at_daemon()
{
    const auto network = id();
    if (network.empty())
        co_return;
    co_await client_.net().remove(network);
    const std::scoped_lock lock(mutex_);
    id_.clear();
}

Task<std::vector<std::string>> NetworkCore::close(Duration limit)
{
    const auto self = shared_from_this();
    std::vector<std::string> left;
    const auto name = plan().range().to_string();
    std::string problem = "no answer in time";
    try {
        auto removed = remove();
        const auto done = co_await with_timeout(time_, limit, std::move(removed), "removal of a network");
        if (done)
            problem.clear();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    tasks_.cancel();
    auto ended = tasks_.join();
    const auto in_time = co_await with_timeout(time_, task_limit, std::move(ended), "a network's tasks");
    if (!in_time)
        left.push_back("tasks of network " + name + " did not end in time");
    const auto network = id();
    if (!network.empty())
        left.push_back("network " + network + " (" + name + ") was not removed: " + problem);
    else if (may_exist_)
        left.push_back("a network " + name + " may exist that the daemon did not tell us of");
    co_return left;
}

NetworkSeat::NetworkSeat(std::shared_ptr<NetworkCore> network, std::string address)
    : network_(std::move(network)), address_(std::move(address))
{
}

NetworkSeat::~NetworkSeat()
{
    if (!left_)
        network_->free(address_);
}

Task<> NetworkSeat::ready() { return network_->ready(); }

Task<> NetworkSeat::join(yagna::NodeId node) { co_await network_->join(address_, node); }

NetworkPlace NetworkSeat::place()
{
    auto place = network_->place(address_);
    told_ = place.nodes;
    return place;
}

Task<> NetworkSeat::announce() { return network_->announce(told_); }

Task<> NetworkSeat::leave()
{
    co_await network_->leave(address_);
    left_ = true;
}

std::shared_ptr<Network> make_network(const NetworkSetting& setting, const NetworkOptions& options)
{
    return std::make_shared<Network>(std::make_shared<NetworkCore>(setting, options));
}

void begin(Network& network) { network.core()->begin(); }

std::shared_ptr<NetworkSeat>
reserve(const Network& network, const std::shared_ptr<void>& owner, const std::string& address, const std::string& name)
{
    if (network.core()->owner() != owner)
        throw Error(Errc::invalid_input, "service options", "network is one of another manager");
    return network.core()->reserve(address, name);
}

Task<std::vector<std::string>> close(const Network& network, Duration limit) { return network.core()->close(limit); }

} // namespace golem::detail
