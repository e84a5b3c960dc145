#!/usr/bin/env python3
"""What a user's translation unit costs beside one that includes only Asio's awaitables, compiled in turn in one run.

  compile_time.py [--rounds N] [COMPILER FLAG...]      default: g++ -std=c++20 -O0 -g
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

ASIO_ONLY = """
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iostream>
#include <string>
boost::asio::awaitable<void> run() {
    auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, std::chrono::seconds(1));
    co_await timer.async_wait(boost::asio::use_awaitable);
    std::cout << "done" << std::endl;
}
int main() {
    boost::asio::io_context context;
    boost::asio::co_spawn(context, run(), [](std::exception_ptr) {});
    context.run();
}
"""


def readme_program():
    with open(os.path.join(ROOT, 'README.md')) as file:
        return re.search(r'```cpp\n(.*?)```', file.read(), re.S).group(1)


def compile_once(command, source):
    """Seconds of processor time and peak memory in MiB of one compilation."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'unit.cpp')
        with open(path, 'w') as file:
            file.write(source)
        child = subprocess.Popen([*command, '-I', os.path.join(ROOT, 'include'), '-c', path, '-o', os.path.join(folder, 'unit.o')])
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f'{command[0]} failed')
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    arguments = sys.argv[1:]
    rounds = 5
    if arguments[:1] == ['--rounds']:
        rounds = int(arguments[1])
        arguments = arguments[2:]
    command = arguments or ['g++', '-std=c++20', '-O0', '-g']
    units = {'Asio only': ASIO_ONLY, "README's program": readme_program()}
    seconds = {name: [] for name in units}
    memory = {name: 0 for name in units}
    for _ in range(rounds):
        for name, source in units.items():
            spent, peak = compile_once(command, source)
            seconds[name].append(spent)
            memory[name] = max(memory[name], peak)
    for name in units:
        print(f'{name}: {statistics.median(seconds[name]):.2f} s CPU (min {min(seconds[name]):.2f}), peak {memory[name]:.0f} MiB')
    ratios = sorted(ours / theirs for ours, theirs in zip(seconds["README's program"], seconds['Asio only']))
    print(f'ratio: {statistics.median(ratios):.2f}')


if __name__ == '__main__':
    main()
