"""A Python console that is reached by commands: what runs on the provider. Standard library only, Python 3.8 or newer.

    console.py start [quiet]   begins a console in the background; quiet: without prompts
    console.py line HEX        gives it the line it asks for, with its line feed; empty: the end of the input
    console.py interrupt       Ctrl-C
    console.py wait            only listens

An exe-unit runs one command at a time and gives it no input. So the console lives in the background, and short commands
come to it. Each prints what the console prints, until it asks for a line or the turn is over, and then says on the
standard error stream whether it `asks`, is `busy` or has `ended`. Ctrl-C comes with the next turn.
"""
import code
import io
import os
import queue
import select
import signal
import socket
import sys
import threading
import time
import types

TURN = 1.0          # Seconds: how long a busy console keeps a command, and Ctrl-C, waiting.
MOST = 512 * 1024   # Bytes that one command prints: the whole of it fits into what the library can check.
PIPE = 64 * 1024    # What a pipe holds.
GRACE = 0.15        # Seconds until whoever streams a command's output is listening.
SHORT = 4096        # Bytes that are printed in one piece.
SOCKET = 'console.socket'
WORDS = {b'a': 'asks', b'b': 'busy', b'e': 'ended'}


class Input(io.TextIOBase):
    """The console's standard input. Whoever reads from it (the prompt, input(), pdb) asks for a line."""

    def __init__(self, console):
        self.console, self.lines, self.lock = console, queue.SimpleQueue(), threading.Lock()

    def readable(self):
        return True

    def readline(self, size=-1):
        line = None
        while line is None:             # None: somebody wants to hear again that it asks.
            with self.lock:
                if self.lines.empty():
                    self.console.enter(b'a')
            line = self.lines.get()
        return line

    def put(self, line):
        with self.lock:
            self.console.state = b'b'
            self.lines.put(line)


class Quiet(code.InteractiveConsole):
    """Without the line feed that ends the last prompt."""

    def raw_input(self, prompt=''):
        try:
            return super().raw_input(prompt)
        except EOFError:
            raise SystemExit from None


class Console:
    def __init__(self, listener):
        self.listener = listener
        self.output, end = os.pipe()
        self.news, self.bell = os.pipe()
        os.set_blocking(self.output, False)
        os.set_blocking(self.news, False)
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (end, 1), (end, 2)):
            os.dup2(source, target)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(open(number, 'wb', 0), 'utf-8', 'backslashreplace', write_through=True)
            for number in (1, 2))
        self.state = b'b'
        sys.stdin = self.input = Input(self)

    def enter(self, state):
        self.state = state
        os.write(self.bell, state)

    def live(self, quiet):
        server = threading.Thread(target=self.serve, daemon=True)
        server.start()
        ours, main = sys.modules['__main__'], types.ModuleType('__main__')
        sys.modules['__main__'] = main
        sys.path.insert(0, '')
        sys.ps1, sys.ps2 = ('', '') if quiet else ('>>> ', '... ')
        banner = '' if quiet else f'Python {sys.version} on {sys.platform}'
        console = (Quiet if quiet else code.InteractiveConsole)(vars(main))
        while True:
            try:
                console.interact(banner, exitmsg='')
                break
            except KeyboardInterrupt:   # It came between two lines.
                banner = ''
            except SystemExit as end:
                if end.code not in (None, 0):
                    print(end.code, file=sys.stderr)
                break
        sys.modules['__main__'] = ours
        self.enter(b'e')
        server.join()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            try:
                with connection:
                    request = b''.join(iter(lambda: connection.recv(65536), b''))
                    self.obey(*request.split(b'\0', 1))
                    state = self.relay(connection)
                    connection.sendall(state)
            except OSError:
                continue                # Whoever came has gone.
            if state == b'e':
                return

    def obey(self, what, text):
        if self.state == b'e':
            return
        if what == b'line':
            self.input.put(text.decode('utf-8', 'replace'))
        elif what == b'interrupt':
            self.state = b'b'
            os.killpg(0, signal.SIGINT)     # And the programs that the console runs, as a terminal does.
            self.input.put(None)            # The console may ignore it.

    def relay(self, connection):
        begin = time.monotonic()
        left, last, held = MOST, False, b''
        while left > 0:
            # What was printed before it asked is in the pipe by now; what others print there has no end.
            if self.state != b'b' and not last:
                left, last = PIPE, True
            try:
                data = os.read(self.output, min(left, PIPE))
            except BlockingIOError:
                data = b''
            left -= len(data)
            held += data
            over = last and not data
            if held and (time.monotonic() >= begin + GRACE or over and len(held) <= SHORT):
                connection.sendall(held)
                held = b''
            if over and not held or not last and time.monotonic() >= begin + TURN:
                break
            if not data:
                left_to_wait = begin + (GRACE if held else TURN) - time.monotonic()
                select.select([self.news] if over else [self.output, self.news], [], [], max(0, left_to_wait))
                self.silence()
        connection.sendall(held)
        return self.state if last else b'b'

    def silence(self):
        try:
            os.read(self.news, 4096)
        except BlockingIOError:
            pass


def start(quiet):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()
    if os.fork() == 0:
        Console(listener).live(quiet)


def ask(what, line=''):
    """Prints what the console prints. The first byte tells whoever listens that nothing was lost before it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        connection.sendall(what.encode() + b'\0' + bytes.fromhex(line))
        connection.shutdown(socket.SHUT_WR)
        mark, held = b'\0', b''
        for data in iter(lambda: connection.recv(65536), b''):
            held += data
            if len(held) > 1:
                sys.stdout.buffer.write(mark + held[:-1])
                sys.stdout.buffer.flush()
                mark, held = b'', held[-1:]
    if held not in WORDS:
        sys.exit('the console has died')
    print(WORDS[held], file=sys.stderr)


if __name__ == '__main__':
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    try:
        if sys.argv[1] == 'start':
            start('quiet' in sys.argv[2:])
        else:
            ask(*sys.argv[1:])
    except OSError as error:
        sys.exit(f'the console cannot be reached: {error}')
