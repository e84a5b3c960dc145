// What failed calls of a daemon mean to those who may call again.
#pragma once

#include <golem/core/error.hpp>

#include <algorithm>
#include <exception>
#include <initializer_list>

namespace golem::provider {

inline bool is_any_of(const std::exception_ptr& failure, std::initializer_list<Errc> kinds)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return std::find(kinds.begin(), kinds.end(), error.errc()) != kinds.end();
    } catch (...) {
        return false;
    }
}

/// Another call will fare no better.
inline bool is_final(const std::exception_ptr& failure)
{
    return is_any_of(failure, {Errc::refused, Errc::not_found, Errc::invalid_input});
}

} // namespace golem::provider
