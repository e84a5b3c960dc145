#include "payment/document_feed.hpp"

#include <golem/core/error.hpp>
#include <golem/core/task_group.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

using namespace golem;
using namespace std::chrono_literals;

namespace {

yagna::PaymentEvent received(const std::string& document, const std::string& cursor)
{
    yagna::PaymentEvent event;
    event.kind = yagna::PaymentEvent::Kind::received;
    event.document = document;
    event.cursor = yagna::Cursor(cursor);
    return event;
}

} // namespace

TEST_CASE("each poll for documents asks for what came after the latest event")
{
    std::vector<std::string> asked;
    std::vector<std::string> read;
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        // The log: what is asked for again is told again.
        const std::vector<yagna::PaymentEvent> log{received("a", "1"), received("b", "2"), received("c", "3")};
        const auto poll = [&](const yagna::Cursor& cursor, Duration wait) -> Task<std::vector<yagna::PaymentEvent>> {
            asked.push_back(cursor.text());
            std::vector<yagna::PaymentEvent> page;
            for (const auto& event : log) {
                if (page.size() < 2 && event.cursor.text() > cursor.text())
                    page.push_back(event);
            }
            if (page.empty() || asked.size() > 5)
                co_await time.sleep_for(wait, "the end of a poll");
            co_return page;
        };
        const auto reading = [&](const std::string& id) -> Task<> {
            read.push_back(id);
            co_return;
        };
        detail::DocumentFeed feed(executor, time, Logger(), "debit note", 60s, poll, reading, nullptr);
        TaskGroup group(executor);
        group.spawn("feed", [&feed] { return feed.run(); });
        co_await time.sleep_for(90s, "some polls");
        feed.stop();
        co_await group.join();
    });
    CHECK(asked == std::vector<std::string>{"", "2", "3", "3"});
    CHECK(read == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("a document that cannot be read for the moment is read later, and holds up no other one")
{
    std::vector<std::string> read;
    std::vector<std::string> problems;
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto start = time.elapsed();
        std::vector<yagna::PaymentEvent> log{received("moment", "1"), received("never", "2"), received("good", "3")};
        const auto poll = [&](const yagna::Cursor& cursor, Duration wait) -> Task<std::vector<yagna::PaymentEvent>> {
            std::vector<yagna::PaymentEvent> page;
            for (const auto& event : log) {
                if (event.cursor.text() > cursor.text())
                    page.push_back(event);
            }
            if (page.empty())
                co_await time.sleep_for(wait, "the end of a poll");
            co_return page;
        };
        const auto reading = [&](const std::string& id) -> Task<> {
            if (id == "never")
                throw Error(Errc::not_found, "read", "there is none");
            if (id == "moment" && time.elapsed() - start < 5s)
                throw Error(Errc::unauthorized, "read", "who are you?");
            read.push_back(id);
            co_return;
        };
        detail::DocumentFeed feed(executor, time, Logger(), "debit note", 60s, poll, reading, [&](const auto& line) {
            problems.push_back(line);
        });
        TaskGroup group(executor);
        group.spawn("feed", [&feed] { return feed.run(); });
        co_await time.sleep_for(10s, "some polls");
        CHECK(read == std::vector<std::string>{"good", "moment"});
        CHECK(problems.empty());
        log.push_back(received("late", "4"));
        co_await time.sleep_for(61s, "a poll");
        CHECK(read.back() == "late");
        co_await time.sleep_for(1h, "many polls");
        CHECK(problems.size() == 1);
        feed.stop();
        co_await group.join();
    });
}
