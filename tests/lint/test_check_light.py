#!/usr/bin/env python3
"""check_light.py finds a heavy header behind another one.      test_check_light.py COMPILER"""

import pathlib
import sys
import tempfile
import unittest

from check_light import check

COMPILER = sys.argv.pop() if len(sys.argv) > 1 else "c++"


class LightHeaders(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check(root, [COMPILER, "-I", str(root / "system")])

    def test_catches(self):
        files = {
            "system/nlohmann/json.hpp": "#pragma once\n",
            "system/helper.hpp": "#include <nlohmann/json.hpp>\n",
            "include/golem/core/a.hpp": "#include <helper.hpp>\n",
            "include/golem/core/b.hpp": "#include <golem/core/a.hpp>\n",
            "include/golem/core/c.hpp": "// Opt-in: costs json.\n#include <nlohmann/json.hpp>\n",
            "include/golem/core/d.hpp": "#include <string>\n",
        }
        lines, looked_at = self.check(files)
        self.assertEqual([line.split(":")[0] for line in lines], ["include/golem/core/a.hpp", "include/golem/core/b.hpp"])
        self.assertEqual(looked_at, 3)

    def test_leaves_alone(self):
        self.assertEqual(self.check({"include/golem/core/d.hpp": "#include <string>\n"}), ([], 1))

    def test_nothing_to_look_at(self):
        self.assertEqual(len(self.check({"system/a.hpp": ""})[0]), 1)


if __name__ == "__main__":
    unittest.main()
