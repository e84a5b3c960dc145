#!/usr/bin/env python3
"""Checks that statements with co_await are ones that g++ 12 compiles correctly (CONTRIBUTING.md has the table).

A statement with co_await has no braces, no lambda that captures by value, no `?:` and no `throw`; an `if` condition has at
most one co_await; a catch block has none. Functions that return Task have no braced default arguments. Lambdas that are
coroutines and capture are not called where they stand. Asio's operators on awaitables are not used.

This is no C++ parser: it knows enough of the grammar to tell a block from a braced initialiser.
"""

import re
import sys

from cpp_tokens import Finding, cpp_files, includes, report, root_of_arguments, tokens

FOLDERS = ("include", "src", "examples", "tests", "benchmarks")
DOCUMENTS = ("README.md", "docs/**/*.md", "examples/**/*.md")

CLASS_KEYS = {"class", "struct", "union", "enum", "namespace"}
COROUTINE_WORDS = {"co_await", "co_return", "co_yield"}
# After these words a `[` opens a lambda; after any other word it is an index.
BEFORE_LAMBDA = {"return", "co_return", "co_await", "co_yield", "throw", "case", "else", "do"}
OPENING = {"(": ")", "[": "]", "{": "}"}


class Statement:
    def __init__(self, kind="", in_catch=False):
        self.kind = kind
        self.in_catch = in_catch
        self.awaits = []  # lines
        self.braces = 0
        self.owning_lambdas = 0
        self.words = set()


class Parser:
    def __init__(self, file, found):
        self.file = file
        self.tokens = found
        self.findings = []

    def text(self, i):
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def find(self, i, text):
        line = self.tokens[min(i, len(self.tokens) - 1)].line if self.tokens else 1
        self.findings.append(Finding(self.file, line, text))

    def run(self):
        i = self.scope(0, "declarations", False)
        if i < len(self.tokens):
            self.find(i, "unbalanced brace: this lint cannot follow the file")
        return self.findings

    # Each method takes the index of its first token and returns the index behind what it read.

    def scope(self, i, kind, in_catch):
        """Statements up to a closing brace that it leaves to the caller, or to the end."""
        while i < len(self.tokens) and self.text(i) != "}":
            i = self.statement(i, kind, in_catch)
        return i

    def block(self, i, kind, in_catch):
        """From an opening brace to behind the closing one."""
        end = self.scope(i + 1, kind, in_catch)
        if end >= len(self.tokens):
            self.find(i, "a brace that is never closed: this lint cannot follow the file")
        return end + 1

    def statement(self, i, kind, in_catch):
        word = self.text(i)
        if word == ";":
            return i + 1
        if word == "{":
            return self.block(i, "code", in_catch)
        if word in ("else", "do", "try"):
            return i + 1
        if word in ("public", "private", "protected", "default") and self.text(i + 1) == ":":
            return i + 2
        if word == "case":
            while i < len(self.tokens) and self.text(i) not in (":", ";", "}"):
                i += 1
            return i + 1
        if word in ("if", "while", "for", "switch", "catch"):
            statement = Statement(word, in_catch)
            i += 1
            while self.text(i) in ("constexpr", "consteval", "!"):
                i += 1
            if self.text(i) == "(":
                i = self.group(i, statement)
            self.check(statement)
            if word == "catch" and self.text(i) == "{":
                return self.block(i, "code", True)
            return i
        return self.plain(i, kind, in_catch)

    def plain(self, i, kind, in_catch):
        """A declaration or an expression, up to its semicolon or the end of its body."""
        statement = Statement("", in_catch)
        start = i
        seen = set()
        if self.text(i) == "template" and self.text(i + 1) == "<":
            i = self.angles(i + 1)
        while i < len(self.tokens):
            text = self.text(i)
            if text == ";":
                i += 1
                break
            if text == "}":
                break
            if text == "{":
                if seen & CLASS_KEYS and "=" not in seen:
                    inner = "declarations"
                    if "enum" in seen:
                        i = self.group(i, Statement())
                    else:
                        i = self.block(i, inner, False)
                    if "namespace" in seen:
                        break
                    continue
                if self.text(i - 1) == '""' and self.text(i - 2) == "extern":
                    i = self.block(i, "declarations", False)
                    break
                if self.opens_body(i, kind, seen):
                    self.check(statement)
                    self.check_defaults(start, i)
                    return self.block(i, "code", in_catch if kind == "code" else False)
            if text == ":" and "(" in seen:
                seen.add("initialisers")
            # `>=` comes as two tokens.
            if not (text == "=" and self.text(i - 1) in ("operator", ">")):
                seen.add(text)
            i = self.step(i, statement)
        self.check(statement)
        self.check_defaults(start, i)
        return i

    def opens_body(self, i, kind, seen):
        before = self.text(i - 1)
        if "=" in seen or seen & (COROUTINE_WORDS | {"return", "throw"}):
            return False
        if kind == "code":
            return before == ")"  # a macro that takes a block, such as SECTION
        if "(" not in seen:
            return False
        if "initialisers" in seen:
            return before in (")", "}", "...")
        return True

    def step(self, i, statement):
        """One token, or a whole group or lambda, of a statement."""
        text = self.text(i)
        if text == "[" and self.opens_lambda(i):
            return self.lambda_expression(i, statement)
        if text in OPENING:
            return self.group(i, statement)
        if text == "co_await":
            statement.awaits.append(self.tokens[i].line)
        statement.words.add(text)
        return i + 1

    def group(self, i, statement):
        opening = self.text(i)
        closing = OPENING[opening]
        if opening == "{":
            statement.braces += 1
        start = i
        i += 1
        while i < len(self.tokens) and self.text(i) != closing:
            if self.text(i) in ")]}":
                self.find(i, f"'{self.text(i)}' closes nothing: this lint cannot follow the file")
                return len(self.tokens)
            i = self.step(i, statement)
        if i >= len(self.tokens):
            self.find(start, f"'{opening}' is never closed: this lint cannot follow the file")
        return i + 1

    def angles(self, i):
        depth = 0
        while i < len(self.tokens):
            text = self.text(i)
            if text in OPENING:
                i = self.group(i, Statement())
                continue
            depth += {"<": 1, ">": -1}.get(text, 0)
            i += 1
            if depth == 0:
                break
        return i

    def opens_lambda(self, i):
        before = self.text(i - 1)
        if before in ("&", "&&") and self.text(i - 2) == "auto":
            return False
        if re.match(r"\w", before):
            return before in BEFORE_LAMBDA
        return before not in (")", "]", '""', "''", "operator")

    def lambda_expression(self, i, statement):
        start = i
        owning, i = self.captures(i, statement)
        head_end = self.lambda_body(i)
        if head_end is None:
            return i
        if owning:
            statement.owning_lambdas += 1
        i = self.block(head_end, "code", False)
        is_coroutine = any(token.text in COROUTINE_WORDS for token in self.tokens[head_end:i])
        captures = self.text(start + 1) != "]"
        if self.text(i) == "(" and is_coroutine and captures:
            self.find(start, "a coroutine lambda with captures is called as a temporary: name it, so that the captures live")
        return i

    def captures(self, i, statement):
        """Reads [captures]; tells whether one of them holds a value of its own."""
        owning = False
        i += 1
        first = True
        while i < len(self.tokens) and self.text(i) != "]":
            if first:
                text = self.text(i)
                owning |= text not in ("&", "this", ",")
                first = text == ","
            elif self.text(i) == ",":
                first = True
            if self.text(i) == ",":
                i += 1
            else:
                i = self.step(i, statement)
        return owning, i + 1

    def lambda_body(self, i):
        """The index of the body's brace, or None if this is no lambda."""
        if self.text(i) == "<":
            i = self.angles(i)
        if self.text(i) == "(":
            i = self.group(i, Statement())
        depth = 0
        while i < len(self.tokens):
            text = self.text(i)
            if text == "{":
                return i
            depth += {"<": 1, ">": -1}.get(text, 0)
            if text in (";", ")", "]", "}", "=") or (text == "," and depth == 0):
                return None
            i = self.group(i, Statement()) if text in OPENING else i + 1
        return None

    def check(self, statement):
        if not statement.awaits:
            return
        line = statement.awaits[0]

        def find(text):
            self.findings.append(Finding(self.file, line, text))

        if statement.braces:
            find("co_await shares a statement with braces: name the object first, then await")
        if statement.owning_lambdas:
            find("co_await shares a statement with a lambda that captures by value: name the closure first, then await")
        if "?" in statement.words:
            find("co_await shares a statement with ?: : use if and else")
        if "throw" in statement.words:
            find("co_await shares a statement with throw: await first, then throw")
        if statement.kind == "if" and len(statement.awaits) > 1:
            find("an if condition with two co_await: name the results first")
        if statement.in_catch:
            find("co_await in a catch block: keep the exception_ptr, leave the handler, then await")

    def check_defaults(self, start, end):
        """Finds `Task<…> f(Options o = {…})` in the tokens of a declaration's head."""
        i = start
        while i < end and self.text(i) not in ("(", "{", "="):
            i += 1
        head = [self.text(j) for j in range(start, i)]
        if "Task" not in head or self.text(i) != "(" or "=" in head:
            return
        depth = 0
        after_equals = False
        for j in range(i, end):
            text = self.text(j)
            if text == "(":
                depth += 1
            elif text == ")":
                depth -= 1
                if depth == 0:
                    return
            if depth == 1 and text == ",":
                after_equals = False
            if depth == 1 and text == "=":
                after_equals = True
            if text == "{" and after_equals:
                self.find(j, "a braced default argument of an awaitable function: write Options() or an overload")
                after_equals = False


def check_text(file, text, first_line=1):
    findings = Parser(file, tokens(text)).run()
    for line, _, path in includes(text):
        if path.endswith("awaitable_operators.hpp"):
            findings.append(Finding(file, line, "asio's operators on awaitables: use with_timeout and first_of"))
    return [finding._replace(line=finding.line + first_line - 1) for finding in findings]


def check_document(file, text):
    findings = []
    for match in re.finditer(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        findings += check_text(file, match.group(1), text.count("\n", 0, match.start()) + 2)
    return findings


def check_tree(root):
    files = cpp_files(root, FOLDERS)
    findings = []
    for path in files:
        findings += check_text(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
    documents = [path for pattern in DOCUMENTS for path in sorted(root.glob(pattern))]
    for path in documents:
        findings += check_document(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
    return findings, len(files)


if __name__ == "__main__":
    sys.exit(report(*check_tree(root_of_arguments())))
