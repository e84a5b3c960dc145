#include "payment/failures.hpp"
#include "payment/places.hpp"

#include <golem/core/task_group.hpp>
#include <golem/payment/detail/acceptance.hpp>
#include <golem/yagna/outcome.hpp>

#include <tests/support/catch.hpp>
#include <tests/support/run_task.hpp>

#include <boost/asio/this_coro.hpp>

#include <string>
#include <vector>

using namespace golem;
using namespace golem::detail;
using namespace std::chrono_literals;

namespace {

std::exception_ptr failure(Errc code, const std::string& words = {})
{
    Error error(code, "accept", "it failed");
    error.set_their_words(words);
    return std::make_exception_ptr(error);
}

std::exception_ptr unanswered(http::TransportError::Sent sent)
{
    return std::make_exception_ptr(http::TransportError(Errc::unreachable, "accept", "it broke", sent));
}

AcceptProgress progress(int attempts, int refusals, int allocations_gone, bool overdue, bool in_doubt)
{
    return AcceptProgress{attempts, refusals, allocations_gone, overdue, in_doubt};
}

} // namespace

TEST_CASE("why an accept failed decides what follows")
{
    struct Row {
        std::exception_ptr failure;
        AcceptFailure reason;
    };
    const std::vector<Row> rows{
        {unanswered(http::TransportError::Sent::no), AcceptFailure::later},
        {unanswered(http::TransportError::Sent::unknown), AcceptFailure::later},
        {failure(Errc::timed_out), AcceptFailure::later},
        {failure(Errc::daemon_failed), AcceptFailure::later},
        {failure(Errc::protocol), AcceptFailure::later},
        {failure(Errc::unauthorized), AcceptFailure::passing},
        {failure(Errc::not_found), AcceptFailure::passing},
        {failure(Errc::insufficient_funds), AcceptFailure::passing},
        {failure(Errc::not_found, "Allocation 6b3a not found"), AcceptFailure::allocation_gone},
        {failure(Errc::invalid_input), AcceptFailure::final},
        {failure(Errc::refused), AcceptFailure::final},
    };
    for (const auto& row : rows) {
        INFO(describe(row.failure));
        CHECK(reason_of(row.failure) == row.reason);
    }
}

TEST_CASE("an accept is repeated as long as there is hope, and what is in doubt is not called refused")
{
    struct Row {
        AcceptFailure failure;
        AcceptProgress progress;
        AcceptStep step;
    };
    const std::vector<Row> rows{
        {AcceptFailure::later, progress(1, 0, 0, false, true), AcceptStep::later},
        {AcceptFailure::later, progress(1000, 0, 0, false, true), AcceptStep::later},
        {AcceptFailure::later, progress(2, 0, 0, true, true), AcceptStep::later},
        {AcceptFailure::later, progress(3, 0, 0, true, true), AcceptStep::given_up},
        {AcceptFailure::later, progress(3, 0, 0, true, false), AcceptStep::refused},
        {AcceptFailure::passing, progress(1, 1, 0, false, false), AcceptStep::later},
        {AcceptFailure::passing, progress(10, 10, 0, false, false), AcceptStep::later},
        {AcceptFailure::passing, progress(11, 11, 0, false, false), AcceptStep::refused},
        {AcceptFailure::passing, progress(12, 11, 0, false, true), AcceptStep::given_up},
        {AcceptFailure::passing, progress(3, 3, 0, true, false), AcceptStep::refused},
        {AcceptFailure::allocation_gone, progress(1, 0, 1, false, false), AcceptStep::at_once},
        {AcceptFailure::allocation_gone, progress(2, 0, 2, false, false), AcceptStep::at_once},
        {AcceptFailure::allocation_gone, progress(3, 0, 3, false, false), AcceptStep::later},
        {AcceptFailure::allocation_gone, progress(3, 0, 3, true, false), AcceptStep::refused},
        {AcceptFailure::final, progress(1, 0, 0, false, false), AcceptStep::refused},
        {AcceptFailure::final, progress(5, 0, 0, false, true), AcceptStep::refused},
    };
    for (std::size_t index = 0; index < rows.size(); ++index) {
        INFO("row " << index);
        CHECK(decide_accept(rows[index].failure, rows[index].progress) == rows[index].step);
    }
}

TEST_CASE("pauses between accepts fit the accept timeout first, and grow then")
{
    CHECK(accept_pause(1, 0) == 500ms);
    CHECK(accept_pause(1, 1) == 250ms);
    CHECK(accept_pause(2, 0) == 1s);
    CHECK(accept_pause(6, 0) == 16s);
    CHECK(accept_pause(7, 0) == 20s);
    CHECK(accept_pause(10, 0) == 20s);
    CHECK(accept_pause(11, 0) == 40s);
    CHECK(accept_pause(14, 0) == 5min);
    CHECK(accept_pause(1'000'000, 0) == 5min);
    Duration sum(0);
    for (int failures = 1; failures <= 10; ++failures)
        sum += accept_pause(failures, 0);
    CHECK(sum < 120s);
}

TEST_CASE("what a failed call leaves open")
{
    CHECK(yagna::may_have_happened(unanswered(http::TransportError::Sent::unknown)));
    CHECK(yagna::may_have_happened(failure(Errc::timed_out)));
    CHECK(yagna::may_have_happened(failure(Errc::protocol)));
    CHECK(yagna::may_have_happened(failure(Errc::daemon_failed)));
    CHECK_FALSE(yagna::may_have_happened(unanswered(http::TransportError::Sent::no)));
    CHECK_FALSE(yagna::may_have_happened(failure(Errc::insufficient_funds)));
    CHECK_FALSE(yagna::may_have_happened(failure(Errc::unauthorized)));
    CHECK(yagna::was_answered(failure(Errc::daemon_failed)));
    CHECK_FALSE(yagna::was_answered(failure(Errc::timed_out)));
    CHECK_FALSE(yagna::was_answered(unanswered(http::TransportError::Sent::unknown)));
}

TEST_CASE("of the ids of documents the latest are known")
{
    RecentDocuments recent;
    CHECK(recent.insert("first"));
    CHECK_FALSE(recent.insert("first"));
    for (int id = 0; id < 1000; ++id)
        CHECK(recent.insert(std::to_string(id)));
    CHECK_FALSE(recent.insert("999"));
    CHECK_FALSE(recent.insert("980"));
    CHECK(recent.size() == RecentDocuments::most);
}

TEST_CASE("places go to those who have failed least, and few to those who have failed")
{
    std::vector<std::string> order;
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto places = std::make_shared<Places>(executor, 3, 1);
        TaskGroup group(executor);
        const auto come = [&](const std::string& name, int failures) {
            group.spawn(name, [&order, &time, places, name, failures]() -> Task<> {
                co_await places->take(failures);
                const Place place(places, failures);
                order.push_back(name);
                co_await time.sleep_for(10s, "in its place");
            });
        };
        come("hopeless", 9);
        co_await time.sleep_for(1s, "a moment");
        come("worse", 5);
        come("bad", 1);
        co_await time.sleep_for(1s, "a moment");
        CHECK(order == std::vector<std::string>{"hopeless"}); // Although two are free.
        come("good", 0);
        come("fine", 0);
        come("sound", 0);
        co_await time.sleep_for(1s, "a moment");
        CHECK(order == std::vector<std::string>{"hopeless", "good", "fine"});
        co_await group.join();
    });
    CHECK(order == std::vector<std::string>{"hopeless", "good", "fine", "sound", "bad", "worse"});
}

TEST_CASE("who goes away while waiting for a place loses none")
{
    test::run_virtual([&](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto places = std::make_shared<Places>(executor, 1, 1);
        TaskGroup impatient(executor);
        TaskGroup patient(executor);
        bool served = false;
        co_await places->take(1);
        impatient.spawn("goes", [places]() -> Task<> {
            co_await places->take(0);
            const Place place(places, 0);
        });
        patient.spawn("stays", [places, &served]() -> Task<> {
            co_await places->take(2);
            const Place place(places, 2);
            served = true;
        });
        co_await time.sleep_for(1s, "a moment");
        SECTION("before it was its turn")
        {
            impatient.cancel();
            co_await impatient.join();
            places->give(1);
        }
        SECTION("when it was its turn")
        {
            places->give(1);
            impatient.cancel();
        }
        co_await impatient.join();
        co_await patient.join();
        CHECK(served);
    });
}

TEST_CASE("a place may be given back after everybody else is gone")
{
    auto places = std::make_shared<Places>(Executor(), 1, 1);
    const std::weak_ptr<Places> rest = places;
    {
        const Place place(places, 0);
        places.reset();
        CHECK_FALSE(rest.expired());
    }
    CHECK(rest.expired());
}
