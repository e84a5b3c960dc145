"""Chromium without a window, driven through its debugging pipe. Standard library only."""
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time


def find():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


class Page:
    def __init__(self, send, receive, url):
        self._send, self._receive, self._count, self._session = send, receive, 0, None
        target = self.command('Target.createTarget', url='about:blank')['targetId']
        self._session = self.command('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        self.errors = []                                     # What pages complain of in their console.
        for domain in ('Page', 'Runtime', 'Log'):
            self.command(domain + '.enable')
        self.command('Page.navigate', url=url)
        self.wait_for('document.readyState === "complete" && location.href !== "about:blank"')

    def command(self, method, **params):
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        self._send.write(json.dumps(message).encode() + b'\0')
        self._send.flush()
        while True:
            text = b''
            while not text.endswith(b'\0'):
                byte = self._receive.read(1)
                if not byte:
                    raise EOFError('the browser has gone')
                text += byte
            answer = json.loads(text[:-1])
            if answer.get('method') == 'Runtime.exceptionThrown':
                self.errors.append(answer['params']['exceptionDetails'])
            if answer.get('method') == 'Log.entryAdded' and answer['params']['entry']['level'] == 'error':
                self.errors.append(answer['params']['entry'])
            if answer.get('id') == self._count:
                if 'error' in answer:
                    raise RuntimeError(answer['error'])
                return answer['result']

    def run(self, script):
        """The value of a JavaScript expression."""
        result = self.command('Runtime.evaluate', expression=script, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(result['exceptionDetails'])
        return result['result'].get('value')

    def wait_for(self, script, limit=30):
        end = time.monotonic() + limit
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(script + '\n' + self.run('document.body.innerText'))
            time.sleep(0.1)

    def picture(self, path):
        with open(path, 'wb') as file:
            file.write(base64.b64decode(self.command('Page.captureScreenshot')['data']))


@contextlib.contextmanager
def page(url):
    commands, to_send = os.pipe()
    to_receive, answers = os.pipe()

    def connect():                                           # Chromium reads from 3 and writes to 4.
        copies = os.dup(commands), os.dup(answers)
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, \
            open(to_send, 'wb') as send, open(to_receive, 'rb') as receive:
        process = subprocess.Popen(
            [find(), '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--window-size=1000,800', '--remote-debugging-pipe', '--user-data-dir=' + home],
            env={**os.environ, 'HOME': home}, preexec_fn=connect, pass_fds=(3, 4),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        try:
            yield Page(send, receive, url)
        finally:
            process.kill()
            process.wait()
