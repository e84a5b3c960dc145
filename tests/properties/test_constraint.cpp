#include <golem/core/error.hpp>
#include <golem/properties/constraint.hpp>
#include <golem/properties/json_text.hpp>

#include <tests/support/catch.hpp>

using namespace golem::properties;

namespace {

std::string refusal(const std::string& text)
{
    try {
        Constraint::parse(text);
    } catch (const golem::Error& error) {
        CHECK(!Constraint::try_parse(text));
        return error.explanation();
    }
    return "accepted";
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("a refused constraint has the daemon's words")
{
    const std::pair<const char*, const char*> table[] = {
        {"", "Incomplete expression: Size(2)"},
        {"(", "Incomplete expression: Size(2)"},
        {"(&", "Incomplete expression: Size(3)"},
        {"(!", "Incomplete expression: Size(4)"},
        {"(a", "Incomplete expression: Size(4)"},
        {"(a)", "Incomplete expression: Size(5)"},
        {"(a=", "Incomplete expression: Size(4)"},
        {"(a<", "Incomplete expression: Size(4)"},
        {"(a<=", "Incomplete expression: Size(5)"},
        {"(a=*", "Incomplete expression: Size(5)"},
        {"(&(a=1)(b", "Incomplete expression: Size(11)"},
        {" ", "Incomplete expression: Size(2)"},
        {"a", "Parsing error: Alternative"},
        {")", "Parsing error: Alternative"},
        {"(a~=1)", "Parsing error: Alternative"},
        {"(a=1", "Parsing error: Alternative"},
        {"(&(a=1)x)", "Parsing error: Alternative"},
        {"(a$x=1)",
         "Error parsing property reference a$x: Parse error Parsing no aspect no type error: unexpected text $x"},
        {"(a$dd=1)",
         "Error parsing property reference a$dd: Parse error Parsing no aspect type error: unexpected text d"},
        {"(a[b=1)",
         "Error parsing property reference a[b: Parse error Parsing no aspect no type error: unexpected text [b"},
        {"(a[b]$=1)",
         "Error parsing property reference a[b]$: Parse error Parsing aspect no type error: unexpected text $"},
        {"(a[b]$dd=1)",
         "Error parsing property reference a[b]$dd: Parse error Parsing aspect type error: unexpected text d"},
    };
    for (const auto& [text, expected] : table) {
        CAPTURE(text);
        CHECK(refusal(text) == expected);
    }
}

TEST_CASE("what looks wrong and is read all the same")
{
    for (const char* text :
         {"()", "(&)", "(|)", "(!())", "(a$d=1)", "(a[b]$v>=1)", "(!a=1)", "(a=1)(", "()x", "(& () (a=1) )"}) {
        CAPTURE(text);
        CHECK(refusal(text) == "accepted");
    }
    const PropertySet properties{{"!a", 1}};
    CHECK(Constraint::parse("(!a=1)").evaluate(properties) == Truth::yes);
}

TEST_CASE("a constraint that is nested too deeply is refused before the stack is")
{
    const auto nested = [](std::size_t levels) {
        std::string text;
        for (std::size_t level = 0; level < levels; ++level)
            text += "(!";
        return text + "()" + std::string(levels, ')');
    };
    CHECK(refusal(nested(150)) == "accepted");
    CHECK_THAT(refusal(nested(100'000)), golem::test::contains_text("nested deeper than 200"));
    CHECK_THAT(
        refusal(std::string(100'000, '(')),
        golem::test::contains_text("Alternative") || golem::test::contains_text("Incomplete"));
}

TEST_CASE("three values: not, and, or")
{
    const PropertySet properties{{"a", 1}};
    const std::pair<const char*, Truth> table[] = {
        {"(a=1)", Truth::yes},
        {"(a=2)", Truth::no},
        {"(b=1)", Truth::undefined},
        {"(b=*)", Truth::no},
        {"(!(a=1))", Truth::no},
        {"(!(a=2))", Truth::yes},
        {"(!(b=1))", Truth::undefined},
        {"(!(b=*))", Truth::yes},
        {"(&(a=1)(a=1))", Truth::yes},
        {"(&(a=1)(b=1))", Truth::undefined},
        {"(&(b=1)(a=2))", Truth::no},
        {"(|(b=1)(a=1))", Truth::yes},
        {"(|(b=1)(a=2))", Truth::undefined},
        {"(|(a=2)(a=3))", Truth::no},
        {"(|)", Truth::no},
        {"(&)", Truth::yes},
        {"(a[x]=1)", Truth::undefined},
        {"(a[x]=*)", Truth::no},
        {"(a$d=1)", Truth::undefined},
    };
    for (const auto& [text, expected] : table) {
        CAPTURE(text);
        CHECK(Constraint::parse(text).evaluate(properties) == expected);
    }
}

TEST_CASE("values of each kind are compared in their own way")
{
    const auto properties = parse_properties(R"({
        "list": ["a", "b c", true, 2, ["x"]], "none": [], "mixed": [1, {"k": 1}], "half": [1, null],
        "big": 18446744073709551615, "float": 1e3, "truth": false, "text": "x\ny", "bell": "x\u0007", "object": {},
        "space": " a", "k=v": 1, "upper": "3.10.2", "pre": "1.0.0-rc.2", "when": "2024-05-15T14:00:00+02:00"})");
    const std::pair<const char*, Truth> table[] = {
        {"(list=a)", Truth::yes},
        {"(list=b c)", Truth::yes},
        {"(list=true)", Truth::yes},
        {"(list=2.0)", Truth::yes},
        {"(list=x)", Truth::yes}, // An item that is a list is asked for membership, too.
        {"(list=[a, b c, true, 2, x])", Truth::yes},
        {"(list=[a,b c,true,2,2])", Truth::yes}, // Only length and presence are looked at.
        {"(list=[a,b c,true,2])", Truth::no},
        {"(list=[a)", Truth::no},
        {"(list>a)", Truth::no},
        {"(none=*)", Truth::yes},
        {"(none=[])", Truth::no},
        {"(none=)", Truth::no},
        {"(mixed=1)", Truth::undefined},
        {"(mixed=*)", Truth::no},
        {"(half=1)", Truth::undefined},
        {"(big=18446744073709551615)", Truth::yes},
        {"(big>1e19)", Truth::yes},
        {"(float=1000)", Truth::yes},
        {"(float=+1000.)", Truth::yes},
        {"(float= 1000)", Truth::no},
        {"(float<inf)", Truth::yes},
        {"(float<1e999)", Truth::yes},
        {"(float>1e-999)", Truth::yes},
        {"(float=nan)", Truth::no},
        {"(truth=false)", Truth::yes},
        {"(truth=0)", Truth::no},
        {"(truth<=false)", Truth::no},
        {"(text=x\\ny)", Truth::yes},
        {"(text=x\ny)", Truth::no},
        {"(bell=*)", Truth::no},
        {"(object=*)", Truth::no},
        {"(space=*)", Truth::yes},
        {"(k=v=1)", Truth::undefined},
        {"(upper$v>3.9.0)", Truth::yes},
        {"(upper>3.9.0)", Truth::no},
        {"(upper$v>=3.9)", Truth::no},
        {"(pre$v<1.0.0)", Truth::yes},
        {"(pre$v>1.0.0-rc.1)", Truth::yes},
        {"(when$t=2024-05-15T12:00:00Z)", Truth::yes},
        {"(when$t=2024-05-15T12:00:00)", Truth::no},
        {"(when$d>1)", Truth::undefined},
    };
    for (const auto& [text, expected] : table) {
        CAPTURE(text);
        CHECK(Constraint::parse(text).evaluate(properties) == expected);
    }
}

TEST_CASE("both sides must be satisfied, and what is missing is named")
{
    const PropertySet offer{{"golem.runtime.name", "vm"}, {"golem.inf.mem.gib", 4.0}};
    const PropertySet demand{{"golem.node.debug.subnet", "public"}, {"golem.srv.comp.expiration", 2000}};
    const auto judge = [&](const char* of_demand, const char* of_offer) {
        const auto demand_constraint = Constraint::parse(of_demand);
        const auto offer_constraint = Constraint::parse(of_offer);
        const Side demand_side{demand, demand_constraint};
        const Side offer_side{offer, offer_constraint};
        return match(demand_side, offer_side);
    };
    const auto both = judge("(golem.runtime.name=vm)", "(golem.srv.comp.expiration>1000)");
    CHECK(both);
    CHECK((both.offer.empty() && both.demand.empty()));

    const auto missing = judge("(&(golem.runtime.name=vm)(a=1)(b[c]>2))", "(golem.x=1)");
    CHECK(missing.truth == Truth::undefined);
    CHECK(missing.offer == Names{"a", "b[c]"});
    CHECK(missing.demand == Names{"golem.x"});

    const auto wrong = judge("(&(a=1)(golem.inf.mem.gib>8))", "()");
    CHECK(wrong.truth == Truth::no);
    CHECK(wrong.offer.empty());

    const auto absent = judge("(a=*)", "(|(b=*)(golem.srv.comp.expiration<1))");
    CHECK(absent.truth == Truth::no);
    CHECK(absent.offer == Names{"a"});
    CHECK(absent.demand == Names{"b"});

    // Undefined on one side outweighs false on the other.
    CHECK(judge("(a=1)", "(golem.srv.comp.expiration<1)").truth == Truth::undefined);
}

TEST_CASE("demands are built in the layout of the other SDKs")
{
    const auto vm = Constraint::equals("golem.runtime.name", "vm");
    const auto memory = Constraint::at_least("golem.inf.mem.gib", 0.5);
    const auto cores = Constraint::at_most("golem.inf.cpu.cores", 8);
    CHECK(vm.to_string() == "(golem.runtime.name=vm)");
    CHECK(
        Constraint::all_of({vm, memory, cores}).to_string() ==
        "(&(golem.runtime.name=vm)\n\t(golem.inf.mem.gib>=0.5)\n\t(golem.inf.cpu.cores<=8))");
    CHECK(Constraint::all_of({vm}) == vm);
    CHECK(Constraint::all_of({}).to_string() == "(&)");
    CHECK(Constraint::all_of({Constraint(), vm, Constraint::all_of({})}) == vm);
    CHECK(Constraint::any_of({vm, memory}).to_string() == "(|(golem.runtime.name=vm)\n\t(golem.inf.mem.gib>=0.5))");
    CHECK(Constraint::any_of({}).to_string() == "(|)");
    CHECK(Constraint::negation(Constraint::present("x")).to_string() == "(!(x=*))");
    CHECK(Constraint().to_string() == "()");
    CHECK((Constraint().is_neutral() && Constraint::all_of({}).is_neutral() && !vm.is_neutral()));
    CHECK(Constraint::equals("t", true).to_string() == "(t=true)");
    CHECK(Constraint::equals("quoted", "a\"b").evaluate({{"quoted", "a\"b"}}) == Truth::yes);
    CHECK(Constraint::less("n", 2).evaluate({{"n", 1}}) == Truth::yes);
    CHECK(Constraint::more("n", 2).evaluate({{"n", 3}}) == Truth::yes);
    CHECK(Constraint::more("version$v", "0.9.0").evaluate({{"version", "0.10.0"}}) == Truth::yes);
}

TEST_CASE("what the grammar cannot express is refused")
{
    CHECK_THROWS_AS(Constraint::equals("a", "b)c"), golem::Error);
    CHECK_THROWS_AS(Constraint::equals("a", "*c"), golem::Error);
    CHECK_THROWS_AS(Constraint::less("a", "=c"), golem::Error);
    CHECK_THROWS_AS(Constraint::equals("a", Value::List{1}), golem::Error);
    CHECK_THROWS_AS(Constraint::equals("a", nullptr), golem::Error);
    CHECK_THROWS_AS(Constraint::equals("a", Value::raw("{}")), golem::Error);
    for (const char* name : {"", "a=b", "a<b", "a)", "(a", "&a", "|a", "!a", " a", "a$x", "a~"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(Constraint::equals(name, 1), golem::Error);
        CHECK_THROWS_AS(Constraint::present(name), golem::Error);
    }
}
