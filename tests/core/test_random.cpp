#include <golem/core/random.hpp>

#include <tests/support/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>

using golem::Random;

// The values come from an independent implementation of splitmix64, xoshiro256** and FNV-1a.
TEST_CASE("a seed gives the same numbers everywhere")
{
    Random random(42);
    CHECK(random.next() == 0x15780b2e0c2ec716);
    CHECK(random.next() == 0x6104d9866d113a7e);
    CHECK(random.next() == 0xae17533239e499a1);
    CHECK(Random(7).hex(20) == "a5679fe47faf853b2dc2");
    CHECK(Random(7).uuid() == "a5679fe4-7faf-453b-adc2-84f469d3c574");
    CHECK(Random(1).unit() == 0.7029218331588505);

    Random dice(42);
    for (const unsigned expected : {0, 0, 5, 5, 4, 0, 4, 3, 4, 5})
        CHECK(dice.below(6) == expected);
}

TEST_CASE("a sub-stream depends on seed and name, not on what was drawn")
{
    Random fresh(42);
    Random used(42);
    for (int count = 0; count < 100; ++count)
        used.next();
    CHECK(fresh.sub_stream("market").next() == 0xedbb98c1bdf0cc82);
    CHECK(used.sub_stream("market").next() == 0xedbb98c1bdf0cc82);
    CHECK(fresh.sub_stream("work").next() == 0xfbea06fb0d1f4da9);
    CHECK(fresh.sub_stream("market").sub_stream("work").next() == 0xe7cbb62e25454b21);
    CHECK(fresh.next() == 0x15780b2e0c2ec716);
}

TEST_CASE("draws stay within their bounds")
{
    Random random(3);
    CHECK(random.below(0) == 0);
    CHECK(random.below(1) == 0);
    std::array<int, 7> counts{};
    for (int draw = 0; draw < 7000; ++draw)
        ++counts[random.below(7)];
    for (const auto count : counts)
        CHECK((count > 850 && count < 1150));

    const std::uint64_t large = (std::uint64_t(1) << 63) + 1;
    for (int draw = 0; draw < 100; ++draw) {
        CHECK(random.below(large) < large);
        const auto share = random.unit();
        CHECK((share >= 0 && share < 1));
    }
}

TEST_CASE("a shuffle keeps the items and reaches every order")
{
    Random random(5);
    std::set<std::vector<int>> orders;
    for (int round = 0; round < 200; ++round) {
        std::vector<int> items{1, 2, 3};
        random.shuffle(items);
        orders.insert(items);
        std::sort(items.begin(), items.end());
        CHECK(items == std::vector<int>{1, 2, 3});
    }
    CHECK(orders.size() == 6);
    std::vector<int> none;
    random.shuffle(none);
    CHECK(none.empty());
}

TEST_CASE("seeds of the system differ") { CHECK(Random::seed_from_system() != Random::seed_from_system()); }
