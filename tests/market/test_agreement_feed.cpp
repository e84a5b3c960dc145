#include <golem/market/market.hpp>

#include <tests/yagna/support.hpp>

#include <boost/asio/this_coro.hpp>

using namespace golem;
using namespace std::chrono_literals;
using yagna::test::answer;
using yagna::test::contains;

TEST_CASE("each poll for agreement events asks for what came after the latest one")
{
    test::run_virtual([](VirtualTime& time) -> Task<> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto event = [](const std::string& agreement, const std::string& kind, const std::string& second) {
            return R"({"agreementId":")" + agreement + R"(","eventType":"Agreement)" + kind +
                   R"(Event","eventDate":"2026-11-24T07:31:)" + second + "Z\"}";
        };
        auto transport = std::make_shared<yagna::test::ScriptedTransport>(time);
        transport->expect(
            answer(200, "[" + event("a", "Approved", "01.000001") + "," + event("b", "Approved", "02.5") + "]"));
        transport->expect(answer(200, "[" + event("a", "Terminated", "03.25") + "]"));
        auto nothing = answer(200, "[]");
        nothing.delay = 60s;
        transport->always(nothing);
        yagna::Client client(transport, "key", time, Random(1), Logger());
        AgreementFeed feed(executor, time, client, Logger(), "session");
        int told = 0;
        feed.listen("a", [&told](const yagna::AgreementEvent&) { ++told; });
        co_await time.sleep_for(90s, "some polls");
        co_await feed.close();
        CHECK(told == 2);
        REQUIRE(transport->requests.size() == 4);
        const auto& asked = transport->requests;
        CHECK(!contains(asked[0].target(), "afterTimestamp"));
        CHECK(contains(asked[1].target(), "afterTimestamp=2026-11-24T07%3A31%3A02.5Z"));
        CHECK(contains(asked[2].target(), "afterTimestamp=2026-11-24T07%3A31%3A03.25Z"));
        CHECK(contains(asked[3].target(), "afterTimestamp=2026-11-24T07%3A31%3A03.25Z"));
    });
}
