#!/usr/bin/env python3
"""A daemon that is killed in the middle and comes back: the clock goes on, and everything is paid. On a bed of its own.
"""

import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from rig import CLOCK, DEVNET, NOTHING_LEFT, Daemon, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "real-network"
PATIENCE = 60


def tool(*arguments):
    done = subprocess.run([TOOL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    if done.returncode == 77:
        raise unittest.SkipTest(done.stdout)
    assert done.returncode == 0, (arguments, done.returncode, done.stdout)
    return done.stdout


def appears(words, file):
    limit = time.monotonic() + PATIENCE
    while words not in file.read_text():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


class Lines:
    """What a program prints, as it comes."""

    def __init__(self, stream):
        self.all = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=[stream])
        self._reader.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                with self._changed:
                    self.all.append(line)
                    self._changed.notify_all()

    def wait_for(self, count):
        with self._changed:
            return self._changed.wait_for(lambda: len(self.all) >= count, PATIENCE)

    def text(self):
        self._reader.join(PATIENCE)
        return "".join(self.all)


class Restart(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.bed = f"{folder}/bed"
        self.addCleanup(tool, "down", self.bed, "--remove")
        self.env = environment(**dict(re.findall(
            r"^export (\w+)=(.*)$", tool("up", self.bed, "--hub-tool", DEVNET), re.MULTILINE)))  # fmt: skip

    def start(self, *command):
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, Lines(process.stdout), Lines(process.stderr)

    def test_clock_goes_on(self):
        provider, _, provider_errors = self.start(DEVNET, "provider", "--provider", "steady")
        log = pathlib.Path(self.bed, "clock.log")
        clock, output, errors = self.start(CLOCK, "--times", "8", "--log", log)
        self.assertTrue(output.wait_for(3), errors.all)
        tool("kill", self.bed, "requestor")
        # Whatever the clock had asked has failed by now, more than once.
        self.assertTrue(appears("nothing listens at", log), "the clock does not say that the daemon is gone")
        self.assertIsNone(clock.poll())
        tool("start", self.bed, "requestor")
        clock.wait(PATIENCE)
        self.assertEqual((clock.returncode, len(output.text().splitlines())), (0, 8), errors.all)
        self.assertIn("the daemon answers again", log.read_text())
        daemon = Daemon(self.env["YAGNA_API_URL"], self.env["YAGNA_APPKEY"])
        self.assertEqual(daemon.leftovers(), NOTHING_LEFT)
        self.assertEqual([each["status"] for each in daemon.get("/payment-api/v1/invoices")], ["ACCEPTED"])
        provider.send_signal(signal.SIGINT)
        provider.wait(PATIENCE)
        self.assertEqual(provider.returncode, 0, provider_errors.all)

    def test_provider_finds_its_daemon_again(self):
        provider, _, provider_errors = self.start(DEVNET, "provider", "--provider", "steady", "--verbose")
        clock, output, errors = self.start(CLOCK, "--times", "8")
        self.assertTrue(output.wait_for(2), errors.all)
        tool("kill", self.bed, "provider")
        tool("start", self.bed, "provider")
        clock.wait(PATIENCE)
        # By the same activity or, if the daemons have given that up, by another.
        self.assertEqual((clock.returncode, len(output.text().splitlines())), (0, 8), errors.all)
        provider.send_signal(signal.SIGINT)
        provider.wait(PATIENCE)
        self.assertEqual(provider.returncode, 0, provider_errors.all)
        self.assertIn("is on the service bus again", provider_errors.text())
        daemon = Daemon(self.env["YAGNA_API_URL"], self.env["YAGNA_APPKEY"])
        self.assertEqual(daemon.leftovers(), NOTHING_LEFT)
        invoices = daemon.get("/payment-api/v1/invoices")
        self.assertEqual({each["status"] for each in invoices}, {"ACCEPTED"}, invoices)
        theirs = Daemon(self.env["PROVIDER_API_URL"], self.env["PROVIDER_APPKEY"])
        for invoice in invoices:
            for activity in invoice["activityIds"]:
                state = theirs.get(f"/activity-api/v1/activity/{activity}/state")
                self.assertEqual(state["state"], ["Terminated", None])


if __name__ == "__main__":
    unittest.main(verbosity=2)
