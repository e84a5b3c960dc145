"""The shell as a person meets it, at a terminal: what is typed and what comes back; and what is left when it ends."""
import os
import pty
import select
import signal
import subprocess
import time
import unittest

import rig

SHELL = os.path.join(rig.BIN, 'examples', 'shell', 'shell')
CTRL_C, CTRL_D = '\x03', '\x04'


class Person:
    """A shell at a terminal of its own."""

    def __init__(self, env=None, *options):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(SHELL, [SHELL, *options], env or rig.environment())
        self.seen, self.read, self.code = '', 0, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def look(self, limit):
        """Takes what is on the screen; False if nothing came, or nothing will."""
        if not select.select([self.terminal], [], [], max(0, limit))[0]:
            return False
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            data = b''
        self.seen += data.decode(errors='replace').replace('\r\n', '\n')
        return bool(data)

    def expect(self, text, limit=rig.PATIENCE):
        """What came until `text`, that included, since the last call."""
        end = time.monotonic() + limit
        while (found := self.seen.find(text, self.read)) < 0:
            if not self.look(end - time.monotonic()):
                raise AssertionError(f'no {text!r} within {limit} s, or before the end:\n{self.seen}')
        before, self.read = self.read, found + len(text)
        return self.seen[before:self.read]

    def ask(self, line, then='>>> '):
        """Types a line at the prompt; returns what comes before the next one."""
        self.type(line + '\n')
        self.expect(line + '\n')
        return self.expect(then)[:-len(then)]

    def end(self, limit=rig.PATIENCE):
        """The exit code."""
        end = time.monotonic() + limit
        while self.look(end - time.monotonic()):
            pass
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError(f'it has not ended:\n{self.seen}')
            else:
                time.sleep(0.02)
        return self.code


class Shell(unittest.TestCase):
    def talk(self, person):
        self.assertIn('Python 3.', person.expect('>>> '))
        self.assertEqual(person.ask('6 * 7'), '42\n')
        self.assertEqual(person.ask('def double(x):', '... '), '')
        self.assertEqual(person.ask('    return 2 * x', '... '), '')
        self.assertEqual(person.ask(''), '')
        self.assertEqual(person.ask('double("grüß")'), "'grüßgrüß'\n")
        self.assertRegex(person.ask('1 / 0'), r'^Traceback \(most recent call last\):\n(.*\n)+ZeroDivisionError: division by zero\n$')
        self.assertEqual(person.ask('name = input("who? ")', 'who? '), '')
        self.assertEqual(person.ask('Ada'), '')
        self.assertEqual(person.ask('name'), "'Ada'\n")
        self.assertEqual(person.ask('import os; os.system("echo from a program")'), 'from a program\n0\n')

    def leave(self, person):
        person.type(CTRL_D)
        self.assertEqual(person.end(), 0, person.seen)
        self.assertNotRegex(person.seen, 'left over|error')

    def test_conversation(self):
        with Person() as person:
            self.talk(person)
            self.leave(person)

    def test_another_process(self):
        with rig.devnet() as daemon, Person(rig.client_environment(daemon)) as person:
            self.talk(person)
            self.leave(person)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)
            self.assertEqual([i['status'] for i in daemon.get('/payment-api/v1/invoices')], ['SETTLED'])

    def test_exit(self):
        with Person() as person:
            person.expect('>>> ')
            person.type('exit()\n')
            self.assertEqual(person.end(), 0, person.seen)

    def test_output_as_it_comes(self):
        with Person() as person:
            person.expect('>>> ')
            person.ask('import time')
            person.ask('for i in range(100, 120): print(i, end=" "); time.sleep(0.2)', '... ')
            person.type('\n')
            times = []
            for number in range(100, 120):
                person.expect(f'{number} ')
                times.append(time.monotonic())
            # 4 s; at the ends of turns of a second it would come in five lots.
            gaps = [after - before for before, after in zip(times, times[1:])]
            self.assertGreater(sum(gap > 0.05 for gap in gaps), 8, gaps)
            person.expect('>>> ')
            self.leave(person)

    def test_long_output(self):
        with Person() as person:
            person.expect('>>> ')
            person.ask('for i in range(200000): print(i)', '... ')
            person.type('\n')
            time.sleep(2)           # Nobody looks.
            said = person.expect('>>> ')
            self.assertEqual(said.split()[:-1], [str(i) for i in range(200000)])
            self.leave(person)

    def test_interrupted_command(self):
        with rig.devnet() as daemon, Person(rig.client_environment(daemon)) as person:
            person.expect('>>> ')
            person.ask('while True: pass', '... ')
            person.type('\n')
            time.sleep(1.5)
            person.type(CTRL_C)
            self.assertIn('KeyboardInterrupt\n', person.expect('>>> '))
            self.assertEqual(person.ask('6 * 7'), '42\n')
            person.type('import os, subprocess; subprocess.run(["sleep", "1000"])\n')
            person.expect('"1000"])\n')
            time.sleep(1.5)
            person.type(CTRL_C)
            self.assertIn('KeyboardInterrupt\n', person.expect('>>> '))
            self.assertEqual(person.ask('os.system("pgrep -s 0 sleep")'), '256\n')
            self.leave(person)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_interrupted_prompt(self):
        with Person() as person:
            person.expect('>>> ')
            person.type('what was this?')
            person.expect('this?')
            person.type(CTRL_C)
            self.assertIn('KeyboardInterrupt\n', person.expect('>>> '))
            time.sleep(0.5)
            person.type(CTRL_C)
            self.assertIn('KeyboardInterrupt\n', person.expect('>>> '))
            self.assertEqual(person.ask('6 * 7'), '42\n')
            person.ask('def half(x):', '... ')
            person.type(CTRL_C)
            self.assertIn('KeyboardInterrupt\n', person.expect('>>> '))
            self.assertEqual(person.ask('6 * 7'), '42\n')
            self.leave(person)

    def test_interrupted_twice(self):
        with rig.devnet() as daemon, Person(rig.client_environment(daemon)) as person:
            person.expect('>>> ')
            person.ask('import signal, time; _ = signal.signal(signal.SIGINT, signal.SIG_IGN)')
            person.type(CTRL_C)
            self.assertEqual(person.ask('6 * 7'), '42\n')
            person.type('time.sleep(1000)\n')
            person.expect('(1000)\n')
            time.sleep(0.5)         # What is typed and not read yet, Ctrl-C drops.
            person.type(CTRL_C)
            time.sleep(2)
            self.assertNotIn('orderly', person.seen)
            person.type(CTRL_C)
            self.assertEqual(person.end(), 130, person.seen)
            self.assertIn('ending in an orderly way', person.seen)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_interrupted_before_it_runs(self):
        with rig.devnet(providers=0) as daemon, Person(rig.client_environment(daemon)) as person:
            person.expect('using the daemon')
            self.assertTrue(daemon.has_demand())
            person.type(CTRL_C)
            self.assertEqual(person.end(), 130, person.seen)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_console_killed(self):
        with rig.devnet() as daemon, Person(rig.client_environment(daemon)) as person:
            person.expect('>>> ')
            person.type('import os; os.kill(os.getpid(), 9)\n')
            self.assertEqual(person.end(), 1, person.seen)
            self.assertRegex(person.seen, 'error: .*failed')
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_terminated(self):
        with rig.devnet() as daemon, Person(rig.client_environment(daemon)) as person:
            person.expect('>>> ')
            os.kill(person.pid, signal.SIGTERM)
            self.assertEqual(person.end(), 143, person.seen)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_idle_costs_nothing(self):
        with rig.devnet() as daemon, rig.relay(daemon) as (relay, requests):
            with Person(rig.client_environment(relay)) as person:
                person.expect('>>> ')
                person.ask('6 * 7')
                before = list(requests)
                self.assertIn('POST /activity-api/v1/activity/ID/exec', before)
                time.sleep(2)
                self.assertEqual(requests[len(before):], [])
                person.ask('6 * 7')
                line = [r for r in requests[len(before):] if r.startswith(('GET /activity', 'POST /activity'))]
                self.assertEqual(sorted(set(line)), [
                    'GET /activity-api/v1/activity/ID/exec/ID', 'POST /activity-api/v1/activity/ID/exec'])
                self.assertLessEqual(len(line), 3)      # The command, its stream, its result.
                self.leave(person)

    def pipe(self, text, env=None):
        done = subprocess.run([SHELL], input=text, env=env or rig.environment(), capture_output=True, timeout=rig.PATIENCE)
        return rig.Result(done.returncode, done.stdout, done.stderr.decode())

    def test_pipe(self):
        lines = b'def f(x):\n    return "x" * x\n\nf(3)\nprint(f(1300000))\n1 / 0\n\xff\x00 \xc3\xbc\n"last"'
        result = self.pipe(lines)
        self.assertEqual(result.code, 0, result.err)
        first, long, *failed, last = result.out.decode().splitlines()
        self.assertEqual((first, long == 'x' * 1300000, last), ("'xxx'", True, "'last'"))
        self.assertEqual(failed[2], 'ZeroDivisionError: division by zero')
        self.assertRegex(failed[-1], 'SyntaxError|ValueError|null bytes')

    def test_many_lines(self):
        # More than a service's messages; each is asked for.
        result = self.pipe(b'n = 0\n' + b'n += 1\n' * 40 + b'n\n')
        self.assertEqual((result.code, result.out), (0, b'40\n'), result.err)


if __name__ == '__main__':
    unittest.main()
