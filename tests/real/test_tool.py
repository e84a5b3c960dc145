#!/usr/bin/env python3
"""tools/real-network as its users meet it: several beds, a daemon that dies and comes back, clean ends.

usage: test_tool.py GOLEM_DEVNET
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "real-network"


def tool(*arguments, expect=0):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=100)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def environment(text):
    return dict(re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE))


def identity(url, key):
    request = urllib.request.Request(url + "/me", headers={"Authorization": f"Bearer {key}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return answer.read()


class Tool(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.beds = [f"{folder.name}/{name}" for name in "ab"]
        for bed in self.beds:
            self.addCleanup(tool, "down", bed, "--remove")

    def test_beds_side_by_side(self):
        ups = [
            subprocess.Popen([TOOL, "up", bed, "--hub-tool", GOLEM_DEVNET], stdout=subprocess.PIPE, text=True)
            for bed in self.beds
        ]
        envs = [environment(up.communicate(timeout=100)[0]) for up in ups]
        self.assertEqual([up.returncode for up in ups], [0, 0])
        urls = {env[name] for env in envs for name in ("YAGNA_API_URL", "PROVIDER_API_URL", "GSB_URL", "PROVIDER_GSB_URL")}
        self.assertEqual(len(urls), 8)
        identities = {identity(env["YAGNA_API_URL"], env["YAGNA_APPKEY"]) for env in envs}
        self.assertEqual(len(identities), 2)
        for bed in self.beds:
            self.assertIn(bed, tool("list"))
        self.assertIn("up already", tool("up", self.beds[0], "--hub-tool", GOLEM_DEVNET, expect=1))

        env, bed = envs[0], self.beds[0]
        before = identity(env["YAGNA_API_URL"], env["YAGNA_APPKEY"])
        tool("kill", bed, "requestor")
        self.assertIn("requestor  does not run", tool("status", bed, expect=1))
        tool("start", bed, "requestor")
        self.assertEqual(identity(env["YAGNA_API_URL"], env["YAGNA_APPKEY"]), before)
        tool("status", bed)

        # Whatever is left is found, also without the files that tell of it.
        (pathlib.Path(bed) / "provider.pid").unlink()
        self.assertIn("left over", tool("status", bed, expect=1))
        for bed in self.beds:
            self.assertEqual(tool("down", bed), "")
            self.assertNotIn(bed, tool("list"))
            self.assertNotIn("process", tool("status", bed, expect=1))
            tool("run", bed, "true", expect=77)
        tool("env", self.beds[0], expect=1)

    def test_mistakes(self):
        for arguments in (
            ["up", "x y"], ["up", "x", "--nonsense"], ["up", "x", "--geth"], ["kill", "x"],
            ["kill", "x", "nobody"], ["start", self.beds[0], "hub"], ["nonsense"], [],
            ["up", "x", "--config-payments", "/nowhere"],
        ):  # fmt: skip
            with self.subTest(arguments=arguments):
                self.assertIn("real-network: ", tool(*arguments, expect=1))


if __name__ == "__main__":
    GOLEM_DEVNET = sys.argv.pop(1)
    unittest.main(verbosity=2)
