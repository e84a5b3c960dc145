#include <golem/core/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>

#include <utility>

namespace golem {

namespace {

class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "golem"; }

    std::string message(int value) const override
    {
        switch (static_cast<Errc>(value)) {
        case Errc::invalid_input: return "invalid input";
        case Errc::unreachable: return "daemon unreachable";
        case Errc::unauthorized: return "unauthorized";
        case Errc::insufficient_funds: return "insufficient funds";
        case Errc::not_found: return "not found";
        case Errc::refused: return "refused";
        case Errc::timed_out: return "timed out";
        case Errc::protocol: return "protocol error";
        case Errc::daemon_failed: return "daemon failed";
        case Errc::command_failed: return "command failed";
        case Errc::agreement_ended: return "agreement ended";
        case Errc::activity_lost: return "activity lost";
        case Errc::service_failed: return "service failed";
        case Errc::cancelled: return "cancelled";
        case Errc::closed: return "closed";
        case Errc::internal: return "internal error";
        }
        return "unknown error";
    }
};

std::string reason_text(GaveUp reason)
{
    switch (reason) {
    case GaveUp::not_tried_again: return {};
    case GaveUp::permanent: return "trying again would not help";
    case GaveUp::exhausted: return "gave up";
    case GaveUp::not_repeatable: return "not tried again, since it may have taken effect";
    case GaveUp::cancelled: return "cancelled";
    }
    return {};
}

} // namespace

const boost::system::error_category& error_category() noexcept
{
    static const Category category;
    return category;
}

Error::Error(Errc code, std::string operation, std::string explanation)
    : system_error(make_error_code(code)), code_(code), operation_(std::move(operation)),
      explanation_(std::move(explanation))
{
    compose();
}

Error& Error::set_their_words(std::string words)
{
    their_words_ = std::move(words);
    compose();
    return *this;
}

Error& Error::set_transient(bool transient) noexcept
{
    transient_ = transient;
    return *this;
}

Error& Error::set_gave_up(GaveUp reason, std::string detail)
{
    gave_up_ = reason;
    gave_up_detail_ = std::move(detail);
    compose();
    return *this;
}

void Error::compose()
{
    text_ = operation_ + ": " + explanation_;
    if (!their_words_.empty() && !words_are_told_)
        text_ += " [" + their_words_ + "]";
    const auto reason = reason_text(gave_up_);
    if (!reason.empty())
        text_ += " (" + reason + (gave_up_detail_.empty() ? "" : " " + gave_up_detail_) + ")";
}

bool is_cancelled(const boost::system::error_code& code) noexcept
{
    return code == boost::asio::error::operation_aborted || code == make_error_code(Errc::cancelled) ||
           code == boost::asio::experimental::error::channel_cancelled;
}

bool is_cancelled(const std::exception_ptr& failure) noexcept
{
    try {
        if (failure)
            std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return is_cancelled(error.code());
    } catch (...) {
    }
    return false;
}

std::string describe(const std::exception_ptr& failure)
{
    try {
        if (failure)
            std::rethrow_exception(failure);
        return "no failure";
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception of unknown type";
    }
}

} // namespace golem
