#!/usr/bin/env python3
"""check_includes.py catches each kind of wrong include and leaves the right ones alone."""

import pathlib
import tempfile
import unittest

from check_includes import check_tree


ONCE = "#pragma once\n"


def check(files, header_end=ONCE):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + header_end if name.endswith(".hpp") else text)
        findings, looked_at = check_tree(root)
        assert looked_at == len(files)
        return findings


def include(*paths):
    return "".join(f"#include <{path}>\n" for path in paths)


class IncludeLint(unittest.TestCase):
    def assert_one(self, files, expected):
        findings = check(files)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(expected, findings[0].text)

    def test_once(self):
        findings = check({"include/golem/core/a.hpp": "// #pragma once\n", "src/core/a.cpp": ""}, header_end="")
        self.assertEqual([(finding.file, finding.text) for finding in findings],
                         [("include/golem/core/a.hpp", "a header without #pragma once")])  # fmt: skip

    def test_table(self):
        wrong = [
            ("core", "http"), ("core", "properties"), ("properties", "http"), ("http", "yagna"), ("yagna", "market"),
            ("market", "work"), ("work", "payment"), ("payment", "service"), ("network", "market"), ("journal", "payment"),
            ("service", "devnet"), ("service", "provider"), ("yagna", "bus"), ("core", "simulation"), ("provider", "http"),
            ("provider", "yagna"), ("bus", "http"), ("devnet", "market"), ("devnet", "simulation"), ("provider", "devnet"),
        ]  # fmt: skip
        for folder, target in wrong:
            for file in (f"include/golem/{folder}/a.hpp", f"src/{folder}/a.cpp"):
                with self.subTest(file=file, target=target):
                    self.assert_one({file: include(f"golem/{target}/b.hpp")}, f"{folder} may not include {target}")

    def test_table_allows(self):
        right = [
            ("yagna", "http"), ("market", "yagna"), ("service", "market"), ("service", "core"), ("devnet", "provider"),
            ("devnet", "yagna"), ("simulation", "service"), ("simulation", "devnet"), ("provider", "properties"),
            ("provider/yagna_adapter", "bus"), ("core", "core"), ("market", "market/detail"),
        ]  # fmt: skip
        for folder, target in right:
            with self.subTest(folder=folder, target=target):
                text = include(f"golem/{target}/b.hpp", "boost/asio/awaitable.hpp", "vector")
                self.assertEqual(check({f"include/golem/{folder}/a.hpp": text}), [])

    def test_private_headers(self):
        self.assert_one({"src/http/a.hpp": "", "src/core/b.cpp": '#include "../http/a.hpp"\n'}, "core may not include http")
        self.assert_one({"src/yagna/a.hpp": "", "src/http/b.cpp": '#include <yagna/a.hpp>\n'}, "http may not include yagna")
        self.assertEqual(check({"src/http/a.hpp": include("boost/beast/core.hpp"), "src/http/b.cpp": '#include "a.hpp"\n'}), [])

    def test_heavy_headers(self):
        for path in ("boost/beast.hpp", "boost/beast/http.hpp", "nlohmann/json.hpp", "spdlog/spdlog.h", "sqlite3.h",
                     "boost/process.hpp", "boost/process/child.hpp"):
            with self.subTest(path=path):
                self.assert_one({"include/golem/http/a.hpp": include(path)}, "too heavy")
                self.assertEqual(check({"src/http/a.cpp": include(path)}), [])
                self.assertEqual(check({"include/golem/http/a.hpp": "// Opt-in: costs json.\n" + include(path)}), [])
        self.assertEqual(check({"include/golem/http/a.hpp": include("nlohmann/json_fwd.hpp")}), [])

    def test_opt_in_is_not_included(self):
        files = {"include/golem/properties/json.hpp": "// Opt-in: costs json.\n",
                 "include/golem/yagna/a.hpp": include("golem/properties/json.hpp")}
        self.assert_one(files, "is opt-in")

    def test_devnet_never_reaches_the_codec(self):
        files = {"include/golem/yagna/json.hpp": "", "src/yagna/market_codec.hpp": "", "include/golem/yagna/types.hpp": ""}
        self.assert_one({**files, "src/devnet/a.cpp": include("golem/yagna/json.hpp")}, "codec")
        self.assert_one({**files, "src/devnet/a.cpp": include("yagna/market_codec.hpp")}, "codec")
        self.assertEqual(check({**files, "src/devnet/a.cpp": include("golem/yagna/types.hpp")}), [])
        indirect = {"include/golem/yagna/types.hpp": include("golem/yagna/json.hpp")}
        self.assert_one({**files, **indirect, "src/devnet/a.cpp": include("golem/yagna/types.hpp")}, "types.hpp -> ")

    def test_golem_hpp(self):
        files = {"include/golem/golem.hpp": include("golem/service/a.hpp")}
        self.assertEqual(check({**files, "include/golem/service/a.hpp": include("golem/core/task.hpp")}), [])
        self.assert_one({**files, "include/golem/service/a.hpp": include("golem/service/detail/b.hpp")}, "detail")
        self.assert_one({"include/golem/golem.hpp": include("golem/devnet/a.hpp")}, "may not include devnet")
        self.assert_one({"include/golem/service/a.hpp": include("golem/golem.hpp")}, "may not include golem.hpp")

    def test_unknown_places(self):
        self.assert_one({"include/golem/utils/a.hpp": ""}, "utils is not in the table")
        self.assert_one({"include/other/a.hpp": ""}, "live in include/golem")

    def test_comments_do_not_count(self):
        text = "// #include <golem/http/a.hpp>\n/*\n#include <golem/http/a.hpp>\n*/\n"
        self.assertEqual(check({"include/golem/core/a.hpp": text}), [])


if __name__ == "__main__":
    unittest.main()
