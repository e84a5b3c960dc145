#include <golem/service/detail/settings.hpp>

#include <tests/support/catch.hpp>

#include <map>

using namespace golem;
using namespace std::chrono_literals;

namespace {

detail::Environment environment(std::map<std::string, std::string> variables)
{
    return [variables](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
    };
}

std::string refusal(const std::function<void(ServiceManagerOptions&)>& change)
{
    ServiceManagerOptions options;
    change(options);
    try {
        detail::settle_options(options, environment({}));
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::invalid_input);
        return error.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("explicit member before environment before default")
{
    ServiceManagerOptions options;
    const auto bare = detail::settle_options(options, environment({}));
    CHECK(bare.market.subnet == "public");
    CHECK(bare.payment.network == "hoodi");

    const auto variables = environment({{"YAGNA_SUBNET", "mine"}, {"YAGNA_PAYMENT_NETWORK", "polygon"}});
    const auto from_environment = detail::settle_options(options, variables);
    CHECK(from_environment.market.subnet == "mine");
    CHECK(from_environment.payment.network == "polygon");

    ServiceManagerOptions in_part;
    in_part.market = MarketOptions{.max_demands = 2};
    in_part.payment = PaymentOptions{.budget = Amount(2)};
    const auto completed = detail::settle_options(in_part, variables);
    CHECK(completed.market.subnet == "mine");
    CHECK(completed.payment.network == "polygon");

    options.market.subnet = "other";
    options.payment.network = "holesky";
    const auto chosen = detail::settle_options(options, variables);
    CHECK(chosen.market.subnet == "other");
    CHECK(chosen.payment.network == "holesky");

    const auto empty = detail::settle_options(ServiceManagerOptions(), environment({{"YAGNA_SUBNET", ""}}));
    CHECK(empty.market.subnet == "public");
}

TEST_CASE("wrong options are refused with member, value and range")
{
    CHECK(refusal([](auto&) {}) == "accepted");
    CHECK(refusal([](auto& o) {
              o.payment.budget = Amount();
          }) == "manager options: payment.budget is 0 GLM; it must be more than zero");
    CHECK(
        refusal([](auto& o) { o.payment.budget = Amount(-1); }).find("payment.budget is -1 GLM") != std::string::npos);
    CHECK(refusal([](auto& o) {
              o.limits.activity_create = 4s;
          }) == "manager options: limits.activity_create is 4 s; it must be at least 5 s");
    CHECK(refusal([](auto& o) {
              o.limits.start = 0s;
          }) == "manager options: limits.start is 0 s; it must be more than zero");
    CHECK(refusal([](auto& o) {
              o.limits.close = -1500ms;
          }) == "manager options: limits.close is -1500 ms; it must be more than zero");
    CHECK(refusal([](auto& o) {
              o.health.polls_per_minute = 0;
          }) == "manager options: health.polls_per_minute is 0; it must be 1 to 60000");
    CHECK(refusal([](auto& o) { o.work.poll_one = 0s; }).find("work.poll_one") != std::string::npos);
    CHECK(refusal([](auto& o) {
              o.limits.terminate = Duration::max();
          }) == "manager options: limits.terminate is 9223372036854 ms; it must be at most 315360000 s (10 years)");
    CHECK(refusal([](auto& o) { o.health.idle_poll = 24h * 365 * 11; }).find("10 years") != std::string::npos);
    CHECK(refusal([](auto& o) { o.market.report_after = Duration::max(); }).find("10 years") != std::string::npos);
    CHECK(refusal([](auto& o) { o.payment.first_poll = Duration::max(); }).find("10 years") != std::string::npos);
    CHECK(refusal([](auto& o) { o.limits.start = 24h * 365 * 10; }) == "accepted");
    CHECK(refusal([](auto& o) { o.payment.network = "moon"; }).find("moon") != std::string::npos);
}

TEST_CASE("wrong options of a service are refused")
{
    ServiceOptions options;
    detail::check_options(options);
    options.expiration = 24h * 365 * 10;
    detail::check_options(options);
    options.expiration = Duration::max();
    CHECK_THROWS_WITH(detail::check_options(options), test::contains_text("10 years"));
    options.expiration = 299s;
    try {
        detail::check_options(options);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) == "service options: expiration is 299 s; it must be at least 300 s");
    }
}
