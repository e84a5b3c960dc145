#!/usr/bin/env python3
"""check_one_definition.py finds what no linker tells.      test_check_one_definition.py NM AR COMPILER"""

import os
import subprocess
import sys
import tempfile
import unittest

from check_one_definition import check

NM, AR, COMPILER = sys.argv[1:4]
del sys.argv[1:]


class OneDefinition(unittest.TestCase):
    def check(self, *units):
        with tempfile.TemporaryDirectory() as folder:
            objects = []
            for number, text in enumerate(units):
                objects.append(os.path.join(folder, f"unit{number}.o"))
                subprocess.run([COMPILER, "-x", "c++", "-c", "-", "-o", objects[-1]], input=text, text=True, check=True)
            archive = os.path.join(folder, "all.a")
            subprocess.run([AR, "rcs", archive, *objects], check=True)
            return check(NM, [archive])

    def test_catches(self):
        lines, looked_at = self.check(
            "namespace golem { bool same(int a) { return a > 1; } }",
            "namespace golem { inline bool same(int a) { return a > 2; } bool user() { return same(1); } }")
        self.assertEqual(lines, ["golem::same(int): defined in unit0.o, unit1.o"])
        self.assertEqual(looked_at, 2)

    def test_leaves_alone(self):
        both = "namespace golem { inline int shared() { return 1; } namespace { int own() { return shared(); } } "
        lines, looked_at = self.check(both + "int one() { return own(); } }", both + "int two() { return own(); } }")
        self.assertEqual((lines, looked_at), ([], 3))


if __name__ == "__main__":
    unittest.main()
