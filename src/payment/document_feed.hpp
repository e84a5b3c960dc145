#pragma once

#include <golem/core/event.hpp>
#include <golem/core/log.hpp>
#include <golem/core/task.hpp>
#include <golem/core/time_source.hpp>
#include <golem/yagna/payment.hpp>

#include <exception>
#include <functional>
#include <list>
#include <string>
#include <vector>

namespace golem::detail {

/// Polls one kind of payment events and reads each document that came, in order. Survives outages; a document that
/// cannot be read holds up no other one.
class DocumentFeed {
public:
    using Poll = std::function<Task<std::vector<yagna::PaymentEvent>>(const yagna::Cursor& cursor, Duration wait)>;
    /// Reads the document and passes it on.
    using Read = std::function<Task<>(const std::string& id)>;
    using Problem = std::function<void(const std::string&)>;

    DocumentFeed(
        const Executor& executor, TimeSource& time, Logger log, std::string kind, Duration wait, Poll poll, Read read,
        Problem on_problem);

    /// Completes after stop().
    Task<> run();
    void stop() { stop_.set(); }

private:
    struct Unread {
        std::string id;
        int attempts = 0;
        Instant due{};
    };

    Task<> read_due();
    Duration until_due() const;
    Task<> poll_once(Duration wait, std::exception_ptr& failure);

    TimeSource& time_;
    Logger log_;
    std::string kind_;
    Duration wait_;
    Poll poll_;
    Read read_;
    Problem on_problem_;
    yagna::Cursor cursor_;
    std::list<Unread> unread_;
    Event stop_;
};

} // namespace golem::detail
