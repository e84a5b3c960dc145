#include <golem/core/real_time.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>

namespace golem {

Task<> RealTime::sleep_until(Instant when, std::string_view)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, when);
    co_await timer.async_wait(boost::asio::deferred);
}

} // namespace golem
