// What a failed call leaves open.
#pragma once

#include <golem/core/error.hpp>
#include <golem/http/transport.hpp>

#include <exception>

namespace golem::yagna {

/// Whether a call that failed may have been carried out all the same, so that what it was to make must be looked for
/// before it is made again.
///
/// A failure of the daemon itself (5xx) counts: most come from its checks, before it makes anything, but some come from
/// what it does after that. To look once too often costs one request; a second agreement or allocation costs money.
inline bool may_have_happened(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError& error) {
        return error.sent() == http::TransportError::Sent::unknown;
    } catch (const Error& error) {
        return error.errc() == Errc::timed_out || error.errc() == Errc::protocol || error.errc() == Errc::daemon_failed;
    } catch (...) {
        return false;
    }
}

/// Whether such a call is over, at least: the daemon has answered it, so nothing will come of it later on.
inline bool was_answered(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError&) {
        return false;
    } catch (const Error& error) {
        return error.errc() != Errc::timed_out && error.errc() != Errc::cancelled && error.errc() != Errc::closed;
    } catch (...) {
        return false;
    }
}

} // namespace golem::yagna
