#include <golem/yagna/identity.hpp>

#include <golem/yagna/caller.hpp>

#include "identity_codec.hpp"

namespace golem::yagna {

Task<Identity> IdentityApi::me()
{
    const CallClass call{"read identity"};
    http::Request request(http::Method::get, "/me");
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_identity(call.operation, answer.body());
}

Task<Version> IdentityApi::version()
{
    const CallClass call{"read version"};
    http::Request request(http::Method::get, "/version/get");
    const Answer answer = co_await caller_.call(call, request);
    co_return codec::decode_version(call.operation, answer.body());
}

} // namespace golem::yagna
