#pragma once

#include <golem/core/error.hpp>
#include <golem/http/transport.hpp>
#include <golem/payment/detail/acceptance.hpp>

#include <exception>
#include <string>

namespace golem::detail {

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

inline AcceptFailure reason_of(const std::exception_ptr& failure)
{
    if (is_allocation_gone(failure))
        return AcceptFailure::allocation_gone;
    if (may_succeed_later(failure))
        return AcceptFailure::later;
    const bool may_pass = has_code(failure, Errc::unauthorized) || has_code(failure, Errc::not_found) ||
                          has_code(failure, Errc::insufficient_funds);
    return may_pass ? AcceptFailure::passing : AcceptFailure::final;
}

} // namespace golem::detail
