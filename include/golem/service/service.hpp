#pragma once

#include <golem/core/task.hpp>
#include <golem/market/payload.hpp>
#include <golem/work/work_context.hpp>

namespace golem {

/// What a user subclasses: what to rent, and what to do there. Each create_service() makes one object, when it begins
/// to look for a provider; a service that failed is not restarted: create it again. All of its functions are called on
/// the manager's executor, never two at a time, with one exception: after a run() that did not obey its cancellation
/// within ServiceLimits::cancel shutdown() is called although run() has not ended.
class Service {
public:
    virtual ~Service() = default;

    /// What the service needs to run. Called once, before an agreement is looked for.
    virtual Payload payload() const = 0;

    /// Makes the machine ready; the wrapper is `starting` meanwhile. By default deploys the image and starts it with
    /// ServiceOptions::start_args, in its network (WorkContext::deploy_options()). Throwing means `failed`.
    virtual Task<> start(WorkContext& work);

    /// The service's life; the wrapper is `running` meanwhile. When it returns the service is `stopped`, when it throws
    /// `failed`. Cancelled (terminal) when stop() was asked for, and when the activity or the agreement is lost. By
    /// default waits for that.
    virtual Task<> run(WorkContext& work);

    /// Called after run() ended in any way, as long as the activity lives. By default does nothing.
    virtual Task<> shutdown(WorkContext& work);
};

} // namespace golem
