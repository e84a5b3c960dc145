#pragma once

#include <golem/yagna/activity.hpp>
#include <golem/yagna/caller.hpp>
#include <golem/yagna/gsb.hpp>
#include <golem/yagna/identity.hpp>
#include <golem/yagna/market.hpp>
#include <golem/yagna/net.hpp>
#include <golem/yagna/payment.hpp>

#include <memory>
#include <string>
#include <utility>

namespace golem::yagna {

/// The daemon's API as this library uses it.
class Client {
public:
    Client(std::shared_ptr<http::Transport> transport, std::string app_key, TimeSource& time, Random random, Logger log,
           const CallerOptions& options = CallerOptions())
        : caller_(std::move(transport), std::move(app_key), time, random, std::move(log), options),
          gsb_(caller_, random.sub_stream("gsb"))
    {}

    MarketApi& market() noexcept { return market_; }
    ActivityApi& activity() noexcept { return activity_; }
    PaymentApi& payment() noexcept { return payment_; }
    IdentityApi& identity() noexcept { return identity_; }
    NetApi& net() noexcept { return net_; }
    GsbApi& gsb() noexcept { return gsb_; }
    Caller& caller() noexcept { return caller_; }

private:
    Caller caller_;
    MarketApi market_{caller_};
    ActivityApi activity_{caller_};
    PaymentApi payment_{caller_};
    IdentityApi identity_{caller_};
    NetApi net_{caller_};
    GsbApi gsb_;
};

} // namespace golem::yagna
