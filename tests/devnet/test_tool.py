"""golem-devnet as a command: what it prints, what it refuses, how it ends."""
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import unittest

import rig


class Tool(unittest.TestCase):
    def refused(self, *arguments, **variables):
        result = rig.run([rig.DEVNET, *arguments], rig.environment(**variables))
        self.assertNotIn(result.code, (0, -6, -11), result)
        self.assertEqual(result.out, '')
        return result.err

    def start(self):
        process = subprocess.Popen([rig.DEVNET, '--port', '0', '--app-key', rig.KEY], env=rig.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        printed = {}
        for line in process.stdout:
            printed.update((name, shlex.split(value)[0]) for name, value in re.findall(r'^export (\w+)=(.*)$', line))
            if 'YAGNA_SUBNET' in printed:
                return process, printed
        self.fail(process.stderr.read())

    def test_prints_what_clients_need(self):
        process, printed = self.start()
        self.assertEqual(printed['YAGNA_APPKEY'], rig.KEY)
        me = rig.Daemon(printed['YAGNA_API_URL'], rig.KEY).get('/me')
        self.assertRegex(me['identity'], '^0x[0-9a-f]{40}$')
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=rig.PATIENCE)
        self.assertEqual(process.returncode, 0, errors)

    def test_second_signal_cuts_short(self):
        process, _ = self.start()
        # Stopped, it finds both at once.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)
        _, errors = process.communicate(timeout=rig.PATIENCE)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, errors)
        self.assertIn('cut short', errors)

    def test_hub_ends_on_a_signal(self):
        process = subprocess.Popen([rig.DEVNET, 'hub', '--port', '0'], env=rig.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertRegex(process.stdout.readline(), r'listens at 127\.0\.0\.1:\d+$')
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=rig.PATIENCE)
        self.assertEqual((process.returncode, errors), (0, ''))

    def test_refuses(self):
        with tempfile.TemporaryDirectory() as folder, socket.create_server(('127.0.0.1', 0)) as taken:
            config = os.path.join(folder, 'providers.json')
            with open(config, 'w', encoding='utf-8') as file:
                file.write('{"providers": [{"nam": "x"}]}')
            port = str(taken.getsockname()[1])
            for arguments, words in ((['--port', '0'], 'no app key'),
                                     (['--app-key', 'k', '--port', port], 'is taken'),
                                     (['hub', '--port', '46123'], 'of four digits'),
                                     (['hub', '--port', '0080'], 'of four digits'),
                                     (['--app-key', 'k', '--port', '0', '--config', config], r'providers\[0\]\.nam is not known'),
                                     (['--app-key', 'k', '--port', '0', '--funds', 'much'], '"much" is not a decimal number')):
                with self.subTest(words):
                    self.assertRegex(self.refused(*arguments), words)


if __name__ == '__main__':
    unittest.main()
