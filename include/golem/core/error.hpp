#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace golem {

/// What went wrong, sorted by what a user can do about it.
enum class Errc {
    invalid_input = 1,  ///< An option, argument or file is wrong: correct it.
    unreachable,        ///< No daemon answers at the URL: start it, or correct the URL.
    unauthorized,       ///< The daemon does not know the app key.
    insufficient_funds, ///< The account or the allocation has too little: top up or raise the budget.
    not_found,          ///< The daemon does not know the object (any more).
    refused,            ///< The daemon or the provider says no to the request in this state of things.
    timed_out,          ///< A limit of our own passed.
    protocol,           ///< An answer that cannot be understood: malformed, cut off, too large.
    daemon_failed,      ///< The daemon reports a failure of its own (5xx).
    command_failed,     ///< A command on the provider failed.
    agreement_ended,    ///< The agreement was ended by someone else, or expired.
    activity_lost,      ///< The activity died, or its provider no longer answers.
    service_failed,     ///< The user's service failed or can no longer reach the awaited status.
    cancelled,          ///< Somebody asked for the end.
    closed,             ///< The manager or the connection was closed.
    internal,           ///< A defect of this library.
};

const boost::system::error_category& error_category() noexcept;

inline boost::system::error_code make_error_code(Errc code) noexcept
{
    return {static_cast<int>(code), error_category()};
}

/// Why no further attempt was made.
enum class GaveUp { not_tried_again, permanent, exhausted, not_repeatable, cancelled };

/// The exception of this library. `what()` is one sentence: operation, explanation, the daemon's words, why we gave up.
class Error : public boost::system::system_error {
public:
    /// `operation` is what was attempted ("create agreement"), `explanation` what happened and what to do about it.
    Error(Errc code, std::string operation, std::string explanation);

    Errc errc() const noexcept { return code_; }
    const std::string& operation() const noexcept { return operation_; }
    const std::string& explanation() const noexcept { return explanation_; }
    /// What the daemon or the provider said, verbatim; empty if nothing. May hold text of strangers.
    const std::string& their_words() const noexcept { return their_words_; }
    /// Whether the same call may succeed later.
    bool is_transient() const noexcept { return transient_; }
    GaveUp gave_up() const noexcept { return gave_up_; }

    const char* what() const noexcept override { return text_.c_str(); }

    Error& set_their_words(std::string words);
    Error& set_transient(bool transient) noexcept;
    /// `detail` completes the sentence, e.g. "after 3 attempts in 4 s".
    Error& set_gave_up(GaveUp reason, std::string detail = {});

protected:
    /// For who has said the same in `explanation`: what() does not repeat them.
    void keep_their_words(std::string words) noexcept { their_words_ = std::move(words), words_are_told_ = true; }

private:
    void compose();

    Errc code_;
    std::string operation_;
    std::string explanation_;
    std::string their_words_;
    bool words_are_told_ = false;
    bool transient_ = false;
    GaveUp gave_up_ = GaveUp::not_tried_again;
    std::string gave_up_detail_;
    std::string text_;
};

/// True for a cancellation in any of its shapes: asio's operation_aborted, the channels' codes, Errc::cancelled.
bool is_cancelled(const boost::system::error_code& code) noexcept;
bool is_cancelled(const std::exception_ptr& failure) noexcept;

/// The text of an exception for a log line or a status.
std::string describe(const std::exception_ptr& failure);

} // namespace golem

template <>
struct boost::system::is_error_code_enum<golem::Errc> : std::true_type {};
