"""golem-js and yapapi, from their registries, run programs of their users against golem-devnet, unmodified."""
import fcntl
import json
import os
import shutil
import subprocess
import sys
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ['GOLEM_TEST_BIN']
DEVNET = os.path.join(BIN, 'src', 'devnet', 'golem-devnet')
TOOLS = os.environ['GOLEM_CONFORMANCE_TOOLS']
KEY = 'conformance-key'
PATIENCE = 120


def installed(name, wanted, command):
    """The folder that `command` fills; again whenever the file `wanted` has changed. Skips where it cannot."""
    folder = os.path.join(TOOLS, name)
    os.makedirs(folder, exist_ok=True)
    marker = os.path.join(folder, 'installed')
    with open(os.path.join(HERE, wanted), encoding='utf-8') as file:
        text = file.read()
    with open(os.path.join(TOOLS, name + '.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(marker):
            with open(marker, encoding='utf-8') as file:
                if file.read() == text:
                    return folder
        try:
            for step in command(folder):
                done = subprocess.run(step, cwd=folder, capture_output=True, text=True, timeout=300)
                if done.returncode != 0:
                    raise unittest.SkipTest(f'{step[0]} cannot install it here: {(done.stderr or done.stdout)[-300:]}')
        except (OSError, subprocess.TimeoutExpired) as error:
            raise unittest.SkipTest(f'it cannot be installed here: {error}')
        with open(marker, 'w') as file:
            file.write(text)
    return folder


def golem_js():
    if not shutil.which('npm') or not shutil.which('node'):
        raise unittest.SkipTest('npm and node are missing; golem-js comes by npm')

    def steps(folder):
        for name in ('package.json', 'package-lock.json'):
            shutil.copy(os.path.join(HERE, name), folder)
        return [['npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts']]
    return installed('js', 'package-lock.json', steps)


def yapapi():
    def steps(folder):
        pip = os.path.join(folder, 'venv', 'bin', 'pip')
        return [[sys.executable, '-m', 'venv', os.path.join(folder, 'venv')],
                [pip, 'install', '--quiet', '--disable-pip-version-check', '-r', os.path.join(HERE, 'requirements.txt')]]
    return os.path.join(installed('py', 'requirements.txt', steps), 'venv', 'bin', 'python')


class Net:
    """A devnet of its own, and the environment in which programs find it."""

    def __enter__(self):
        self.process = subprocess.Popen(
            [DEVNET, '--port', '0', '--app-key', KEY, '--providers', '2'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(('YAGNA_', 'GOLEM_'))}
        for line in self.process.stdout:
            if not line.startswith('export '):
                break
            name, value = line[len('export '):].strip().split('=', 1)
            self.environment[name] = value.strip("'")
        self.environment['YAGNA_PAYMENT_NETWORK'] = 'hoodi'
        self.environment['PATH'] = HERE + os.pathsep + self.environment['PATH']  # gftp
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def get(self, path):
        request = urllib.request.Request(self.environment['YAGNA_API_URL'] + path, headers={'Authorization': 'Bearer ' + KEY})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def run(self, command, **more):
        done = subprocess.run(command, env=self.environment | more, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr


class Conformance(unittest.TestCase):
    def check_world(self, net):
        self.assertEqual(net.get('/market-api/v1/demands'), [])
        self.assertEqual({agreement['role'] for agreement in net.get('/market-api/v1/agreements')}, {'Requestor'})
        self.assertEqual(net.get('/market-api/v1/agreements?state=Approved'), [])
        invoices = net.get('/payment-api/v1/invoices')
        self.assertTrue(invoices)
        self.assertEqual({invoice['status'] for invoice in invoices}, {'SETTLED'})
        self.assertEqual(len(net.get('/payment-api/v1/payments?timeout=0')), 1)
        self.assertEqual(net.get('/payment-api/v1/allocations'), [])

    def test_golem_js(self):
        folder = golem_js()
        with Net() as net:
            code, out, err = net.run(['node', os.path.join(HERE, 'hello.cjs')], NODE_PATH=os.path.join(folder, 'node_modules'))
            self.assertEqual(code, 0, out + err)
            self.assertEqual(out.splitlines(), [
                'offers: 2',
                'output: hello from golem-js',
                'failure: Error ExeScript command exited with code 3',
                'streamed: line 1, line 2, line 3',
                'invoices: 1 true'], err)
            self.check_world(net)

    def test_yapapi(self):
        python = yapapi()
        with Net() as net:
            code, out, err = net.run([python, os.path.join(HERE, 'hello.py')])
            self.assertEqual(code, 0, out + err)
            self.assertEqual(out.splitlines(), [
                'output: hello from yapapi and again', 'state: terminated', 'invoices: 1'], err)
            self.check_world(net)


if __name__ == '__main__':
    unittest.main()
