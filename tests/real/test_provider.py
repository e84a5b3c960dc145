#!/usr/bin/env python3
"""`golem-devnet provider` on a real daemon, rented by the example clock through another one.

usage: test_provider.py GOLEM_DEVNET CLOCK
"""

import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SIDES = {"requestor": ("YAGNA_API_URL", "YAGNA_APPKEY"), "provider": ("PROVIDER_API_URL", "PROVIDER_APPKEY")}


def get(side, path):
    url, key = (os.environ[name] for name in SIDES[side])
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {key}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return json.load(answer)


def agreements(side, subnet):
    """Ids and states of the agreements of a subnet."""
    found = {}
    for listed in get(side, "/market-api/v1/agreements"):
        agreement = get(side, f"/market-api/v1/agreements/{listed['id']}")
        if agreement["demand"]["properties"].get("golem.node.debug.subnet") == subnet:
            found[listed["id"]] = agreement["state"]
    return found


def wait_until(condition, seconds=20):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.1)
    return False


class Provider(unittest.TestCase):
    def setUp(self):
        # Others use the bed at the same time.
        self.subnet = f"provider-{time.time_ns()}"
        self.environment = {**os.environ, "YAGNA_SUBNET": self.subnet}

    @contextlib.contextmanager
    def provider(self, *arguments, **variables):
        process = subprocess.Popen(
            [GOLEM_DEVNET, "provider", "--provider", "rented", *arguments],
            env={**self.environment, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def clock(self, *arguments):
        return subprocess.Popen(
            [CLOCK, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def assert_settled(self):
        """One agreement on both sides, ended and paid as far as that goes without a chain; nothing is open."""
        for side in SIDES:
            found = agreements(side, self.subnet)
            self.assertEqual(list(found.values()), ["Terminated"], side)
            (agreement,) = found
            invoices = [each for each in get(side, "/payment-api/v1/invoices") if each["agreementId"] == agreement]
            self.assertEqual([each["status"] in ("ACCEPTED", "SETTLED") for each in invoices], [True], invoices)
        self.assert_no_offer()

    def assert_no_offer(self):
        offers = [
            each
            for each in get("provider", "/market-api/v1/offers")
            if each["properties"]["golem.node.debug.subnet"] == self.subnet
        ]
        self.assertEqual(offers, [])
        demands = [
            each
            for each in get("requestor", "/market-api/v1/demands")
            if each["properties"].get("golem.node.debug.subnet") == self.subnet
        ]
        self.assertEqual(demands, [])

    def test_clock(self):
        with self.provider() as provider:
            output, errors = (clock := self.clock()).communicate(timeout=60)
            self.assertEqual(clock.returncode, 0, errors)
            lines = output.splitlines()
            self.assertEqual(collections.Counter(line.startswith("rented: ") for line in lines), {True: 3}, output)
            code, output, errors = self.end(provider)
            self.assertEqual(code, 0, errors)
        self.assertIn(self.subnet, output)
        self.assert_settled()

    def test_requestor_leaves_in_the_middle(self):
        with self.provider() as provider:
            clock = self.clock("--times", "1000")
            self.assertIn("rented: ", clock.stdout.readline())
            code, _, errors = self.end(clock, signal.SIGINT)
            self.assertNotIn("left over", errors)
            self.assertNotEqual(code, 0)
            self.assertEqual(self.end(provider, signal.SIGINT)[0], 0)
        self.assert_settled()

    def test_provider_ends_in_the_middle(self):
        with self.provider() as provider:
            clock = self.clock("--times", "1000")
            self.assertIn("rented: ", clock.stdout.readline())
            code, _, errors = self.end(provider)
            self.assertEqual(code, 0, errors)
            self.assertTrue(wait_until(lambda: clock.poll() is not None), "the clock did not notice")
            _, errors = clock.communicate()
            self.assertIn("Shutting down Provider", errors)
            self.assertNotIn("left over", errors)
        self.assert_settled()

    def test_provider_is_killed_in_the_middle(self):
        with self.provider() as provider:
            log = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "log")
            clock = self.clock("--times", "1000", "--log", log)
            self.assertIn("rented: ", clock.stdout.readline())
            provider.kill()
            self.assertTrue(wait_until(lambda: "running -> stopping" in log.read_text(), seconds=15), "not noticed")
            # Nobody will end the activity and send an invoice: no need to wait for that.
            clock.send_signal(signal.SIGINT)
            time.sleep(0.5)
            clock.send_signal(signal.SIGINT)
            _, errors = clock.communicate(timeout=30)
            self.assertIn("left over", errors)
        for offer in get("provider", "/market-api/v1/offers"):
            if offer["properties"]["golem.node.debug.subnet"] == self.subnet:
                self.withdraw(offer["offerId"])

    def withdraw(self, offer):
        url, key = (os.environ[name] for name in SIDES["provider"])
        request = urllib.request.Request(
            f"{url}/market-api/v1/offers/{offer}", method="DELETE", headers={"Authorization": f"Bearer {key}"}
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()

    def test_what_is_wrong_is_said_in_a_sentence(self):
        rows = (
            ({"PROVIDER_APPKEY": "wrong-key"}, (), "does not know this app key"),
            ({"PROVIDER_API_URL": "http://127.0.0.1:9"}, (), "nothing listens at http://127.0.0.1:9"),
            ({"PROVIDER_GSB_URL": "tcp://127.0.0.1:9"}, (), "service bus at tcp://127.0.0.1:9"),
            ({"PROVIDER_APPKEY": "", "YAGNA_APPKEY": ""}, (), "there is no app key"),
            ({}, ("--bus", "nonsense"), '"nonsense"'),
            ({}, ("--daemon", "nonsense"), "http://127.0.0.1:7465"),
        )
        for variables, arguments, words in rows:
            with self.provider(*arguments, **variables) as provider:
                output, errors = provider.communicate(timeout=30)
                self.assertEqual(provider.returncode, 1)
                self.assertIn(words, errors)
                self.assertEqual(len(errors.splitlines()), 1, errors)
                self.assertEqual(output, "")
                self.assertNotIn("wrong-key", errors)


if __name__ == "__main__":
    GOLEM_DEVNET, CLOCK = sys.argv[1:3]
    del sys.argv[1:3]
    unittest.main(verbosity=2)
