#!/usr/bin/env python3
"""Reduces a recording of exchanges with a real daemon to what the devnet is compared with.

    reduce_recording.py RECORDING.jsonl OUTPUT.jsonl [--agent]

A recording has one exchange a line (n, at, took, who, method, target, request_headers, request_body, status, headers, body).
The output keeps the routes that the devnet serves and what a provider did by REST; objects that occur several times are
written once. With --agent the provider was the real agent: the properties of its offers are its own and not compared.
"""

import argparse
import datetime
import json
import re

SERVED = re.compile(r"^/(me|version/get)$|^/(market|activity|payment)-api/v1/(?!scan|proxy|payAgreements|payActivities|batch)")
# Longer texts and properties are written once.
LONG = 100
IDS = ("agreementId", "debitNoteId", "invoiceId", "demandId", "allocationId", "id")


def is_served(row):
    if "sse" in row or "frames" in row or "inflight" in row or row["who"] not in ("requestor", "provider"):
        return False
    if "text/event-stream" in json.dumps(row.get("request_headers", {})):
        return False
    path = row["target"].split("?")[0]
    # The devnet has no provider's side by REST.
    providers = r"PUT \S+/activity/[^/]+/state$|POST \S+/(debitNotes|invoices)$"
    if row["who"] == "requestor" and re.match(providers, row["method"] + " " + path):
        return False
    return bool(SERVED.match(path))


class Table:
    def __init__(self):
        self.rows = []

    def name(self, value):
        if value not in self.rows:
            self.rows.append(value)
        return "$%d" % self.rows.index(value)


def dates(value):
    if isinstance(value, list):
        return [found for item in value for found in dates(item)]
    if not isinstance(value, dict):
        return []
    found = [item for key, item in value.items() if key in ("eventDate", "timestamp", "createdTs") and isinstance(item, str)]
    return found + [date for item in value.values() for date in dates(item)]


def start_of(rows):
    """When the recording began: no answer can tell of what happened after it."""
    latest = 0
    for row in rows:
        for text in dates(row.get("body")):
            when = datetime.datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp()
            when += float("0" + text[19:-1]) if text[19:-1] else 0
            latest = max(latest, when - row["at"] - row.get("took", 0))
    whole = datetime.datetime.fromtimestamp(int(latest), datetime.timezone.utc)
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + ("%.6fZ" % (latest % 1))[1:]


def without_strangers(body, known):
    """Logs and lists also tell of what was before the recording."""
    if not isinstance(body, list):
        return body
    kept = []
    for item in body:
        ids = [item[key] for key in IDS if isinstance(item, dict) and isinstance(item.get(key), str)]
        if not ids or all(known.get(i, 0) for i in ids[:1]):
            kept.append(item)
    return kept


def shorten(value, table, agent):
    if isinstance(value, list):
        return [shorten(item, table, agent) for item in value]
    if isinstance(value, str) and len(value) > LONG:
        return table.name(value)
    if not isinstance(value, dict):
        return value
    short = {}
    for key, item in value.items():
        if key == "properties" and isinstance(item, dict) and len(json.dumps(item)) > LONG:
            is_offer = "golem.com.pricing.model.linear.coeffs" in item
            short[key] = "*" if agent and is_offer else table.name(item)
        elif key == "constraints" and agent and "comp.expiration>" in str(item):
            short[key] = "*"
        else:
            short[key] = shorten(item, table, agent)
    return short


def reported_by_bus(rows):
    """A provider may have told its daemon of states by the bus: the requests that say the same."""

    def report(at, activity, state):
        return {"n": 0, "at": at, "took": 0, "who": "provider", "method": "PUT", "status": 200,
                "target": "/activity-api/v1/activity/%s/state" % activity, "request_body": state}

    up = {r["target"].split("/")[4] for r in rows if r["method"] == "PUT" and "Initialized" in str(r.get("request_body"))}
    down = {r["target"].split("/")[4] for r in rows if r["method"] == "PUT" and "Terminated" in str(r.get("request_body"))}
    added = []
    for row in rows:
        path = row["target"].split("?")[0].split("/")
        if row["who"] != "requestor" or row["status"] != 200 or len(path) < 4 or path[3] != "activity":
            continue
        body = row.get("body")
        late = row["at"] + row.get("took", 0) - 0.0005
        if row["method"] == "POST" and len(path) == 4:
            activity = body["activityId"] if isinstance(body, dict) else body
            if activity not in up:
                up.add(activity)
                added.append(report(late, activity, {"state": ["Initialized", None]}))
        elif row["method"] == "DELETE" and path[4] not in down:
            down.add(path[4])
            added.append(report(late, path[4], {"state": ["Terminated", None]}))
        elif path[-1] == "state" and body["state"][0] == "Terminated" and path[4] not in down:
            down.add(path[4])
            added.append(report(row["at"] - 0.0005, path[4], body))
    return added


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording")
    parser.add_argument("output")
    parser.add_argument("--agent", action="store_true")
    parser.add_argument("--compact", type=int, nargs="*", default=[], help="numbers of those sent without blanks")
    arguments = parser.parse_args()
    with open(arguments.recording, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = sorted((row for row in rows if "method" in row and is_served(row)), key=lambda row: (row["at"], row["n"]))

    if not arguments.agent:
        rows = sorted(rows + reported_by_bus(rows), key=lambda row: row["at"])

    known = {}
    for row in rows:
        if row["method"] == "POST" and row.get("status") in (200, 201):
            body = row.get("body")
            for text in re.findall(r"[0-9a-f-]{32,}", json.dumps(body)):
                known[text] = True

    # What an agent sent is known by whoever asked for it.
    for row in rows:
        found = re.match(r".*/(debitNotes|invoices)/([0-9a-f-]{36})", row["target"])
        if found and row.get("status") == 200:
            known[found.group(2)] = True

    table = Table()
    lines = []
    for row in rows:
        line = {"n": row["n"], "at": row["at"], "took": row.get("took", 0), "who": row["who"][0], "method": row["method"],
                "target": row["target"], "status": row["status"]}
        headers = row.get("headers", {})
        sent = {key.lower(): value for key, value in row.get("request_headers", {}).items()}
        if "content-type" in sent:
            line["sent_type"] = sent["content-type"]
        elif row.get("request_body") is not None and not arguments.agent:
            line["sent_type"] = ""
        if "x-requestor-events" in sent:
            line["events"] = sent["x-requestor-events"]
        if "request_body" in row:
            body = row["request_body"]
            if isinstance(body, str) and (body == "" or body.startswith("{")):
                line["sent_text"] = body
            else:
                line["sent"] = shorten(body, table, False)
                if row["n"] in arguments.compact:
                    line["compact"] = True
        if "content-type" in headers:
            line["type"] = headers["content-type"]
        line["vary"] = "vary" in headers
        if row.get("body") and not without_strangers(row["body"], known):
            continue
        if row.get("body") is not None or headers.get("content-length") == "4":
            line["body"] = shorten(without_strangers(row.get("body"), known), table, arguments.agent)
        lines.append(line)
    with open(arguments.output, "w", encoding="utf-8") as file:
        file.write(json.dumps({"start": start_of(rows), "table": table.rows}, separators=(",", ":")) + "\n")
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
