"""The clock as a person meets it: on the embedded devnet, on another process's, interrupted, and with everything wrong."""
import re
import unittest

import rig

TIME = re.compile(r'\d\d:\d\d:\d\d')


class Clock(unittest.TestCase):
    def assert_clean(self, daemon):
        self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def assert_refused(self, result, *words):
        self.assertNotEqual(result.code, 0, result)
        self.assertNotIn(result.code, (-6, -11), result)
        for word in words:
            self.assertRegex(result.err, word, result)

    def test_embedded(self):
        result = rig.run([rig.CLOCK])
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(TIME.findall(result.out)), 3, result)
        self.assertIn('devnet', result.err)

    def test_another_process(self):
        with rig.devnet() as daemon:
            result = rig.run([rig.CLOCK], rig.client_environment(daemon))
            self.assertEqual(result.code, 0, result)
            self.assertEqual(len(TIME.findall(result.out)), 3, result)
            self.assertIn(daemon.url, result.err)
            self.assert_clean(daemon)
            invoices = daemon.get('/payment-api/v1/invoices')
            self.assertEqual([i['status'] for i in invoices], ['SETTLED'])

    def test_interrupt_while_running(self):
        with rig.devnet() as daemon:
            result = rig.run_and_interrupt([rig.CLOCK, '--times', '1000'], rig.client_environment(daemon), TIME.search)
            self.assertEqual(result.code, 130, result)
            self.assert_clean(daemon)

    def test_interrupt_while_waiting(self):
        with rig.devnet() as daemon:
            env = rig.client_environment(daemon)
            # What tells of the daemon comes before anybody listens to signals.
            result = rig.run_and_interrupt(
                [rig.CLOCK, '--subnet', 'nobody-is-here'], env, lambda line: 'daemon' in line and daemon.has_demand())
            self.assertEqual(result.code, 130, result)
            self.assert_clean(daemon)

    def test_interrupt_embedded(self):
        result = rig.run_and_interrupt([rig.CLOCK, '--times', '1000'], rig.environment(), TIME.search)
        self.assertEqual(result.code, 130, result)

    def test_no_daemon(self):
        env = rig.environment(YAGNA_API_URL=f'http://127.0.0.1:{rig.unused_port()}', YAGNA_APPKEY='key')
        self.assert_refused(rig.run([rig.CLOCK], env), 'yagna service run|YAGNA_API_URL')

    def test_wrong_key(self):
        with rig.devnet() as daemon:
            self.assert_refused(rig.run([rig.CLOCK], rig.client_environment(daemon, key='wrong-key')), 'app key', 'Invalid application key')
            self.assert_clean(daemon)

    def test_key_never_shown(self):
        with rig.devnet() as daemon:
            result = rig.run([rig.CLOCK], rig.client_environment(daemon, key='very-secret-key'))
            self.assertNotIn('very-secret-key', result.out + result.err)

    def test_zero_budget(self):
        with rig.devnet() as daemon:
            self.assert_refused(rig.run([rig.CLOCK, '--budget', '0'], rig.client_environment(daemon)), 'budget')

    def test_no_funds(self):
        with rig.devnet('--funds', '0.5') as daemon:
            self.assert_refused(rig.run([rig.CLOCK, '--budget', '1'], rig.client_environment(daemon)), '[Ff]unds')

    def test_bad_option(self):
        result = rig.run([rig.CLOCK, '--tims', '3'])
        self.assert_refused(result, 'tims')

    def test_no_such_subnet(self):
        with rig.devnet() as daemon:
            env = rig.client_environment(daemon)
            result = rig.run([rig.CLOCK, '--subnet', 'nobody-is-here', '--wait-limit', '1'], env)
            self.assert_refused(result, 'nobody-is-here')
            self.assert_clean(daemon)

    def broken(self, answer, *words):
        with rig.broken_daemon(answer) as daemon:
            self.assert_refused(rig.run([rig.CLOCK], rig.client_environment(daemon)), *words)

    def test_malformed_json(self):
        self.broken(rig.reply(201, b'{"allocationId": nonsense'), 'JSON')

    def test_truncated_body(self):
        self.broken(rig.reply(201, b'{"allocationId":', length=5000), 'cut off|truncated|ended')

    def test_server_errors(self):
        self.broken(rig.reply(500, b'{"message":"the database is on fire"}'), 'the database is on fire')

    def test_huge_answer(self):
        self.broken(rig.reply(201, b'"' + b'x' * (10 << 20) + b'"'), 'large|limit')

    def test_not_http(self):
        self.broken(b'SSH-2.0-OpenSSH_9.2p1\r\n\r\n', 'http|HTTP')

    def test_hanging_daemon(self):
        self.broken(None, 'answer|timed out|within')


if __name__ == '__main__':
    unittest.main()
