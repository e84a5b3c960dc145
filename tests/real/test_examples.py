#!/usr/bin/env python3
"""The examples on real daemons. With tests/examples in PYTHONPATH and the build's folder in GOLEM_TEST_BIN."""

import contextlib
import os
import signal
import subprocess
import threading
import time
import unittest

import rig
import test_erigon
import test_shell
import test_small


class Examples(unittest.TestCase):
    def setUp(self):
        # Others use the bed at the same time.
        self.environment = {**os.environ, "YAGNA_SUBNET": f"examples-{time.time_ns()}"}

    @contextlib.contextmanager
    def provider(self, name, *arguments):
        command = [rig.DEVNET, "provider", "--provider", name, "--capacity", "2", *arguments]
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        errors = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr))
        reader.start()
        try:
            self.assertIn("provider", process.stdout.readline(), errors)
            yield
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 0, errors)
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
            process.stderr.close()

    def test_erigon(self):
        with self.provider("nodes", "--runtime", "erigon=" + test_erigon.RUNTIME):
            with test_erigon.serving(self.environment) as server:
                test_erigon.Erigon().walk(server)
                # Ctrl-C finds these at work.
                ids = [server.create(test_erigon.ADA)["id"] for _ in range(2)]
                urls = [server.wait_for(test_erigon.ADA, id, "running")["url"] for id in ids]
                self.assertNotIn(None, [test_erigon.node_at(url) for url in urls])
        self.assertEqual([test_erigon.node_at(url) for url in urls], [None, None])

    def test_subclassing(self):
        with self.provider("greeters"):
            test_small.Small().assert_lives(rig.run([test_small.SUBCLASSING], self.environment))

    def test_files(self):
        with self.provider("carrier"):
            test_small.Small().copy(self.environment, 300_001)

    def test_embedding(self):
        with self.provider("words"):
            test_small.Small().assert_sums(rig.run([test_small.EMBEDDING], self.environment))

    def test_shell(self):
        with self.provider("consoles"):
            with test_shell.Person(self.environment) as person:
                test_shell.Shell().talk(person)
                person.ask("while True: pass", "... ")
                person.type("\n")
                time.sleep(2)
                person.type(test_shell.CTRL_C)
                self.assertIn("KeyboardInterrupt\n", person.expect(">>> "))
                test_shell.Shell().leave(person)

    def test_shell_whose_provider_leaves(self):
        with test_shell.Person(self.environment) as person:
            with self.provider("leavers"):
                person.expect(">>> ")
            self.assertEqual(person.end(), 1, person.seen)
            self.assertRegex(person.seen, "error: .*failed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
