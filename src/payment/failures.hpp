#pragma once

#include <golem/core/error.hpp>
#include <golem/http/transport.hpp>

#include <exception>
#include <string>

namespace golem::detail {

/// Whether an allocation whose making failed may be there all the same. A failure that the daemon reports comes from
/// its checks, before it makes anything.
inline bool may_have_been_made(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError& error) {
        return error.sent() == http::TransportError::Sent::unknown;
    } catch (const Error& error) {
        return error.errc() == Errc::timed_out || error.errc() == Errc::protocol;
    } catch (...) {
        return false;
    }
}

/// Whether the same repeatable request may succeed later, or may have succeeded.
inline bool may_succeed_later(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const http::TransportError&) {
        return true; // The connection broke: the daemon may be starting anew, or have heard us.
    } catch (const Error& error) {
        return error.is_transient() || error.errc() == Errc::timed_out || error.errc() == Errc::daemon_failed ||
               error.errc() == Errc::protocol;
    } catch (...) {
        return false;
    }
}

inline bool has_code(const std::exception_ptr& failure, Errc code)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.errc() == code;
    } catch (...) {
        return false;
    }
}

/// Whether an accept failed because the daemon has released the allocation, which it does at the timeout. (An unknown
/// document has the same code, but other words.)
inline bool is_allocation_gone(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.errc() == Errc::not_found && error.their_words().find("Allocation ") != std::string::npos;
    } catch (...) {
        return false;
    }
}

} // namespace golem::detail
