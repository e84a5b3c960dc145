#!/usr/bin/env python3
"""The bed of the other tests: two daemons that know their keys, reach each other, and need no funds."""

import datetime
import json
import os
import time
import unittest
import urllib.error
import urllib.request

SUBNET = os.environ["YAGNA_SUBNET"]
NETWORK = os.environ["YAGNA_PAYMENT_NETWORK"]


class Daemon:
    def __init__(self, url, key):
        self.url, self.key = url, key

    def call(self, method, path, body=None, key=None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


REQUESTOR = Daemon(os.environ["YAGNA_API_URL"], os.environ["YAGNA_APPKEY"])
PROVIDER = Daemon(os.environ["PROVIDER_API_URL"], os.environ["PROVIDER_APPKEY"])


class Bed(unittest.TestCase):
    def test_each_daemon_knows_its_key_and_no_other(self):
        identities = set()
        for daemon, other in ((REQUESTOR, PROVIDER), (PROVIDER, REQUESTOR)):
            status, me = daemon.call("GET", "/me")
            self.assertEqual(status, 200)
            identities.add(me["identity"])
            self.assertEqual(daemon.call("GET", "/me", key=other.key)[0], 401)
        self.assertEqual(len(identities), 2)

    def test_offer_reaches_demand_and_answer_comes_back(self):
        provider = PROVIDER.call("GET", "/me")[1]["identity"]
        requestor = REQUESTOR.call("GET", "/me")[1]["identity"]
        name = f"bed-{time.time_ns()}"
        status, offer = PROVIDER.call(
            "POST", "/market-api/v1/offers",
            {"properties": {"golem.node.id.name": name, "golem.node.debug.subnet": SUBNET}, "constraints": "()"},
        )  # fmt: skip
        self.assertEqual(status, 201)
        properties = {"golem.node.debug.subnet": SUBNET}
        demand_text = {"properties": properties, "constraints": f"(golem.node.id.name={name})"}
        status, demand = REQUESTOR.call("POST", "/market-api/v1/demands", demand_text)
        self.assertEqual(status, 201)
        began = time.monotonic()
        event = self.event(REQUESTOR, f"/market-api/v1/demands/{demand}/events")
        print(f"the offer was known after {time.monotonic() - began:.2f} s")
        proposal = event["proposal"]
        self.assertEqual(proposal["issuerId"], provider)
        self.assertEqual(proposal["properties"]["golem.node.id.name"], name)
        status, _ = REQUESTOR.call(
            "POST", f"/market-api/v1/demands/{demand}/proposals/{proposal['proposalId']}", demand_text
        )
        self.assertEqual(status, 200)
        event = self.event(PROVIDER, f"/market-api/v1/offers/{offer}/events")
        self.assertEqual(event["proposal"]["issuerId"], requestor)
        self.assertEqual(REQUESTOR.call("DELETE", f"/market-api/v1/demands/{demand}")[0], 204)
        self.assertEqual(PROVIDER.call("DELETE", f"/market-api/v1/offers/{offer}")[0], 204)

    def event(self, daemon, path):
        for _ in range(4):
            status, events = daemon.call("GET", f"{path}?timeout=5&maxEvents=10")
            self.assertEqual(status, 200, events)
            for event in events:
                if event["eventType"] == "ProposalEvent":
                    return event
        self.fail(f"no proposal came within 20 s: {path}")

    def test_allocations_need_no_funds(self):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
        requestor = REQUESTOR.call("GET", "/me")[1]["identity"]
        status, allocation = REQUESTOR.call(
            "POST", "/payment-api/v1/allocations",
            {"address": requestor, "paymentPlatform": f"erc20-{NETWORK}-tglm", "totalAmount": "1", "makeDeposit": False,
             "timeout": end.isoformat()},
        )  # fmt: skip
        self.assertEqual(status, 201, allocation)
        self.assertEqual(
            REQUESTOR.call("DELETE", f"/payment-api/v1/allocations/{allocation['allocationId']}")[0], 200
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
