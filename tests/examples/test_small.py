"""The small examples: run, interrupted, on the embedded devnet and on another process's."""
import os
import tempfile
import unittest

import rig

SUBCLASSING = os.path.join(rig.BIN, 'examples', 'subclassing', 'subclassing')
EMBEDDING = os.path.join(rig.BIN, 'examples', 'embedding', 'embedding')
NETWORK = os.path.join(rig.BIN, 'examples', 'network', 'network')
FILES = os.path.join(rig.BIN, 'examples', 'files', 'files')
LIFE = ['starting', 'running', 'stopping', 'stopped']


class Small(unittest.TestCase):
    def assert_lives(self, result):
        self.assertEqual(result.code, 0, result)
        for name in ('Ada', 'Grace'):
            seen = [line.split()[-1] for line in result.out.splitlines() if line.startswith(name + ' is ')]
            self.assertEqual(seen, LIFE, result)
            self.assertIn(f'says: Hello {name}!', result.out)

    def assert_sums(self, result):
        self.assertEqual(result.code, 0, result)
        for sum_of in ('golem is 4c5cddb7859b93ee', 'golemgolem is 855b8ab8de1a1eb6', 'clay is ', 'clayclay is '):
            self.assertIn(': ' + sum_of, result.out, result)

    def test_subclassing_embedded(self):
        self.assert_lives(rig.run([SUBCLASSING]))

    def test_subclassing_another_process(self):
        with rig.devnet() as daemon:
            self.assert_lives(rig.run([SUBCLASSING], rig.client_environment(daemon)))
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_subclassing_interrupted(self):
        with rig.devnet() as daemon:
            env = rig.client_environment(daemon)
            result = rig.run_and_interrupt([SUBCLASSING], env, lambda line: 'Ada is running' in line)
            self.assertEqual(result.code, 130, result)
            self.assertIn('Grace is stopped', result.out)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_embedding_embedded(self):
        self.assert_sums(rig.run([EMBEDDING]))

    def test_embedding_another_process(self):
        with rig.devnet() as daemon:
            self.assert_sums(rig.run([EMBEDDING], rig.client_environment(daemon)))
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_embedding_interrupted_while_waiting(self):
        with rig.devnet(providers=0) as daemon:
            env = rig.client_environment(daemon)
            result = rig.run_and_interrupt([EMBEDDING], env, lambda line: 'using the daemon' in line)
            self.assertEqual(result.code, 130, result)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_embedding_no_daemon(self):
        env = rig.environment(YAGNA_API_URL=f'http://127.0.0.1:{rig.unused_port()}', YAGNA_APPKEY='key')
        result = rig.run([EMBEDDING], env)
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, 'yagna service run|YAGNA_API_URL')

    def assert_visited(self, result):
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r'web is at http://127\.0\.0\.1:[0-9]+\n')
        self.assertIn('Hello from the other side\n', result.out)

    def test_network_embedded(self):
        self.assert_visited(rig.run([NETWORK, str(rig.unused_port())]))

    def test_network_another_process(self):
        with rig.devnet() as daemon:
            self.assert_visited(rig.run([NETWORK, str(rig.unused_port())], rig.client_environment(daemon)))
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def copy(self, env, size):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, 'from'), os.path.join(folder, 'to')
            content = os.urandom(size)
            with open(source, 'wb') as file:
                file.write(content)
            result = rig.run([FILES, source, target], env)
            self.assertEqual(result.code, 0, result)
            self.assertIn(f' has {size}\n', result.out)
            self.assertEqual(sorted(os.listdir(folder)), ['from', 'to'])
            with open(target, 'rb') as file:
                self.assertEqual(file.read(), content)

    def test_files_embedded(self):
        self.copy(None, 1_000_001)

    def test_files_another_process(self):
        with rig.devnet() as daemon:
            self.copy(rig.client_environment(daemon), 1_000_001)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_files_interrupted(self):
        with rig.devnet() as daemon, tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, 'from')
            with open(source, 'wb') as file:
                file.truncate(60_000_000)
            command = [FILES, source, os.path.join(folder, 'to')]
            result = rig.run_and_interrupt(command, rig.client_environment(daemon), lambda line: ' has ' in line)
            self.assertEqual(result.code, 130, result)
            self.assertEqual(os.listdir(folder), ['from'])
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_files_that_are_none(self):
        with tempfile.TemporaryDirectory() as folder:
            result = rig.run([FILES, os.path.join(folder, 'missing'), os.path.join(folder, 'to')])
            self.assertEqual(result.code, 1, result)
            self.assertIn('No such file', result.err)
            self.assertEqual(os.listdir(folder), [])


if __name__ == '__main__':
    unittest.main()
