#!/usr/bin/env python3
"""Runs README's program: it ends well and has printed at least two lines with a time of day.      run.py PROGRAM"""

import re
import subprocess
import sys

result = subprocess.run([sys.argv[1]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
print(result.stdout, end="")
lines = [line for line in result.stdout.splitlines() if re.match(r".+: .*\d\d:\d\d:\d\d", line)]
if result.returncode != 0:
    sys.exit(f"the program ended with {result.returncode}")
if len(lines) < 2:
    sys.exit(f"{len(lines)} lines of the clock: two at least were expected")
