#!/usr/bin/env python3
"""Checks what daemons answered against the OpenAPI files of their authors.

    check_openapi.py --cache FOLDER --deviations FILE RECORDS…

RECORDS, files or folders, are recordings of tests/data/devnet or what scenes wrote (GOLEM_EXCHANGES). The specifications
come with the crate `ya-client`, fetched by cargo into FOLDER. Where the real daemon itself does not do as its specification
says, FILE lists it: a regular expression for a finding, and the reason. A finding that is not listed fails, and so does an
entry that fits none. Ends with 77 (skipped) where cargo, the crate or python3-jsonschema cannot be had.
"""

import argparse
import collections
import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys

VERSION = "0.9.0"
APIS = ("market", "activity", "payment")


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


try:
    import jsonschema
    import yaml
except ImportError as missing:
    skip("%s (packages python3-jsonschema, python3-yaml)" % missing)


def specifications(cache):
    """The folder with the specification files."""
    if not shutil.which("cargo"):
        skip("there is no cargo to fetch the specifications with (crate ya-client %s)" % VERSION)
    project = cache / "specifications"
    project.mkdir(parents=True, exist_ok=True)
    (project / "lib.rs").touch()
    (project / "Cargo.toml").write_text(
        '[package]\nname = "specifications"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[workspace]\n'
        '[dependencies]\nya-client = { version = "=%s", default-features = false }\n' % VERSION)

    def cargo(*arguments):
        return subprocess.run(("cargo", *arguments), cwd=project, capture_output=True, text=True, timeout=300)

    metadata = cargo("metadata", "--format-version", "1", "--offline")
    if metadata.returncode != 0:
        metadata = cargo("metadata", "--format-version", "1")
    if metadata.returncode != 0:
        skip("cargo cannot fetch ya-client %s: %s" % (VERSION, metadata.stderr.strip()[-300:]))
    packages = json.loads(metadata.stdout)["packages"]
    manifest = next(p["manifest_path"] for p in packages if p["name"] == "ya-client")
    return pathlib.Path(manifest).parent / "specs"


class Specification:
    def __init__(self, folder, name):
        self.files = {}
        self.folder = folder
        self.name = name + "-api.yaml"
        document = self.file(self.name)
        self.base = document["servers"][0]["url"]
        self.routes = []
        for path, operations in document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(self.base + path)) + "$")
            self.routes.append((path.count("{"), path, pattern, operations))
        self.routes.sort(key=lambda route: route[:2])
        self.schemas = document.get("components", {}).get("schemas", {})

    def file(self, name):
        if name not in self.files:
            self.files[name] = yaml.safe_load((self.folder / name).read_text(encoding="utf-8"))
        return self.files[name]

    def resolved(self, node, name=None):
        """Without references, in the dialect of JSON schema."""
        name = name or self.name
        if isinstance(node, list):
            return [self.resolved(item, name) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            file, path = node["$ref"].split("#")
            target = self.file(file or name)
            for part in path.strip("/").split("/"):
                target = target[part]
            return self.resolved(target, file or name)
        plain = {key: self.resolved(value, name) for key, value in node.items()}
        if plain.pop("nullable", False) and "type" in plain:
            plain["type"] = [plain["type"], "null"]
        for key in ("example", "discriminator", "xml"):
            plain.pop(key, None)
        return plain

    def operation(self, method, path):
        for _, name, pattern, operations in self.routes:
            if pattern.match(path) and method.lower() in operations:
                return self.base + name, operations[method.lower()]
        return None


def kind(value):
    return "integer" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


def complaints(schema, body):
    for error in jsonschema.Draft4Validator(schema).iter_errors(body):
        place = "/".join("*" if isinstance(part, int) else str(part) for part in error.absolute_path)
        what = error.message
        if error.validator == "type":
            what = "%s instead of %s" % (kind(error.instance), error.validator_value)
        elif error.validator in ("oneOf", "anyOf", "pattern", "enum", "format"):
            what = "does not fit %s" % error.validator
        yield "/%s %s" % (place, what)


def events(body):
    return [item for item in (body if isinstance(body, list) else [body]) if isinstance(item, dict) and "eventType" in item]


def findings(apis, row):
    path = row["target"].split("?")[0]
    api = next((api for api in apis if path.startswith(api.base + "/")), None)
    if api is None or "status" not in row or "error" in row:
        return
    found = api.operation(row["method"], path)
    if not found:
        # Wrong paths and methods are 404 and nothing more.
        if row["status"] != 404 and row["status"] != 401:
            yield "%s %s %d: no such operation" % (row["method"], re.sub(r"[0-9a-f-]{30,}", "ID", path), row["status"])
        return
    name, operation = found
    line = "%s %s %d: " % (row["method"], name, row["status"])
    response = operation["responses"].get(str(row["status"]), operation["responses"].get(row["status"]))
    if response is None:
        yield line + "the status is not there"
        return
    contents = api.resolved(copy.deepcopy(response)).get("content")
    headers = row.get("headers", {})
    said = headers.get("content-type", row.get("type", "")).split(";")[0]
    if not contents:
        if row.get("body", "") != "":
            yield line + "has a body"
        return
    if said not in contents:
        yield line + "%s instead of %s" % (said or "no content", ", ".join(contents))
        return
    schema = contents[said].get("schema")
    if schema is None or row.get("body") == "*":
        return
    for complaint in complaints(schema, row.get("body")):
        yield line + complaint
    for event in events(row.get("body")):
        if event["eventType"] not in api.schemas:
            yield line + "unknown event " + event["eventType"]
            continue
        for complaint in complaints(api.resolved(api.schemas[event["eventType"]]), event):
            yield line + event["eventType"] + complaint


def restored(value, table):
    if isinstance(value, str) and re.fullmatch(r"\$\d+", value):
        return restored(table[int(value[1:])], table)
    if isinstance(value, list):
        return [restored(item, table) for item in value]
    if isinstance(value, dict):
        return {key: {} if key == "properties" and item == "*" else restored(item, table) for key, item in value.items()}
    return value


def rows_of(path):
    table = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for text in file:
            row = json.loads(text)
            if "table" in row:
                table = row["table"]
            elif "method" in row and row.get("who", "r") != "p":
                yield restored(row, table)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=pathlib.Path)
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("--deviations", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    folder = specifications(arguments.cache)
    apis = [Specification(folder, name) for name in APIS]
    count = 0
    found = collections.defaultdict(list)
    paths = [found for path in arguments.records for found in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    for path in paths:
        for row in rows_of(path):
            count += 1
            for finding in findings(apis, row):
                found[finding].append("%s %s" % (path.name, row.get("n")))
    deviations = json.loads(arguments.deviations.read_text(encoding="utf-8"))
    used = set()
    failed = False
    for finding, places in sorted(found.items()):
        entries = [entry for entry in deviations if re.search(entry, finding)]
        used.update(entries)
        if not entries:
            failed = True
            print("%s (%d times, first in %s)" % (finding, len(places), places[0]))
    for entry in deviations:
        if entry not in used:
            failed = True
            print("does not occur any more: " + entry)
    print("%d answers checked, %d deviations of the daemon itself" % (count, len(used)))
    sys.exit(1 if failed or count < 100 else 0)


if __name__ == "__main__":
    main()
