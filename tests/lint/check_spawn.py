#!/usr/bin/env python3
"""Checks that tasks have owners and that time and chance come in from outside.

Coroutines are spawned by core only (everybody else uses TaskGroup), nothing is detached, and nobody reads a clock, sleeps or
draws random numbers except through TimeSource and Random: otherwise a simulation would not be the same every time.
"""

import sys

from cpp_tokens import Finding, cpp_files, report, root_of_arguments, tokens

FOLDERS = ("include", "src", "examples", "tests", "benchmarks")

# Sequences of tokens: what they are, and what to do instead.
FORBIDDEN = {
    ("co_spawn",): ("spawn", "spawn by TaskGroup, or await by call_on, with_timeout or first_of"),
    ("detached",): ("detach", "a task without an owner: spawn it in a TaskGroup"),
    (".", "detach", "(", ")"): ("detach", "a thread without an owner: join it"),
    ("this_thread", "::", "sleep_for"): ("sleep", "sleep by TimeSource"),
    ("this_thread", "::", "sleep_until"): ("sleep", "sleep by TimeSource"),
    ("usleep", "("): ("sleep", "sleep by TimeSource"),
    ("nanosleep", "("): ("sleep", "sleep by TimeSource"),
    ("steady_timer",): ("timer", "sleep by TimeSource, wait by Event"),
    ("system_timer",): ("timer", "sleep by TimeSource, wait by Event"),
    ("high_resolution_timer",): ("timer", "sleep by TimeSource, wait by Event"),
    ("steady_clock", "::", "now"): ("clock", "ask TimeSource"),
    ("system_clock", "::", "now"): ("clock", "ask TimeSource"),
    ("high_resolution_clock", "::", "now"): ("clock", "ask TimeSource"),
    ("time", "(", "nullptr", ")"): ("clock", "ask TimeSource"),
    ("time", "(", "NULL", ")"): ("clock", "ask TimeSource"),
    ("clock_gettime", "("): ("clock", "ask TimeSource"),
    ("gettimeofday", "("): ("clock", "ask TimeSource"),
    ("random_device",): ("chance", "draw from a Random that is passed in"),
    ("mt19937",): ("chance", "draw from a Random that is passed in"),
    ("mt19937_64",): ("chance", "draw from a Random that is passed in"),
    ("default_random_engine",): ("chance", "draw from a Random that is passed in"),
    ("uniform_int_distribution",): ("chance", "draw from a Random that is passed in"),
    ("uniform_real_distribution",): ("chance", "draw from a Random that is passed in"),
    ("random_generator",): ("chance", "make UUIDs from a Random that is passed in"),
    ("rand", "(", ")"): ("chance", "draw from a Random that is passed in"),
    ("srand", "("): ("chance", "draw from a Random that is passed in"),
}

# Who may do it after all: (start of the path, kind, why). An entry that nobody needs is a finding.
ALLOWED = (
    ("include/golem/core/", "spawn", "the primitives that own tasks are built on it"),
    ("src/core/", "spawn", "the primitives that own tasks are built on it"),
    ("tests/support/", "spawn", "runs the coroutine of a test on a context of its own"),
    ("tests/core/", "spawn", "tests the primitives"),
    ("include/golem/core/real_time.hpp", "clock", "RealTime is the machine's clock"),
    ("src/core/real_time.cpp", "timer", "RealTime is the machine's clock"),
    ("include/golem/core/virtual_time.hpp", "timer", "a sleeper is a timer that never expires by itself"),
    ("src/core/virtual_time.cpp", "timer", "a sleeper is a timer that never expires by itself"),
    ("include/golem/core/event.hpp", "timer", "a waiter is a timer that never expires by itself"),
    ("src/core/random.cpp", "chance", "seeds a program that gave no seed"),
    ("src/service/engine.cpp", "detach", "a manager that is destroyed on its own thread cannot join it"),
    ("benchmarks/", "clock", "measures"),
)
# Entries for what need not be there.
OPTIONAL = {"benchmarks/", "tests/core/"}


def check_text(file, text, used):
    found = tokens(text)
    findings = []
    for i, token in enumerate(found):
        for sequence, (kind, advice) in FORBIDDEN.items():
            if token.text != sequence[0]:
                continue
            if tuple(other.text for other in found[i : i + len(sequence)]) != sequence:
                continue
            entries = [entry for entry in ALLOWED if file.startswith(entry[0]) and entry[1] == kind]
            used.update(entries)
            if not entries:
                findings.append(Finding(file, token.line, f"{''.join(sequence)}: {advice}"))
    return findings


def check_tree(root):
    files = cpp_files(root, FOLDERS)
    used = set()
    findings = []
    for path in files:
        findings += check_text(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"), used)
    for entry in ALLOWED:
        if entry not in used and entry[0] not in OPTIONAL:
            findings.append(Finding("tests/lint/check_spawn.py", 1, f"nobody needs the permission {entry}"))
    return findings, len(files)


if __name__ == "__main__":
    sys.exit(report(*check_tree(root_of_arguments())))
