"""What is accepted is paid: the clock on real daemons with a chain. Needs the bed that `bed.py up` has made."""
import base64
import contextlib
import datetime
import decimal
import os
import signal
import subprocess
import threading
import time
import unittest

from bed import Bed
from local_chain import NETWORKS, wei
from rig import CLOCK, DEVNET, NOTHING_LEFT, Daemon, environment, run

FOLDER = os.environ['GOLEM_CHAIN_BED']
PATIENCE = 60
# keccak256("Transfer(address,address,uint256)"), the first topic of a token's log.
TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'


def setUpModule():
    if not Bed(FOLDER).is_up():
        raise unittest.SkipTest('there is no bed: bed.py up says why')


@contextlib.contextmanager
def provider(bed):
    """A provider of ours on the provider's daemon."""
    env = environment(**{name: value for name, value in bed.env.items() if name.startswith('PROVIDER_') or name == 'YAGNA_SUBNET'})
    process = subprocess.Popen([DEVNET, 'provider', '--daemon', bed.env['PROVIDER_API_URL']], env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    drain = threading.Thread(target=lambda: lines.extend(process.stdout))
    drain.start()
    try:
        yield
    except BaseException:
        print('the provider said:\n' + ''.join(lines))
        raise
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            drain.join()
            process.stdout.close()
    if process.returncode != 0:
        raise AssertionError(f'the provider ended with {process.returncode}:\n' + ''.join(lines))


def wait_until(what, condition):
    """The first true value of condition(), asked for until there is one."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f'{what}: not within {PATIENCE} s')
        time.sleep(0.05)
    return value


def total(amounts):
    return sum(map(decimal.Decimal, amounts), decimal.Decimal(0))


def instant(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))


class OnBed(unittest.TestCase):
    def setUp(self):
        self.bed = Bed(FOLDER)
        self.chain = self.bed.chain
        self.requestor = Daemon(self.bed.env['YAGNA_API_URL'], self.bed.env['YAGNA_APPKEY'])
        self.provider = Daemon(self.bed.env['PROVIDER_API_URL'], self.bed.env['PROVIDER_APPKEY'])
        self.known = {i['invoiceId'] for i in self.invoices(self.requestor)}

    def invoices(self, daemon):
        return daemon.get('/payment-api/v1/invoices')

    def clock(self, *options):
        return run([CLOCK, *options], environment(**self.bed.env))


class Settlement(OnBed):
    def settled(self, daemon):
        """The one invoice that came since setUp, once it is settled."""
        new = [i for i in self.invoices(daemon) if i['invoiceId'] not in self.known]
        return new[0] if [i['status'] for i in new] == ['SETTLED'] else None

    def payments_of(self, daemon, invoice):
        """The payments for an invoice's agreement, those for its debit notes too, by id."""
        found = {}
        for payment in daemon.get('/payment-api/v1/payments?maxEvents=1000'):
            parts = ([p['amount'] for p in payment['agreementPayments'] if p['agreementId'] == invoice['agreementId']] +
                     [p['amount'] for p in payment['activityPayments'] if p['activityId'] in invoice['activityIds']])
            if parts:
                found[payment['paymentId']] = {**payment, 'parts': total(parts)}
        return found

    def transfers(self, transaction):
        """(from, to, amount) of each transfer of GLM in a transaction, which must have succeeded."""
        receipt = self.chain.rpc('eth_getTransactionReceipt', transaction)
        self.assertIsNotNone(receipt, f'the chain does not know {transaction}')
        self.assertEqual(receipt['status'], '0x1')
        token = NETWORKS[self.chain.network]['Token'].lower()
        return [('0x' + log['topics'][1][-40:], '0x' + log['topics'][2][-40:], int(log['data'], 16)) for log in receipt['logs']
                if log['address'].lower() == token and log['topics'][0] == TRANSFER]

    def test_clock_is_paid(self):
        payee = self.provider.get('/me')['identity']
        before = self.chain.glm(payee)
        with provider(self.bed):
            result = self.clock('--times', '2', '--wait-limit', str(PATIENCE))
            self.assertEqual((result.code, len(result.out.splitlines())), (0, 2), result)
            invoice = wait_until('settled at the requestor', lambda: self.settled(self.requestor))
            at_provider = wait_until('settled at the provider', lambda: self.settled(self.provider))
        for daemon in (self.requestor, self.provider):
            self.assertEqual(daemon.leftovers(), NOTHING_LEFT)
        amount = decimal.Decimal(invoice['amount'])
        self.assertGreater(amount, 0)
        same = ('invoiceId', 'agreementId', 'activityIds', 'amount', 'paymentPlatform', 'payerAddr', 'payeeAddr')
        self.assertEqual([invoice[key] for key in same], [at_provider[key] for key in same])
        self.assertEqual(invoice['payeeAddr'], payee)

        paid, received = (self.payments_of(daemon, invoice) for daemon in (self.requestor, self.provider))
        self.assertEqual(total(p['parts'] for p in paid.values()), amount)
        self.assertEqual({i: (p['parts'], p['details']) for i, p in paid.items()},
                         {i: (p['parts'], p['details']) for i, p in received.items()})
        for payment in received.values():
            self.assertTrue(payment['signature'] and payment['signedBytes'], 'a payment that nobody signed')
            transaction = '0x' + base64.b64decode(payment['details']).hex()
            self.assertEqual(self.transfers(transaction), [(invoice['payerAddr'], payee, wei(payment['amount']))])
        self.assertEqual(self.chain.glm(payee) - before, wei(amount))

        print(f'{amount} GLM in {len(received)} payment(s), settled {self.settling(invoice):.2f} s after the first accept')

    def settling(self, invoice):
        """Seconds from the first accept of one of its documents; an invoice that its debit notes have paid is settled at once."""
        notes = [n['debitNoteId'] for n in self.provider.get('/payment-api/v1/debitNotes') if n['activityId'] in invoice['activityIds']]
        events = (self.provider.get('/payment-api/v1/invoiceEvents?timeout=0&maxEvents=1000') +
                  self.provider.get('/payment-api/v1/debitNoteEvents?timeout=0&maxEvents=1000'))
        events = [(instant(e['eventDate']), e['eventType']) for e in events if e.get('invoiceId') == invoice['invoiceId'] or e.get('debitNoteId') in notes]
        accepted = min(time for time, kind in events if kind.endswith('AcceptedEvent'))
        [settled] = [time for time, kind in events if kind == 'InvoiceSettledEvent']
        return (settled - accepted).total_seconds()

    def test_more_than_the_account_holds_is_refused(self):
        result = self.clock('--budget', '1000000')
        self.assertEqual(result.code, 1, result)
        self.assertIn('create allocation: the account has too little', result.err)
        self.assertNotIn('left over', result.err)
        self.assertEqual(self.requestor.leftovers(), NOTHING_LEFT)


class Silence(OnBed):
    def test_chain_that_keeps_silent(self):
        # It worked once: a daemon that never reached the chain gives up at once, this one tries for half a minute.
        self.assertIn('too little', self.clock('--budget', '1000000').err)
        self.assertTrue(self.chain.running())
        os.kill(self.chain.pid, signal.SIGSTOP)
        try:
            start = time.monotonic()
            result = self.clock('--wait-limit', '100')
            took = time.monotonic() - start
        finally:
            os.kill(self.chain.pid, signal.SIGCONT)
        self.assertEqual(result.code, 1, result)
        self.assertIn('create allocation: the daemon cannot reach the payment chain', result.err)
        self.assertNotIn('left over', result.err)
        self.assertEqual(self.requestor.leftovers(), NOTHING_LEFT)
        print(f'told after {took:.1f} s:\n{result.err}')
