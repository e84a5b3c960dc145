#!/usr/bin/env python3
"""check_spawn.py catches what it forbids, honours its permissions and notices those that nobody needs."""

import pathlib
import tempfile
import unittest

from check_spawn import ALLOWED, FORBIDDEN, OPTIONAL, check_text, check_tree


class SpawnLint(unittest.TestCase):
    def test_catches_each(self):
        for sequence in FORBIDDEN:
            with self.subTest(sequence=sequence):
                text = "int a;\nvoid f() { x" + (" " if sequence[0] == "." else "; ") + " ".join(sequence) + "; }"
                findings = check_text("src/http/x.cpp", text, set())
                self.assertEqual([finding.line for finding in findings], [2])

    def test_leaves_alone(self):
        text = """
            // co_spawn, detached, std::mt19937
            auto s = "steady_clock::now() co_spawn";
            void f() { time.sleep_for(1s, "a"); source.now(); std::chrono::steady_clock::time_point t; time(a); }
        """
        self.assertEqual(check_text("src/http/x.cpp", text, set()), [])

    def test_permissions_belong_to_a_place_and_a_kind(self):
        self.assertEqual(check_text("src/core/x.cpp", "co_spawn(a);", set()), [])
        self.assertEqual(len(check_text("src/corex/x.cpp", "co_spawn(a);", set())), 1)
        self.assertEqual(len(check_text("src/core/x.cpp", "co_spawn(a, detached);", set())), 1)
        self.assertEqual(len(check_text("tests/http/x.cpp", "co_spawn(a);", set())), 1)

    def test_notices_unused_permissions(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "src/core").mkdir(parents=True)
            (root / "src/core/x.cpp").write_text("co_spawn(a);")
            findings, looked_at = check_tree(root)
            self.assertEqual(looked_at, 1)
            self.assertEqual(len(findings), sum(entry[0] not in OPTIONAL for entry in ALLOWED) - 1)


if __name__ == "__main__":
    unittest.main()
