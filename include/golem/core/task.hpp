#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace golem {

/// What every asynchronous function of this library returns. It does nothing until it is awaited or spawned.
///
/// g++ 12 miscompiles statements that await and do more than that, without a warning: objects are destroyed twice, or
/// the program crashes. Name it first, then await (CONTRIBUTING.md has the whole table):
///
///     instead of                              | write
///     ----------------------------------------|----------------------------------------------
///     co_await f(Options{.name = "a"})        | Options options; …; co_await f(options);
///     co_await f([value] { … })               | a named closure; [this], [&] and [&x] are fine
///     Options{.name = co_await g()}           | auto name = co_await g(); and then the object
///     condition ? co_await a() : co_await b() | if and else
///     throw Error(co_await g())               | auto text = co_await g(); throw Error(text);
///     if (co_await a() && co_await b())       | two named results
template <typename T = void>
using Task = boost::asio::awaitable<T, boost::asio::any_io_executor>;

using Executor = boost::asio::any_io_executor;

} // namespace golem
