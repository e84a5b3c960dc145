"""Programs, daemons and broken daemons for the tests of examples. Standard library only."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request

BIN = os.environ['GOLEM_TEST_BIN']           # where the built programs are
CLOCK = os.path.join(BIN, 'examples', 'clock', 'clock')
DEVNET = os.path.join(BIN, 'src', 'devnet', 'golem-devnet')
KEY = 'examples-key'
# Sanitizers make programs slow; limits are for hangs, not for speed.
PATIENCE = 120


def environment(**variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith('YAGNA_')}
    env.update(variables)
    return env


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f'exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}'


def run(command, env=None, limit=PATIENCE):
    done = subprocess.run(command, env=env or environment(), capture_output=True, text=True, timeout=limit)
    return Result(done.returncode, done.stdout, done.stderr)


def run_and_interrupt(command, env, when, interrupts=1, limit=PATIENCE):
    """Starts `command`; calls when(line) for each line it prints (stdout and stderr); once that is true sends SIGINT."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines, errors = [], []
    ready = threading.Event()

    def read(stream, into):
        for line in stream:
            into.append(line)
            if when(line):
                ready.set()
    readers = [threading.Thread(target=read, args=a) for a in ((process.stdout, lines), (process.stderr, errors))]
    for reader in readers:
        reader.start()
    try:
        if not ready.wait(limit):
            raise TimeoutError('the program never printed what was waited for:\n' + ''.join(lines + errors))
        for _ in range(interrupts):
            process.send_signal(signal.SIGINT)
        process.wait(limit)
    finally:
        process.kill()
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
    return Result(process.returncode, ''.join(lines), ''.join(errors))


class Daemon:
    """A client of the daemon's REST interface, to look at what a program left behind."""

    def __init__(self, url, key=KEY):
        self.url, self.key = url, key

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={'Authorization': 'Bearer ' + self.key})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def has_demand(self, limit=PATIENCE):
        """Waits until a program looks for providers."""
        end = time.monotonic() + limit
        while not self.get('/market-api/v1/demands'):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def leftovers(self):
        """What is still open, by kind; empty lists everywhere in a clean world."""
        # One that was created and not confirmed (Proposal) binds nobody: its provider does not know it, and the daemon
        # cannot cancel it.
        states = ('Pending', 'Approved')
        return {
            'demands': [d['demandId'] for d in self.get('/market-api/v1/demands')],
            'agreements': [a['id'] for s in states for a in self.get('/market-api/v1/agreements?state=' + s)],
            'allocations': [a['allocationId'] for a in self.get('/payment-api/v1/allocations')],
            'invoices': [i['invoiceId'] for i in self.get('/payment-api/v1/invoices') if i['status'] not in ('ACCEPTED', 'SETTLED')],
            'networks': [n['id'] for n in self.get('/net-api/v1/net')],
        }


NOTHING_LEFT = {'demands': [], 'agreements': [], 'allocations': [], 'invoices': [], 'networks': []}


@contextlib.contextmanager
def devnet(*options, providers=2):
    """A golem-devnet process on a port of its own; gives its Daemon."""
    command = [DEVNET, '--port', '0', '--app-key', KEY, '--providers', str(providers), *options]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = None
        for line in process.stdout:
            if line.startswith('export YAGNA_API_URL='):
                url = line.strip().split('=', 1)[1].strip('"\'')
            if line.startswith('export YAGNA_SUBNET='):
                break
        if url is None:
            raise RuntimeError('golem-devnet did not start: ' + process.stderr.read())
        # What it prints later must not fill the pipes.
        drains = [threading.Thread(target=stream.read, daemon=True) for stream in (process.stdout, process.stderr)]
        for drain in drains:
            drain.start()
        yield Daemon(url)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        if code != 0:
            raise RuntimeError(f'golem-devnet ended with {code}')


def client_environment(daemon, key=KEY, **variables):
    return environment(YAGNA_API_URL=daemon.url, YAGNA_APPKEY=key, YAGNA_SUBNET='public', **variables)


@contextlib.contextmanager
def broken_daemon(answer):
    """A port that reads a request and sends `answer` (bytes), or nothing and keeps the connection if it is None."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while True:
                data = self.request.recv(65536)
                if not data:
                    return
                if answer is not None:
                    self.request.sendall(answer)
                    if b'onnection: close' in answer.split(b'\r\n\r\n')[0]:
                        return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass                                        # A client that hangs up is what is tested.

    with Server(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Daemon(f'http://127.0.0.1:{server.server_address[1]}')
        server.shutdown()


@contextlib.contextmanager
def relay(daemon):
    """A port that hands everything on to `daemon`; gives its Daemon, and a list that grows by each request's method and path."""
    requests = []
    target = ('127.0.0.1', int(daemon.url.rsplit(':', 1)[1]))

    def note(data):
        for line in re.findall(rb'(?:^|\n)((?:GET|POST|PUT|DELETE) /[^ ?]*)', data):
            requests.append(re.sub(r'[0-9a-f-]{32,}', 'ID', line.decode()))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(target) as other:
                pair = {self.request: other, other: self.request}
                while True:
                    for source in select.select(list(pair), [], [])[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        if source is self.request:
                            note(data)
                        pair[source].sendall(data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    with Server(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Daemon(f'http://127.0.0.1:{server.server_address[1]}'), requests
        server.shutdown()


def unused_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def reply(status, body, content_type='application/json', length=None):
    head = f'HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body) if length is None else length}\r\n'
    return (head + ('connection: close\r\n' if length is not None else '') + '\r\n').encode() + body


if __name__ == '__main__':
    sys.exit('this is a library of the tests beside it')
