#!/usr/bin/env python3
"""Writes the first block of C++ of a document to a file, or all of them in order.

    first_program.py [--all] README.md OUTPUT
"""

import argparse
import pathlib
import re
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--all", action="store_true")
parser.add_argument("document", type=pathlib.Path)
parser.add_argument("output", type=pathlib.Path)
arguments = parser.parse_args()

text = arguments.document.read_text(encoding="utf-8")
blocks = re.findall(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
if not blocks:
    sys.exit(f"{arguments.document}: no block of C++ in it")
arguments.output.write_text("\n".join(blocks if arguments.all else blocks[:1]), encoding="utf-8")
