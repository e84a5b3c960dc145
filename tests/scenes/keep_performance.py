#!/usr/bin/env python3
"""Keeps what real daemons said in the scenes, for those who have none.

    tools/real-network run BED env GOLEM_EXCHANGES=FOLDER build/dev/tests/scenes/test_scenes
    tests/scenes/keep_performance.py FOLDER

To be done after each change of a scene. Writes tests/data/devnet/scene-*.jsonl; what occurs several times is written once.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "devnet"))
from reduce_recording import Table, shorten

DATA = pathlib.Path(__file__).parent.parent / "data" / "devnet"


def keep(path, output):
    table = Table()
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        row.pop("sent", None)
        if "took" in row:
            row["took"] = round(row["took"], 2)
        if "headers" in row:
            row["headers"] = table.name(row["headers"])
        if "body" in row:
            row["body"] = shorten(row["body"], table, False)
        lines.append(json.dumps(row, separators=(",", ":"), ensure_ascii=False))
    head = json.dumps({"table": table.rows}, separators=(",", ":"), ensure_ascii=False)
    output.write_text("\n".join([head] + lines) + "\n", encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for path in sorted(pathlib.Path(sys.argv[1]).glob("daemon-*.jsonl")):
        keep(path, DATA / ("scene-" + path.name[len("daemon-"):]))


if __name__ == "__main__":
    main()
