#!/usr/bin/env python3
"""check_co_await.py catches each forbidden statement and leaves the good ones alone."""

import unittest

from check_co_await import check_document, check_text

BAD = {
    "braces": [
        'Task<> f() { co_await g(Opts{.name = "a"}); }',
        'Task<> f() { co_await g({.name = "a"}); }',
        "Task<> f() { co_await g({}); }",
        "bool operator>=(A a, B b) { run([&]() -> Task<> { co_await g({}); }); }",
        "Task<> f() { co_await Thing{1}.go(); }",
        "Task<> f() { auto x = co_await Thing{1}.go(); }",
        "Task<> f() { Opts o{.name = co_await g()}; }",
        "Task<> f() { Opts o = {.name = co_await g()}; }",
        "Task<> f() { co_return Opts{.name = co_await g()}; }",
        "Task<> f() { if (co_await g({1})) h(); }",
        "Task<> f() { for (auto x : co_await g({1})) h(); }",
        "Task<> f() { while (co_await g(Opts{})) { h(); } }",
        "struct S { Task<> f() const override { co_await g(Opts{}); } };",
        "struct S { S() : a_{1}, b_(2) { spawn([this]() -> Task<> { co_await g(Opts{}); }); } int a_, b_; };",
        "namespace a { template <typename T> struct S : B<T> { auto f() -> Task<T> { co_await g<T>(T{}); } }; }",
        'TEST_CASE("x") { run([&]() -> Task<> { SECTION("y") { CHECK(co_await f({1}) == 2); } }); }',
        "Task<> f() { switch (x) { case A: { co_await g({}); break; } default: co_await h(); } }",
        "Task<> f() { try { co_await g(); } catch (const E& e) { } co_await h({}); }",
        "Task<> f() { int i = 0; do { co_await g({i}); } while (i); }",
        'Task<> f() { auto s = R"(};)"; co_await g({1}); }',
    ],
    "captures by value": [
        "Task<> f() { co_await g([t = x]() -> Task<> { co_return; }); }",
        "Task<> f() { co_await g([=] { return t; }); }",
        "Task<> f() { co_await g([&, t] { return t; }); }",
        "Task<> f() { co_await g([*this] { return 1; }); }",
        "Task<> f() { auto fn = [s = co_await g()] { return s; }; }",
        "Task<> f() { co_await g([&] { return 1; }, [x]() mutable -> std::pair<int, int> { return p; }); }",
    ],
    "?:": ["Task<> f() { auto x = c ? co_await a() : co_await b(); }", "Task<> f() { co_await g(c ? 1 : 2); }"],
    "throw": ["Task<> f() { throw E(co_await g()); }"],
    "two co_await": [
        "Task<> f() { if (co_await a() && co_await b()) c(); }",
        "Task<> f() { if (co_await a() || !co_await b()) { c(); } }",
    ],
    "catch block": [
        "Task<> f() { try { g(); } catch (...) { co_await h(); } }",
        "Task<> f() { try { g(); } catch (const E& e) { if (x) { co_await h(); } } }",
    ],
    "default argument": [
        "struct S { Task<> f(Opts o = {}); };",
        "Task<int> f(int a, const Opts& o = Opts{.n = 1});",
        "golem::Task<> S::f(Opts o = {}) { co_return; }",
        "virtual Task<std::vector<int>> f(Opts o = {}) = 0;",
    ],
    "called as a temporary": ["Task<> f() { auto t = [x]() -> Task<> { co_await g(x); }(); }"],
    "operators": ["#include <boost/asio/experimental/awaitable_operators.hpp>\n"],
    "cannot follow": ["Task<> f() { co_await g();", "void f() { } }"],
}

GOOD = [
    "Task<> f() { auto [a, b] = co_await g(); auto& [c, d] = x; const auto&& [e] = y; }",
    "Task<> f() { Opts o{.name = a}; co_await g(o); }",
    'Task<> f() { auto t = g({1, 2}); co_await std::move(t); co_return Opts{"a"}; }',
    "Task<> f() { co_await g(Opts(), Opts(1)); co_await (co_await a()).b(); v.push_back(co_await g()); }",
    "Task<> f() { co_await g([this] { return x{1}; }); co_await g([&] { return 1; }, [] { throw 1; }); }",
    "Task<> f() { co_await g([&x, &y = z]() noexcept -> Task<std::pair<int, int>> { co_return p; }); }",
    "Task<> f() { group.spawn(n, [x, y = std::move(z)]() -> Task<> { co_await g(x); z += 1; }); co_await h(); }",
    "Task<> f() { for (auto x : co_await g()) { Opts o{1}; } if (co_await a()) { Opts o{1}; } else co_await b(); }",
    "Task<> f() { while (co_await a() && co_await b()) { h({}); } bool x = co_await a() && co_await b(); }",
    "Task<> f() { if (x) co_await g(); int i{0}; auto y = c ? 1 : 2; if (!co_await g()) throw E{1}; }",
    "Task<> f() { try { co_await g(); } catch (const E& e) { kept = std::current_exception(); } co_await h(); }",
    "Task<> f() { try { g(); } catch (...) { s.spawn(n, [&]() -> Task<> { co_await h(); }); } }",
    "// co_await g({});\n/* co_await g({}); */ auto s = \"co_await g({})\"; auto c = '{'; auto n = 1'000;",
    'auto s = R"x(co_await g({}) )" # )x"; int i{3};',
    "#define X co_await g({ \\\n 1 })\nint i;",
    "struct S { S() : a{1}, f([this] { return 1; }), b{} {} Task<> f() { co_await g(); } int a = {}, b{3}; };",
    "struct S { bool operator==(const S&) const = default; S& operator=(S&& o) { a = {1}; return *this; } };",
    "enum class E : int { a = 1, b }; extern \"C\" { void f(int); } namespace a::b { int x[] = {1, 2}; }",
    'Error& set(GaveUp reason, std::string detail = {}); Task<> f(Opts o = Opts()); std::function<Task<>()> g{};',
    "template <typename T = void> Task<T> f(T x) requires (A<T>) { if constexpr (B<T>) { co_return x; } }",
    "Task<> f() { while (x) [[likely]] { co_await g(); } auto v = a[0][i]; auto m = a[b[1]]; co_await h(a[1]); }",
    "Task<> f() { auto body = [x]() -> Task<> { co_await g(x); }; co_await call(body); auto n = [x] { return x; }(); }",
    "Task<> f() { switch (co_await g()) { case A::b: co_await h(); break; default: int x{1}; } }",
    "Task<> f() { struct Local { Task<> g() { co_await h(); } int a{1}; }; Local l{2}; co_await l.g(); }",
]


class CoAwaitLint(unittest.TestCase):
    def test_catches(self):
        for expected, snippets in BAD.items():
            for snippet in snippets:
                with self.subTest(expected=expected, snippet=snippet):
                    findings = check_text("x.cpp", snippet)
                    self.assertEqual(len(findings), 1, findings)
                    self.assertIn(expected, findings[0].text)

    def test_leaves_alone(self):
        for snippet in GOOD:
            with self.subTest(snippet=snippet):
                self.assertEqual(check_text("x.cpp", snippet), [])

    def test_tells_the_line(self):
        findings = check_text("x.cpp", "// a\n\nTask<> f()\n{\n    g(R\"(\n)\");\n    co_await g({});\n}\n")
        self.assertEqual([finding.line for finding in findings], [7])

    def test_reads_code_of_documents(self):
        text = "# x\n```cpp\nTask<> f()\n{\n    co_await g({});\n}\n```\n```sh\nco_await {\n```\n"
        self.assertEqual([finding.line for finding in check_document("README.md", text)], [5])
        self.assertEqual(check_document("README.md", "```cpp\nco_await work.run(a);\n```\n"), [])
        self.assertEqual(len(check_document("README.md", "```cpp\nauto x = co_await work.run({a});\n```\n")), 1)


if __name__ == "__main__":
    unittest.main()
