#!/usr/bin/env python3
"""Checks what the compiler really reads for a public header: Asio, and nothing heavier (opt-in headers excepted).

    check_light.py TREE COMPILER [ARGUMENT…]     (the arguments give the include paths)
"""

import os
import pathlib
import subprocess
import sys

from check_includes import is_opt_in

HEAVY_FILES = ("/boost/beast/", "/boost/process/", "/nlohmann/json.hpp", "/spdlog/", "/sqlite3.h")


def public_headers(root):
    headers = []
    for path in sorted((root / "include").rglob("*.hpp")):
        if "detail" not in path.parts and not is_opt_in(path.read_text(encoding="utf-8")):
            headers.append(path.relative_to(root / "include").as_posix())
    return headers


def files_read(compiler, headers):
    """The files that a unit with these headers reads."""
    unit = "".join(f"#include <{header}>\n" for header in headers)
    command = [*compiler, "-std=c++20", "-M", "-MT", "unit", "-x", "c++", "-"]
    result = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stderr}")
    return result.stdout.replace("\\\n", " ").split()[1:]


def heavy_files(compiler, headers):
    return [file for file in files_read(compiler, headers) if any(part in file for part in HEAVY_FILES)]


def check(root, compiler):
    """One line a public header that reads a heavy file."""
    compiler = [*compiler, "-I", os.fspath(root / "include")]
    headers = public_headers(root)
    if not headers:
        return ["no public headers found"], 0
    # One unit of all tells whether there is anything to look for.
    if not heavy_files(compiler, headers):
        return [], len(headers)
    lines = []
    for header in headers:
        heavy = heavy_files(compiler, [header])
        if heavy:
            lines.append(f"include/{header}:1: reads {heavy[0]}" + (f" and {len(heavy) - 1} more" if heavy[1:] else ""))
    return lines, len(headers)


if __name__ == "__main__":
    found, looked_at = check(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
    print("\n".join([*found, f"{len(found)} findings in {looked_at} headers"]))
    sys.exit(1 if found else 0)
