#include <golem/service/service.hpp>

#include <golem/core/time_source.hpp>

namespace golem {

Task<> Service::start(WorkContext& work)
{
    Script script;
    script.deploy(work.deploy_options()).start(work.start_args());
    co_await work.execute(script);
}

Task<> Service::run(WorkContext& work)
{
    for (;;)
        co_await work.sleep(Duration::max());
}

Task<> Service::shutdown(WorkContext&) { co_return; }

} // namespace golem
