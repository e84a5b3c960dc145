#!/usr/bin/env python3
"""Checks that no function of ours is defined in two units, one of them inline.

    check_one_definition.py NM ARCHIVE…

The linker says nothing then and takes the one that is not inline for both, so that a unit runs another's function of the
same name. Tests of one component do not notice: the other is not linked.
"""

import collections
import subprocess
import sys

OURS = "golem::"


def definitions(nm, archive):
    """(object file, kind, name) for each function and variable that others may be linked to."""
    command = [nm, "--demangle", "--defined-only", "--extern-only", archive]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    member = archive
    for line in result.stdout.splitlines():
        if line.endswith(":") and " " not in line:
            member = line[:-1]
        elif line:
            _, kind, name = line.split(" ", 2)
            yield member, kind, name


def check(nm, archives):
    """One line a name that has a definition beside a strong one; and how many names there are."""
    found = collections.defaultdict(list)
    for archive in archives:
        for member, kind, name in definitions(nm, archive):
            if name.startswith(OURS):
                found[name].append((kind, member))
    lines = []
    for name, places in sorted(found.items()):
        if any(kind in "TDBR" for kind, _ in places) and len({member for _, member in places}) > 1:
            lines.append(f"{name}: defined in {', '.join(sorted({member for _, member in places}))}")
    return lines, len(found)


if __name__ == "__main__":
    duplicates, looked_at = check(sys.argv[1], sys.argv[2:])
    if not looked_at:
        duplicates.append("nothing of ours found")
    print("\n".join([*duplicates, f"{len(duplicates)} findings in {looked_at} names"]))
    sys.exit(1 if duplicates else 0)
