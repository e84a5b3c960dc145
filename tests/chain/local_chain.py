"""anvil with the contracts of contracts/, as the payment driver of yagna expects them. Standard library only, loopback only."""
import base64
import decimal
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CONTRACTS = os.path.join(HERE, 'contracts')
TOOLS = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'build', 'chain-tools')

# What yagna has built in about its test networks; a configuration of one's own may use other addresses, users meet these.
NETWORKS = {
    'hoodi': {
        'id': 560048, 'token': 'tglm',
        'Token': '0x55555555555556AcFf9C332Ed151758858bd7a26', 'MultiTransfer': '0x222222222220C9269Cfb43eD434888F604d1dC21',
        'Faucet': '0x500F965199C63865A3E666cA3fF55B64F1c8Bc8b', 'Deposits': '0x472ef33B51f65FB2aDa50ffeB0e4A72e9ac22f52',
    },
    'holesky': {
        'id': 17000, 'token': 'tglm',
        'Token': '0x8888888815bf4DB87e57B609A50f938311EEd068', 'MultiTransfer': '0xAaAAAaA00E1841A63342db7188abA84BDeE236c7',
        'Faucet': '0xFACe100969FF47EB58d2CF603321B581A84bcEaC', 'Deposits': '0x472ef33B51f65FB2aDa50ffeB0e4A72e9ac22f52',
    },
}

# The driver's engine: quick, and without waiting for heads, as the chain mines only when there is a transaction.
CONFIG = '''\
[engine]
process-interval = 1
process-interval-after-send = 0
process-interval-after-error = 2
process-interval-after-no-gas-or-token-start = 2
process-interval-after-no-gas-or-token-max = 5
process-interval-after-no-gas-or-token-increase = 1.5
report-alive-interval = 10
gather-interval = 1
gather-at-start = true
automatic-recover = false
ignore-deadlines = true

[chain.{network}]
chain-name = "{network}"
chain-id = {id}
currency-symbol = "tETH"
priority-fee = 0.000001
max-fee-per-gas = 20.0
transaction-timeout = 100
confirmation-blocks = 0
external-source-check-interval = 300
token = {{ address = "{Token}", symbol = "tGLM" }}
multi-contract = {{ address = "{MultiTransfer}", max-at-once = 10 }}
mint-contract = {{ address = "{Faucet}", max-glm-allowed = 400 }}
lock-contract = {{ address = "{Deposits}" }}

[[chain.{network}.rpc-endpoints]]
names = "local"
endpoints = "{url}"
max-timeout-ms = 5000
verify-interval-secs = 60
allowed-head-behind-secs = -1
'''


class Unavailable(Exception):
    """Something that has to be installed is not there and cannot be had."""


class RpcError(Exception):
    pass


def install(tools):
    """Has npm fetch what package-lock.json pins, once; gives the path of anvil."""
    anvil = os.path.join(tools, 'anvil')
    os.makedirs(tools, exist_ok=True)
    with open(os.path.join(tools, 'lock'), 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(tools, 'installed')
        with open(os.path.join(HERE, 'package-lock.json'), encoding='utf-8') as file:
            wanted = file.read()
        try:
            with open(stamp, encoding='utf-8') as file:
                installed = file.read()
        except FileNotFoundError:
            installed = None
        if installed != wanted or not os.path.exists(anvil):
            npm = shutil.which('npm')
            if npm is None:
                raise Unavailable('npm is missing, which installs anvil and solc (Debian: apt-get install npm)')
            for name in ('package.json', 'package-lock.json'):
                shutil.copy(os.path.join(HERE, name), tools)
            run_npm(npm, tools, 'ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund')
            fetch_anvil(npm, tools, json.loads(wanted), anvil)
            with open(stamp, 'w', encoding='utf-8') as file:
                file.write(wanted)
    return anvil


def run_npm(npm, folder, *arguments):
    done = subprocess.run([npm, *arguments, '--fetch-retries', '1', '--loglevel', 'error'], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Unavailable(f'npm {arguments[0]} failed, which fetches anvil and solc:\n{done.stdout[-2000:]}')


def fetch_anvil(npm, tools, lock, target):
    """Puts this machine's anvil there, of the version and with the digest of the lock. `npm ci` would leave it out where node is
    older than the package's scripts need, though the program is not one of them."""
    machine = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine())
    if machine is None:
        raise Unavailable(f'there is no anvil for {platform.machine()}')
    name = '@foundry-rs/anvil-linux-' + machine
    pinned = lock['packages']['node_modules/' + name]
    with tempfile.TemporaryDirectory(dir=tools) as folder:
        run_npm(npm, folder, 'pack', f"{name}@{pinned['version']}")
        [package] = os.listdir(folder)
        with open(os.path.join(folder, package), 'rb') as file:
            digest = base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
        if pinned['integrity'] != 'sha512-' + digest:
            raise Unavailable(f'{package} is not what package-lock.json pins')
        with tarfile.open(os.path.join(folder, package)) as archive, open(target, 'wb') as program:
            shutil.copyfileobj(archive.extractfile('package/bin/anvil'), program)
    os.chmod(target, 0o755)


def compile_contracts(tools, check):
    """Compiles the contracts, or only compares; gives the exit code."""
    install(tools)
    node = shutil.which('node')
    if node is None:
        raise Unavailable('node is missing, which runs solc (Debian: apt-get install nodejs)')
    command = [node, os.path.join(CONTRACTS, 'compile.cjs'), os.path.join(tools, 'node_modules')]
    return subprocess.run(command + (['--check'] if check else []), check=False).returncode


def compiled():
    with open(os.path.join(CONTRACTS, 'compiled.json'), encoding='utf-8') as file:
        return json.load(file)['contracts']


def http(method, url, body=None, headers=None, limit=60):
    """One exchange, past any proxy; gives what came, parsed."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {'Content-Type': 'application/json', **(headers or {})}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=limit) as reply:
        text = reply.read()
    return json.loads(text) if text else None


def wei(amount):
    """The smallest units (10⁻¹⁸) of a decimal amount, exactly."""
    with decimal.localcontext(decimal.Context(prec=60)):
        units = decimal.Decimal(amount) * 10 ** 18
        if units != units.to_integral_value():
            raise ValueError(f'{amount} has more than 18 decimals')
        return int(units)


def word(value):
    """A number, or an address or number in hex, as the 32 bytes (in hex) of a contract's argument."""
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32, 'big').hex()


class Chain:
    """The chain of a folder, running or to be started."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.network = self.url = self.pid = None
        self._process = None            # only where this object started it
        try:
            with open(self._path('chain.json'), encoding='utf-8') as file:
                self.__dict__.update(json.load(file))
        except FileNotFoundError:
            pass

    def _path(self, name):
        return os.path.join(self.folder, name)

    def start(self, tools=TOOLS, network='hoodi', port=0):
        """Starts anvil, with the transactions of an earlier start in this folder, and puts the contracts in place."""
        anvil = install(tools)
        self.stop()
        os.makedirs(self.folder, exist_ok=True)
        if port == 0 and self.url is not None:
            port = int(self.url.rpartition(':')[2])         # where daemons look for it
        command = [anvil, '--host', '127.0.0.1', '--port', str(port), '--chain-id', str(NETWORKS[network]['id']), '--accounts', '1',
                   '--state', self._path('state.json')]
        environment = {**os.environ, 'HOME': self.folder, 'NO_COLOR': '1'}
        with open(self._path('anvil.log'), 'w', encoding='utf-8') as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
                                       start_new_session=True)
        self.network, self.pid, self._process = network, process.pid, process
        try:
            self.url = self._listening(process)
            self._place()
            with open(self._path('config-payments.toml'), 'w', encoding='utf-8') as file:
                file.write(self.config())
            with open(self._path('chain.json'), 'w', encoding='utf-8') as file:
                json.dump({'network': self.network, 'url': self.url, 'pid': self.pid}, file)
        except BaseException:
            process.kill()
            process.wait()
            self.pid = self._process = None
            raise

    def _listening(self, process):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with open(self._path('anvil.log'), encoding='utf-8') as log:
                text = log.read()
            if found := re.search(r'Listening on (127\.0\.0\.1:\d+)', text):
                return 'http://' + found[1]
            if process.poll() is not None:
                raise RuntimeError(f'anvil ended with {process.returncode}:\n{text}')
            time.sleep(0.02)
        raise RuntimeError('anvil does not listen:\n' + text)

    def _place(self):
        addresses = NETWORKS[self.network]
        for name, contract in compiled().items():
            self.rpc('anvil_setCode', addresses[name], contract['code'])
            if name != 'Token':
                self.rpc('anvil_setStorageAt', addresses[name], '0x0', '0x' + word(addresses['Token']))

    def running(self):
        """Whether the process that start() made is there still: its number may be another's by now."""
        if self.pid is None:
            return False
        try:
            with open(f'/proc/{self.pid}/cmdline', 'rb') as file:
                return self._path('state.json').encode() in file.read().split(b'\0')
        except OSError:
            return False

    def stop(self, limit=20):
        """Ends anvil, which then writes what it holds. Does nothing if it does not run."""
        if self.running():
            os.kill(self.pid, signal.SIGINT)
            end = time.monotonic() + limit
            while self.running() and time.monotonic() < end:
                time.sleep(0.02)
            if self.running():
                os.kill(self.pid, signal.SIGKILL)
                raise RuntimeError(f'anvil did not end within {limit} s and was killed; its transactions are lost')
        if self._process is not None:
            self._process.wait()
        self.pid = self._process = None

    def rpc(self, method, *params):
        reply = http('POST', self.url, {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params})
        if 'error' in reply:
            raise RpcError(f"{method}: {reply['error'].get('message', reply['error'])}")
        return reply['result']

    def data(self, contract, function, *arguments):
        """A call's data. An argument is a word (number or address) or an array of words."""
        head, tail = '', ''
        for argument in arguments:
            if isinstance(argument, list):
                head += word(32 * len(arguments) + len(tail) // 2)
                tail += word(len(argument)) + ''.join(map(word, argument))
            else:
                head += word(argument)
        return '0x' + compiled()[contract]['methods'][function] + head + tail

    def call(self, contract, function, *arguments):
        """What a function gives, in hex, without a transaction."""
        return self.rpc('eth_call', {'to': NETWORKS[self.network][contract], 'data': self.data(contract, function, *arguments)}, 'latest')

    def send(self, sender, contract, function, *arguments):
        """A transaction of a sender whose key anvil holds or that it impersonates; gives the receipt."""
        transaction = {'from': sender, 'to': NETWORKS[self.network][contract], 'data': self.data(contract, function, *arguments)}
        self.rpc('eth_call', transaction, 'latest')         # tells in words why it cannot succeed, which a receipt does not
        number = self.rpc('eth_sendTransaction', transaction)
        end = time.monotonic() + 10
        while (receipt := self.rpc('eth_getTransactionReceipt', number)) is None and time.monotonic() < end:
            time.sleep(0.01)
        if receipt is None or receipt['status'] != '0x1':
            raise RpcError(f"{function} failed, transaction {number}")
        return receipt

    def glm(self, address):
        return int(self.call('Token', 'balanceOf(address)', address), 16)

    def fund(self, address, glm='1000', gas='10'):
        """Adds GLM to what the address has, and sets what it has for gas."""
        self.rpc('anvil_setBalance', address, hex(wei(gas)))
        self.send(self.rpc('eth_accounts')[0], 'Token', 'mint(address,uint256)', address, wei(glm))

    def config(self):
        """config-payments.toml for a daemon's data folder; it takes the place of the whole table that the driver has built in."""
        return CONFIG.format(network=self.network, url=self.url, **NETWORKS[self.network])

    def attach(self, daemon, key, glm='1000', gas='10'):
        """Money for a running daemon, which from now on pays every second what it accepted. Gives its address."""
        headers = {'Authorization': 'Bearer ' + key}
        address = http('GET', daemon + '/me', headers=headers)['identity']
        self.fund(address, glm, gas)
        platform = f"erc20-{self.network}-{NETWORKS[self.network]['token']}"
        answer = http('POST', daemon + '/payment-api/v1/batchCycle', {'platform': platform, 'cron': '* * * * * *', 'extraPayTimeSec': 5}, headers)
        # A wrong body is answered by 200 too.
        if 'Ok' not in answer:
            raise RuntimeError(f'the daemon did not take the payment cycle: {answer}')
        return address
