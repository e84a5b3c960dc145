#!/usr/bin/env python3
"""Checks who includes whom in include/golem and src (CONTRIBUTING.md has the table), and that public headers stay light.

The devnet writes its wire text itself: it reaches no codec of yagna's, directly or through other headers. golem.hpp reaches
no detail/ header. A header that costs more than Asio says so in its first lines ("Opt-in: …").
"""

import posixpath
import re
import sys

from cpp_tokens import Finding, cpp_files, includes, report, root_of_arguments

WORKERS = {"market", "work", "payment", "network", "journal"}
BELOW_WORKERS = {"yagna", "properties", "http", "flex", "core"}
LIBRARY = {"service"} | WORKERS | BELOW_WORKERS

MAY_INCLUDE = {
    "core": set(),
    "flex": {"core"},
    "properties": {"core"},
    "http": {"core"},
    "yagna": {"properties", "http", "flex", "core"},
    **{worker: BELOW_WORKERS for worker in WORKERS},
    "service": WORKERS | BELOW_WORKERS,
    "bus": {"flex", "core"},
    "provider": {"properties", "flex", "core"},
    "provider/yagna_adapter": {"provider", "properties", "flex", "core", "bus", "http"},
    "devnet": {"provider", "properties", "http", "flex", "core", "yagna", "devnet/tool"},
    "devnet/tool": {"devnet", "provider", "provider/yagna_adapter", "bus", "properties", "http", "flex", "core"},
    "simulation": LIBRARY | {"provider", "bus", "devnet", "golem.hpp"},
    "golem.hpp": LIBRARY,
}

HEAVY = re.compile(r"boost/(beast|process)\b|nlohmann/(?!json_fwd\.hpp)|spdlog/|sqlite3\.h|flatbuffers/|yaml-cpp/|CLI/")
PRAGMA_ONCE = re.compile(r"^#pragma once$", re.MULTILINE)
OPT_IN = re.compile(r"//.*\bopt-in\b", re.IGNORECASE)
CODEC = re.compile(r"(json|codec)[^/]*$")


def folder_of(path):
    """The folder in the house of a path relative to include/golem or src."""
    parts = path.split("/")
    if len(parts) == 1:
        return parts[0]
    if path.startswith("provider/yagna_"):
        return "provider/yagna_adapter"
    if path.startswith("devnet/tool_"):
        return "devnet/tool"
    return parts[0]


def is_opt_in(text):
    return any(OPT_IN.search(line) for line in text.split("\n")[:5])


class Tree:
    def __init__(self, root):
        self.texts = {}
        for path in cpp_files(root, ("include", "src")):
            self.texts[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
        self.ours = {file: list(self.our_includes(file)) for file in self.texts}

    def our_includes(self, file):
        """(line, file) of each include of ours; headers that do not exist count as well."""
        for line, is_quoted, path in includes(self.texts[file]):
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
            if path.startswith("golem/"):
                yield line, f"include/{path}"
            elif is_quoted and beside in self.texts:
                yield line, beside
            elif f"src/{path}" in self.texts:
                yield line, f"src/{path}"

    def place(self, file):
        """The path in the house, the same for include/golem/X and src/X."""
        for prefix in ("include/golem/", "src/"):
            if file.startswith(prefix):
                return file[len(prefix) :]
        return None

    def chain(self, start, is_goal):
        """The shortest way of includes from a file to one that fits, as a list; empty if there is none."""
        ways = [[start]]
        seen = {start}
        for way in ways:
            for _, target in self.ours.get(way[-1], []):
                if is_goal(target):
                    return way + [target]
                if target not in seen:
                    seen.add(target)
                    ways.append(way + [target])
        return []

    def check(self):
        findings = []
        for file in self.texts:
            place = self.place(file)
            if place is None:
                findings.append(Finding(file, 1, "headers of the project live in include/golem"))
                continue
            folder = folder_of(place)
            if folder not in MAY_INCLUDE:
                if file.startswith("src/") and "/" not in place:
                    continue
                findings.append(Finding(file, 1, f"{folder} is not in the table of folders"))
                continue
            if file.endswith(".hpp") and not PRAGMA_ONCE.search(self.texts[file]):
                findings.append(Finding(file, 1, "a header without #pragma once"))
            findings += self.check_table(file, folder)
            findings += self.check_weight(file)
            findings += self.check_chains(file, folder)
        return findings

    def check_table(self, file, folder):
        for line, target in self.ours[file]:
            target_folder = folder_of(self.place(target) or target)
            if target_folder == folder or target_folder in MAY_INCLUDE[folder]:
                continue
            allowed = ", ".join(sorted(MAY_INCLUDE[folder])) or "nobody of ours"
            yield Finding(file, line, f"{folder} may not include {target_folder} (only {allowed})")

    def check_weight(self, file):
        text = self.texts[file]
        if not file.startswith("include/") or is_opt_in(text):
            return
        for line, _, path in includes(text):
            if HEAVY.match(path):
                yield Finding(file, line, f"<{path}> is too heavy for a public header")
        for line, target in self.ours[file]:
            if is_opt_in(self.texts.get(target, "")):
                yield Finding(file, line, f"{target} is opt-in: no other public header includes it")

    def check_chains(self, file, folder):
        if folder in ("devnet", "devnet/tool"):
            way = self.chain(file, lambda target: folder_of(self.place(target) or "") == "yagna" and CODEC.search(target))
            if way:
                yield Finding(file, 1, "devnet reaches yagna's codec: " + " -> ".join(way[1:]))
        if file == "include/golem/golem.hpp":
            way = self.chain(file, lambda target: "/detail/" in target)
            if way:
                yield Finding(file, 1, "golem.hpp reaches a detail header: " + " -> ".join(way[1:]))


def check_tree(root):
    tree = Tree(root)
    return tree.check(), len(tree.texts)


if __name__ == "__main__":
    sys.exit(report(*check_tree(root_of_arguments())))
