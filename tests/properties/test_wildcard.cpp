#include <golem/properties/detail/wildcard.hpp>

#include <tests/support/catch.hpp>

#include <string>

using golem::properties::detail::Wildcard;

namespace {

std::string judge(const std::string& pattern, const std::string& text)
{
    const auto wildcard = Wildcard::compile(pattern);
    return !wildcard ? "invalid" : wildcard->matches(text) ? "yes" : "no";
}

} // namespace

TEST_CASE("wildcards are anchored regular expressions in which a star stands for any text")
{
    struct Row {
        const char* pattern;
        const char* text;
        const char* expected;
    };
    const Row table[] = {
        {"a*", "abc", "yes"},
        {"a*", "a", "yes"},
        {"a*", "ba", "no"},
        {"a*c", "abc", "yes"},
        {"a*c", "abcd", "no"},
        {"*", "", "yes"},
        {"a**c", "abc", "yes"},
        {"a.*", "abc", "yes"},
        {"a.*", "a", "no"},
        {"a[b-d]*", "ac", "yes"},
        {"a[b-d]*", "ae", "no"},
        {"a[^b]*", "ab", "no"},
        {"a[]b]*", "a]", "yes"},
        {"a[b-]*", "a-", "yes"},
        {"a[\\d_]*", "a7", "yes"},
        {"x+y*", "xxxyz", "yes"},
        {"x+y*", "yz", "no"},
        {"x?y*", "y", "yes"},
        {"x{2}*", "xx", "yes"},
        {"x{2}*", "x", "no"},
        {"x{2,3}y*", "xxxxy", "no"},
        {"x{2,}y*", "xxxxy", "yes"},
        {"x+?y*", "xxy", "yes"},
        {"\\d\\d*", "42", "yes"},
        {"\\w\\S\\D*", "_!x", "yes"},
        {"1\\.5*", "1.5", "yes"},
        {"1\\.5*", "1x5", "no"},
        // Anchors bind to the first and the last alternative only.
        {"a|b*", "axxx", "yes"},
        {"a|b*", "xxxb", "yes"},
        {"a|x|b*", "..x..", "yes"},
        {"a|b*", "xax", "no"},
        {"a$b*", "ab", "no"},
        {"ą?ż*", "żółć", "yes"},
        {"a.c*", "aąc", "yes"},
        {"[ą-ż]*", "ć", "yes"},
        {"\\n*", "\n", "yes"},
        {"a*", "a\nb", "no"},
        {"a[*", "a[", "invalid"},
        {"a[b*", "ab", "invalid"},
        {"(a*", "a", "invalid"},
        {"a{*", "a", "invalid"},
        {"a{2*", "a", "invalid"},
        {"a{3,2}*", "aaa", "invalid"},
        {"+a*", "a", "yes"}, // After the anchor, which may repeat.
        {"a\\", "a$b", "yes"}, // The backslash takes the anchor's meaning away.
        {"\\p*", "p", "invalid"},
        {"\\b*", "b", "invalid"},
        {"a[d-b]*", "ac", "invalid"},
        {"a[[x]]*", "ax", "invalid"},
    };
    for (const auto& row : table) {
        CAPTURE(row.pattern, row.text);
        CHECK(judge(row.pattern, row.text) == row.expected);
    }
}

TEST_CASE("hostile patterns take linear time, or are refused")
{
    std::string stars;
    for (int count = 0; count < 100; ++count)
        stars += "*a";
    CHECK(judge(stars + "*b", std::string(20'000, 'a')) == "no");
    CHECK(judge("a{1000000}*", "a") == "invalid");
    CHECK(judge("a{1000}{1000}*", "a") == "invalid");
    CHECK(judge(std::string(5000, 'a') + "*", "a") == "invalid");
    CHECK(judge("*", std::string("\xff\xc3", 2)) == "yes");
}
