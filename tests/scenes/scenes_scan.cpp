// Looks at the market without a demand.
#include <tests/scenes/deals.hpp>
#include <tests/scenes/scenes.hpp>

namespace golem::test {

namespace {

const std::string scans = market + "/scan";

Task<std::string> begin(Stage& stage, Json wish)
{
    wish["type"] = "offer";
    const auto made = co_await stage.post(scans, wish);
    co_return scans + "/" + made.text();
}

Task<std::string> offer(Stage& stage, provider::Content content, const std::string& name)
{
    content.properties.set("golem.node.id.name", name);
    auto published = co_await stage.provider().publish_offer(content);
    co_return published;
}

} // namespace

Task<> scene_scan(Stage& stage)
{
    for (const std::string body :
         {R"({"type":"offer","constraints":"(a=1"})", R"({"type":"offer","constraints":""})",
          R"({"type":"offer","constraints":5})", R"({"type":"x"})", R"({"type":"Offer"})", "{}", "[]", "null",
          R"("offer")", R"({"type":"offer","timeout":-1})", R"({"type":"offer","timeout":"3"})",
          R"({"type":"offer","timeout":1.5})", "{", ""})
        co_await stage.post_text(scans, body);
    co_await stage.get(scans + "/nothing/events");
    co_await stage.get(scans + "/999999/events?timeout=0");
    co_await stage.del(scans + "/nothing");
    co_await stage.get(scans);
    co_await stage.get(scans + "/999999");

    // A daemon hears of offers of others once it has published a demand.
    auto deal = new_deal(stage);
    co_await meet(stage, deal);
    deal.offered.properties.set("o.i", 1);
    deal.offered.constraints = "(golem.nobody=has)";
    const auto second_name = stage.new_name();
    const auto second = co_await offer(stage, deal.offered, second_name);
    co_await stage.pass(std::chrono::seconds(1));

    const std::string both = "(|(golem.node.id.name=" + deal.name + ")(golem.node.id.name=" + second_name + "))";
    Json wish;
    wish["timeout"] = 30;
    wish["constraints"] = both;
    wish["unknown"] = true;
    const auto all = co_await begin(stage, wish);
    co_await stage.get(all + "/events?timeout=2");
    co_await stage.get(all + "/events?timeout=1");
    const auto one_by_one = co_await begin(stage, wish);
    co_await stage.get(one_by_one + "/events?timeout=1&maxEvents=0");
    co_await stage.get(one_by_one + "/events?timeout=2&maxEvents=1");
    co_await stage.get(one_by_one + "/events?timeout=2&maxEvents=1");
    for (const std::string query : {"timeout=abc", "timeout=", "maxEvents=", "maxEvents=1.5", "maxEvents=x"})
        co_await stage.get(one_by_one + "/events?" + query);
    wish["constraints"] = "(&" + both + "(golem.missing=1))";
    const auto none = co_await begin(stage, wish);
    co_await stage.get(none + "/events?timeout=1");
    wish["constraints"] = nullptr;
    wish["timeout"] = nullptr;
    co_await begin(stage, wish);

    // A new offer reaches who waits, with its first answer.
    const auto third_name = stage.new_name();
    wish["timeout"] = 30;
    wish["constraints"] = "(golem.node.id.name=" + third_name + ")";
    const auto later = co_await begin(stage, wish);
    const std::function<Task<>()> background = [&stage, &later]() -> Task<> {
        co_await stage.get(later + "/events?timeout=20");
    };
    co_await stage.meanwhile(background);
    co_await stage.pass(std::chrono::milliseconds(300));
    const auto third = co_await offer(stage, deal.offered, third_name);
    co_await stage.settle();

    // One that is ended sits out its poll.
    const std::function<Task<>()> forsaken = [&stage, &later]() -> Task<> {
        co_await stage.get(later + "/events?timeout=3");
    };
    co_await stage.meanwhile(forsaken);
    co_await stage.pass(std::chrono::milliseconds(300));
    co_await stage.del(later);
    co_await stage.del(later);
    co_await stage.settle();
    co_await stage.get(later + "/events?timeout=1");

    co_await stage.del(all);
    co_await stage.del(one_by_one);
    co_await stage.del(none);
    co_await stage.provider().withdraw_offer(second);
    co_await stage.provider().withdraw_offer(third);
    co_await forget(stage, deal);
}

} // namespace golem::test
