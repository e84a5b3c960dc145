// A devnet's REST face, called in process in virtual time.
#pragma once

#include <golem/core/virtual_time.hpp>
#include <golem/devnet/host.hpp>
#include <golem/devnet/rest_face.hpp>
#include <golem/http/in_process.hpp>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>

namespace golem::test {

class Rig {
public:
    Rig(const Executor& executor, TimeSource& time, const devnet::DevnetOptions& options = devnet::DevnetOptions())
        : host(executor, time, options), face(std::make_shared<devnet::RestFace>(host)),
          transport(http::make_in_process_transport(executor, time, face, "devnet"))
    {
    }

    /// With the first key, and a JSON body unless it is empty.
    Task<http::Response> call(http::Method method, std::string target, std::string body = "")
    {
        http::Request request(method, std::move(target));
        request.headers().set("Authorization", "Bearer " + host.options().app_keys.front());
        request.set_limit(std::chrono::minutes(5));
        if (!body.empty())
            request.set_body(std::move(body));
        auto response = co_await transport->send(request);
        co_return response;
    }

    devnet::Host host;
    std::shared_ptr<devnet::RestFace> face;
    std::shared_ptr<http::Transport> transport;
};

/// Properties and constraints of a pair that matches.
inline provider::Content some_offer()
{
    provider::Content offer;
    offer.properties.set("golem.runtime.name", properties::Value("vm"));
    offer.properties.set("golem.com.pricing.model.linear.coeffs", properties::Value(properties::Value::List{0.0, 0.1}));
    offer.constraints = "(golem.srv.comp.expiration>0)";
    return offer;
}

inline provider::Content some_demand()
{
    provider::Content demand;
    demand.properties.set("golem.srv.comp.expiration", properties::Value(1'900'000'000'000));
    demand.properties.set("golem.com.payment.chosen-platform", properties::Value("erc20-hoodi-tglm"));
    demand.constraints = "(golem.runtime.name=vm)";
    return demand;
}

} // namespace golem::test
