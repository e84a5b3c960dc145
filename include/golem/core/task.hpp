#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace golem {

/// What every asynchronous function of this library returns. It does nothing until it is awaited or spawned.
///
/// g++ 12 miscompiles statements that await and do more than that: name arguments and results first, then await
/// (CONTRIBUTING.md tells which statements).
template <typename T = void>
using Task = boost::asio::awaitable<T, boost::asio::any_io_executor>;

using Executor = boost::asio::any_io_executor;

} // namespace golem
