#pragma once

#include <golem/core/task.hpp>
#include <golem/yagna/types.hpp>

#include <string>

namespace golem::yagna {

class Caller;

struct Identity {
    NodeId node;
    std::string name;
    std::string role;
};

struct Version {
    std::string version;
    std::string name;
};

/// Who we are and which daemon this is. Both repeatable.
class IdentityApi {
public:
    explicit IdentityApi(Caller& caller) : caller_(caller) {}

    /// `GET /me`. A wrong key is Error unauthorized.
    Task<Identity> me();
    /// `GET /version/get`; needs no key.
    Task<Version> version();

private:
    Caller& caller_;
};

} // namespace golem::yagna
