"""The contracts of the local chain, on anvil."""
import os
import shutil
import tempfile
import unittest

from local_chain import NETWORKS, Chain, RpcError, Unavailable, install, wei, word

TOOLS = os.environ['GOLEM_CHAIN_TOOLS']
PAYER, PAYEE, OTHER = ('0x' + digit * 40 for digit in '123')


def setUpModule():
    try:
        install(TOOLS)
    except Unavailable as why:
        raise unittest.SkipTest(str(why))


def packed(address, amount):
    return address + f'{amount:024x}'


def text(result):
    """A string that a function gave."""
    data = bytes.fromhex(result[2:])
    return data[64:64 + int.from_bytes(data[32:64], 'big')].decode()


class Contracts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='golem-chain-')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.chain = Chain(cls.folder)
        cls.chain.start(TOOLS)
        cls.addClassCleanup(lambda: cls.chain.stop())
        cls.chain.rpc('anvil_autoImpersonateAccount', True)
        for address in (PAYER, PAYEE, OTHER):
            cls.chain.fund(address, glm='0')

    def setUp(self):
        # Each test on what setUpClass left.
        self.addCleanup(self.chain.rpc, 'evm_revert', self.chain.rpc('evm_snapshot'))

    def amounts(self):
        return [self.chain.glm(address) for address in (PAYER, PAYEE, OTHER)]

    def approve(self, contract, amount):
        self.chain.send(PAYER, 'Token', 'approve(address,uint256)', NETWORKS['hoodi'][contract], amount)

    def test_token_moves_and_refuses_in_the_words_that_the_driver_knows(self):
        self.chain.fund(PAYER, '1.5')
        self.chain.send(PAYER, 'Token', 'transfer(address,uint256)', PAYEE, wei('0.5'))
        self.assertEqual(self.amounts(), [wei('1'), wei('0.5'), 0])
        with self.assertRaisesRegex(RpcError, 'transfer amount exceeds balance'):
            self.chain.send(PAYER, 'Token', 'transfer(address,uint256)', PAYEE, wei('1') + 1)
        with self.assertRaisesRegex(RpcError, 'insufficient allowance'):
            self.chain.send(OTHER, 'Token', 'transferFrom(address,address,uint256)', PAYER, OTHER, 1)
        self.assertEqual(self.amounts(), [wei('1'), wei('0.5'), 0])

    def test_multi_transfer_pays_several_at_once(self):
        self.chain.fund(PAYER, '10')
        self.approve('MultiTransfer', wei('10'))
        payments = [packed(PAYEE, 3), packed(OTHER, 4)]
        self.chain.send(PAYER, 'MultiTransfer', 'golemTransferDirectPacked(bytes32[])', payments)
        self.chain.send(PAYER, 'MultiTransfer', 'golemTransferIndirectPacked(bytes32[],uint256)', payments, 7)
        self.chain.send(PAYER, 'MultiTransfer', 'golemTransferDirect(address[],uint256[])', [PAYEE, OTHER], [3, 4])
        self.chain.send(PAYER, 'MultiTransfer', 'golemTransferIndirect(address[],uint256[])', [PAYEE, OTHER], [3, 4])
        self.assertEqual(self.amounts(), [wei('10') - 28, 12, 16])
        with self.assertRaisesRegex(RpcError, 'not the sum'):
            self.chain.send(PAYER, 'MultiTransfer', 'golemTransferIndirectPacked(bytes32[],uint256)', payments, 8)

    def test_faucet_gives(self):
        self.chain.send(PAYER, 'Faucet', 'create()')
        self.assertEqual(self.amounts(), [wei('1000'), 0, 0])

    def test_deposit_is_spent_by_its_spender_and_what_is_left_goes_back(self):
        self.chain.fund(PAYER, '10')
        self.approve('Deposits', wei('10'))
        nonce, amount, fee, until = 7, wei('5'), wei('1'), 2_000_000_000
        deposit = int(PAYER, 16) << 96 | nonce
        self.chain.send(PAYER, 'Deposits', 'createDeposit(uint64,address,uint128,uint128,uint64)', nonce, OTHER, amount, fee, until)
        self.assertEqual(self.chain.call('Deposits', 'getDeposit(uint256)', deposit),
                         '0x' + ''.join(map(word, (deposit, nonce, PAYER, OTHER, amount, until))))
        self.assertEqual(text(self.chain.call('Deposits', 'validateDeposit(uint256,uint128)', deposit, fee)), 'valid')
        self.assertIn('mismatch', text(self.chain.call('Deposits', 'validateDeposit(uint256,uint128)', deposit, 0)))
        with self.assertRaisesRegex(RpcError, 'only the spender'):
            self.chain.send(PAYER, 'Deposits', 'closeDeposit(uint256)', deposit)
        self.chain.send(OTHER, 'Deposits', 'depositSingleTransfer(uint256,address,uint128)', deposit, PAYEE, wei('2'))
        with self.assertRaisesRegex(RpcError, 'holds less'):
            self.chain.send(OTHER, 'Deposits', 'depositSingleTransfer(uint256,address,uint128)', deposit, PAYEE, wei('4'))
        self.chain.send(OTHER, 'Deposits', 'depositTransferAndClose(uint256,bytes32[])', deposit, [packed(PAYEE, wei('1'))])
        self.assertEqual(self.amounts(), [wei('6'), wei('3'), wei('1')])
        self.assertEqual(self.chain.glm(NETWORKS['hoodi']['Deposits']), 0)


class Kept(unittest.TestCase):
    def test_chain_is_kept_over_a_restart(self):
        folder = tempfile.mkdtemp(prefix='golem-chain-')
        self.addCleanup(shutil.rmtree, folder)
        chain = Chain(folder)
        self.addCleanup(chain.stop)
        chain.start(TOOLS)
        chain.fund(PAYER, '3')
        url = chain.url
        chain.stop()
        self.assertFalse(chain.running())
        chain.start(TOOLS)
        self.assertEqual((chain.glm(PAYER), chain.url), (wei('3'), url))
