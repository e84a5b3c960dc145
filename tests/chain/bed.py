#!/usr/bin/env python3
"""Two real daemons that pay on a chain of their own.

    bed.py up FOLDER [--tools FOLDER]       ends what an earlier run left there, and begins anew
    bed.py down FOLDER

Exit code 77: what it needs cannot be had here.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

from local_chain import HERE, TOOLS, Chain, Unavailable

REAL_NETWORK = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'tools', 'real-network')


class Bed:
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.chain = Chain(os.path.join(self.folder, 'chain'))
        self._network = os.path.join(self.folder, 'network')

    @property
    def env(self):
        """What clients and providers need, by the names of environment variables; empty if nothing is up."""
        try:
            with open(os.path.join(self._network, 'env'), encoding='utf-8') as file:
                return dict(re.findall(r'^export (\w+)=(.*)$', file.read(), re.MULTILINE))
        except FileNotFoundError:
            return {}

    def is_up(self):
        return bool(self.env) and self.chain.running()

    def up(self, tools, hub_tool):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.chain = Chain(self.chain.folder)
        self.chain.start(tools)
        done = subprocess.run([REAL_NETWORK, 'up', self._network, '--fresh', '--funds-check', '--hub-tool', hub_tool,
                               '--network', self.chain.network, '--config-payments', os.path.join(self.chain.folder, 'config-payments.toml')],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 77:
            raise Unavailable(done.stdout)
        if done.returncode != 0:
            raise RuntimeError(f'the daemons do not start:\n{done.stdout}')
        self.chain.attach(self.env['YAGNA_API_URL'], self.env['YAGNA_APPKEY'])

    def down(self):
        """Ends everything. What it wrote stays, for whoever asks why a test failed."""
        try:
            subprocess.run([REAL_NETWORK, 'down', self._network], check=True)
        finally:
            self.chain.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=('up', 'down'))
    parser.add_argument('folder')
    parser.add_argument('--tools', default=TOOLS, help='folder for what npm installs (%(default)s)')
    args = parser.parse_args()
    bed = Bed(args.folder)
    if args.command == 'down':
        bed.down()
        return
    start = time.monotonic()
    try:
        bed.up(args.tools, os.path.join(os.environ['GOLEM_TEST_BIN'], 'src', 'devnet', 'golem-devnet'))
    except BaseException:
        bed.down()
        raise
    print(f'up after {time.monotonic() - start:.1f} s')


if __name__ == '__main__':
    try:
        main()
    except Unavailable as why:
        print('skipped:', why)
        sys.exit(77)
