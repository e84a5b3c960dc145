// Who has which address: tables.
#include <golem/core/error.hpp>
#include <golem/network/detail/address_plan.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
using detail::AddressPlan;
using detail::AddressRange;

namespace {

/// What a call ended in: its value, or the kind and the text of its error.
struct Outcome {
    std::string value;
    std::optional<Errc> code;
    std::string text;
};

template <typename Call>
Outcome outcome_of(const Call& call)
{
    Outcome outcome;
    try {
        outcome.value = call();
    } catch (const Error& error) {
        outcome.code = error.errc();
        outcome.text = error.what();
    }
    return outcome;
}

AddressPlan plan_of(const std::string& address, const std::string& gateway = {})
{
    return AddressPlan(AddressRange(address, {}), gateway);
}

} // namespace

TEST_CASE("addresses have one form", "[network]")
{
    for (const auto* good : {"0.0.0.0", "255.255.255.255", "10.1.2.3", "192.168.0.1"}) {
        const auto parsed = detail::parse_ipv4(good);
        REQUIRE(parsed);
        CHECK(detail::format_ipv4(*parsed) == good);
    }
    for (const auto* bad :
         {"", "10", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.0", "10.0.0.00", "10.0.0.-1", "10.0.0.0 ",
          " 10.0.0.0", "10..0.0", "10.0.0.", "a.b.c.d", "fd00::1", "10.0.0.0/24", "10.0.0.99999999999"})
        CHECK_FALSE(detail::parse_ipv4(bad));
}

TEST_CASE("networks that can be, and those that cannot", "[network]")
{
    struct Row {
        std::string address;
        std::string mask;
        std::string expected; ///< The network, or a part of the complaint.
    };
    const Row good[] = {
        {"192.168.0.0/24", "", "192.168.0.0/24"}, {"192.168.0.0", "", "192.168.0.0/24"},
        {"10.0.0.0", "255.0.0.0", "10.0.0.0/8"},  {"10.1.2.0", "255.255.255.252", "10.1.2.0/30"},
        {"172.16.0.0/12", "", "172.16.0.0/12"},
    };
    for (const auto& row : good) {
        INFO(row.address);
        CHECK(AddressRange(row.address, row.mask).to_string() == row.expected);
    }
    const Row bad[] = {
        {"", "", "must be an IPv4 network such as 192.168.0.0/24"},
        {"network", "", "must be an IPv4 network"},
        {"fd00::/64", "", "must be an IPv4 network"},
        {"10.0.0.0/", "", "must be an IPv4 network"},
        {"10.0.0.0/x", "", "must be an IPv4 network"},
        {"10.0.0.0/33", "", "must be an IPv4 network"},
        {"10.0.0.0/-1", "", "must be an IPv4 network"},
        {"10.0.0.0/31", "", "must be from /8 to /30"},
        {"0.0.0.0/0", "", "must be from /8 to /30"},
        {"10.0.0.5/24", "", "its network is 10.0.0.0/24"},
        {"10.0.0.0/24", "255.255.0.0", "only one of them"},
        {"10.0.0.0", "255.0.255.0", "must be one such as 255.255.255.0"},
        {"10.0.0.0", "x", "must be one such as 255.255.255.0"},
        {"10.0.0.0", "0.0.0.0", "must be one such as 255.255.255.0"},
        {"127.0.0.0/8", "", "cannot have such addresses"},
        {"224.0.0.0/24", "", "cannot have such addresses"},
    };
    for (const auto& row : bad) {
        const auto outcome = outcome_of([&row] { return AddressRange(row.address, row.mask).to_string(); });
        INFO(row.address << " " << row.mask << ": " << outcome.text << outcome.value);
        CHECK(outcome.code == Errc::invalid_input);
        CHECK_THAT(outcome.text, test::contains_text(row.expected));
    }
}

TEST_CASE("addresses are given in turn, and those that are wanted if they can be had", "[network]")
{
    auto plan = plan_of("10.0.0.0/29", "10.0.0.6");
    CHECK(plan.own_address() == "10.0.0.1");
    CHECK(plan.reserve("", "") == "10.0.0.2");
    CHECK(plan.reserve("10.0.0.4", "four") == "10.0.0.4");
    CHECK(plan.reserve("", "") == "10.0.0.3");
    struct Row {
        std::string wanted;
        std::string name;
        Errc code;
        std::string explanation;
    };
    const Row rows[] = {
        {"10.0.0.4", "", Errc::refused, "another service"},
        {"10.0.0.1", "", Errc::invalid_input, "the daemon's own"},
        {"10.0.0.6", "", Errc::invalid_input, "the gateway's"},
        {"10.0.0.0", "", Errc::invalid_input, "stands for all"},
        {"10.0.0.7", "", Errc::invalid_input, "stands for all"},
        {"10.0.0.8", "", Errc::invalid_input, "none of 10.0.0.0/29"},
        {"nonsense", "", Errc::invalid_input, "none of 10.0.0.0/29"},
        {"", "four", Errc::refused, "another service"},
        {"", "10.0.0.5", Errc::invalid_input, "is an address"},
        {"", "a b", Errc::invalid_input, "must be letters"},
        {"", std::string(254, 'x'), Errc::invalid_input, "at most 253"},
    };
    for (const auto& row : rows) {
        const auto outcome = outcome_of([&] { return plan.reserve(row.wanted, row.name); });
        INFO(row.wanted << row.name << ": " << outcome.text << outcome.value);
        CHECK(outcome.code == row.code);
        CHECK_THAT(outcome.text, test::contains_text(row.explanation));
    }
    CHECK(plan.reserve("", "last") == "10.0.0.5");
    const auto full = outcome_of([&plan] { return plan.reserve("", ""); });
    CHECK(full.code == Errc::refused);
    CHECK_THAT(full.text, test::contains_text("no address is left in 10.0.0.0/29"));
    plan.release("10.0.0.3");
    CHECK(plan.reserve("", "") == "10.0.0.3");
}

TEST_CASE("the smallest network has room for one machine", "[network]")
{
    auto plan = plan_of("10.0.0.0/30");
    CHECK(plan.reserve("", "") == "10.0.0.2");
    CHECK(outcome_of([&plan] { return plan.reserve("", ""); }).code == Errc::refused);
    plan.release("10.0.0.2");
    CHECK(plan.reserve("", "") == "10.0.0.2");
    auto taken = plan_of("10.0.0.0/30", "10.0.0.2");
    CHECK(outcome_of([&taken] { return taken.reserve("", ""); }).code == Errc::refused);
    CHECK(outcome_of([] { return plan_of("10.0.0.0/30", "10.0.0.3").own_address(); }).code == Errc::invalid_input);
    CHECK(outcome_of([] { return plan_of("10.0.0.0/30", "x").own_address(); }).code == Errc::invalid_input);
}

TEST_CASE("an address that was given back is used again as late as possible, by its name at once", "[network]")
{
    auto plan = plan_of("10.0.0.0/29");
    CHECK(plan.reserve("", "web") == "10.0.0.2");
    plan.release("10.0.0.2");
    CHECK(plan.reserve("", "") == "10.0.0.3");
    CHECK(plan.reserve("", "web") == "10.0.0.2");
    CHECK(plan.reserve("", "") == "10.0.0.4");
    plan.release("10.0.0.2");
    CHECK(plan.reserve("", "") == "10.0.0.5");
    CHECK(plan.reserve("", "") == "10.0.0.6");
    CHECK(plan.reserve("", "") == "10.0.0.2"); // In turn; now it is another's.
    CHECK(plan.find("10.0.0.2") == "10.0.0.2");
    CHECK(outcome_of([&plan] { return plan.find("web"); }).code == Errc::not_found);
}

TEST_CASE("an address is free when the daemon has forgotten its node, and that with the last one on it", "[network]")
{
    auto plan = plan_of("10.0.0.0/29");
    plan.reserve("", "a");
    plan.reserve("", "b");
    plan.reserve("", "c");
    plan.join("10.0.0.2", "node");
    plan.join("10.0.0.3", "node");
    CHECK(plan.nodes() == std::map<std::string, std::string>{{"10.0.0.2", "node"}, {"10.0.0.3", "node"}});
    CHECK(plan.names().at("c") == "10.0.0.4");
    CHECK(plan.members().at("10.0.0.4").node.empty());
    CHECK(plan.release("10.0.0.4") == std::nullopt); // The daemon does not know of it.
    CHECK(plan.release("10.0.0.2") == std::nullopt); // b is on the node still.
    CHECK(plan.release("10.0.0.2") == std::nullopt); // Again.
    const auto kept = outcome_of([&plan] { return plan.reserve("10.0.0.2", ""); });
    CHECK(kept.code == Errc::refused);
    CHECK_THAT(kept.text, test::contains_text("has not forgotten yet"));
    // The name is free at once, at another address.
    CHECK(plan.reserve("", "a") == "10.0.0.5");
    CHECK(plan.release("10.0.0.3") == "node");
    CHECK(plan.nodes().empty());
    CHECK(outcome_of([&plan] { return plan.reserve("10.0.0.3", ""); }).code == Errc::refused);
    plan.node_removed("node");
    CHECK(plan.reserve("10.0.0.2", "") == "10.0.0.2");
    CHECK(plan.reserve("10.0.0.3", "") == "10.0.0.3");
}

TEST_CASE("who is looked for in vain is told who is there", "[network]")
{
    auto plan = plan_of("10.0.0.0/24");
    CHECK_THAT(outcome_of([&plan] { return plan.find("web"); }).text, test::contains_text("no service has joined"));
    plan.reserve("10.0.0.9", "web");
    plan.reserve("", "");
    CHECK(plan.find("web") == "10.0.0.9");
    CHECK(plan.find("10.0.0.9") == "10.0.0.9");
    CHECK_THAT(
        outcome_of([&plan] { return plan.find("db"); }).text,
        test::contains_text("there are: 10.0.0.2, web (10.0.0.9)"));
}
