"""The erigon example: its API as users call it, its nodes as they use them, and what Ctrl-C leaves."""
import base64
import contextlib
import glob
import json
import os
import signal
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import browser
import rig

ERIGON = os.path.join(rig.BIN, 'examples', 'erigon', 'erigon')
RUNTIME = os.path.join(rig.BIN, 'examples', 'erigon', 'erigon-runtime')
ADA = '0x' + 'a1' * 20
GRACE = '0x' + 'B2' * 20


class Reply:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


class Server:
    """A running example; `call` is a client of its API."""

    def __init__(self, url, process):
        self.url, self.process = url, process

    def call(self, method, path, user=None, body=None, headers=None, raw=None):
        headers = dict(headers or {})
        if user:
            headers['Authorization'] = 'Bearer ' + user
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return Reply(reply.status, reply.headers, reply.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read().decode())

    def create(self, user, name='node', **params):
        reply = self.call('POST', '/createInstance', user, {'name': name, 'params': params})
        assert reply.status == 201, reply.text
        return reply.json

    def instances(self, user):
        return {i['id']: i for i in self.call('GET', '/getInstances', user).json}

    def wait_for(self, user, id, *statuses, limit=60):
        """The instance as soon as it has one of these statuses."""
        end = time.monotonic() + limit
        while True:
            instance = self.instances(user)[id]
            if instance['status'] in statuses:
                return instance
            if time.monotonic() > end:
                raise TimeoutError(f'not {statuses} within {limit} s: {instance}')
            time.sleep(0.1)


@contextlib.contextmanager
def serving(env=None, *options):
    process = subprocess.Popen([ERIGON, '--port', '0', *options], env=env or rig.environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line.startswith('http://'):
            raise RuntimeError('erigon did not start: ' + process.stderr.read())
        server = Server(line.strip().rstrip('/'), process)
        errors = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr))
        reader.start()
        yield server
        process.send_signal(signal.SIGINT)
        code = process.wait(rig.PATIENCE)
        reader.join()
        if code != 130 or any('left over' in line for line in errors):
            raise AssertionError(f'exit {code}\n' + ''.join(errors))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def rpc(url, method, user=None, password=None):
    body = json.dumps({'jsonrpc': '2.0', 'id': 7, 'method': method, 'params': []}).encode()
    request = urllib.request.Request(url, data=body, headers={'Content-Type': 'application/json'})
    if user:
        request.add_header('Authorization', 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None


def node_at(url):
    """The process of the node with this URL, or None. Other tests run theirs at the same time."""
    for path in glob.glob('/proc/[0-9]*'):
        with contextlib.suppress(OSError):
            if os.readlink(path + '/exe') == os.path.realpath(RUNTIME):
                with open(path + '/cwd/status.json') as file:
                    if json.load(file)['url'] == url:
                        return int(path.rsplit('/', 1)[1])
    return None


class Erigon(unittest.TestCase):
    def assert_problem(self, reply, status, words):
        self.assertEqual(reply.status, status, reply.text)
        self.assertIn(words, reply.json['msg'])

    def walk(self, server):
        """One user's way through the API."""
        self.assertEqual(server.instances(ADA), {})
        created = server.create(ADA, 'first', network='goerli')
        self.assertEqual((created['name'], created['init_params']), ('first', {'network': 'goerli'}))
        self.assertIn(created['status'], ('pending', 'starting'))
        self.assertRegex(created['created_at'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        self.assertNotIn('url', created)
        self.assertNotIn('stopped_at', created)
        running = server.wait_for(ADA, created['id'], 'running', 'failed')
        self.assertEqual(running['status'], 'running', running)
        self.assertEqual(running['network'], 'goerli')
        url, auth = running['url'], running['auth']
        self.assertEqual(rpc(url, 'eth_chainId', **auth), (200, {'jsonrpc': '2.0', 'id': 7, 'result': '0x5'}))
        self.assertEqual(rpc(url, 'net_version', **auth)[1]['result'], '5')
        self.assertEqual(rpc(url, 'eth_nonsense', **auth)[1]['error']['code'], -32601)
        self.assertEqual(rpc(url, 'eth_chainId')[0], 401)
        self.assertEqual(rpc(url, 'eth_chainId', auth['user'], 'wrong')[0], 401)
        stopping = server.call('POST', '/stopInstance/' + created['id'], ADA)
        self.assertEqual(stopping.status, 200)
        self.assertIn(stopping.json['status'], ('stopping', 'stopped'))
        self.assertIn('stopped_at', stopping.json)
        self.assertNotIn('url', stopping.json)
        stopped = server.wait_for(ADA, created['id'], 'stopped')
        self.assertEqual(stopped['stopped_at'], stopping.json['stopped_at'])
        with self.assertRaises(OSError):
            rpc(url, 'eth_chainId', **auth)
        self.assertEqual(server.call('POST', '/stopInstance/' + created['id'], ADA).json['status'], 'stopped')

    def test_embedded(self):
        with serving() as server:
            self.walk(server)

    def test_another_process(self):
        with rig.devnet('--runtime', 'erigon=' + RUNTIME) as daemon:
            with serving(rig.client_environment(daemon)) as server:
                self.walk(server)
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_interrupt_while_nodes_run(self):
        with rig.devnet('--runtime', 'erigon=' + RUNTIME, providers=3) as daemon:
            with serving(rig.client_environment(daemon)) as server:
                ids = [server.create(ADA)['id'] for _ in range(2)]
                urls = [server.wait_for(ADA, id, 'running')['url'] for id in ids]
                self.assertNotIn(None, [node_at(url) for url in urls])
                server.create(ADA)
            self.assertEqual([node_at(url) for url in urls], [None, None])
            self.assertEqual(daemon.leftovers(), rig.NOTHING_LEFT)

    def test_two_users(self):
        with serving() as server:
            made = {}
            creators = [threading.Thread(target=lambda u=user, n=network: made.update({n: (u, server.create(u, n, network=n)['id'])}))
                        for user, network in ((ADA, 'mainnet'), (GRACE, 'goerli'), (ADA, 'sepolia'))]
            for creator in creators:
                creator.start()
            for creator in creators:
                creator.join()
            for network, (user, id) in made.items():
                running = server.wait_for(user, id, 'running', 'failed')
                self.assertEqual((running['status'], running['network'], running['name']), ('running', network, network), running)
            self.assertEqual(set(server.instances(ADA)), {made['mainnet'][1], made['sepolia'][1]})
            self.assertEqual(set(server.instances(GRACE.lower())), {made['goerli'][1]})
            foreign = server.call('POST', '/stopInstance/' + made['goerli'][1], ADA)
            self.assert_problem(foreign, 404, 'you have no instance')
            self.assertEqual(server.instances(GRACE)[made['goerli'][1]]['status'], 'running')

    def test_killed_node_shows_with_its_cause(self):
        with serving() as server:
            id = server.create(ADA)['id']
            url = server.wait_for(ADA, id, 'running')['url']
            os.kill(node_at(url), signal.SIGKILL)
            failed = server.wait_for(ADA, id, 'failed', limit=15)
            self.assertIn('the node is not running', failed['cause'])
            self.assertIn('stopped_at', failed)
            server.wait_for(ADA, server.create(ADA)['id'], 'running')

    def test_wrong_network_fails_with_the_runtimes_words(self):
        with serving() as server:
            failed = server.wait_for(ADA, server.create(ADA, network='atlantis')['id'], 'failed', 'running')
            self.assertEqual(failed['status'], 'failed')
            self.assertIn('there is no network "atlantis"', failed['cause'])

    def test_bad_requests(self):
        with serving() as server:
            self.assert_problem(server.call('GET', '/getInstances'), 400, 'is missing')
            self.assert_problem(server.call('POST', '/createInstance', body={'params': {}}), 400, 'is missing')
            for header in ('Bearer', 'Bearer ada', 'Basic ' + ADA, 'Bearer ' + ADA + '0', 'Bearer ' + ADA[:-1] + 'g', ADA):
                reply = server.call('GET', '/getInstances', headers={'Authorization': header})
                self.assert_problem(reply, 400, 'Ethereum address')
            create = lambda **how: server.call('POST', '/createInstance', ADA, **how)
            self.assert_problem(create(body={'name': 'x'}), 400, "'params' key is required")
            for params in ([], 'goerli', 1, None):
                self.assert_problem(create(body={'params': params}), 400, "'params' should be an object")
            self.assert_problem(create(body={'params': {}, 'name': 5}), 400, "'name' should be a string")
            for raw in (b'', b'{', b'[]', b'"\xff"', b'{"params": {"a": ' + b'[' * 20000 + b']' * 20000 + b'}}'):
                self.assert_problem(create(raw=raw), 400, 'JSON object')
            self.assert_problem(create(raw=b'{"params": {}' + b' ' * 100000 + b'}'), 413, 'too large')
            self.assert_problem(server.call('POST', '/stopInstance/0123', ADA), 404, 'no instance')
            self.assert_problem(server.call('POST', '/stopInstance/', ADA), 404, 'no instance')
            self.assert_problem(server.call('GET', '/nothing', ADA), 404, '/nothing')
            self.assert_problem(server.call('GET', '/createInstance', ADA), 405, 'POST')
            self.assertEqual(server.instances(ADA), {})

    def test_limits_of_a_user(self):
        with serving(None, '--providers', '1') as server:
            ids = [server.create(ADA)['id'] for _ in range(10)]
            self.assert_problem(server.call('POST', '/createInstance', ADA, {'params': {}}), 429, 'stop one first')
            server.create(GRACE)
            # Ended ones do not count, and the oldest of many are forgotten.
            for _ in range(51):
                server.call('POST', '/stopInstance/' + ids[-1], ADA)
                server.wait_for(ADA, ids[-1], 'stopped')
                ids.append(server.create(ADA)['id'])
            self.assertEqual(set(server.instances(ADA)), set(ids[:9] + ids[10:]))

    def test_other_origins_may_ask(self):
        with serving() as server:
            preflight = server.call('OPTIONS', '/createInstance', headers={
                'Origin': 'http://elsewhere', 'Access-Control-Request-Method': 'POST',
                'Access-Control-Request-Headers': 'authorization,content-type'})
            self.assertEqual(preflight.status, 204)
            self.assertIn('POST', preflight.headers['Access-Control-Allow-Methods'])
            self.assertIn('authorization', preflight.headers['Access-Control-Allow-Headers'].lower())
            for reply in (preflight, server.call('GET', '/getInstances', ADA), server.call('GET', '/getInstances')):
                self.assertEqual(reply.headers['Access-Control-Allow-Origin'], '*')

    def test_page_is_served(self):
        with serving() as server:
            page = server.call('GET', '/')
            self.assertEqual((page.status, page.headers['Content-Type']), (200, 'text/html; charset=utf-8'))
            self.assertIn('getInstances', page.text)

    @unittest.skipUnless(browser.find(), 'there is no Chromium')
    def test_page_in_a_browser(self):
        status = 'document.querySelector("[data-status]")?.dataset.status'
        with serving() as server, browser.page(server.url + '/') as page:
            page.run(f'at("user").value = "{ADA}"; at("user").oninput(); at("name").value = "<b>first</b>"; '
                     'at("network").value = "goerli"; at("create").requestSubmit()')
            page.wait_for(status + ' === "running"')
            text = page.run('at("instances").innerText')
            for part in ('<b>first</b>', 'goerli', 'http://127.0.0.1:', 'erigon : '):
                self.assertIn(part, text)
            if os.environ.get('GOLEM_TEST_PICTURE'):
                page.picture(os.environ['GOLEM_TEST_PICTURE'])
            # What others do shows by itself, and only to them.
            server.create(GRACE, 'not hers')
            server.create(ADA, 'second')
            page.wait_for('document.querySelectorAll("li").length === 2')
            self.assertNotIn('not hers', page.run('at("instances").innerText'))
            page.run('[...document.querySelectorAll("li")].at(-1).querySelector("button").click()')
            page.wait_for('[...document.querySelectorAll("[data-status]")].at(-1).dataset.status === "stopped"')
            page.run(f'at("user").value = "{GRACE}"; at("user").oninput()')
            page.wait_for('at("instances").innerText.includes("not hers")')
            self.assertNotIn('second', page.run('at("instances").innerText'))
            self.assertEqual(page.errors, [])
            # Answers that take longer than the time between two questions are shown nevertheless.
            page.run('const quick = window.fetch; window.fetch = (...a) => new Promise(r => setTimeout(r, 2500)).then(() => quick(...a))')
            server.create(GRACE, 'slow news')
            page.wait_for('at("instances").innerText.includes("slow news")')
            page.run('window.fetch = quick')
            page.run('attempt(() => ask("POST", "/stopInstance/0123"))')
            page.run('refresh()')
            self.assertIn("no instance '0123'", page.run('at("problem").innerText'))

    def test_bad_runtime_option(self):
        for option, words in (('erigon', 'NAME=PROGRAM'), ('erigon=/no/such/program', 'executed')):
            result = rig.run([rig.DEVNET, '--port', '0', '--app-key', 'k', '--runtime', option])
            self.assertEqual(result.code, 1, result)
            self.assertIn(words, result.err)


if __name__ == '__main__':
    unittest.main()
