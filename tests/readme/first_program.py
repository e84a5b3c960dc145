#!/usr/bin/env python3
"""Writes the first C++ program of a document to a file.      first_program.py README.md OUTPUT"""

import pathlib
import re
import sys

document, output = map(pathlib.Path, sys.argv[1:3])
program = re.search(r"^```cpp\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
if not program:
    sys.exit(f"{document}: no block of C++ in it")
output.write_text(program.group(1), encoding="utf-8")
